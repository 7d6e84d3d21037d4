"""The container engine: its settings, where its packages come from, the firewall around its networks."""

from __future__ import annotations

from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles.context import HostContext

VENDOR_KEYRING = "/etc/apt/keyrings/docker.asc"
"""The key that signs Docker's own packages; it has to lie there before the package lists are read."""
FIREWALL_UNIT = "calcom-firewall.service"


def files(host: HostContext) -> list[ManagedFile | ManagedDirectory]:
    """The engine's settings, unless it is somebody else's (`source: present`), and the firewall."""
    items: list[ManagedFile | ManagedDirectory] = []
    if host.settings.docker.source == "vendor":
        items.append(_vendor_source(host))
    if host.settings.docker.source != "present":
        items.append(ManagedFile("/etc/docker/daemon.json", host.render("etc/docker/daemon.json")))
    unit = f"etc/systemd/system/{FIREWALL_UNIT}"
    items += [
        ManagedFile("/opt/calcom/firewall.sh", host.render("opt/calcom/firewall.sh"), mode="0755"),
        ManagedFile(f"/{unit}", host.render(unit)),
    ]
    return items


def _vendor_source(host: HostContext) -> ManagedFile:
    source = "etc/apt/sources.list.d/docker.sources"
    content = host.render(
        source,
        distribution=host.distribution,
        codename=host.codename,
        architecture=host.architecture,
        keyring=VENDOR_KEYRING,
    )
    return ManagedFile(f"/{source}", content)
