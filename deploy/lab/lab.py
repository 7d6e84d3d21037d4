"""One inventory's lab: its hosts, and the names and folders that belong to it and to nothing else."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Report = Callable[[str], None]
"""Takes one line for people; called once for each long stage."""

INVENTORY_LABEL = "calstack.lab"
"""Label of containers, volumes and networks of a lab; its value is the absolute path of the inventory."""

HOST_LABEL = "calstack.lab.host"
"""Label of a lab host's container; its value is the host's name in the inventory."""

ADDRESS_LABEL = "calstack.lab.address"
"""Label of a lab host's container; its value is the loopback address that it was made with."""

IMAGE_LABEL = "calstack.lab.image"
"""Label of the images that the lab builds, and of the containers that a build runs in."""

REPOSITORY = "calstack-lab"
"""First part of the name of every image that the lab builds."""


@dataclass(frozen=True)
class LabHost:
    """A host that the lab shall run."""

    name: str
    """Name of the host in the inventory."""
    address: str
    """Loopback address of its own, where its ports are published (IPv4, inside 127.0.0.0/8)."""
    domain: str
    """Public name of its instance."""
    ssh_port: int = 22
    """Port at `address` that leads to its sshd; not 22 where the machine's own sshd takes every address."""


@dataclass(frozen=True)
class Lab:
    """The lab of the inventory in one folder; two folders never share a container, volume or key."""

    inventory: Path
    """Absolute path of the inventory's folder."""

    @classmethod
    def of(cls, inventory: Path) -> Lab:
        """The lab of the inventory in that folder, wherever the path starts."""
        return cls(inventory.resolve())

    @property
    def identity(self) -> str:
        """Short name for people, made unique by the path: `lab-1f3a9c`."""
        digest = hashlib.sha256(str(self.inventory).encode()).hexdigest()[:6]
        return f"{_plain(self.inventory.name)}-{digest}"

    @property
    def state(self) -> Path:
        """Folder of what only this machine's lab needs: the client key and the hosts' keys."""
        return self.inventory / "lab-state"

    @property
    def key_file(self) -> Path:
        """Private key (ed25519, OpenSSH's form) that root of every host of this lab accepts."""
        return self.state / "id_ed25519"

    @property
    def known_hosts_file(self) -> Path:
        """The hosts' own keys, in ssh's form; complete, so that strict checking works."""
        return self.state / "known_hosts"

    @property
    def services_archive(self) -> Path:
        """The services' images as one `docker save` file, which the inventory's `images` name."""
        return self.state / "services.tar"

    @property
    def compose_plugin(self) -> Path:
        """The Compose plugin, which the inventory's `docker.compose_file` names."""
        return self.state / "docker-compose"

    @property
    def labels(self) -> dict[str, str]:
        """Labels that mark a thing of the engine as belonging to this lab."""
        return {INVENTORY_LABEL: str(self.inventory)}

    def container(self, host: str) -> str:
        """Name of the container that is the host."""
        return f"{REPOSITORY}-{self.identity}-{_plain(host)}"

    def docker_volume(self, host: str) -> str:
        """Name of the volume under the host's own /var/lib/docker, which overlayfs cannot be stacked on."""
        return f"{self.container(host)}-docker"


def cache_folder() -> Path:
    """Folder for what is slow to make and the same for every inventory; by the XDG base directory rules."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".cache"
    return root / "calstack" / "lab"


def remove_folder(folder: Path) -> None:
    """Remove it with all that is in it, where it exists; but nothing of what may be mounted in there."""
    subprocess.run(["rm", "-rf", "--one-file-system", "--", folder], check=False, stderr=subprocess.DEVNULL)


def _plain(name: str) -> str:
    """The name with all that a container's name cannot hold replaced."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "unnamed"
