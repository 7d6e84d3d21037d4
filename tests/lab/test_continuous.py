"""Continuous protection on a real PostgreSQL and restic: any moment comes back; what lacks is named."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.onhost.backup.continuous import bases, receiver, ship, state
from deploy.onhost.backup.continuous.choice import NoWayBackError
from deploy.onhost.backup.restic import RepositoryError
from deploy.onhost.backup.restore import Restoring
from deploy.onhost.backup.scratch import process
from deploy.onhost.failures import OnhostError
from tests.lab.continuous_world import World, booking, new_world, sending, wait_for

pytestmark = pytest.mark.docker

_OLDEST_LOSS_SECONDS = 60


@pytest.fixture
def world(docker_engine: None, restic: Path, tmp_path: Path) -> Iterator[World]:  # noqa: ARG001 - has to be there
    with new_world(tmp_path, restic, slot_keeps=32) as world:
        yield world


@dataclass
class Told:
    """A world in which something has happened, and when."""

    world: World
    before: datetime
    """Before the first base."""
    first: datetime
    third: datetime


@pytest.fixture(scope="module")
def told(docker_engine: None, restic: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:  # noqa: ARG001
    """A full base, then the first and the second booking, an incremental base, the third and the fourth."""
    with new_world(tmp_path_factory.mktemp("told"), restic) as world:
        before = world.book("before the base")
        full = world.make_base()
        assert (full.base.kind, full.failures) == ("full", [])
        first = world.book("first")
        world.book("second")
        world.fill_segment()
        # As if the host had not kept it for long: the log lies in two pieces from here on.
        world.forget_locally()
        incremental = world.make_base()
        assert (incremental.base.kind, incremental.remarks) == ("incremental", [])
        third = world.book("third")
        world.book("fourth")
        world.settle()
        yield Told(world, before, first, third)


@pytest.fixture
def copy(told: Told, tmp_path: Path) -> Told:
    """The same with a copy of the repository, to be damaged."""
    place = tmp_path / "repository"
    shutil.copytree(told.world.config.repositories[0].url, place)
    repository = replace(told.world.config.repositories[0], url=str(place))
    config = replace(told.world.config, repositories=[repository])
    return replace(told, world=replace(told.world, config=config))


def test_a_moment_after_the_full_base_comes_back(told: Told) -> None:
    assert told.world.titles(told.first) == ["before the base", "first"]
    assert told.world.leftovers() == []


def test_a_moment_after_the_incremental_base_comes_back(told: Told) -> None:
    with told.world.recovered(told.third) as there:
        assert [base.kind for base in there.way.pieces] == ["full", "incremental"]
        rows = there.server.rows('select title from "Booking" order by id', application="test")
        # It is a database like any other: the next number is free, and it can be written to.
        there.server.rows("insert into \"Booking\" (title) values ('new')", application="test")
    assert [title for (title,) in rows] == ["before the base", "first", "second", "one", "third"]


def test_the_newest_there_is_comes_back_out_of_a_segment_that_was_not_full(told: Told) -> None:
    assert "fourth" in told.world.titles()


def test_a_moment_after_the_last_booking_comes_back(told: Told) -> None:
    """The log ends before that moment, and it is known that nothing was committed in between."""
    later = told.world.moment()
    told.world.settle()
    assert "fourth" in told.world.titles(later)


def test_a_moment_before_the_first_base_is_refused(told: Told) -> None:
    with pytest.raises(NoWayBackError, match=r"the first base was finished at .*no way leads further back"):
        told.world.titles(told.before)


def test_a_moment_that_was_not_sent_yet_is_refused(told: Told) -> None:
    with pytest.raises(NoWayBackError, match=r"the log is whole up to .*--at latest"):
        told.world.titles(datetime.now(UTC) + timedelta(hours=1))


def test_a_moment_is_poured_beside_the_live_database(told: Told, tmp_path: Path) -> None:
    config = replace(told.world.config, continuous=told.world.continuous)
    restoring = Restoring(config, told.world.server, tmp_path / "restore.json")
    asked = f"at {told.first.isoformat()}"
    look = restoring.look(asked, None)
    assert (look.run, look.repository, look.obstacles) == (asked, "local", [])
    assert look.moment is not None
    assert look.bookings_since == len(told.world.sql(_AFTER.format(told.first.isoformat())))
    restoring.fill(asked, "local")
    beside = replace(told.world.server, database=restoring.exchange.restored)
    titles = beside.rows('select title from "Booking" order by id', application="test")
    assert titles == [["before the base"], ["first"]]
    assert told.world.leftovers() == []
    restoring.abandon()


_AFTER = 'select 1 from "Booking" where "createdAt" > \'{}\''


def test_a_lost_full_base_is_named(copy: Told) -> None:
    (full,) = [base for base in copy.world.listing().bases if base.kind == "full"]
    copy.world.restic.forget([full.snapshot])
    with pytest.raises(NoWayBackError, match=rf"{full.id}, the full one below it, is missing"):
        copy.world.titles(copy.third)


def test_without_the_incremental_base_the_full_one_will_do(copy: Told) -> None:
    (incremental,) = [base for base in copy.world.listing().bases if base.kind == "incremental"]
    copy.world.restic.forget([incremental.snapshot])
    assert "third" in copy.world.titles(copy.third)


def test_a_gap_in_the_log_is_named(copy: Told) -> None:
    found = copy.world.listing()
    (incremental,) = [base for base in found.bases if base.kind == "incremental"]
    earliest = min(piece.first for piece in found.log)
    copy.world.restic.forget([incremental.snapshot])
    copy.world.restic.forget([piece.snapshot for piece in found.log if piece.first == earliest])
    with pytest.raises(
        NoWayBackError, match=r"the log has a gap behind the base of .*no way leads on from it"
    ):
        copy.world.titles(copy.third)


def test_a_damaged_repository_is_named(copy: Told) -> None:
    for pack in (Path(copy.world.config.repositories[0].url) / "continuous" / "data").rglob("*"):
        if pack.is_file():
            content = bytearray(pack.read_bytes())
            content[len(content) // 3] ^= 1
            pack.chmod(0o600)
            pack.write_bytes(content)
    with pytest.raises(RepositoryError):
        copy.world.titles(copy.first)
    assert copy.world.leftovers() == []


def test_what_later_pieces_hold_too_is_forgotten_and_the_way_stays(copy: Told) -> None:
    world = copy.world
    before = world.listing()
    assert ship.forget(world.config, world.continuous, world.config.repositories[0]) > 0
    after = world.listing()
    assert len(after.log) < len(before.log)
    assert after.bases == before.bases
    assert "third" in world.titles(copy.third)
    assert ship.forget(world.config, world.continuous, world.config.repositories[0]) == 0


def test_what_a_killed_recovery_left_is_removed_by_the_next(told: Told) -> None:
    folder = told.world.continuous.folder
    dead, alive = (
        folder / "recovering-4194303:1-00000000",
        folder / f"recovering-{process(os.getpid())}-00000000",
    )
    for left in (dead, alive):
        left.mkdir()
    told.world.titles(told.first)
    assert told.world.leftovers() == [alive.name]
    alive.rmdir()


def test_a_lost_disk_costs_what_was_not_sent_yet(world: World) -> None:
    world.make_base()
    world.book("sent")
    world.settle()
    world.book("not sent")
    world.end(world.server.container)
    world.end(world.receiver)
    shutil.rmtree(world.continuous.folder)
    world.continuous.folder.mkdir()
    assert world.titles() == ["sent"]


def test_a_dead_database_keeps_nothing_from_being_sent(world: World) -> None:
    world.make_base()
    world.book("the last one")
    wait_for(lambda: receiver.situation(world.server, world.continuous.slot).received_all)
    world.end(world.server.container)
    sent = world.send()
    assert sent.complaints
    assert world.titles() == ["the last one"]


def test_a_database_that_was_made_anew_has_a_log_of_its_own(world: World) -> None:
    world.make_base()
    world.book("of the first")
    world.settle()
    world.end(world.server.container)
    world.start_database()
    world.wait_for_reception()
    world.settle()
    assert bases.lacking(world.config, world.continuous) == ["local"]
    anew = world.make_base()
    assert anew.base.kind == "full"
    world.book("of the second")
    world.settle()
    with pytest.raises(NoWayBackError, match="several databases"):
        world.titles()
    first, second = dict.fromkeys(base.system for base in world.listing().bases)
    assert world.titles(system=first) == ["of the first"]
    assert world.titles(system=second) == ["of the second"]


def test_a_receiver_that_was_away_too_long_is_noticed_and_the_reception_begins_anew(world: World) -> None:
    world.make_base()
    in_time = world.book("in time")
    world.settle()
    subprocess.run(["docker", "stop", world.receiver], check=True, capture_output=True)
    for _ in range(5):
        world.fill_segment()

    def is_lost() -> bool:
        # It waits until what changed is noted for the next incremental base.
        world.sql("checkpoint")
        return receiver.situation(world.server, world.continuous.slot).lost

    wait_for(is_lost)
    sent = world.send()
    assert "the slot is invalidated" in sent.complaints[0]
    with pytest.raises(OnhostError, match="slot is invalidated"):
        bases.make(world.config, world.continuous, world.server, world.receiver)
    subprocess.run(["docker", "start", world.receiver], check=True, capture_output=True)

    def is_received_again() -> bool:
        # As the job does it each time: with so little kept, the database may drop the new slot's log as well.
        bases.begin_anew(world.continuous, world.server)
        world.wait_for_reception()
        return not world.send().complaints

    wait_for(is_received_again)
    assert bases.lacking(world.config, world.continuous) == ["local"]
    in_the_gap = world.moment()
    assert world.make_base().failures == []
    assert bases.lacking(world.config, world.continuous) == []
    world.book("afterwards")
    world.settle()
    assert world.titles() == ["afterwards", "in time", "one"]
    assert world.titles(in_time) == ["in time"]
    with pytest.raises(NoWayBackError, match="the log has a gap behind the base of"):
        world.titles(in_the_gap)


def test_a_repository_that_vanished_is_not_begun_anew(world: World) -> None:
    world.make_base()
    shutil.rmtree(Path(world.config.repositories[0].url) / "continuous")
    world.book("after that")
    sent = world.send()
    assert "there is no repository" in sent.complaints[0]
    until = state.read_log(world.continuous.state, "local").until
    assert until is not None
    assert datetime.now(UTC) - datetime.fromisoformat(until) < timedelta(seconds=60)


def test_what_waits_for_a_repository_is_bounded(world: World) -> None:
    world.make_base()
    lost = replace(world.config.repositories[0], url="/proc/nowhere")
    config = replace(world.config, repositories=[lost])
    bounded = replace(world.continuous, local_mb=64)
    for _ in range(8):
        world.fill_segment()
    wait_for(lambda: receiver.situation(world.server, world.continuous.slot).received_all)
    sent = ship.send(config, bounded, world.server)
    assert any("segments were removed that a repository lacks" in text for text in sent.complaints)
    whole = [path for path in world.continuous.received.rglob("0*") if path.suffix != ".partial"]
    assert len(whole) <= 64_000_000 // (16 << 20) + 2
    # The other repository notices that something is missing between what it has and what comes now.
    world.settle()
    assert bases.lacking(world.config, world.continuous) == ["local"]


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(number, marks=pytest.mark.long) for number in range(2, 6))]
)
def test_a_disk_that_is_lost_under_load_costs_the_last_seconds(world: World, seed: int) -> None:
    """Bookings all the time, sent every two seconds; then server and disk are gone at any moment."""
    world.make_base()
    with booking(world) as acknowledged, sending(world, every=2):
        time.sleep(8 + random.Random(seed).uniform(0, 4))  # noqa: S311 - it has to be the same each time
        world.end(world.server.container)
        gone_at = time.monotonic()
    world.end(world.receiver)
    shutil.rmtree(world.continuous.folder)
    world.continuous.folder.mkdir()
    there = {int(title) for title in world.titles()}
    lost = {number: gone_at - at for number, at in acknowledged.items() if number not in there}
    assert len(acknowledged) > 100
    assert there, "nothing came back"
    assert not [number for number, age in lost.items() if age > _OLDEST_LOSS_SECONDS], lost
    # What is lost is the end, without holes.
    assert not lost or min(lost) > max(there & acknowledged.keys())
    oldest = max(lost.values(), default=0)
    print(f"{len(acknowledged)} acknowledged, {len(lost)} lost, the oldest {oldest:.1f} s before the end")
