"""Stamps: what a job's last run did and when it last went well, one small JSON file a job."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from . import json_file
from .clock import from_text, to_text

DONE = "done"
NOT_IN_THIS_VERSION = "not in this version"
FAILED = "failed"


@dataclass(frozen=True)
class Stamp:
    """The last run of a job."""

    name: str
    started: str
    """UTC, RFC 3339, as `finished` and `last_success`."""
    finished: str
    seconds: float
    outcome: str
    """`done`, `not in this version` (a success) or `failed`."""
    message: str
    last_success: str | None
    consecutive_failures: int


def after_run(
    previous: Stamp | None,
    *,
    name: str,
    started: datetime,
    finished: datetime,
    seconds: float,
    outcome: str,
    message: str,
) -> Stamp:
    """The stamp of a run that has just ended, given the one before."""
    stamp = Stamp(
        name=name,
        started=to_text(started),
        finished=to_text(finished),
        seconds=round(seconds, 3),
        outcome=outcome,
        message=message,
        last_success=to_text(finished),
        consecutive_failures=0,
    )
    if outcome != FAILED:
        return stamp
    return replace(
        stamp,
        last_success=previous.last_success if previous else None,
        consecutive_failures=(previous.consecutive_failures if previous else 0) + 1,
    )


def read(directory: Path, name: str) -> Stamp | None:
    """The stamp of a job; None where it never ran, or where the file is damaged (the next run mends it)."""
    try:
        return Stamp(**json.loads((directory / f"{name}.json").read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def read_all(directory: Path) -> dict[str, Stamp]:
    """All readable stamps by name, those of jobs that are no longer configured too."""
    found = (read(directory, file.stem) for file in sorted(directory.glob("*.json")))
    return {stamp.name: stamp for stamp in found if stamp is not None}


def write(directory: Path, stamp: Stamp) -> None:
    """Put the stamp in place in one step: a reader sees the old one or the new one, whatever happens."""
    json_file.place(directory / f"{stamp.name}.json", asdict(stamp))


def overdue(stamp: Stamp | None, interval_seconds: float | None, now: datetime) -> bool:
    """Whether a run was missed: the last success is older than the interval and a tenth of it allow.

    The tenth (one minute at least, one hour at most) keeps the catch-up from racing cron for a run that is
    merely about to start. A success that lies in the future is a clock that was wrong: it proves nothing.
    """
    if interval_seconds is None:
        return False
    if stamp is None or stamp.last_success is None:
        return True
    age = (now - from_text(stamp.last_success)).total_seconds()
    grace = min(max(interval_seconds / 10, 60), 3600)
    return age > interval_seconds + grace or age < -60


def failed_within(stamp: Stamp | None, seconds: float, now: datetime) -> bool:
    """Whether the last run failed, less than this ago; a failure that lies in the future does not count."""
    if stamp is None or stamp.outcome != FAILED:
        return False
    return 0 <= (now - from_text(stamp.finished)).total_seconds() < seconds
