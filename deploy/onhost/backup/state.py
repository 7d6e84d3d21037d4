"""What this machine knows of its backups outside any repository: the last run in each, and the last proven.

A repository that has vanished, or was set back to last week, cannot say so itself.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from .. import json_file


@dataclass(frozen=True)
class Known:
    """One repository's last run that was stored whole, and the last one that a drill has proven."""

    run: str | None = None
    manifest_sha256: str | None = None
    finished: str | None = None
    """UTC, RFC 3339, as `proven_at`."""
    bytes: int | None = None
    """What the run's parts hold, before deduplication."""
    seconds: float | None = None
    """How long the run took, in this repository."""
    proven_run: str | None = None
    proven_at: str | None = None
    drilled: str | None = None
    """When the last drill ended, whatever its verdict; UTC, RFC 3339."""
    drill_seconds: float | None = None
    verdict: str | None = None
    """Of that drill: `proven`, `unproven` or `damaged`."""


def read(directory: Path, repository: str) -> Known:
    """What is known of a repository; nothing where the file is missing or damaged."""
    try:
        return Known(**json.loads((directory / f"{repository}.json").read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return Known()


def write(directory: Path, repository: str, known: Known) -> None:
    """Put it in place in one step."""
    json_file.place(directory / f"{repository}.json", asdict(known))
