"""The lab's hosts: containers that run systemd and sshd and behave like freshly installed Debian servers.

How such a container has to be started was measured, not read: it gets every capability but SYS_RESOURCE
(which the machine's own bounding set may lack, so that `--privileged` fails), no seccomp or AppArmor profile,
all devices, and a volume under /var/lib/docker, since overlayfs cannot be stacked on itself.
"""

from __future__ import annotations

import io
import socket
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import tenacity
from docker.errors import APIError, NotFound

from deploy.errors import CalstackError
from deploy.lab import apt_sources, inside, mail, roots
from deploy.lab.lab import ADDRESS_LABEL, HOST_LABEL, Lab, LabHost

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

HTTP_PORTS = (80, 443)
"""Ports of the host that its address publishes beside sshd's."""

START_LIMIT = 60.0
"""Seconds that a host may take from its start until sshd answers; 1 to 6 were measured."""

_REMAKE = "take the lab down and up again: make lab-down, then make deploy"


def ensure_host(client: DockerClient, lab: Lab, host: LabHost, image: str, public_key: str) -> bool:
    """Make sure that the host runs and root's door opens to that key; True if anything had to be done.

    A running host is left alone, a stopped one started, a missing one made from `image`. It comes back when
    systemd has finished starting and sshd answers. Raises `CalstackError` where the address is taken, the
    engine refuses, or the host does not come up.
    """
    container = _find(client, lab, host)
    if container is not None and container.status == "running" and _is_furnished(container, public_key):
        return False
    if container is None:
        container = _create(client, lab, host, image)
    _furnish(container, public_key)
    if container.status != "running":
        _start(container, host)
    _wait_until_up(container, host)
    mail.switch_on(container)
    return True


def host_keys(client: DockerClient, lab: Lab, host: LabHost) -> list[str]:
    """The host's own keys as lines of a known_hosts file, read inside the container and so beyond doubt."""
    container = client.containers.get(lab.container(host.name))
    # A busy engine sometimes loses what a short command prints.
    reading = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(5),
        wait=tenacity.wait_fixed(1),
        retry=tenacity.retry_if_result(lambda keys: not keys),
        retry_error_callback=lambda _: [],
    )
    keys: list[list[str]] = reading(_read_host_keys, container)
    if not keys:
        raise CalstackError("it has no SSH host keys", where=f"lab host {host.name}", fix=_REMAKE)
    place = host.address if host.ssh_port == 22 else f"[{host.address}]:{host.ssh_port}"
    return [f"{place} {kind} {key}" for kind, key in keys]


def _read_host_keys(container: Container) -> list[list[str]]:
    answer = inside.run(container, "sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub")
    lines = answer.text.splitlines() if answer.exit_code == 0 else []
    return [line.split()[:2] for line in lines if line.startswith(("ssh-", "ecdsa-"))]


def _find(client: DockerClient, lab: Lab, host: LabHost) -> Container | None:
    try:
        container = client.containers.get(lab.container(host.name))
    except NotFound:
        return None
    made_with = container.labels.get(ADDRESS_LABEL)
    if made_with != _endpoint(host):
        raise CalstackError(
            f"it was made for {made_with}, and the inventory now says {_endpoint(host)}",
            where=f"lab host {host.name}",
            fix=_REMAKE,
        )
    return container


def _create(client: DockerClient, lab: Lab, host: LabHost, image: str) -> Container:
    volume = lab.docker_volume(host.name)
    client.volumes.create(volume, labels=lab.labels)
    ports: dict[str, tuple[str, int]] = {f"{port}/tcp": (host.address, port) for port in HTTP_PORTS}
    ports["22/tcp"] = (host.address, host.ssh_port)
    return client.containers.create(
        image,
        name=lab.container(host.name),
        hostname=host.name,
        labels={**lab.labels, HOST_LABEL: host.name, ADDRESS_LABEL: _endpoint(host)},
        ports=ports,
        cap_add=["ALL"],
        cap_drop=["SYS_RESOURCE"],
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        device_cgroup_rules=["a *:* rwm"],
        cgroupns="host",
        tmpfs={"/run": "", "/run/lock": ""},
        volumes=[f"{volume}:/var/lib/docker", "/sys/fs/cgroup:/sys/fs/cgroup:rw"],
        stop_signal="SIGRTMIN+3",
    )


