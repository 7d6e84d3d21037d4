"""What a repository holds for going back to any moment: bases of the database's files, and pieces of its log.

Each is one snapshot whose tags say all that choosing among them needs, so that a list of the snapshots is
enough. Pieces of the log overlap: each holds all segments that lay on the host at its time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Sequence

from ..restic import Restic, Snapshot
from ..runs import CLOCK_DIFFERENCE

FULL, INCREMENTAL = "full", "incremental"


@dataclass(frozen=True)
class Base:
    """A copy of the database's files, from which on the log can be replayed."""

    id: str
    system: str
    """Identifier of the database system; another one is another database, whatever it holds."""
    kind: str
    """`full`, or `incremental`: only what has changed since `parent`."""
    parent: str | None
    """Id of the full base that an incremental one belongs to."""
    timeline: int
    start: str
    """Position of the log where its replay begins."""
    segment_size: int
    """Of the log, in bytes."""
    finished: datetime
    """The earliest moment to which it can be restored."""
    version: int
    """Of the server, as `server_version_num`."""
    snapshot: str = ""
    """Where it lies in the repository."""

    def tags(self, instance: str) -> list[str]:
        """As its snapshot is tagged."""
        return [
            f"base={self.id}",
            f"instance={instance}",
            f"system={self.system}",
            f"kind={self.kind}",
            *([f"parent={self.parent}"] if self.parent else []),
            f"timeline={self.timeline}",
            f"start={self.start}",
            f"segment-size={self.segment_size}",
            f"finished={exact(self.finished)}",
            f"version={self.version}",
        ]


@dataclass(frozen=True)
class Piece:
    """A part of the log."""

    system: str
    first: int
    """Number of its first segment."""
    last: int
    """Number of its last segment, which may be one that was not full yet."""
    until: datetime
    """Everything that was committed before this is in it."""
    snapshot: str = ""

    def tags(self, instance: str) -> list[str]:
        """As its snapshot is tagged."""
        return [
            "log=1",
            f"instance={instance}",
            f"system={self.system}",
            f"first={self.first}",
            f"last={self.last}",
            f"until={exact(self.until)}",
        ]


@dataclass(frozen=True)
class Listing:
    """What a repository holds of one instance."""

    bases: Sequence[Base]
    """By the time at which they were finished."""
    log: Sequence[Piece]
    """By the time up to which they reach."""
    future: Sequence[Snapshot]
    """Snapshots that lie in the future: while there are any, nothing is forgotten."""

    def base(self, identifier: str | None) -> Base | None:
        """The base with this id."""
        return next((base for base in self.bases if base.id == identifier), None)


def listing(restic: Restic, instance: str, now: datetime) -> Listing:
    """Read what a repository holds; what carries other tags than ours is left out. Raises RepositoryError."""
    bases, log, future = [], [], []
    for snapshot in restic.snapshots(f"instance={instance}"):
        try:
            found = _base(snapshot) if snapshot.tag("base") else _piece(snapshot)
        except (ValueError, TypeError):
            continue
        at = found.finished if isinstance(found, Base) else found.until
        if max(at, snapshot.time) > now + CLOCK_DIFFERENCE:
            future.append(snapshot)
        elif isinstance(found, Base):
            bases.append(found)
        else:
            log.append(found)
    return Listing(
        bases=sorted(bases, key=lambda base: base.finished),
        log=sorted(log, key=lambda piece: (piece.until, piece.last)),
        future=future,
    )


def exact(instant: datetime) -> str:
    """As the tags hold it: UTC with microseconds, RFC 3339, e.g. `2026-11-24T06:54:10.250000+00:00`."""
    return instant.astimezone(timezone.utc).isoformat(timespec="microseconds")


def _base(snapshot: Snapshot) -> Base:
    def tag(key: str) -> str:
        return snapshot.tag(key) or ""

    return Base(
        id=tag("base"),
        system=tag("system"),
        kind=tag("kind"),
        parent=snapshot.tag("parent"),
        timeline=int(tag("timeline")),
        start=tag("start"),
        segment_size=int(tag("segment-size")),
        finished=datetime.fromisoformat(tag("finished")),
        version=int(tag("version")),
        snapshot=snapshot.id,
    )


def _piece(snapshot: Snapshot) -> Piece:
    def tag(key: str) -> str:
        return snapshot.tag(key) or ""

    return Piece(
        system=tag("system"),
        first=int(tag("first")),
        last=int(tag("last")),
        until=datetime.fromisoformat(tag("until")),
        snapshot=snapshot.id,
    )
