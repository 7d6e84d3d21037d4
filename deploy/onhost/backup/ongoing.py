"""A restore that is under way, as the host remembers it: who was killed may be followed by somebody else."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..failures import OnhostError

FILE = Path("/var/lib/calcom/restore.json")

FILLING, FILLED, STOPPING, EXCHANGED, PROVEN = "filling", "filled", "stopping", "exchanged", "proven"
STEPS = (FILLING, FILLED, STOPPING, EXCHANGED, PROVEN)
"""FILLING and FILLED: the instance is untouched. STOPPING: guests see the maintenance page, or are about to,
and the old database is the live one. EXCHANGED: the restored one is. PROVEN: only tidying is left."""


@dataclass(frozen=True)
class Ongoing:
    """How far a restore has come."""

    step: str
    """One of STEPS."""
    run: str
    repository: str
    begun: str
    """UTC, RFC 3339."""
    safety_run: str | None = None
    """The run that holds the database as it was when the app was stopped."""
    own_maintenance: bool = False
    """Whether the maintenance was begun for the restore, so that it ends with it."""
    takes_key: bool = False
    """Whether the host takes over the encryption key that the run was made under."""


def read(file: Path) -> Ongoing | None:
    """The restore that is under way; None where there is none.

    Raises OnhostError where the file is damaged: what is going on then is for a person to find out.
    """
    try:
        said: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        there = Ongoing(**said)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise OnhostError(
            f"{file}, which says how far a restore has come, cannot be read: {error}"
        ) from error
    if there.step not in STEPS:
        raise OnhostError(f"{file} names a step {there.step!r}, which this calstack does not know")
    return there


def write(file: Path, ongoing: Ongoing) -> None:
    """Put it in place in one step, for root alone, and on the disk."""
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=".restore.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            json.dump(asdict(ongoing), opened)
            opened.write("\n")
            opened.flush()
            os.fsync(opened.fileno())
        Path(temporary).replace(file)
        _flush(file.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def remove(file: Path) -> None:
    """There is no restore under way any more."""
    file.unlink(missing_ok=True)
    _flush(file.parent)


def _flush(folder: Path) -> None:
    if not folder.is_dir():
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
