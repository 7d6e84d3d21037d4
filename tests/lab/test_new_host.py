"""What a new host does, on a real restic and PostgreSQL: it holds what the run promises, or is as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.onhost.backup import manifest, new_host, quieten, state
from deploy.onhost.backup.exchange import Exchange
from deploy.onhost.backup.postgres import Server
from deploy.onhost.backup.scratch import Scratch
from deploy.onhost.failures import OnhostError
from tests.lab.backups import INSTANCE, Backups, Database, new_backups, running_database

pytestmark = pytest.mark.docker

ADMIN = "user1@example.com"
_ADMINISTERED = "alter table users add column role text; update users set role = 'ADMIN' where id = 1"
_WHAT_REACHES_PEOPLE = """
create table "Webhook" (id text, active boolean); insert into "Webhook" values ('a', true), ('b', false);
create table "Task" (id text); insert into "Task" values ('a');
create table "Credential" (id int, key jsonb);
insert into "Credential" values (1, '{"t": 1}'), (2, '{"t": 2}');
create table "App" (slug text, keys jsonb);
insert into "App" values ('zoom', '{"client_secret": "x"}'), ('x', null);
create table "Feature" (slug text primary key, enabled boolean, type text, description text,
                        "createdAt" timestamp, "updatedAt" timestamp);
insert into "Feature" values ('emails', false), ('teams', true);
"""


@pytest.fixture(scope="module")
def database(docker_engine: None) -> Iterator[Database]:  # noqa: ARG001 - has to be there first
    with running_database() as database:
        database.sql(_ADMINISTERED)
        database.sql(_WHAT_REACHES_PEOPLE)
        yield database


@pytest.fixture(scope="module")
def sound(database: Database, restic: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backups]:
    """A repository with one run of the old host."""
    with new_backups(database, tmp_path_factory.mktemp("sound"), restic) as backups:
        opt = Path(backups.config.paths[0])
        (opt / "backup").mkdir()
        (opt / "backup" / "secrets.json").write_text('{"the": "secrets"}', encoding="utf-8")
        (opt / "proxy").mkdir(mode=0o711)
        (opt / "proxy" / "maintenance.map").write_text("on", encoding="utf-8")
        (opt / "compose.override.yaml").write_text("services: {}", encoding="utf-8")
        (opt / "link").symlink_to("compose.override.yaml")
        (opt / "proxy" / "own.pem").write_text("a key", encoding="utf-8")
        (opt / "proxy" / "own.pem").chmod(0o440)
        assert backups.make_run().failure is None
        yield backups


@pytest.fixture
def backups(sound: Backups, tmp_path: Path) -> Backups:
    """The same as a new host sees it, which knows of no run."""
    return Backups(sound.database, tmp_path, replace(sound.config, state=tmp_path / "state"))


@pytest.fixture(scope="module")
def empty(database: Database) -> Iterator[Server]:
    """The new host's PostgreSQL."""
    with Scratch(database.image) as server:
        yield server


