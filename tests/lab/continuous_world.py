"""A database under continuous protection: PostgreSQL, the receiver of its log, and a repository."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from deploy.lab import images
from deploy.onhost.backup.config import BackupConfig
from deploy.onhost.backup.continuous import bases, pieces, receiver, ship
from deploy.onhost.backup.continuous.recover import Recovered, Recovery, find_way
from deploy.onhost.backup.continuous.settings import POSTGRES, Continuous
from deploy.onhost.backup.postgres import DatabaseError, Server, Session
from deploy.onhost.backup.restic import Repository, Restic
from deploy.onhost.failures import OnhostError
from deploy.rendering import render
from deploy.roles import continuous as role
from tests.lab.backups import INSTANCE, Database, new_backups

PASSWORD = "a password of the receiver"


@dataclass
class World:
    """All of it; `server` is the database that runs now."""

    name: str
    image: str
    folder: Path
    config: BackupConfig
    continuous: Continuous
    slot_keeps: str
    containers: list[str] = field(default_factory=list)

    @property
    def server(self) -> Server:
        return Server(f"{self.name}-db")

    @property
    def receiver(self) -> str:
        return f"{self.name}-wal"

    @property
    def restic(self) -> Restic:
        return ship.restic_of(self.config, self.config.repositories[0])

    def start_database(self) -> None:
        """An empty database with a table of bookings, and the role of the receiver."""
        self._run(
            self.server.container,
            *("--network-alias", "db", "--tmpfs", "/var/lib/postgresql/data:size=1g"),
            *("-e", "POSTGRES_USER=calcom", "-e", "POSTGRES_DB=calcom", "-e", "POSTGRES_PASSWORD=x"),
            *("-v", f"{self.folder}/database:/etc/calcom:ro"),
            self.image,
            "postgres",
            *(
                item
                for name, value in role.database_settings(int(self.slot_keeps)).items()
                for item in ("-c", f"{name}={value}")
            ),
        )
        ready = ["docker", "exec", self.server.container, "pg_isready", "-q", "-h", "127.0.0.1"]
        wait_for(lambda: subprocess.run(ready, check=False).returncode == 0)
        self.sql(f"create role {self.continuous.role} replication login password '{PASSWORD}'")
        self.sql('create table "Booking" (id serial primary key, title text, "createdAt" timestamp)')

    def start_receiver(self) -> None:
        self._run(
            self.receiver,
            *("--user", "999:999", "--cap-drop", "ALL", "--init"),
            *(
                "-e",
                "PGHOST=db",
                "-e",
                f"PGUSER={self.continuous.role}",
                "-e",
                "PGPASSFILE=/etc/calcom/pgpass",
            ),
            *("-v", f"{self.folder}/wal:/etc/calcom:ro"),
            *("-v", f"{self.continuous.folder}:{self.continuous.folder}", "--entrypoint", "sh"),
            self.image,
            *("/etc/calcom/receive.sh", str(self.continuous.received), self.continuous.slot),
        )
        self.wait_for_reception()

    def wait_for_reception(self) -> None:
        wait_for(lambda: receiver.situation(self.server, self.continuous.slot).active)

    def end(self, container: str) -> None:
        """Kill it and all that it holds, as when its disk is gone."""
        subprocess.run(["docker", "rm", "--force", "--volumes", container], capture_output=True, check=False)

    def sql(self, statement: str) -> list[list[str]]:
        return self.server.rows(statement, application="test")

    def book(self, title: str = "one", count: int = 1) -> datetime:
        """Insert bookings; a moment after them comes back."""
        rows = f"select '{title}', now() from generate_series(1, {count})"  # noqa: S608 - values of ours
        self.sql(f'insert into "Booking" (title, "createdAt") {rows}')
        return self.moment()

    def moment(self) -> datetime:
        """Now, by the database's clock, with a little time on both sides."""
        time.sleep(0.05)
        now = datetime.now(UTC)
        time.sleep(0.05)
        return now

    def fill_segment(self) -> None:
        """Let the log go on with a new segment."""
        self.sql("select pg_logical_emit_message(false, 'test', 'x')")
        self.sql("select pg_switch_wal()")
        self.book()

    def forget_locally(self) -> None:
        """Remove the segments that were sent from the host, as is done when there are many."""
        self.settle()
        (folder,) = self.continuous.received.iterdir()
        whole = sorted(path for path in folder.iterdir() if path.suffix != ".partial")
        for path in whole[:-1]:
            path.unlink()

    def send(self) -> ship.Sent:
        return ship.send(self.config, self.continuous, self.server)

    def settle(self) -> None:
        """Send until all that was committed is in the repository."""
        complaints: list[str] = []

        def all_is_sent() -> bool:
            complaints[:] = self.send().complaints
            return not complaints

        wait_for(all_is_sent, because=complaints)

    def make_base(self) -> bases.Made:
        self.settle()
        return bases.make(self.config, self.continuous, self.server, self.receiver)

    def listing(self) -> pieces.Listing:
        return pieces.listing(self.restic, INSTANCE, datetime.now(UTC))

    @contextmanager
    def recovered(self, moment: datetime | None = None, system: str | None = None) -> Iterator[Recovered]:
        repository = self.config.repositories[0]
        way = find_way(self.config, self.continuous, repository, moment, system)
        with Recovery(self.config, self.continuous, repository, self.image, moment, way=way) as there:
            yield there

    def titles(self, moment: datetime | None = None, system: str | None = None) -> list[str]:
        """The titles of the bookings there were then."""
        with self.recovered(moment, system) as there:
            rows = there.server.rows('select distinct title from "Booking" order by 1', application="test")
        return [title for (title,) in rows]

    def leftovers(self) -> list[str]:
        """What recoveries have left in the folder."""
        return [path.name for path in self.continuous.folder.glob("recovering-*")]

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(
            ["docker", "run", "--detach", "--name", name, "--network", self.name, *arguments],
            check=True,
            capture_output=True,
        )
        self.containers.append(name)


