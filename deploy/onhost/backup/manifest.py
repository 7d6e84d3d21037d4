"""The manifest of a run: what belongs together, and what it has to hold when it is restored.

It is written last. A run without its manifest does not exist: not for lists, the drill or the retention.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any, Mapping

from ..failures import OnhostError
from .record import Record

FORMAT = 1
NAME = "manifest.json"
DUMP, ROLES, FILES, MANIFEST = "dump", "roles", "files", "manifest"
"""The parts of a run, as their tag says."""
_ID = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{6}")


class ManifestError(OnhostError):
    """A manifest cannot be read."""


@dataclass(frozen=True)
class Part:
    """One part of a run, as it lies in one repository."""

    snapshot: str
    """Id of the restic snapshot that holds it."""
    name: str
    """Name of the file in that snapshot."""
    bytes: int
    sha256: str


@dataclass(frozen=True)
class KeptFile:
    """A file that lies in the part `files`."""

    bytes: int
    sha256: str
    mode: int
    owner: int
    group: int


@dataclass(frozen=True)
class Manifest:
    """A run in one repository."""

    run: str
    instance: str
    """Public name of the instance."""
    started: str
    """UTC, RFC 3339, as `finished`."""
    finished: str
    parts: Mapping[str, Part]
    record: Record
    sequences_after: Mapping[str, int | None]
    """The sequences' values after the dump; `record` has those before it, and the dump's lie between."""
    files: Mapping[str, KeptFile]
    encryption_key: str
    """Fingerprint of CALENDSO_ENCRYPTION_KEY: without that very key a part of the data cannot be read."""
    versions: Mapping[str, str]
    """Versions of the app, of calstack and of restic."""
    images: Mapping[str, str]
    """Image reference and, behind `@`, its id, by service."""

    def to_bytes(self) -> bytes:
        """As it lies in the repository."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Manifest:
        """Read a manifest; raises ManifestError for anything else, and for one of a newer calstack."""
        try:
            said: dict[str, Any] = json.loads(content)
            if (found := said.pop("format")) > FORMAT:
                raise ManifestError(f"the manifest has format {found}: a newer calstack made it")
            said["record"] = Record.from_json(said["record"])
            said["parts"] = {name: Part(**part) for name, part in said["parts"].items()}
            said["files"] = {name: KeptFile(**file) for name, file in said["files"].items()}
            return cls(**said)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ManifestError(f"the manifest is not one ({type(error).__name__}: {error})") from error


def new_run(now: datetime) -> str:
    """An id for a run that begins now; its order by name is that by time."""
    return f"{now.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def started_at(run: str) -> datetime:
    """When a run began, by its id; raises ManifestError where it is no such id."""
    found = _ID.fullmatch(run)
    if found is None:
        raise ManifestError(f"{run!r} is not the id of a run")
    return datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)


def tags(run: str, part: str, instance: str) -> list[str]:
    """The tags of a part's snapshot."""
    return [f"run={run}", f"part={part}", f"instance={instance}"]