@pytest.fixture(autouse=True)
def _empty_again(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "empty" in request.fixturenames:
        server = request.getfixturevalue("empty")
        exchange = Exchange(server)
        exchange.drop_before()
        exchange.drop_restored()
        for statement in ("drop database if exists calcom with (force)", "create database calcom"):
            replace(server, database="postgres").rows(statement, application="test")


def _fill(backups: Backups, server: Server, *, clone: bool = False, admin: str = ADMIN) -> list[str]:
    run = backups.manifest().run
    return new_host.fill(backups.config, run, server, admin=admin, clone=clone)


def _databases(server: Server) -> set[str]:
    rows = replace(server, database="postgres").rows("select datname from pg_database", application="test")
    return {row[0] for row in rows} - {"postgres", "template0", "template1"}


def _is_empty(server: Server) -> bool:
    return _databases(server) == {"calcom"} and _tables(server) == 0


def _tables(server: Server) -> int:
    found = server.rows("select count(*) from pg_tables where schemaname = 'public'", application="test")
    return int(found[0][0])


def test_the_new_database_holds_the_run_and_the_host_knows_of_it(backups: Backups, empty: Server) -> None:
    for _ in range(2):
        assert _fill(backups, empty) == []
        assert _databases(empty) == {"calcom"}
        assert empty.rows('select count(*) from "Booking"', application="test") == [["3000"]]
        assert empty.rows("select rolname from pg_roles where rolname = 'reporting'", application="test")
    known = state.read(backups.config.state, "local")
    assert known.run == backups.manifest().run
    assert backups.drill().reasons == (), "the noted digest is that of the manifest"


def test_a_kill_before_the_exchange_leaves_the_empty_one_and_a_second_time_completes(
    backups: Backups, empty: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:

        def killed(_: Exchange) -> None:
            raise KeyboardInterrupt

        patched.setattr(Exchange, "make", killed)
        with pytest.raises(KeyboardInterrupt):
            _fill(backups, empty)
    assert _tables(empty) == 0
    _fill(backups, empty)
    assert _databases(empty) == {"calcom"}


def test_another_encryption_key_is_refused(backups: Backups, empty: Server) -> None:
    environment = backups.folder / "web.env"
    environment.write_text("CALENDSO_ENCRYPTION_KEY=another\n", encoding="utf-8")
    backups.config = replace(backups.config, environment_file=environment)
    with pytest.raises(OnhostError, match="encryption key"):
        _fill(backups, empty)
    assert _is_empty(empty)


def test_an_administrator_that_the_run_does_not_know_is_named(backups: Backups, empty: Server) -> None:
    with pytest.raises(OnhostError, match=f"administrators of the instance are {ADMIN}"):
        _fill(backups, empty, admin="somebody@example.com")
    assert _is_empty(empty)


def test_an_older_server_is_refused(backups: Backups, empty: Server) -> None:
    true = backups.manifest()
    newer = replace(true, record=replace(true.record, server_version=190001))
    run = manifest.new_run(datetime.now(UTC))
    tags = manifest.tags(run, manifest.MANIFEST, INSTANCE)
    stored = backups.restic.store(
        replace(newer, run=run).to_bytes(), manifest.NAME, tags, limit_seconds=60
    ).snapshot
    try:
        with pytest.raises(OnhostError, match="PostgreSQL is 17, and the run was made by 19"):
            new_host.fill(backups.config, run, empty, admin=ADMIN, clone=False)
    finally:
        backups.restic.forget([stored])
    assert _is_empty(empty)


def test_a_clone_lost_what_reaches_people_before_anybody_could_use_it(
    backups: Backups, empty: Server
) -> None:
    lost = _fill(backups, empty, clone=True)
    assert lost == [
        "1 webhooks switched off",
        "1 queued tasks removed",
        "2 connected accounts removed",
        "1 apps lost the keys of their makers",
    ]
    sql = """select (select count(*) from "Webhook" where active), (select count(*) from "Task"),
        (select count(*) from "Credential"), (select count(*) from "App" where keys is not null),
        (select enabled from "Feature" where slug = 'emails'), (select count(*) from "Booking")"""
    assert empty.rows(sql, application="test") == [["0", "0", "0", "0", "t", "3000"]]
    assert state.read(backups.config.state, "local").run is None, "a clone makes no runs"


def test_a_version_of_the_app_without_those_tables_is_no_error(empty: Server) -> None:
    assert quieten.quieten(empty) == []


def test_the_offer_has_the_secrets_and_says_whose_run_it_is(backups: Backups) -> None:
    found = new_host.offer(backups.config, None, any_instance=False, now=datetime.now(UTC)).to_json()
    assert found["run"] == backups.manifest().run
    assert json.loads(found["secrets"]) == {"the": "secrets"}


def test_the_run_of_another_instance_is_for_clones_alone(backups: Backups) -> None:
    copy = replace(backups.config, instance="copy.calstack.test")
    with pytest.raises(OnhostError, match=f"no run of copy.calstack.test: it holds runs of {INSTANCE}"):
        new_host.offer(copy, None, any_instance=False, now=datetime.now(UTC))
    assert new_host.offer(copy, None, any_instance=True, now=datetime.now(UTC)).instance == INSTANCE


def test_files_come_back_as_they_were_but_for_those_of_the_moment(backups: Backups, tmp_path: Path) -> None:
    opt, root = backups.config.paths[0], tmp_path / "root"
    run = backups.manifest().run
    for _ in range(2):
        placed = new_host.lay_out(backups.config, run, [f"{opt}/web.env"], root)
    assert placed == [f"{opt}/{name}" for name in ("compose.override.yaml", "link", "proxy/own.pem")]
    there = root / opt.lstrip("/")
    assert (there / "proxy" / "own.pem").stat().st_mode & 0o777 == 0o440
    assert (there / "proxy").stat().st_mode & 0o777 == 0o711
    assert (there / "link").read_text(encoding="utf-8") == "services: {}"
    assert not (there / "web.env").exists()
    assert not (there / "backup" / "secrets.json").exists()
    assert not (there / "proxy" / "maintenance.map").exists()
