"""What backups cost beside the plain pipes that people write, and what guests notice of them.

    python -m tests.bench.backups [--megabytes 1000] [--rounds 3] [--json]

A stand-in on a real PostgreSQL whose bookings take so many megabytes, and a real restic with repositories in
folders. The ways compared take turns within one run. PostgreSQL, restic, the app and its guests share this
machine's processors.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg

from deploy.lab import engine, images
from deploy.onhost.backup import manifest, record
from deploy.onhost.backup.config import BackupConfig, Keep
from deploy.onhost.backup.drill import PROVEN, drill
from deploy.onhost.backup.postgres import Server, Session
from deploy.onhost.backup.restic import Repository, Restic
from deploy.onhost.backup.run import Outcome, back_up
from deploy.onhost.backup.scratch import Scratch
from tests.bench.figures import Figure, all_met, show
from tests.contract.replay import WEB_SETTINGS
from tests.contract.replaying import servers
from tests.lab.backups import restic_program

_INSTANCE = "cal.calstack.test"
_PASSWORD = "bench"
_BYTES_A_BOOKING = 1050
"""What one takes in a dump with its guest, about."""
_SECONDS_OF_QUIET = 15
_REQUESTS_A_SECOND = 10
_PEOPLE = """
insert into users (username, email, uuid)
select 'bench' || g, 'bench' || g || '@example.com', gen_random_uuid() from generate_series(1, 200) g
"""
_BOOKINGS = """
insert into "Booking" (uid, title, description, "startTime", "endTime", "createdAt", "userId", metadata,
                       responses, status)
select md5(g::text), '30 min between Ada and guest ' || g,
       (select string_agg(md5((g * 31 + i)::text), ' ') from generate_series(1, 12) i),
       now() + g * interval '1 minute', now() + g * interval '1 minute' + interval '30 minutes',
       now() - (%(rows)s - g) * interval '1 second', (select min(id) from users) + g %% 200,
       jsonb_build_object('order', md5('o' || g)),
       jsonb_build_object('name', 'Guest ' || g, 'email', md5('e' || g) || '@example.com'), 'cancelled'
