"""What is backed up and where to, as /opt/calcom/backup/config.json says; it holds passwords, so it is 0600.

{"instance": "cal.example.com", "restic": "/usr/local/bin/restic",
 "database": {"service": "db", "user": "calcom", "name": "calcom"},
 "repositories": [{"name": "local", "url": "/var/backups/calcom", "password": "…", "environment": {},
                   "options": [], "append_only": false, "upload_kib": null}],
 "paths": ["/opt/calcom"], "paths_if_there": [], "exclude": ["/opt/calcom/backup/config.json"],
 "environment_file": "/opt/calcom/web.env", "versions": {"app": "6.2.0", "calstack": "…"},
 "limit_seconds": 21600, "max_age_hours": 26,
 "keep": {"last": 7, "daily": 14, "weekly": 8, "monthly": 12, "within_days": 7},
 "tell": {"webhook": null, "metrics_file": null, "authorities": null,
          "mail": {"host": "…", "port": 587, "user": null, "password": null, "sender": "…",
                   "recipients": ["…"]}},
 "state": "/var/lib/calcom/backup",
 "continuous": null}

What stands under `continuous` is described in `continuous/settings.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence

from ..failures import OnhostError
from .continuous.settings import Continuous
from .restic import Repository
from .telling import NOBODY, Telling

FILE = Path("/opt/calcom/backup/config.json")


@dataclass(frozen=True)
class Keep:
    """Which runs the retention keeps."""

    last: int
    daily: int
    weekly: int
    monthly: int
    within_days: int
    """The floor: younger ones are kept in any case."""


@dataclass(frozen=True)
class BackupConfig:
    """All of the file."""

    instance: str
    restic: str
    service: str
    user: str
    database: str
    repositories: Sequence[Repository]
    paths: Sequence[str]
    exclude: Sequence[str]
    environment_file: Path
    versions: Mapping[str, str]
    limit_seconds: float
    """For a whole dump into one repository."""
    max_age_hours: float
    keep: Keep
    state: Path
    """Folder of what this machine knows of its runs without asking a repository."""
    telling: Telling = NOBODY
    continuous: Continuous | None = None
    """None where only runs are made."""
    paths_if_there: Sequence[str] = ()
    """Further ones, which not every host has."""

    def repository(self, name: str) -> Repository:
        """The repository of that name; raises OnhostError naming those that exist."""
        for repository in self.repositories:
            if repository.name == name:
                return repository
        known = ", ".join(repository.name for repository in self.repositories)
        raise OnhostError(f"no repository {name!r}; there are: {known or 'none'}")


def load(path: Path = FILE) -> BackupConfig:
    """Read the file; raises OnhostError when it cannot be read or is not of its form."""
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise OnhostError(f"there is no {path}: no backups are set up on this host") from error
    except (OSError, ValueError) as error:
        raise OnhostError(f"cannot read {path}: {error}; it is root's, deploy writes it") from error
    try:
        database = said["database"]
        return BackupConfig(
            instance=said["instance"],
            restic=said["restic"],
            service=database["service"],
            user=database["user"],
            database=database["name"],
            repositories=[Repository(**repository) for repository in said["repositories"]],
            paths=said["paths"],
            paths_if_there=said.get("paths_if_there", []),
            exclude=said["exclude"],
            environment_file=Path(said["environment_file"]),
            versions=said["versions"],
            limit_seconds=said["limit_seconds"],
            max_age_hours=said["max_age_hours"],
            keep=Keep(**said["keep"]),
            state=Path(said["state"]),
            telling=Telling.from_json(said.get("tell", {})),
            continuous=Continuous.from_json(said["continuous"]) if said.get("continuous") else None,
        )
    except (KeyError, TypeError) as error:
        raise OnhostError(f"{path} lacks or misplaces {error}; deploy writes it anew") from error