@contextmanager
def new_world(folder: Path, restic: Path, *, slot_keeps: int = 1024) -> Iterator[World]:
    """A database with a receiver, nothing sent yet."""
    name = f"calstack-continuous-{secrets.token_hex(4)}"
    subprocess.run(["docker", "network", "create", "--internal", name], check=True, capture_output=True)
    place = folder / "continuous"
    (place / "received").mkdir(parents=True)
    os.chown(place / "received", POSTGRES, POSTGRES)
    for part in ("database", "wal"):
        (folder / part).mkdir()
    (folder / "database" / "pg_hba.conf").write_bytes(
        render("opt/calcom/database/pg_hba.conf", origin="a test", role="calcom_wal")
    )
    (folder / "wal" / "receive.sh").write_bytes(render("opt/calcom/wal/receive.sh", origin="a test"))
    (folder / "wal" / "pgpass").write_text(f"*:*:*:*:{PASSWORD}\n", encoding="utf-8")
    (folder / "wal" / "pgpass").chmod(0o400)
    os.chown(folder / "wal" / "pgpass", POSTGRES, POSTGRES)
    continuous = Continuous(
        folder=place,
        service="wal",
        role="calcom_wal",
        slot="calcom_wal",
        ship_seconds=1,
        max_lag_seconds=60,
        full_days=7,
        keep_fulls=2,
        local_mb=1024,
    )
    database = Database(Server(f"{name}-db"), images.ensure_postgres_image())
    with new_backups(database, folder / "backups", restic) as backups:
        world = World(name, database.image, folder, backups.config, continuous, str(slot_keeps))
        try:
            world.start_database()
            world.start_receiver()
            yield world
        finally:
            for container in world.containers:
                world.end(container)
            subprocess.run(["docker", "network", "rm", name], capture_output=True, check=False)


@contextmanager
def booking(world: World) -> Iterator[dict[int, float]]:
    """Books until the database is gone; when each was acknowledged comes out, by number."""
    acknowledged: dict[int, float] = {}

    def book() -> None:
        with contextlib.suppress(DatabaseError), Session(world.server, "load") as session:
            for number in itertools.count(1):
                session.rows(f'insert into "Booking" (title, "createdAt") values (\'{number}\', now())')  # noqa: S608
                acknowledged[number] = time.monotonic()

    worker = threading.Thread(target=book)
    worker.start()
    try:
        yield acknowledged
    finally:
        worker.join(60)


@contextmanager
def sending(world: World, every: float) -> Iterator[None]:
    """Sends the log all the time, as the job does; ends with the block, without a last round."""
    over = threading.Event()

    def send() -> None:
        while not over.wait(every):
            with contextlib.suppress(OnhostError):
                world.send()

    worker = threading.Thread(target=send)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join(180)


def wait_for(condition: Callable[[], bool], seconds: float = 60, because: Sequence[str] = ()) -> None:
    """Wait until it holds; `because` says what was still wrong."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(Exception):
            if condition():
                return
        assert time.monotonic() < deadline, f"waited in vain: {because}"
        time.sleep(0.1)


def with_repository(world: World, repository: Repository) -> World:
    """The same with another repository."""
    return replace(world, config=replace(world.config, repositories=[repository]))
