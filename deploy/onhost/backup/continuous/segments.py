"""Files of PostgreSQL's write-ahead log: their names, their order, and what is missing between them.

A name has 24 hexadecimal digits: timeline, number of the 4 GB file, number of the segment in it (PostgreSQL's
manual, "WAL Internals"). The receiver adds `.partial` to the one that it is still writing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterable

PARTIAL = ".partial"
_NAME = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(\.partial)?")
_HISTORY = re.compile(r"[0-9A-F]{8}\.history")


@dataclass(frozen=True, order=True)
class Segment:
    """One file of the log; their order is that of the log."""

    number: int
    """Counts the segments since the database was made, whatever the timeline."""
    timeline: int
    partial: bool
    name: str
    """As the file is called."""


def segment(name: str, size: int) -> Segment | None:
    """What a file's name says; None for what is no segment. `size` is that of a whole segment, in bytes."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    timeline, high, low = (int(part, 16) for part in found.groups()[:3])
    return Segment(high * ((1 << 32) // size) + low, timeline, found[4] is not None, name)


def is_history(name: str) -> bool:
    """Whether a file says where a timeline began."""
    return _HISTORY.fullmatch(name) is not None


def number_at(position: str, size: int) -> int:
    """The number of the segment that holds a position of the log, e.g. `0/3000028`."""
    return offset(position) // size


def offset(position: str) -> int:
    """A position of the log as a count of bytes; raises ValueError where it is none."""
    high, _, low = position.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def first_gap(there: Iterable[int], first: int, last: int) -> int | None:
    """The first number from `first` to `last` that is not there; None where all are."""
    found = set(there)
    return next((number for number in range(first, last + 1) if number not in found), None)