from generate_series(1, %(rows)s) g
"""
_GUESTS = """
insert into "Attendee" (email, name, "timeZone", "bookingId")
select md5('e' || g) || '@example.com', 'Guest ' || g, 'Europe/Berlin', g from generate_series(1, %(rows)s) g
"""
_NEWEST = """update "Booking" set title = title || '.' where id > %(rows)s - %(rows)s / 100"""
_SPREAD = """update "Booking" set title = title || '.' where id %% 100 = 17"""


@dataclass
class Bench:
    """A full instance, and a place for repositories."""

    server: Server
    image: str
    database_url: str
    app_url: str
    restic: Path
    folder: Path
    rows: int

    def config(self, name: str) -> BackupConfig:
        """A repository of that name, new where it was not used yet."""
        environment = self.folder / "web.env"
        environment.write_text(f"CALENDSO_ENCRYPTION_KEY={'k' * 32}\n", encoding="utf-8")
        return BackupConfig(
            instance=_INSTANCE,
            restic=str(self.restic),
            service="db",
            user=self.server.user,
            database=self.server.database,
            repositories=[Repository(name, str(self.folder / name), _PASSWORD)],
            paths=[str(environment)],
            exclude=[],
            environment_file=environment,
            versions={"app": "6.2.0"},
            limit_seconds=3600,
            max_age_hours=26,
            keep=Keep(last=2, daily=7, weekly=4, monthly=6, within_days=1),
            state=self.folder / "state",
        )

    def backup(self, name: str) -> Outcome:
        """A run of ours; raises RuntimeError where it fails."""
        config = self.config(name)
        (outcome,) = back_up(config, self.server, config.repositories)
        if outcome.failure is not None:
            raise RuntimeError(outcome.failure)
        return outcome

    def raw_backup(self, name: str) -> None:
        """What a person writes: pg_dump into restic, and the same hashes over all rows."""
        restic = self.plain_restic(name)
        self.shell(f"{restic} init && {self.inside('pg_dump -Fc -Z0')} | {restic} backup --stdin")
        with Session(self.server, "bench") as session:
            record.read(session)

    def raw_restore(self, name: str, part: str) -> None:
        """restic into pg_restore in a database of the same kind, and the same reading of what is there."""
        restic = f"{self.plain_restic(name)} --no-cache"
        with Scratch(self.image) as scratch:
            into = f"docker exec -i {scratch.container} pg_restore -U calcom -d calcom"
            self.shell(f"{restic} dump {part} /database.dump | {into} --no-owner")
            with Session(scratch, "bench") as session:
                record.read(session)

    def newest_dump(self, name: str) -> str:
        """The snapshot of the newest run's dump."""
        restic = Restic(self.config(name).repositories[0], hostname=_INSTANCE, binary=str(self.restic))
        return restic.snapshots(f"part={manifest.DUMP}")[-1].id

    def prove(self, name: str) -> None:
        """The drill; raises RuntimeError for anything but proven."""
        config = self.config(name)
        verdict = drill(config, config.repositories[0], self.image, datetime.now(UTC))
        if verdict.verdict != PROVEN:
            raise RuntimeError(f"{verdict.verdict}: {verdict.reasons}")

    def sql(self, statement: str) -> None:
        """Change the database."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(statement.encode(), {"rows": self.rows})

    def plain_restic(self, name: str) -> str:
        """restic on a repository, as one writes it in a script."""
        return f"RESTIC_PASSWORD={_PASSWORD} {self.restic} --quiet --repo {self.folder / name}"

    def inside(self, command: str) -> str:
        """A command in the database's container."""
        return f"docker exec {self.server.container} {command} -U {self.server.user} {self.server.database}"

    def shell(self, script: str) -> None:
        """Run a script to its end."""
        subprocess.run(["bash", "-euo", "pipefail", "-c", script], check=True, stdout=subprocess.DEVNULL)


def costs(bench: Bench, rounds: int) -> list[Figure]:
    """A run and a drill beside the plain pipes."""
    ours, raw, drills, restores = [], [], [], []
    for number in range(rounds):
        raw.append(_seconds(lambda: bench.raw_backup("raw")))
        ours.append(_seconds(lambda: bench.backup("ours")))
        part = bench.newest_dump("ours")
        restores.append(_seconds(lambda: bench.raw_restore("ours", part)))  # noqa: B023 - called at once
        drills.append(_seconds(lambda: bench.prove("ours")))
        if number + 1 < rounds:
            for name in ("raw", "ours"):
                shutil.rmtree(bench.folder / name)
            shutil.rmtree(bench.folder / "state")
    backup, drilled = _ratio(ours, raw), _ratio(drills, restores)
    return [
        Figure("pg_dump into restic, and hashes over all rows", statistics.median(raw), "s"),
        Figure("calstack's run", statistics.median(ours), "s"),
        Figure("the run by the pipe", backup, "times", "at most 1.15", backup <= 1.15),
        Figure("restic into pg_restore, and the same reading", statistics.median(restores), "s"),
        Figure("calstack's drill", statistics.median(drills), "s"),
        Figure("the drill by the pipe", drilled, "times", "at most 1.3", drilled <= 1.3),
    ]


def changes(bench: Bench) -> list[Figure]:
    """What a second run adds after one booking in a hundred has changed."""
    figures = []
    for which, statement in (("newest", _NEWEST), ("spread", _SPREAD)):
        bench.sql(statement)
        seconds = time.monotonic()
        outcome = bench.backup("ours")
        seconds = time.monotonic() - seconds
        figures += [
            Figure(f"after 1 % of change, {which} rows", seconds, "s"),
            Figure(f"  added of {outcome.bytes_read / 1e6:.0f} MB", outcome.bytes_added / 1e6, "MB"),
        ]
    return figures


