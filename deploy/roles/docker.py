"""The container engine: its settings, where its packages come from, the firewall around its networks."""

from __future__ import annotations

from pyinfra.api.deploy import deploy
from pyinfra.operations import systemd

from deploy.operations import engine
from deploy.operations import files as file_operations
from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles.context import HostContext

VENDOR_KEYRING = "/etc/apt/keyrings/docker.asc"
"""The key that signs Docker's own packages; it has to lie there before the package lists are read."""
FIREWALL_UNIT = "calcom-firewall.service"
FIREWALL_SCRIPT = "/opt/calcom/firewall.sh"


def files(host: HostContext) -> list[ManagedFile | ManagedDirectory]:
    """The engine's settings, unless it is somebody else's (`source: present`), and the firewall."""
    items: list[ManagedFile | ManagedDirectory] = []
    if host.settings.docker.source == "vendor":
        items.append(_vendor_source(host))
    if host.settings.docker.source != "present":
        items.append(_engine_settings(host))
    unit = f"etc/systemd/system/{FIREWALL_UNIT}"
    items += [
        ManagedFile(FIREWALL_SCRIPT, host.render("opt/calcom/firewall.sh"), mode="0755"),
        ManagedFile(f"/{unit}", host.render(unit)),
    ]
    return items


def _engine_settings(host: HostContext) -> ManagedFile:
    return ManagedFile("/etc/docker/daemon.json", host.render("etc/docker/daemon.json"))


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


@deploy("Docker")
def install_engine(host: HostContext) -> None:
    """Make sure of an engine with Compose, its settings, and the firewall around the project's networks."""
    settings, wanted = host.settings.docker, _engine_settings(host)
    compose_file = host.inventory.file(settings.compose_file).read_bytes() if settings.compose_file else None
    engine.repository_key(
        name="The package source is trusted", source=settings.source, keyring=VENDOR_KEYRING
    )
    placed = file_operations.managed(
        name="Package source and firewall lie in place",
        items=[item for item in files(host) if item.path != wanted.path],
    )
    configured = engine.configured(
        name="The engine's settings lie in place", source=settings.source, wanted=wanted
    )
    engine.installed(
        name="Engine and Compose are installed", source=settings.source, compose_file=compose_file
    )
    systemd.service(
        name="The engine knows its settings", service="docker", restarted=True, _if=configured.did_change
    )
    engine.usable(name="The engine answers")
    systemd.daemon_reload(name="systemd knows the firewall's unit", _if=placed.did_change)
    systemd.service(name="The firewall stands", service=FIREWALL_UNIT, running=True, enabled=True)
    engine.firewall(name="The firewall has its rules", unit=FIREWALL_UNIT, script=FIREWALL_SCRIPT)
