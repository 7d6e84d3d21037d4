"""The main job on real parts: a bare host, then again, then again after being killed half-way."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from deploy.calcom.http import open_client
from deploy.settings.layout import HOST_LOCK
from tests.deployed_lab import NETWORK, REPOSITORY, DeployedLab, container_ids, results

pytestmark = pytest.mark.docker


def test_a_bare_host_becomes_a_verified_instance(deployed_lab: DeployedLab) -> None:
    first = deployed_lab.first_deploy
    assert first.returncode == 0, first.stderr
    host = results(first)["cal1"]
    assert host["ok"] is True
    assert host["smoke_test"] == "passed"
    assert "administrator admin@cal1.calstack.test made" in host["changed"]
    assert any(change.startswith("event type intro") for change in host["changed"])


def test_the_second_deploy_changes_nothing_and_is_one_line(deployed_lab: DeployedLab) -> None:
    before = container_ids(deployed_lab)
    again = deployed_lab.calstack("deploy")
    assert again.returncode == 0, again.stderr
    assert again.stdout == ""
    assert re.fullmatch(r"cal1: nothing to do, smoke test passed \([\d.]+ s\)\n", again.stderr), again.stderr
    assert container_ids(deployed_lab) == before


def test_no_secret_shows_even_when_verbose(deployed_lab: DeployedLab) -> None:
    said = deployed_lab.calstack("--verbose", "deploy")
    output = deployed_lab.first_deploy.stdout + deployed_lab.first_deploy.stderr + said.stdout + said.stderr
    assert "Base | " in output, "--verbose shows pyinfra's log"
    for name, value in deployed_lab.secrets("cal1").items():
        if name != "tls_certificate":
            assert value not in output, f"{name} is shown"


def test_no_secret_stands_in_a_process_list_or_a_readable_file(deployed_lab: DeployedLab) -> None:
    processes = deployed_lab.on_host("ps axww -o args")
    readable = deployed_lab.on_host(
        "find /opt/calcom /var/lib/calcom /var/log/calcom /etc/cron.d -type f -perm -o+r -exec cat {} +"
    )
    for name in ("nextauth_secret", "encryption_key", "cron_secret", "database_password", "admin_password"):
        value = deployed_lab.calstack("secrets", "show", name, "--host", "cal1").stdout.strip()
        assert value
        assert value not in processes, f"{name} stands in the process list"
        assert value not in readable, f"{name} can be read by others"


def test_plain_pyinfra_does_the_same_and_finds_nothing_to_do(deployed_lab: DeployedLab) -> None:
    pyinfra = Path(sys.executable).with_name("pyinfra")
    done = subprocess.run(
        [str(pyinfra), "-y", str(deployed_lab.inventory_path / "inventory.py"), "deploy/site.py"],
        cwd=REPOSITORY,
        env=deployed_lab.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    summary = [line for line in output.splitlines() if "Grand total" in line]
    assert summary, output
    counts = re.findall(r"\d+|-", summary[-1])
    assert counts[1] in ("-", "0"), f"changed something: {summary[-1]}"


def test_a_changed_setting_replaces_exactly_the_service_that_reads_it(deployed_lab: DeployedLab) -> None:
    defaults = deployed_lab.inventory_path / "defaults.yaml"
    before_text, before = defaults.read_text(encoding="utf-8"), container_ids(deployed_lab)
    try:
        defaults.write_text(
            before_text.replace("app:\n", "app:\n  env:\n    NEXT_PUBLIC_LOGGER_LEVEL: '3'\n"), "utf-8"
        )
        changed = deployed_lab.calstack("deploy", "--json")
        after = container_ids(deployed_lab)
    finally:
        defaults.write_text(before_text, "utf-8")
    assert changed.returncode == 0, changed.stderr
    # Web and API both read what the user adds.
    assert {service for service in before if after[service] != before[service]} == {"web", "api"}
    assert deployed_lab.calstack("deploy").returncode == 0


def test_a_changed_proxy_setting_is_reloaded_without_a_new_container(deployed_lab: DeployedLab) -> None:
    defaults = deployed_lab.inventory_path / "defaults.yaml"
    before_text, before = defaults.read_text(encoding="utf-8"), container_ids(deployed_lab)
    try:
        defaults.write_text(
            before_text.replace("  mode: internal", "  mode: internal\n  hsts: false"), "utf-8"
        )
        assert "strict-transport-security" in _answer(deployed_lab).headers
        changed = deployed_lab.calstack("deploy", "--json")
        assert changed.returncode == 0, changed.stderr
        assert "strict-transport-security" not in _answer(deployed_lab).headers
        assert container_ids(deployed_lab) == before
    finally:
        defaults.write_text(before_text, "utf-8")
    assert deployed_lab.calstack("deploy").returncode == 0
    assert "strict-transport-security" in _answer(deployed_lab).headers


def test_what_somebody_changed_on_the_host_is_put_right(deployed_lab: DeployedLab) -> None:
    deployed_lab.on_host(
        "iptables -D INPUT -i br-cal-data -j DROP; systemctl -q disable --now cron; "
        "chmod 0644 /opt/calcom/web.env; echo >>/opt/calcom/proxy/haproxy.cfg; "
        "cd /opt/calcom && docker compose stop -t 1 web"
    )
    assert deployed_lab.calstack("verify").returncode == 1
    done = deployed_lab.calstack("deploy", "--json")
    assert done.returncode == 0, done.stderr
    verified = deployed_lab.calstack("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_an_inventory_that_lost_its_secrets_is_refused(deployed_lab: DeployedLab) -> None:
    secrets = deployed_lab.inventory_path / "secrets.age"
    kept, before = secrets.read_bytes(), container_ids(deployed_lab)
    secrets.unlink()
    try:
        refused = deployed_lab.calstack("deploy")
    finally:
        secrets.write_bytes(kept)
    assert refused.returncode == 1
    assert "made with another encryption key" in refused.stderr
    assert container_ids(deployed_lab) == before
    (deployed_lab.inventory_path / "ca.crt").unlink()
    assert deployed_lab.calstack("deploy").returncode == 0


def test_somebody_elses_administrator_is_told_apart(deployed_lab: DeployedLab) -> None:
    host = deployed_lab.inventory_path / "hosts" / "cal1.yaml"
    before = host.read_text(encoding="utf-8")
    try:
        host.write_text(before.replace("email: admin@", "email: other@"), "utf-8")
        refused = deployed_lab.calstack("deploy")
    finally:
        host.write_text(before, "utf-8")
    assert refused.returncode == 1
    assert "set up by somebody else" in refused.stderr
    assert "admin@cal1.calstack.test" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_locked_host_is_left_alone_and_its_holder_named(deployed_lab: DeployedLab) -> None:
    note = '{"who": "ann@desk", "what": "backup", "since": "2026-11-24T08:00:00Z", "pid": 1}'
    hold = f"flock {HOST_LOCK} sh -c 'cat >{HOST_LOCK}; exec sleep 300'"
    deployed_lab.on_host(f"echo '{note}' | nohup {hold} >/dev/null 2>&1 & echo $! >/run/holder; sleep 0.5")
    try:
        refused = deployed_lab.calstack("deploy")
    finally:
        deployed_lab.on_host("kill $(cat /run/holder) $(pgrep -P $(cat /run/holder)); rm /run/holder")
    assert refused.returncode == 1
    assert "locked by ann@desk (backup) since 2026-11-24T08:00:00Z" in refused.stderr


def test_a_second_host_joins_and_a_killed_deploy_is_completed(deployed_lab: DeployedLab) -> None:
    hosts = deployed_lab.inventory_path / "hosts"
    first = (hosts / "cal1.yaml").read_text(encoding="utf-8")
    without_api = "images: {api: null, cache: null}\n"
    (hosts / "cal2.yaml").write_text(
        first.replace(f"{NETWORK}0.1", f"{NETWORK}0.2").replace("cal1", "cal2") + without_api, "utf-8"
    )
    before = container_ids(deployed_lab)
    try:
        for seconds in (6, 14):
            _deploy_and_kill(deployed_lab, after=seconds)
        _sign_in_as_an_ordinary_user(deployed_lab, "cal2")
        done = deployed_lab.calstack("deploy", "--json")
        assert done.returncode == 0, done.stderr
        both = results(done)
        assert both["cal1"]["changed"] == []
        assert both["cal2"]["smoke_test"] == "passed"
        assert not [change for change in both["cal2"]["changed"] if "API" in change]
        assert deployed_lab.on_host("docker ps -q", "cal2").count("\n") == 3
        assert container_ids(deployed_lab) == before
    finally:
        (hosts / "cal2.yaml").unlink()


def _sign_in_as_an_ordinary_user(lab: DeployedLab, host: str) -> None:
    """Servers of a provider often let only a user with sudo in."""
    lab.on_host(
        "apt-get install -y -qq sudo >/dev/null; useradd -m -s /bin/bash ops; "
        "echo 'ops ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops; "
        "install -d -m 0700 -o ops -g ops /home/ops/.ssh; "
        "install -m 0600 -o ops -g ops /root/.ssh/authorized_keys /home/ops/.ssh/",
        host,
    )
    file = lab.inventory_path / "hosts" / f"{host}.yaml"
    file.write_text(file.read_text("utf-8").replace("ssh:\n", "ssh:\n  user: ops\n"), "utf-8")


def _deploy_and_kill(lab: DeployedLab, *, after: float) -> None:
    process = subprocess.Popen(
        lab.command("deploy"),
        cwd=REPOSITORY,
        env=lab.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()


def _answer(lab: DeployedLab) -> httpx.Response:
    with open_client(lab.url, ca_file=lab.ca_file, connect_to=(lab.address, 443)) as client:
        return client.get("/api/version")
