"""A database with something in it, a repository on this machine, and runs of the one in the other."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import docker

from deploy.lab import images
from deploy.onhost.backup import drill, manifest, run, runs
from deploy.onhost.backup.config import BackupConfig, Keep
from deploy.onhost.backup.manifest import Manifest, Part
from deploy.onhost.backup.postgres import Server, identifier
from deploy.onhost.backup.restic import Repository, Restic

INSTANCE = "cal.calstack.test"
KEY = "0123456789abcdef0123456789abcdef"
_ENCRYPTED = "select encrypt_iv('JBSWY3DPEHPK3PXP', '{key}', decode('{vector}', 'hex'), 'aes-cbc/pad:pkcs')"
_CONTENT = """
create table users (id serial primary key, email text not null unique, "twoFactorSecret" text);
create table "Booking" (id serial primary key, uid text not null unique, title text,
                        "userId" int references users (id), "createdAt" timestamp not null default now());
create table "Empty" (id int);
create type status as enum ('ACCEPTED', 'CANCELLED');
create view upcoming as select * from "Booking";
create table "_prisma_migrations" (migration_name text, finished_at timestamptz);
insert into "_prisma_migrations" values ('20210605225044_init', now()), ('20230303195432_more', now());
insert into users (email) select 'user' || g || '@example.com' from generate_series(1, 50) g;
insert into "Booking" (uid, title, "userId") select md5(g::text), 'Booking ' || g, 1 + g % 50
  from generate_series(1, 3000) g;
create role reporting;
grant select on "Booking" to reporting;
"""


@dataclass(frozen=True)
class Database:
    """A PostgreSQL with a small instance's data."""

    server: Server
    image: str

    def sql(self, statement: str, database: str | None = None) -> list[list[str]]:
        server = replace(self.server, database=database) if database else self.server
        return server.rows(statement, application="test")

    def altered_dump(self, change: str) -> bytes:
        """The dump of a copy of the database in which something was changed."""
        copy = f"copy_{secrets.token_hex(4)}"
        self.sql(f"create database {copy} template calcom", "postgres")
        try:
            self.sql(change, copy)
            command = replace(self.server, database=copy).command(
                "pg_dump", "--format=custom", "--compress=0", application="test"
            )
            return subprocess.run(command, capture_output=True, check=True).stdout
        finally:
            self.sql(f"drop database {identifier(copy)} with (force)", "postgres")


@contextmanager
def running_database() -> Iterator[Database]:
    """Such a database in a container of its own."""
    image = images.ensure_postgres_image()
    name = f"calstack-backup-{secrets.token_hex(4)}"
    subprocess.run(
        [
            *("docker", "run", "--detach", "--name", name, "-e", "POSTGRES_USER=calcom"),
            *("--label", "com.docker.compose.project=calcom"),
            *("--label", f"com.docker.compose.service={name}"),
            *("-e", "POSTGRES_DB=calcom", "-e", "POSTGRES_HOST_AUTH_METHOD=trust"),
            *("--tmpfs", "/var/lib/postgresql/data", image),
        ],
        check=True,
        capture_output=True,
    )
    try:
        ready = ["docker", "exec", name, "pg_isready", "-q", "-h", "127.0.0.1", "-U", "calcom"]
        for _ in range(300):
            if subprocess.run(ready, check=False).returncode == 0:
                break
        database = Database(Server(name), image)
        database.sql(_CONTENT)
        vector = "00112233445566778899aabbccddeeff"
        database.sql("create database tools", "postgres")
        database.sql("create extension pgcrypto", "tools")
        text = database.sql(_ENCRYPTED.format(key=KEY, vector=vector), "tools")[0][0].removeprefix("\\x")
        database.sql("drop database tools", "postgres")
        database.sql(f"update users set \"twoFactorSecret\" = '{vector}:{text}' where id = 7")  # noqa: S608 - values of ours
        yield database
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False)


