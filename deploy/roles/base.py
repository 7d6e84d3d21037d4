"""The operating system: what it writes down, its own security updates, and the folder of everything else."""

from __future__ import annotations

from pyinfra.api.deploy import deploy
from pyinfra.operations import systemd

from deploy.operations import apt
from deploy.operations import files as file_operations
from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles.context import HostContext

HOME = "/opt/calcom"

_PACKAGES = ("ca-certificates", "cron", "curl", "iptables", "openssl", "python3", "tzdata")


def files(host: HostContext) -> list[ManagedFile | ManagedDirectory]:
    """The journal's limit, the settings of unattended-upgrades where wanted, and /opt/calcom."""
    items: list[ManagedFile | ManagedDirectory] = [
        _rendered(host, "etc/systemd/journald.conf.d/calstack.conf"),
        ManagedDirectory(HOME),
    ]
    if host.settings.base.unattended_upgrades:
        items += [
            _rendered(host, "etc/apt/apt.conf.d/20auto-upgrades"),
            _rendered(host, "etc/apt/apt.conf.d/52calstack"),
        ]
    return items


def _rendered(host: HostContext, template: str) -> ManagedFile:
    return ManagedFile(f"/{template}", host.render(template))


@deploy("Base")
def prepare_system(host: HostContext) -> None:
    """Install what everything else stands on, and let the system look after itself."""
    settings = host.settings.base
    packages = [*_PACKAGES, *settings.packages]
    if settings.unattended_upgrades:
        packages.append("unattended-upgrades")
    apt.installed(name="The system's packages are installed", packages=packages)
    apt.installed_unless(
        name="Something keeps the clock right",
        any_of=("chrony", "ntp", "ntpsec", "openntpd", "systemd-timesyncd"),
        otherwise="systemd-timesyncd",
    )
    placed = file_operations.managed(name="The system's settings lie in place", items=files(host))
    systemd.service(name="Cron runs", service="cron", running=True, enabled=True)
    systemd.service(
        name="The journal knows its limit",
        service="systemd-journald",
        restarted=True,
        _if=placed.did_change,
    )
