"""The container engine: Docker's own packages, the distribution's, or the one that is there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Generator
from dataclasses import replace
from typing import Any, Literal

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from deploy.errors import CalstackError
from deploy.facts.files import JsonFile, PathStates
from deploy.facts.system import EngineVersions, Succeeds, SystemIdentity
from deploy.operations import apt, files
from deploy.rendering import ManagedDirectory, ManagedFile

Source = Literal["vendor", "distribution", "present"]

COMPOSE_PLUGIN = "/usr/local/lib/docker/cli-plugins/docker-compose"
_VENDOR_PACKAGES = (
    "docker-ce",
    "docker-ce-cli",
    "containerd.io",
    "docker-buildx-plugin",
    "docker-compose-plugin",
)
# By distribution and release: what carries Compose v2. Debian 12 has only 1.29.
_COMPOSE_PACKAGES = {"debian": "docker-compose", "ubuntu": "docker-compose-v2"}
_WITHOUT_COMPOSE = {"bookworm"}
_OLDEST_ENGINE = (20, 10)
_OLDEST_COMPOSE = (2, 20)


@operation()
def repository_key(source: Source, keyring: str) -> Generator[StringCommand, None, None]:
    """Fetch the key that signs Docker's own packages, once, for `vendor`."""
    if source != "vendor" or keyring in host.get_fact(PathStates, paths=[keyring]):
        return
    distribution = host.get_fact(SystemIdentity).distribution
    new = shlex.quote(f"{keyring}.calstack-new")
    yield StringCommand(
        f"install -d -m 0755 /etc/apt/keyrings && "
        f"curl -fsSL --retry 3 https://download.docker.com/linux/{distribution}/gpg -o {new} && "
        f"chmod 0644 {new} && mv -f {new} {shlex.quote(keyring)}"
    )


@operation()
def installed(source: Source, compose_file: bytes | None) -> Generator[Any, None, None]:
    """Install engine and Compose from the chosen source; `compose_file` is the plugin to use instead.

    Raises `CalstackError` where the distribution has no Compose v2 and none was given.
    """
    system = host.get_fact(SystemIdentity)
    if source == "vendor":
        yield from apt.installed._inner(packages=_VENDOR_PACKAGES)
    elif source == "distribution":
        packages = ["docker.io"]
        if compose_file is None:
            if system.codename in _WITHOUT_COMPOSE or system.distribution not in _COMPOSE_PACKAGES:
                raise CalstackError(
                    f"{system.distribution} {system.codename} carries no Compose v2",
                    where=host.name,
                    fix="use `docker.source: vendor`, or name the plugin in `docker.compose_file`",
                )
            packages.append(_COMPOSE_PACKAGES[system.distribution])
        yield from apt.installed._inner(packages=packages)
    if compose_file is not None:
        plugin = ManagedFile(COMPOSE_PLUGIN, compose_file, mode="0755")
        folder = ManagedDirectory(COMPOSE_PLUGIN.rpartition("/")[0])
        yield from files.managed._inner(items=[folder, plugin])


@operation()
def configured(source: Source, wanted: ManagedFile) -> Generator[Any, None, None]:
    """Lay our engine settings over those that are there; an operator's own keys (data-root …) stay.

    Nothing is touched for `present`. Raises `CalstackError` for a file that is not JSON.
    """
    if source == "present":
        return
    there: dict[str, Any] | None = host.get_fact(JsonFile, path=wanted.path)
    if there is None:
        raise CalstackError(f"{wanted.path} is not JSON", where=host.name, fix="mend it or remove it")
    merged = {**there, **json.loads(wanted.content)}
    if merged != there:
        content = json.dumps(merged, indent=2).encode() + b"\n"
        yield from files.managed._inner(items=[replace(wanted, content=content)])


@operation()
def usable() -> Generator[StringCommand, None, None]:
    """Raises `CalstackError` unless an engine and a Compose answer that are new enough."""
    if state.is_executing:
        engine, compose = host.get_fact(EngineVersions)
        _require(engine, _OLDEST_ENGINE, "the Docker engine")
        _require(compose, _OLDEST_COMPOSE, "Docker Compose")
    yield from ()


@operation()
def firewall(unit: str, script: str) -> Generator[StringCommand, None, None]:
    """Put back the firewall's rules where one is missing: whoever flushes iptables leaves the unit active."""
    if not host.get_fact(Succeeds, script=f"{script} check"):
        yield StringCommand(f"systemctl restart {unit}")


def _require(version: str, oldest: tuple[int, int], what: str) -> None:
    needed = ".".join(map(str, oldest))
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    if numbers is None:
        raise CalstackError(
            f"{what} does not answer",
            where=host.name,
            fix="see `systemctl status docker`; or let calstack install it with `docker.source: vendor`",
        )
    if (int(numbers[1]), int(numbers[2])) < oldest:
        raise CalstackError(
            f"{what} is version {version}, at least {needed} is needed",
            where=host.name,
            fix="upgrade it, or let calstack install it with `docker.source: vendor`",
        )