@dataclass
class Backups:
    """A repository in a folder, and the runs in it."""

    database: Database
    folder: Path
    config: BackupConfig

    @property
    def repository(self) -> Repository:
        return self.config.repositories[0]

    @property
    def restic(self) -> Restic:
        return Restic(self.repository, hostname=INSTANCE, binary=self.config.restic)

    @property
    def place(self) -> Path:
        """Where the repository's own files lie."""
        return Path(self.repository.url)

    def command(self, *arguments: str) -> list[str]:
        """`onhost backup …` on these, as a program of its own."""
        file = self.folder / "config.json"
        document = {
            **asdict(self.config),
            "database": {
                "service": self.config.service,
                "user": self.config.user,
                "name": self.config.database,
            },
            "environment_file": str(self.config.environment_file),
            "state": str(self.config.state),
        }
        file.write_text(json.dumps(document), encoding="utf-8")
        return [sys.executable, "-m", "deploy.onhost", "backup", "--config", str(file), *arguments]

    def make_run(self) -> run.Outcome:
        return run.back_up(self.config, self.database.server, self.config.repositories)[0]

    def drill(self, now: datetime | None = None, config: BackupConfig | None = None) -> drill.Verdict:
        config = config or self.config
        return drill.drill(config, config.repositories[0], self.database.image, now or datetime.now(UTC))

    def manifest(self) -> Manifest:
        """The manifest of the newest run."""
        newest = runs.listing(self.restic, INSTANCE, datetime.now(UTC)).newest
        assert newest is not None
        content = self.restic.read(newest.parts["manifest"].id, manifest.NAME, limit_seconds=60)
        return Manifest.from_bytes(content)

    def forge(self, **parts: bytes) -> Manifest:
        """A run that says of itself that it is sound, with the parts of the newest one but these.

        Its digests fit these parts, so that only what they hold can give them away.
        """
        true = self.manifest()
        name = manifest.new_run(datetime.now(UTC) + timedelta(seconds=1))
        tags = {part: manifest.tags(name, part, INSTANCE) for part in ("dump", "roles", "files", "manifest")}
        forged = {}
        for part, there in true.parts.items():
            content = parts.get(part)
            if content is None:
                content = self.restic.read(there.snapshot, there.name, limit_seconds=60)
            kept = self.restic.store(content, there.name, tags[part], limit_seconds=60)
            forged[part] = Part(kept.snapshot, there.name, len(content), hashlib.sha256(content).hexdigest())
        made = replace(true, run=name, parts=forged)
        self.restic.store(made.to_bytes(), manifest.NAME, tags["manifest"], limit_seconds=60)
        return made


@contextmanager
def new_backups(database: Database, folder: Path, restic: Path) -> Iterator[Backups]:
    """A new repository in a folder, which goes with it."""
    files = folder / "opt"
    files.mkdir(parents=True)
    environment = files / "web.env"
    environment.write_text(f"NEXTAUTH_SECRET=x\nCALENDSO_ENCRYPTION_KEY={KEY}\n", encoding="utf-8")
    config = BackupConfig(
        instance=INSTANCE,
        restic=str(restic),
        service=database.server.container,
        user="calcom",
        database="calcom",
        repositories=[Repository("local", str(folder / "repository"), "a password")],
        paths=[str(files)],
        exclude=[],
        environment_file=environment,
        versions={"app": "6.2.0"},
        limit_seconds=120,
        max_age_hours=26,
        keep=Keep(last=2, daily=7, weekly=4, monthly=6, within_days=1),
        state=folder / "state",
    )
    try:
        yield Backups(database, folder, config)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def restic_program(client: docker.DockerClient, folder: Path) -> Path:
    """The program, out of the lab's image, put into a folder."""
    container = client.containers.create(images.ensure_service_image(client, images.RESTIC))
    try:
        copied = ["docker", "cp", "-L", f"{container.id}:/usr/bin/restic", str(folder / "restic")]
        subprocess.run(copied, check=True, capture_output=True)
    finally:
        container.remove(v=True)
    return folder / "restic"


def archive_without(archive: bytes, name: str) -> bytes:
    """A tar archive without one of its files."""
    target = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as source, tarfile.open(fileobj=target, mode="w") as copy:
        for entry in source:
            if not entry.name.endswith(name):
                copy.addfile(entry, source.extractfile(entry) if entry.isreg() else None)
    return target.getvalue()
