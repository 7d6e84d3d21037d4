"""Looks at a host from within, all at once, and changes nothing.

This file is sent to the host's own Python (3.10 or newer, nothing but its standard library) as the program
on standard input, with the request behind it: so the secrets that it looks for never stand in a command line
or a file. What it answers with holds none of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import socket
import stat
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOTS = ("/opt/calcom", "/var/lib/calcom", "/var/log/calcom", "/etc/cron.d", "/etc/systemd/system")
"""Folders that calstack writes into."""

_LARGEST_FILE = 8 << 20
_MOST_FILES = 5000


def look(request: dict[str, Any]) -> dict[str, Any]:
    """Everything that the checks want to know of this host.

    `request`: `domain`, `inner_port`, `images` (references), `needles` (name of a secret to the forms
    that it is searched X that could not be looked at is `{"problem": why}`.
    """
    containers = _or_problem(_containers)
    parts: dict[str, Callable[[], Any]] = {
        "machine": _machine,
        "failed_units": _failed_units,
        "apt": _apt_periodic,
        "networks": _networks,
        "images": lambda: {name: _image_id(name) for name in request["images"]},
        "listening": _listening,
        "files": _files,
        "exposed": lambda: _exposed(request["needles"]),
        "environment": lambda: _environment(containers, request, "web"),
        "api_environment": lambda: _environment(containers, request, "api"),
        "maintenance": lambda: _text(request["maintenance_map"]) or "",
        "restore": lambda: _text(request["restore_state"]) or "",
        "certificate": _certificate,
        "limits": lambda: _proxy_says(f"show map {request['limits_map']}"),
        "cron_file": lambda: _text("/etc/cron.d/calcom-jobs"),
        "jobs": _jobs,
        "backups": _backups,
        "continuous": _continuous,
        "database": lambda: _database(containers),
        "database_reaches": lambda: _reaches_the_host(containers, "db"),
        "cache_reaches": lambda: _reaches_the_host(containers, "cache"),
        "cache_from_host": lambda: _cache_from_host(containers),
        "firewall": _firewall,
        "ipv6_visitor": lambda: _ipv6_visitor(request["domain"]),
        "hairpin": lambda: _hairpin(containers, request["domain"]),
        "bearer_undefined": lambda: _task_queue_answer(request, "Bearer undefined"),
        "no_credentials": lambda: _task_queue_answer(request, None),
    }
    # A few at a time: the machine has an instance to serve.
    with ThreadPoolExecutor(4) as pool:
        started = {name: pool.submit(_or_problem, part) for name, part in parts.items()}
        found = {name: part.result() for name, part in started.items()}
    return found | {"containers": _without_environment(containers)}


def _or_problem(part: Callable[[], Any]) -> Any:
    try:
        return part()
    except Exception as error:
        kind = "" if isinstance(error, CommandError) else f"{type(error).__name__}: "
        return {"problem": f"{kind}{error}"}


class CommandError(Exception):
    """A command ended with another code than 0."""


def _run(*command: str, stdin: str = "", seconds: float = 15) -> str:
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CommandError(f"{command[0]} {command[1]} did not end within {seconds:.0f} s") from None
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip()
        raise CommandError(said or f"{command[0]} ended with {done.returncode}")
    return done.stdout


def _machine() -> dict[str, Any]:
    container = subprocess.run(
        ["systemd-detect-virt", "--container"], capture_output=True, text=True, check=False
    )
    synchronized = _run("timedatectl", "show", "--property=NTPSynchronized", "--value").strip()
    uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    return {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
        "container": container.stdout.strip() if container.returncode == 0 else None,
        "clock_synchronized": synchronized == "yes",
        "now": time.time(),
        "up_since": time.time() - uptime,
    }


def _failed_units() -> list[str]:
    listing = _run("systemctl", "list-units", "--failed", "--plain", "--no-legend", "--no-pager")
    return [line.split()[0] for line in listing.splitlines() if line.strip()]


def _apt_periodic() -> dict[str, str]:
    settings = {}
    for line in _run("apt-config", "dump").splitlines():
        name, _, value = line.rstrip(";").partition(" ")
        if name.startswith(("APT::Periodic::", "Unattended-Upgrade::")):
            settings[name] = value.strip('"')
    return settings


def _containers() -> dict[str, dict[str, Any]]:
    """Docker's description of each container of the project, by service, one-shot steps left out."""
    names = _run(
        "docker", "ps", "--all", "--quiet", "--no-trunc",
        "--filter", "label=com.docker.compose.project=calcom",
        "--filter", "label=com.docker.compose.oneoff=False",
    ).split()  # fmt: skip
    if not names:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for container in json.loads(_run("docker", "inspect", *names)):
        service = container["Config"]["Labels"]["com.docker.compose.service"]
        replica = 2
        name = service
        while name in found:
            name, replica = f"{service} {replica}", replica + 1
        found[name] = container
    return found


def _without_environment(containers: Any) -> Any:
    for container in containers.values():
        if isinstance(container, dict) and "Config" in container:
            container["Config"].pop("Env", None)
    return containers


def _networks() -> dict[str, dict[str, Any]]:
    names = _run(
        "docker", "network", "ls", "--quiet", "--filter", "label=com.docker.compose.project=calcom"
    ).split()
    described = json.loads(_run("docker", "network", "inspect", *names)) if names else []
    return {network["Labels"]["com.docker.compose.network"]: network for network in described}


def _image_id(reference: str) -> str | None:
    try:
        return _run("docker", "image", "inspect", "--format", "{{.Id}}", reference).strip()
    except CommandError:
        return None


def _listening() -> list[dict[str, Any]]:
    """Every address and port on which something accepts TCP connections."""
    found = []
    for line in _run("ss", "--no-header", "--listening", "--tcp", "--numeric").splitlines():
        address, _, port = line.split()[3].rpartition(":")
        found.append({"address": address.partition("%")[0].strip("[]"), "port": int(port)})
    return found


def _files() -> list[dict[str, Any]]:
    """Mode and owner of everything that lies where calstack writes."""
    return [
        {
            "path": str(path),
            "kind": "folder" if path.is_dir() else "link" if path.is_symlink() else "file",
            "mode": f"{stat.S_IMODE(state.st_mode):04o}",
            "owner": state.st_uid,
            "group": state.st_gid,
            # When it came to lie there: the time of its content is the same on every host.
            "placed": state.st_ctime,
        }
        for path, state in _everything()
        if "calcom" in path.name or str(path).startswith("/opt/calcom")
    ]


def _everything() -> list[tuple[Path, os.stat_result]]:
    found: list[tuple[Path, os.stat_result]] = []
    for root in map(Path, ROOTS):
        for path in (root, *root.rglob("*")):
            try:
                found.append((path, path.lstat()))
            except FileNotFoundError:
                continue
            if len(found) > _MOST_FILES:
                return found
    return found


def _exposed(needles: dict[str, list[str]]) -> list[str]:
    """`SECRET in PLACE` for each secret that somebody else than root and the file's owner could read."""
    found = []
    for path, state in _everything():
        if stat.S_ISREG(state.st_mode) and state.st_size <= _LARGEST_FILE and _others_can_read(path, state):
            found += [f"{name} in {path}" for name in _secrets_in(path, needles)]
    # Command lines are for everybody's eyes.
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        found += [f"{name} in {command_line}" for name in _secrets_in(command_line, needles)]
    return sorted(set(found))


def _others_can_read(path: Path, state: os.stat_result) -> bool:
    if not state.st_mode & (stat.S_IROTH | (stat.S_IRGRP if state.st_gid != 0 else 0)):
        return False
    return all(
        folder.st_mode & (stat.S_IXOTH | (stat.S_IXGRP if folder.st_gid != 0 else 0))
        for folder in (parent.stat() for parent in path.parents)
    )


def _secrets_in(path: Path, needles: dict[str, list[str]]) -> list[str]:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []
    return [name for name, forms in needles.items() if any(form.encode() in content for form in forms)]


def _environment(containers: Any, request: dict[str, Any], service: str) -> dict[str, Any]:
    """What web or api was started with: its public variables, and of its secrets what may be told."""
    said = dict(entry.partition("=")[::2] for entry in _of(containers, service)["Config"]["Env"])
    secrets = {}
    for name, value in request["expected"][service].items():
        running = said.get(name)
        secrets[name] = {
            "length": None if running is None else len(running),
            "is_the_inventory_s": running is not None and _digest(running) == _digest(value),
            "is_a_sample": running in request["samples"],
        }
    public = (
        "NEXT_PUBLIC_WEBAPP_URL",
        "NEXTAUTH_URL",
        "NEXT_PUBLIC_DISABLE_SIGNUP",
        "NODE_TLS_REJECT_UNAUTHORIZED",
        "REWRITE_API_V2_PREFIX",
        "IS_TEAM_BILLING_ENABLED",
        "LOG_LEVEL",
    )
    return {"secrets": secrets, "public": {name: said.get(name) for name in public}}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _text(path: str) -> str | None:
    try:
        return Path(path).read_bytes().decode()
    except FileNotFoundError:
        return None


def _certificate() -> dict[str, Any]:
    """What the host's own job finds wrong with the certificate that is served, or None."""
    said = json.loads(_run("python3", "/opt/calcom/onhost.pyz", "certificate"))
    return {"wrong": said["problem"]}


def _proxy_says(command: str) -> str:
    answers: list[str] = json.loads(
        _run("python3", "/opt/calcom/onhost.pyz", "proxy", stdin=json.dumps([command]))
    )
    return answers[0]


def _jobs() -> dict[str, Any]:
    """What `onhost` says of its jobs' last runs, and how often each shall run."""
    jobs = json.loads(Path("/opt/calcom/jobs.json").read_text(encoding="utf-8"))["jobs"]
    intervals = {name: job["interval_seconds"] for name, job in jobs.items()}
    stamps = json.loads(_run("python3", "/opt/calcom/onhost.pyz", "stamps", "--json"))
    return {"intervals": intervals, "stamps": stamps["jobs"]}


def _backups() -> dict[str, Any] | None:
    """What the host knows of its runs without asking a repository; None where no backups are set up."""
    if not Path("/opt/calcom/backup/config.json").exists():
        return None
    said: dict[str, Any] = json.loads(_run("python3", "/opt/calcom/onhost.pyz", "backup", "state"))
    return said


def _continuous() -> dict[str, Any] | None:
    """What the host knows of the log in each repository; None where that is not sent."""
    if not Path("/opt/calcom/wal/receive.sh").exists():
        return None
    said: dict[str, Any] = json.loads(
        _run("python3", "/opt/calcom/onhost.pyz", "backup", "continuous", "state")
    )
    return said


_QUERY = """
select json_build_object(
    'administrators', (select coalesce(json_agg(email order by id), '[]') from users where role = 'ADMIN'),
    'unfinished_onboarding', (select coalesce(json_agg(email), '[]') from users
                              where role = 'ADMIN' and not "completedOnboarding"),
    'sign_up_disabled', (select enabled from "Feature" where slug = 'disable-signup'),
    'mail_stopped', (select enabled from "Feature" where slug = 'emails'),
    'overdue', (select count(*) from "WebhookScheduledTriggers"
                where "startAfter" < (now() at time zone 'utc') - interval '5 minutes'),
    'longest_overdue', (select to_char(min("startAfter"), 'YYYY-MM-DD HH24:MI')
                        from "WebhookScheduledTriggers"
                        where "startAfter" < (now() at time zone 'utc') - interval '5 minutes'),
    'unfinished_migrations', (select count(*) from _prisma_migrations
                              where finished_at is null and rolled_back_at is null),
    'checksums', current_setting('data_checksums'));
"""


def _database(containers: Any) -> Any:
    answer = _run(
        "docker", "exec", "--interactive",
        "--env", "PGOPTIONS=-c default_transaction_read_only=on -c statement_timeout=10s",
        _of(containers, "db")["Id"],
        "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "calcom", "-d", "calcom",
        stdin=_QUERY,
    )  # fmt: skip
    return json.loads(answer)


def _reaches_the_host(containers: Any, service: str) -> dict[str, str]:
    """Whether a connection from within a container without a way out to its own host gets anywhere."""
    container = _of(containers, service)
    found = {}
    for name, network in container["NetworkSettings"]["Networks"].items():
        gateway = network["Gateway"] or _gateway_of(name)
        script = f"exec 3<>/dev/tcp/{gateway}/22"
        probe = subprocess.run(
            ["docker", "exec", container["Id"], "timeout", "2", "bash", "-c", script],
            capture_output=True, text=True, timeout=15, check=False,
        )  # fmt: skip
        verdict = {0: "open", 124: "no answer"}.get(probe.returncode, probe.stderr.strip()[-200:])
        found[f"{gateway}:22"] = verdict
    return found


def _cache_from_host(containers: Any) -> list[str]:
    """Addresses at which this host itself can connect to the cache, which asks nobody for a password."""
    reached = []
    for network in _of(containers, "cache")["NetworkSettings"]["Networks"].values():
        try:
            socket.create_connection((network["IPAddress"], 6379), timeout=2).close()
        except OSError:
            continue
        reached.append(f"{network['IPAddress']}:6379")
    return reached


def _gateway_of(network: str) -> str:
    """Docker tells no gateway of an internal network's members; the bridge has the address all the same."""
    described = json.loads(_run("docker", "network", "inspect", network))[0]
    configured = [part.get("Gateway") for part in described["IPAM"]["Config"] if part.get("Gateway")]
    return str(configured[0])


def _firewall() -> dict[str, bool]:
    """Whether the rule that shuts the database off from this host is in force, by protocol."""
    commands = ["iptables"] + (["ip6tables"] if Path("/proc/net/if_inet6").exists() else [])

    def there(command: str, target: str) -> bool:
        rule = ("INPUT", "-i", "br-cal-data", "-j", target)
        checked = subprocess.run(
            [command, "-w", "5", "-C", *rule], capture_output=True, timeout=15, check=False
        )
        return checked.returncode == 0

    # A clone's says no in place of saying nothing.
    return {command: there(command, "DROP") or there(command, "REJECT") for command in commands}


def _ipv6_visitor(domain: str) -> dict[str, str] | None:
    """Where a connection over IPv6 from this host to itself comes from, and where the app sees it come from.

    None where the host has no public IPv6 address, so that nobody comes that way.
    """
    lines = _run("ip", "-6", "-oneline", "address", "show", "scope", "global").splitlines()
    places = [(line.split()[1], line.split()[3].partition("/")[0]) for line in lines]
    own = [address for interface, address in places if not interface.startswith(("br-", "docker"))]
    if not own:
        return None
    answer = _run(
        "curl", "-sS", "--insecure", "-m", "8", "--interface", own[0],
        "--resolve", f"{domain}:443:[{own[0]}]", f"https://{domain}/api/ip",
    )  # fmt: skip
    return {"address": own[0], "seen": str(json.loads(answer)["ip"])}


def _hairpin(containers: Any, domain: str) -> dict[str, Any]:
    """Whether the app reaches itself by its public name, and trusts what answers there."""
    script = (
        'wget -q -T 10 -t 1 -O /dev/null ${NODE_EXTRA_CA_CERTS:+"--ca-certificate=$NODE_EXTRA_CA_CERTS"} '
        + shlex.quote(f"https://{domain}/api/version")
    )
    probe = subprocess.run(
        ["docker", "exec", _of(containers, "web")["Id"], "sh", "-c", script],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return {
        "reached": probe.returncode == 0,
        "said": probe.stderr.strip()[-300:] or f"code {probe.returncode}",
    }


def _task_queue_answer(request: dict[str, Any], authorization: str | None) -> int:
    """HTTP status of the task queue's endpoint at the inner entrance."""
    url = f"http://127.0.0.1:{request['inner_port']}/api/tasks/cron"
    headers = {"Host": request["domain"]} | ({"Authorization": authorization} if authorization else {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=15) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        raise CommandError(f"{url} gives no answer ({error})") from None


def _of(containers: Any, service: str) -> dict[str, Any]:
    if "problem" in containers:
        raise CommandError(containers["problem"])
    if service not in containers:
        raise CommandError(f"the project has no container {service}")
    container: dict[str, Any] = containers[service]
    return container
