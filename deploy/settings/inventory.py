"""An inventory: its folder, its hosts, and whether it is a lab."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.settings.model import HostSettings, LabSettings
from deploy.settings.yaml_source import Located, place

INVENTORIES = Path(__file__).resolve().parents[2] / "inventories"
"""Where inventories lie that are called by their name."""


@dataclass(frozen=True)
class Inventory:
    """What stands in one folder under `inventories/`."""

    name: str
    path: Path
    """The folder, absolute."""
    hosts: dict[str, HostSettings]
    """By name, in the order of the file names."""
    lab: LabSettings | None
    warnings: tuple[str, ...] = ()
    """What is allowed but should be known, each beginning with the host's name."""
    sources: Mapping[str, Located] = field(default_factory=dict, repr=False, compare=False)
    """What the files say of each host, and where."""

    @property
    def as_given(self) -> str:
        """What `--inventory` has to be given: the name, or a folder elsewhere, quoted for a shell."""
        return self.name if self.path.parent == INVENTORIES else shlex.quote(str(self.path))

    def where(self, host: str, path: Sequence[str | int]) -> str:
        """File and line of a host's setting that its files name, or as near as they come to it."""
        if host not in self.sources:
            return str(self.path / "hosts" / f"{host}.yaml")
        found, _ = place(self.sources[host], path)
        return f"{found.file}:{found.line}"

    def file(self, relative: str) -> Path:
        """The path that a setting names; relative paths start at the inventory's folder."""
        return self.path / Path(relative).expanduser()

    @property
    def seed_file(self) -> Path:
        """The manifest of what the instances shall hold."""
        return self.path / "seed.yaml"

    @property
    def secrets_file(self) -> Path:
        """The encrypted secrets."""
        return self.path / "secrets.age"

    @property
    def authority_file(self) -> Path:
        """Certificate of the inventory's private authority (`tls.mode: internal`)."""
        return self.path / "ca.crt"

    def authority_of(self, settings: HostSettings) -> Path | None:
        """The private root behind a host's certificate, where visitors do not know it by themselves.

        `ca.crt` in mode internal, `tls.acme.issuer_ca_file` in mode acme.
        """
        if settings.tls.mode == "internal":
            return self.authority_file
        root = settings.tls.private_root
        return None if root is None else self.file(root)