def guests(bench: Bench) -> list[Figure]:
    """What guests wait for the app while a run is made, beside quiet."""
    quiet = _waits(bench, lambda: time.sleep(_SECONDS_OF_QUIET))
    busy = _waits(bench, lambda: bench.backup("beside-guests"))
    times = busy.p95 / quiet.p95
    return [
        Figure("p95 of a booking page, quiet", quiet.p95 * 1000, "ms"),
        Figure("p95 during a run", busy.p95 * 1000, "ms"),
        Figure("failed requests during a run", busy.failed, "", "none", busy.failed == 0),
        Figure("p95 during a run by quiet", times, "times", "at most 1.3", times <= 1.3),
    ]


@dataclass(frozen=True)
class Waits:
    """What guests saw."""

    p95: float
    """Seconds."""
    failed: int


def _waits(bench: Bench, meanwhile: Callable[[], object]) -> Waits:
    ended = threading.Event()
    seconds: list[float] = []
    failures: list[str] = []

    def guest() -> None:
        with httpx.Client(base_url=bench.app_url, timeout=30) as http:
            due = time.monotonic()
            while not ended.is_set():
                begun = time.monotonic()
                try:
                    answer = http.get("/bench1")
                    if answer.status_code >= 500:
                        failures.append(str(answer.status_code))
                except httpx.HTTPError as error:
                    failures.append(str(error))
                seconds.append(time.monotonic() - begun)
                due += 1 / _REQUESTS_A_SECOND
                ended.wait(max(0, due - time.monotonic()))

    thread = threading.Thread(target=guest)
    thread.start()
    try:
        meanwhile()
    finally:
        ended.set()
        thread.join()
    return Waits(statistics.quantiles(seconds, n=20)[-1], len(failures))


def _seconds(work: Callable[[], object]) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Of each round, so that a slow minute weighs on both; the one in the middle."""
    return statistics.median(mine / yours for mine, yours in zip(ours, theirs, strict=True))


@contextmanager
def full_instance(megabytes: int) -> Iterator[Bench]:
    """A stand-in whose bookings take so much; removed afterwards."""
    client = engine.ensure_engine(lambda _: None)
    image = images.ensure_postgres_image()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        container = stack.enter_context(
            servers.container(
                image,
                "-e",
                "POSTGRES_USER=calcom",
                "-e",
                f"POSTGRES_PASSWORD={_PASSWORD}",
                "-p",
                "127.0.0.1::5432",
            )
        )
        port = servers.docker("port", container, "5432/tcp").split(":")[-1].strip()
        server_url = f"postgresql://calcom:{_PASSWORD}@127.0.0.1:{port}/postgres"
        database_url = stack.enter_context(servers.scratch_database(server_url))
        app = stack.enter_context(servers.stand_in(database_url, folder, WEB_SETTINGS, datetime.now(UTC)))
        server = Server(container, "calcom", database_url.rpartition("/")[2])
        bench = Bench(
            server, image, database_url, app.url, restic_program(client, folder), folder,
            max(1000, megabytes * 1_000_000 // _BYTES_A_BOOKING),
        )  # fmt: skip
        for statement in (_PEOPLE, _BOOKINGS, _GUESTS, "vacuum analyze"):
            bench.sql(statement)
        yield bench


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0 when every goal is met, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.backups", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000, help="of bookings; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    # Ends like Ctrl-C, so that the containers are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with full_instance(options.megabytes) as bench:
        figures = {
            "costs": costs(bench, options.rounds),
            "changes": changes(bench),
            "guests": guests(bench),
        }
    if options.json:
        print(json.dumps({name: [asdict(it) for it in found] for name, found in figures.items()}, indent=2))
    else:
        for name, found in figures.items():
            show(name, found)
    return 0 if all(all_met(found) for found in figures.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
