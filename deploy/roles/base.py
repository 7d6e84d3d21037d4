"""The operating system: what it writes down, its own security updates, and the folder of everything else."""

from __future__ import annotations

from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles.context import HostContext

HOME = "/opt/calcom"


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
