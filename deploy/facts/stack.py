"""What the container engine of a host holds: images, and the services of the compose project."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from pyinfra.api.facts import FactBase

from deploy.settings.layout import PROJECT


class ImageIds(FactBase[dict[str, str]]):
    """Id of each named image that the host has, by the name asked for."""

    def requires_command(self, names: list[str]) -> str:  # noqa: ARG002 - pyinfra's signature
        """Without an engine there is no image."""
        return "docker"

    def command(self, names: list[str]) -> str:
        """One inspection a name; missing ones are left out."""
        return "; ".join(
            f"printf '%s %s\\n' {shlex.quote(name)} "
            f"\"$(docker image inspect --format '{{{{.Id}}}}' {shlex.quote(name)} 2>/dev/null)\""
            for name in names
        )

    def process(self, output: list[str]) -> dict[str, str]:
        """Name and id stand on one line."""
        pairs = (line.split(" ") for line in output)
        return {name: image_id for name, image_id in pairs if image_id}

    @staticmethod
    def default() -> dict[str, str]:
        """No image is there."""
        return {}


@dataclass(frozen=True)
class Service:
    """One service of the compose project as it runs."""

    config_hash: str
    """Hash of the configuration that its container was made from; Compose's own label."""
    image_id: str
    running: bool
    health: str | None
    """`healthy`, `starting`, `unhealthy`, or None without a health check."""
    started_at: str


@dataclass(frozen=True)
class Stack:
    """The compose project: what its files want and what runs."""

    wanted: dict[str, str]
    """Configuration hash by service, from the files."""
    services: dict[str, Service]
    """What runs, by service."""


class StackState(FactBase[Stack]):
    """The compose project in /opt/calcom."""

    def requires_command(self) -> str:
        """Without an engine nothing runs."""
        return "docker"

    def command(self) -> str:
        """Compose's hash of every service, then the containers of the project as JSON."""
        return (
            f"cd {PROJECT} 2>/dev/null && docker compose --profile '*' config --hash '*' 2>/dev/null; "
            "echo ---; "
            "ids=$(docker ps -aq --filter label=com.docker.compose.project=calcom "
            "--filter label=com.docker.compose.oneoff=False); "
            "[ -z \"$ids\" ] || docker inspect --format '{{json .}}' $ids"
        )

    def process(self, output: list[str]) -> Stack:
        """Hashes stand before the line of dashes, containers after it."""
        middle = output.index("---")
        wanted = dict(line.split(" ", 1) for line in output[:middle] if " " in line)
        containers = (json.loads(line) for line in output[middle + 1 :])
        return Stack(wanted, {_service_name(container): _service(container) for container in containers})

    @staticmethod
    def default() -> Stack:
        """No project, no containers."""
        return Stack({}, {})


def _service_name(container: dict[str, Any]) -> str:
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


def _service(container: dict[str, Any]) -> Service:
    state = container["State"]
    return Service(
        config_hash=container["Config"]["Labels"]["com.docker.compose.config-hash"],
        image_id=container["Image"],
        running=state["Running"],
        health=(state.get("Health") or {}).get("Status"),
        started_at=state["StartedAt"],
    )
