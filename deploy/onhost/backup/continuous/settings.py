"""How continuous protection is set up on a host: the part `continuous` of /opt/calcom/backup/config.json.

{"folder": "/var/lib/calcom/continuous", "service": "wal", "role": "calcom_wal", "slot": "calcom_wal",
 "ship_seconds": 20, "max_lag_seconds": 120, "full_days": 7, "keep_fulls": 2, "local_mb": 2048}
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Mapping

from ..restic import Repository

POSTGRES = 999
"""User and group of PostgreSQL in the official image."""


@dataclass(frozen=True)
class Continuous:
    """All of it."""

    folder: Path
    """Where the receiver writes and what is made on the way to the repositories. It has the same name on the
    host and in the receiver's container."""
    service: str
    """The receiver's service in the compose project."""
    role: str
    """The database's role that may replicate and nothing else."""
    slot: str
    """Name of the replication slot: the database keeps what the receiver has not got yet."""
    ship_seconds: float
    """How often what was received goes to the repositories."""
    max_lag_seconds: float
    """How old the newest moment that a repository holds may be."""
    full_days: float
    """How old a full base may be before the next one is made; between them are incremental ones."""
    keep_fulls: int
    """How many full bases are kept, each with all that follows it."""
    local_mb: int
    """Most that is kept on the host of what a repository has not taken yet."""

    @property
    def received(self) -> Path:
        """What was received, in a folder for each database system; PostgreSQL's user owns it."""
        return self.folder / "received"

    @property
    def outgoing(self) -> Path:
        """The same, held still while restic reads it."""
        return self.folder / "outgoing"

    @property
    def making(self) -> Path:
        """The base that is being made."""
        return self.folder / "making"

    @property
    def full_manifest(self) -> Path:
        """PostgreSQL's manifest of the newest full base: an incremental one is made against it."""
        return self.folder / "full_manifest"

    @property
    def state(self) -> Path:
        """What this host knows of each repository."""
        return self.folder / "state"

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Continuous:
        """Read that part; raises KeyError or TypeError for anything else."""
        return cls(**{**said, "folder": Path(said["folder"])})


def repository_of(repository: Repository) -> Repository:
    """The repository of the log and the bases: a folder of its own below that of the runs.

    Something is added to it three times a minute. In the runs' own repository that would have to wait for
    every prune and check, and would load the index of all runs each time.
    """
    return replace(repository, url=f"{repository.url.rstrip('/')}/continuous")
