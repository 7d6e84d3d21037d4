"""Which bases and pieces of the log a repository keeps."""

from __future__ import annotations

from typing import Sequence

from .pieces import FULL, Base, Listing, Piece
from .segments import number_at


def due(found: Listing, keep_fulls: int) -> tuple[list[Base], list[Piece]]:
    """The bases and pieces that nobody needs any more.

    Kept are the newest `keep_fulls` full bases, every base made after the oldest of them, and the log from
    there on. Of the log a piece goes whose segments all lie in a later one. The newest base and the newest
    piece stay in any case.
    """
    fulls = [base for base in found.bases if base.kind == FULL]
    oldest = fulls[-keep_fulls:][0] if fulls else None
    if oldest is None:
        return [], _covered(found.log)
    bases = [base for base in found.bases[:-1] if base.finished < oldest.finished]
    kept = [base for base in found.bases if base not in bases]
    begin = {
        system: min(number_at(base.start, base.segment_size) for base in kept if base.system == system)
        for system in {base.system for base in kept}
    }
    # What belongs to a database of which no base is left is of no use.
    useless = [
        piece
        for piece in found.log[:-1]
        if (piece.last < begin[piece.system] if piece.system in begin else piece.until < oldest.finished)
    ]
    return bases, [*useless, *(piece for piece in _covered(found.log) if piece not in useless)]


def _covered(log: Sequence[Piece]) -> list[Piece]:
    """Pieces whose segments all lie in a later one."""
    return [
        piece
        for number, piece in enumerate(log)
        if any(
            later.system == piece.system and later.first <= piece.first and later.last >= piece.last
            for later in log[number + 1 :]
        )
    ]
