from __future__ import annotations

import pytest
from testinfra.host import Host

from tests.verify.complaint import complaint, listed
from tests.verify.server import Server


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("docker", "without the engine nothing of the instance runs"),
        ("cron", "queued webhooks and reminders are sent by its jobs alone"),
    ],
)
def test_a_service_runs_and_comes_back_after_a_boot(host: Host, name: str, why: str) -> None:
    service = host.service(name)
    fix = f"systemctl enable --now {name}; then: journalctl -u {name} -n 50"
    assert service.is_running, complaint(f"{name} does not run", why=why, fix=fix)
    assert service.is_enabled, complaint(f"{name} would not start after a boot", why=why, fix=fix)


def test_the_ssh_server_comes_back_after_a_boot(host: Host) -> None:
    enabled = host.service("ssh").is_enabled or host.service("ssh.socket").is_enabled
    assert enabled, complaint(
        "sshd would not start after a boot",
        why="nobody, calstack included, would get in again",
        fix="systemctl enable ssh",
    )


def test_the_firewall_of_the_database_is_put_up_at_every_boot(host: Host) -> None:
    service = host.service("calcom-firewall.service")
    why = "a database that somebody broke into could reach every service of this host"
    fix = "calstack deploy; then: systemctl status calcom-firewall.service"
    assert service.is_running, complaint("calcom-firewall.service did not succeed", why=why, fix=fix)
    assert service.is_enabled, complaint("calcom-firewall.service is not enabled", why=why, fix=fix)


def test_no_unit_that_the_instance_needs_has_failed(server: Server) -> None:
    ours = ("calcom", "docker", "containerd", "cron", "ssh.", "apt-daily", "unattended-upgrades")
    failed = [unit for unit in server.found("failed_units") if unit.startswith(ours)]
    assert not failed, complaint(
        f"systemd reports as failed: {listed(failed)}",
        why="a part of the instance, or its security updates, does not work",
        fix=f"systemctl status {' '.join(failed)}",
    )


def test_security_updates_install_themselves(server: Server, host: Host) -> None:
    if not server.settings.base.unattended_upgrades:
        return
    why = "known holes of the system stay open"
    fix = "calstack deploy; to do without them: base.unattended_upgrades: false"
    package = host.package("unattended-upgrades")
    assert package.is_installed, complaint("unattended-upgrades is not installed", why=why, fix=fix)
    apt = server.found("apt")
    for switch in ("APT::Periodic::Update-Package-Lists", "APT::Periodic::Unattended-Upgrade"):
        assert apt.get(switch, "0") != "0", complaint(f"{switch} is off", why=why, fix=fix)
    timer = host.service("apt-daily-upgrade.timer")
    assert timer.is_enabled, complaint(
        "apt-daily-upgrade.timer is not enabled",
        why=why,
        fix="systemctl enable --now apt-daily-upgrade.timer",
    )


def test_the_clock_is_right(server: Server) -> None:
    machine = server.found("machine")
    # A container has the clock of the machine that it runs on and cannot set it.
    right = machine["clock_synchronized"] or machine["container"] is not None
    assert right, complaint(
        "the clock is not synchronized",
        why="sessions, slots and reminders go by it; certificates seem not yet or no longer valid",
        fix="timedatectl timesync-status; is UDP port 123 open to the outside?",
    )