def _furnish(container: Container, public_key: str) -> None:
    """Put in what an installer asks for: who may sign in, where packages come from, where mail goes.

    Safe to repeat.
    """
    files = {"root/.ssh/authorized_keys": public_key + "\n", **_apt_files(), **mail.files()}
    container.put_archive("/", _archive(files.items()))


def _apt_files() -> dict[str, str]:
    mirror = apt_sources.machine_mirror()
    options = apt_sources.access_options()
    files = {"etc/apt/apt.conf.d/10machine": "".join(f"{option}\n" for option in options)} if options else {}
    if mirror is None:
        return files
    files["etc/apt/sources.list"] = mirror.sources_list(roots.HOST.suite)
    if mirror.main.startswith("https:"):
        # The mirror's certificate may come from an authority that only this machine knows.
        files["etc/apt/machine-ca.pem"] = Path("/etc/ssl/certs/ca-certificates.crt").read_text(
            encoding="utf-8"
        )
        files["etc/apt/apt.conf.d/11machine-ca"] = 'Acquire::https::CAInfo "/etc/apt/machine-ca.pem";\n'
    return files


def _archive(files: Iterable[tuple[str, str]]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, text in files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    return stream.getvalue()


def _is_furnished(container: Container, public_key: str) -> bool:
    return _admits(container, public_key) and mail.is_watched_for(container)


def _admits(container: Container, public_key: str) -> bool:
    return public_key in inside.run(container, "cat", "/root/.ssh/authorized_keys").text.splitlines()


def _start(container: Container, host: LabHost) -> None:
    try:
        container.start()
    except APIError as error:
        reason = str(error.explanation)
        if "already in use" in reason or "already allocated" in reason or "cannot assign" in reason:
            raise CalstackError(
                f"something on this machine has its address already: {reason}",
                where=f"lab host {host.name} ({_endpoint(host)})",
                fix="give the host another 127.x.y.z address in the inventory, or another ssh port where a "
                "server of this machine listens on every address; `ss -ltnp` shows who listens",
            ) from error
        raise CalstackError(
            f"the engine cannot start it: {reason}",
            where=f"lab host {host.name}",
            fix="docs/lab.md lists what the machine's kernel and engine must allow",
        ) from error


def _wait_until_up(container: Container, host: LabHost) -> None:
    end = time.monotonic() + START_LIMIT
    state = ""
    while time.monotonic() < end:
        container.reload()
        if container.status != "running":
            raise CalstackError(
                f"its init system ended at once:\n{container.logs(tail=10).decode(errors='replace')}",
                where=f"lab host {host.name}",
                fix="docs/lab.md lists what the machine's kernel and engine must allow",
            )
        state = inside.run(container, "systemctl", "is-system-running").text.strip()
        if state in ("running", "degraded") and _sshd_answers(host):
            return
        time.sleep(0.1)
    raise CalstackError(
        f"it did not come up within {START_LIMIT:.0f} s: systemd says {state!r}, "
        f"sshd {'answers' if _sshd_answers(host) else 'does not answer'}",
        where=f"lab host {host.name}",
        fix=f"look inside: docker exec -it {container.name} journalctl -b",
    )


def _sshd_answers(host: LabHost) -> bool:
    # The engine's forwarder accepts connections for a port that nobody serves yet: only the banner counts.
    try:
        with socket.create_connection((host.address, host.ssh_port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _endpoint(host: LabHost) -> str:
    return f"{host.address}:{host.ssh_port}"
