"""Which runs stay and which go, without a repository."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from deploy.onhost.backup.config import Keep
from deploy.onhost.backup.restic import Repository as Place
from deploy.onhost.backup.restic import Snapshot
from deploy.onhost.backup.retention import due, forget, kept, neglected
from deploy.onhost.backup.runs import Listing, Run
from deploy.onhost.failures import OnhostError

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEEP = Keep(last=2, daily=3, weekly=2, monthly=2, within_days=1)


def run(at: datetime, *, whole: bool = True) -> Run:
    name = f"{at:%Y%m%dT%H%M%SZ}-abcdef"
    parts = ["dump", "manifest"] if whole else ["dump"]
    return Run(name, {part: Snapshot(f"{name}-{part}", at, (), "cal") for part in parts})


def nightly(days: int) -> list[Run]:
    return [run(NOW - timedelta(days=day, hours=10)) for day in reversed(range(days))]


def test_of_a_year_of_nights_the_newest_of_each_period_stay() -> None:
    runs = nightly(365)
    days = sorted((NOW - run.started).days for run in runs if run.id in kept(runs, KEEP, NOW))
    # Three nights, the Sunday before this week, the last day of October.
    assert days == [0, 1, 2, 24]
    assert kept(runs, Keep(1, 0, 2, 0, 1), NOW).keys() == {runs[-1].id, runs[-3].id}


def test_the_floor_keeps_all_younger_ones() -> None:
    runs = [run(NOW - timedelta(hours=hour)) for hour in reversed(range(30))]
    found = Listing(runs, [], [])
    assert len(due(found, Keep(1, 0, 0, 0, 1), NOW)) == 5


def test_parts_whose_manifest_never_came_go_after_two_days() -> None:
    old, young = run(NOW - timedelta(hours=50), whole=False), run(NOW - timedelta(hours=40), whole=False)
    assert due(Listing(nightly(1), [old, young], []), KEEP, NOW) == [old]


def test_a_retention_that_does_not_work_is_noticed_after_two_days() -> None:
    assert neglected(Listing(nightly(3), [], []), KEEP, NOW) == []
    assert neglected(Listing(nightly(40), [], []), KEEP, NOW)


class Repository:
    """What `forget` asks of restic."""

    def __init__(self, *snapshots: Snapshot) -> None:
        self.repository = Place("local", "/nowhere", "password")
        self.kept = list(snapshots)
        self.forgotten: list[list[str]] = []

    def snapshots(self, *_: str) -> list[Snapshot]:
        return self.kept

    def forget(self, snapshots: list[str]) -> None:
        self.forgotten.append(snapshots)


def stored(at: datetime, part: str) -> Snapshot:
    name = f"{at:%Y%m%dT%H%M%SZ}-abcdef"
    return Snapshot(f"{name}-{part}", at, (f"run={name}", f"part={part}", "instance=cal"), "cal")


def test_the_manifest_of_a_run_goes_first() -> None:
    old = NOW - timedelta(days=300)
    newer = [NOW - timedelta(days=day) for day in (0, 1, 2, 3, 4, 5)]
    restic = Repository(*(stored(at, part) for at in (old, *newer) for part in ("dump", "manifest")))
    gone = forget(restic, "cal", Keep(3, 0, 0, 0, 1), NOW)  # type: ignore[arg-type]
    assert len(gone) == 4
    manifests, others = restic.forgotten
    assert {name.rpartition("-")[2] for name in manifests} == {"manifest"}
    assert {name.rpartition("-")[2] for name in others} == {"dump"}


def test_with_a_snapshot_in_the_future_nothing_is_forgotten() -> None:
    restic = Repository(
        stored(NOW - timedelta(days=300), "manifest"), stored(NOW + timedelta(days=900), "dump")
    )
    with pytest.raises(OnhostError, match="lie in the future"):
        forget(restic, "cal", Keep(1, 0, 0, 0, 1), NOW)  # type: ignore[arg-type]
    assert restic.forgotten == []
