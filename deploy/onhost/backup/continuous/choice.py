"""Chooses what it takes to come back to a moment: a base, and the log from there on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Mapping, Sequence

from ...failures import OnhostError
from .pieces import INCREMENTAL, Base, Listing, Piece, exact
from .segments import first_gap, number_at


class NoWayBackError(OnhostError):
    """What the repository holds does not lead to that moment."""


@dataclass(frozen=True)
class Way:
    """The way to a moment."""

    pieces: Sequence[Base]
    """A full base and, where there is one, the incremental one that belongs to it."""
    log: Sequence[Piece]
    until: datetime
    """Everything that was committed before this is in the log; what came after it perhaps in part."""
    remarks: Sequence[str] = ()

    @property
    def base(self) -> Base:
        """Where the replay begins."""
        return self.pieces[-1]


def way_to(
    moment: datetime | None,
    found: Listing,
    system: str | None = None,
    certain: Mapping[str, datetime] | None = None,
) -> Way:
    """The way to a moment, or to the newest there is.

    `system` says which database is meant where the repository holds several. `certain` says up to when the
    log of a system is whole, where somebody knows of a time in which nothing was added to it.

    Raises NoWayBackError saying why there is none, and to which moments there is one.
    """
    bases = [base for base in found.bases if system in (None, base.system)]
    if not bases:
        raise NoWayBackError("there is no base yet, so that the log leads nowhere")
    if moment is None:
        bases = _of_one_system(bases, found.log)
    candidates = [base for base in bases if moment is None or base.finished <= moment]
    if moment is not None and not candidates:
        raise NoWayBackError(
            f"the first base was finished at {bases[0].finished:%F %T} UTC; no way leads further back"
        )
    remarks: list[str] = []
    for base in reversed(candidates):
        pieces = [base]
        if base.kind == INCREMENTAL:
            parent = found.base(base.parent)
            if parent is None:
                remarks.append(
                    f"the base {base.id} is of no use: {base.parent}, the full one below it, is missing"
                )
                continue
            pieces = [parent, base]
        return _with_log(pieces, moment, found, remarks, (certain or {}).get(base.system))
    raise NoWayBackError("; ".join(remarks))


def _of_one_system(bases: Sequence[Base], log: Sequence[Piece]) -> list[Base]:
    systems = list(dict.fromkeys(base.system for base in bases))
    if len(systems) > 1:
        ends = [
            max((piece.until for piece in log if piece.system == system), default=None) for system in systems
        ]
        raise NoWayBackError(
            "the repository holds the log of several databases, so say a moment: the last "
            f"ones are {', '.join(exact(end) for end in ends if end)}"
        )
    return list(bases)


def _with_log(
    pieces: Sequence[Base],
    moment: datetime | None,
    found: Listing,
    remarks: Sequence[str],
    certain: datetime | None,
) -> Way:
    base = pieces[-1]
    begin = number_at(base.start, base.segment_size)
    log = [piece for piece in found.log if piece.system == base.system and piece.last >= begin]
    if not log:
        raise NoWayBackError(f"the log from the base {base.id} on is missing")
    reached = [piece for piece in log if moment is not None and piece.until >= moment]
    until = max(*(piece.until for piece in log), certain or log[0].until)
    if moment is not None and moment > until:
        raise NoWayBackError(
            f"the log is whole up to {until:%F %T} UTC; what came after that is not there for certain. "
            "The newest there is: --at latest"
        )
    end = min(piece.last for piece in reached) if reached else max(piece.last for piece in log)
    there = {number for piece in log for number in range(piece.first, piece.last + 1)}
    gap = first_gap(there, begin, end)
    if gap is not None:
        before = [piece.until for piece in log if piece.last < gap]
        reach = f"the way leads up to {max(before):%F %T} UTC" if before else "no way leads on from it"
        raise NoWayBackError(
            f"the log has a gap behind the base of {base.finished:%F %T} UTC, {base.id}: {reach}"
        )
    return Way(pieces, _needed(log, begin, end), until, remarks)


def _needed(log: Sequence[Piece], begin: int, end: int) -> list[Piece]:
    """The fewest pieces that hold all segments from `begin` to `end`, oldest first."""
    chosen: list[Piece] = []
    number = begin
    while number <= end:
        # Of those that hold it the one that reaches furthest, and of those the newest.
        best = max(
            (piece for piece in log if piece.first <= number <= piece.last),
            key=lambda piece: (piece.last, piece.until),
        )
        chosen.append(best)
        number = best.last + 1
    return chosen
