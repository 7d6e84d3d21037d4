"""Bases and pieces of the log in few words: on day N the log is at segment N."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from deploy.onhost.backup.continuous.pieces import FULL, INCREMENTAL, Base, Listing, Piece

SEGMENT = 16 << 20


def day(number: int, hour: float = 0) -> datetime:
    """The moment that many days and hours after the beginning."""
    return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=number, hours=hour)


def base(name: str, on: int, parent: str | None = None, system: str = "one") -> Base:
    """A base that was finished on that day; its replay begins with that day's segment."""
    kind = INCREMENTAL if parent else FULL
    start = f"0/{on * SEGMENT + 40:X}"
    return Base(name, system, kind, parent, 1, start, SEGMENT, day(on), 170012, snapshot=name)


def piece(
    first: int, last: int, *, hour: float = 1, system: str = "one", at: datetime | None = None
) -> Piece:
    """A part of the log that reaches into its last segment's day."""
    return Piece(system, first, last, at or day(last, hour), snapshot=f"{system}-{first}-{last}-{hour}")


def held(bases: Sequence[Base], log: Sequence[Piece]) -> Listing:
    """What a repository holds."""
    return Listing(bases=list(bases), log=sorted(log, key=lambda found: found.until), future=[])
