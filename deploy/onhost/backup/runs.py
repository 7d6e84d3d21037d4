"""The runs of a repository, as its snapshots show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Mapping, Sequence

from . import manifest
from .restic import Restic, Snapshot

NEWEST = "newest"
"""How people call the newest run."""
CLOCK_DIFFERENCE = timedelta(hours=1)
"""A snapshot that lies further ahead than this was made by a wrong clock, or on purpose."""


@dataclass(frozen=True)
class Run:
    """One run: the snapshots of its parts."""

    id: str
    parts: Mapping[str, Snapshot]
    """The snapshot of each part, by the part's name."""

    @property
    def whole(self) -> bool:
        """Whether the run exists: it has a manifest."""
        return manifest.MANIFEST in self.parts

    @property
    def started(self) -> datetime:
        """When it began, by its id."""
        return manifest.started_at(self.id)

    @property
    def bytes(self) -> int:
        """What its parts hold, before deduplication."""
        return sum(part.bytes or 0 for part in self.parts.values())


@dataclass(frozen=True)
class Listing:
    """What a repository holds of one instance."""

    runs: Sequence[Run]
    """Those that exist, oldest first; none that lies in the future."""
    parts_alone: Sequence[Run]
    """Parts without a manifest: of runs that failed, were killed, or are under way."""
    future: Sequence[Snapshot]
    """Snapshots that lie in the future: while there are any, nothing may be forgotten."""

    @property
    def newest(self) -> Run | None:
        """The newest run."""
        return self.runs[-1] if self.runs else None

    def run(self, asked: str) -> Run | None:
        """The run with this id, or the only one whose id begins so; `newest` is what it says."""
        if asked == NEWEST:
            return self.newest
        found = [run for run in self.runs if run.id.startswith(asked)]
        return found[0] if len(found) == 1 else None


def listing(restic: Restic, instance: str, now: datetime) -> Listing:
    """Read what a repository holds; raises RepositoryError."""
    by_run: dict[str, dict[str, Snapshot]] = {}
    future = []
    for snapshot in restic.snapshots(f"instance={instance}"):
        run, part = snapshot.tag("run"), snapshot.tag("part")
        if run is None or part is None:
            continue
        if snapshot.time > now + CLOCK_DIFFERENCE or manifest.started_at(run) > now + CLOCK_DIFFERENCE:
            future.append(snapshot)
            continue
        by_run.setdefault(run, {})[part] = snapshot
    found = [Run(run, parts) for run, parts in sorted(by_run.items())]
    return Listing(
        runs=[run for run in found if run.whole],
        parts_alone=[run for run in found if not run.whole],
        future=future,
    )
