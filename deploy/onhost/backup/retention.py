"""Which runs are kept, and the forgetting of the others.

Whole runs are chosen, by the dates in their ids; the parts go with their run. Nothing is forgotten while a
snapshot lies in the future: with it as the newest, the rule "keep the last" would remove all true ones.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Callable, Sequence

from ..failures import OnhostError
from .config import Keep
from .manifest import MANIFEST
from .restic import Restic
from .runs import Listing, Run, listing

_PATIENCE = timedelta(hours=48)
"""Parts without a manifest may belong to a run that is under way, and the retention comes by once a day;
what is as it was for so long stays so."""

_PERIODS: Sequence[tuple[str, Callable[[datetime], str]]] = (
    ("daily", lambda at: at.strftime("%Y-%m-%d")),
    ("weekly", lambda at: at.strftime("%G-W%V")),
    ("monthly", lambda at: at.strftime("%Y-%m")),
)


def kept(runs: Sequence[Run], keep: Keep, now: datetime) -> dict[str, str]:
    """The ids of the runs that stay, each with the rule that keeps it; UTC counts for days.

    Of a day, a week or a month the newest run stays, as `restic forget` does it.
    """
    newest_first = sorted(runs, key=lambda run: run.id, reverse=True)
    reasons: dict[str, str] = {}
    floor = now - timedelta(days=keep.within_days)
    for number, run in enumerate(newest_first):
        if number < keep.last:
            reasons.setdefault(run.id, "one of the last")
        if run.started >= floor:
            reasons.setdefault(run.id, f"younger than {keep.within_days} days")
    for name, period in _PERIODS:
        seen: set[str] = set()
        for run in newest_first:
            mark = period(run.started.astimezone(timezone.utc))
            if mark not in seen and len(seen) < getattr(keep, name):
                seen.add(mark)
                reasons.setdefault(run.id, name)
    return reasons


def due(found: Listing, keep: Keep, now: datetime) -> list[Run]:
    """What may go: runs that no rule keeps, and old parts whose manifest never came."""
    staying = kept(found.runs, keep, now)
    abandoned = [run for run in found.parts_alone if now - run.started > _PATIENCE]
    return [*(run for run in found.runs if run.id not in staying), *abandoned]


def neglected(found: Listing, keep: Keep, now: datetime) -> list[Run]:
    """Runs that were due two days ago and are still there: the retention does not do its work."""
    then = now - _PATIENCE
    there_then = replace(
        found,
        runs=[run for run in found.runs if run.started <= then],
        parts_alone=[run for run in found.parts_alone if run.started <= then],
    )
    return due(there_then, keep, then)


def forget(restic: Restic, instance: str, keep: Keep, now: datetime) -> list[Run]:
    """Forget what is due, the manifest of each run first; the runs that went come back.

    Raises OnhostError where a snapshot lies in the future, and RepositoryError.
    """
    found = listing(restic, instance, now)
    if found.future:
        raise OnhostError(
            f"nothing is forgotten in {restic.repository.name}: {len(found.future)} snapshots lie in the "
            f"future, the first at {found.future[0].time:%F %T}; set the clocks right and remove them by hand"
        )
    gone = due(found, keep, now)
    drop(restic, *gone)
    return gone


def drop(restic: Restic, *gone: Run) -> None:
    """Forget these runs, whatever the rules say, the manifest of each first; raises RepositoryError."""
    # A run whose forgetting is cut short must not look like one that exists.
    restic.forget([run.parts[MANIFEST].id for run in gone if run.whole])
    restic.forget([part.id for run in gone for name, part in run.parts.items() if name != MANIFEST])
