"""Backup, drill and forgetting, killed at any moment: nothing is left running, and the next one works."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from deploy.onhost.backup import scratch
from tests.lab.backups import Backups, Database, new_backups, running_database

pytestmark = pytest.mark.docker

MOMENTS = 30


@pytest.fixture(scope="module")
def backups(
    docker_engine: None,  # noqa: ARG001 - has to be there first
    restic: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Backups]:
    with (
        running_database() as database,
        new_backups(database, tmp_path_factory.mktemp("killed"), restic) as backups,
    ):
        for _ in range(2):
            assert backups.make_run().failure is None
        yield backups


Verb = Callable[[Backups], Sequence[str]]


def a_run(_: Backups) -> Sequence[str]:
    return ["now"]


def a_drill(backups: Backups) -> Sequence[str]:
    return ["drill", "--image", backups.database.image]


def a_forgetting(backups: Backups) -> Sequence[str]:
    """Of an older run, which is made first."""
    older = backups.manifest().run
    assert backups.make_run().failure is None
    return ["forget", "local", older]


def test_a_run_killed_at_some_moment(backups: Backups) -> None:
    killed_at_random(backups, a_run, 1)


@pytest.mark.long
@pytest.mark.parametrize("verb", [a_run, a_drill, a_forgetting])
def test_killed_at_thirty_moments(backups: Backups, verb: Verb) -> None:
    killed_at_random(backups, verb, MOMENTS)


def killed_at_random(backups: Backups, verb: Verb, moments: int) -> None:
    whole = seconds_of(backups.command(*verb(backups)))
    chance = random.Random(13)  # noqa: S311 - the same moments each time
    for number in range(moments):
        command = backups.command(*verb(backups))
        after = whole * (number + chance.random()) / moments
        kill_after(command, after)
        assert_nothing_runs(backups.database, f"killed after {after:.2f} of {whole:.2f} s")
        assert backups.make_run().failure is None
    verdict = backups.drill()
    assert (verdict.verdict, verdict.reasons) == ("proven", ())
    subprocess.run(
        backups.command("drill", "--image", backups.database.image), check=True, capture_output=True
    )
    assert scratch.remove_leftovers() == 0, "the next drill removed what a killed one left"


def seconds_of(command: Sequence[str]) -> float:
    begun = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - begun


def kill_after(command: Sequence[str], seconds: float) -> None:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)


def assert_nothing_runs(database: Database, when: str) -> None:
    """What was started for it ends within seconds, in the database too; nobody else has to clean up."""
    end = time.monotonic() + 30
    while left := [*sessions(database), *programs(database)]:
        assert time.monotonic() < end, f"{when}: {left}"
        time.sleep(0.2)


def sessions(database: Database) -> list[str]:
    query = "select application_name from pg_stat_activity where application_name like 'calstack-backup-%'"
    return [row[0] for row in database.sql(query)]


def programs(database: Database) -> list[str]:
    """Programs that were started in the database's container beside the server itself."""
    listed = subprocess.run(
        ["docker", "top", database.server.container, "-eo", "pid,args"],
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in listed.stdout.splitlines() if "pg_dump" in line or "psql" in line]
