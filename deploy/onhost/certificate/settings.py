"""What the job `certificate` needs to know, as the jobs file says it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping


@dataclass(frozen=True)
class Acme:
    """How lego is run."""

    image: str
    pull: str
    """`missing` or `never`: what `docker run --pull` is told."""
    container: str
    """Name of its container."""
    network: str
    """Docker network on which the proxy finds it."""
    user: int
    """User and group that it runs as."""
    folder: Path
    """Its own folder: the account, and what it got."""
    environment_file: Path
    """Its variables, credentials among them; root's alone."""
    authorities: Path | None
    """Folder with the authority behind the ACME server's own TLS."""
    options: tuple[str, ...]
    """Its options before the command: names, challenge, kind of key."""
    profile: str | None
    wanted: str
    """Digest of what a certificate is made for: with another one, a new one is got."""
    record: Path
    """File that says for what the stored one was made."""


@dataclass(frozen=True)
class Settings:
    """One host's certificate."""

    mode: str
    """`internal`, `provided` or `acme`."""
    names: tuple[str, ...]
    """Every name that it has to carry."""
    file: Path
    """What the proxy reads: certificate, chain and key."""
    owner: int
    """User and group of that file."""
    loaded_as: str
    """The file's name in the proxy's own eyes."""
    socket: Path
    """The proxy's runtime socket."""
    entrance: tuple[str, int]
    """Address and port at which the proxy serves TLS."""
    red_below: float
    """Share of its lifetime that has to be left."""
    acme: Acme | None

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Settings:
        """From the jobs file's part `certificate`; raises KeyError or TypeError where it has another form."""
        address, _, port = said["entrance"].rpartition(":")
        return cls(
            mode=said["mode"],
            names=tuple(said["names"]),
            file=Path(said["file"]),
            owner=said["owner"],
            loaded_as=said["loaded_as"],
            socket=Path(said["socket"]),
            entrance=(address, int(port)),
            red_below=said["red_below"],
            acme=None if said["acme"] is None else _acme(said["acme"]),
        )


def _acme(said: Mapping[str, Any]) -> Acme:
    return Acme(
        image=said["image"],
        pull=said["pull"],
        container=said["container"],
        network=said["network"],
        user=said["user"],
        folder=Path(said["folder"]),
        environment_file=Path(said["environment_file"]),
        authorities=None if said["authorities"] is None else Path(said["authorities"]),
        options=tuple(said["options"]),
        profile=said["profile"],
        wanted=said["wanted"],
        record=Path(said["record"]),
    )
