"""The way back on a real restic and PostgreSQL: the live database is exchanged whole, or not touched."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.onhost.backup import ongoing, table
from deploy.onhost.backup.choice import choose
from deploy.onhost.backup.restore import Restoring
from deploy.onhost.clock import utc_now
from deploy.onhost.failures import OnhostError
from tests.lab.backups import KEY, Backups, Database, new_backups, running_database

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def database(docker_engine: None) -> Iterator[Database]:  # noqa: ARG001 - has to be there first
    with running_database() as database:
        yield database


@pytest.fixture(scope="module")
def sound(database: Database, restic: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backups]:
    """A repository with one sound run."""
    with new_backups(database, tmp_path_factory.mktemp("sound"), restic) as backups:
        database.sql("alter database calcom set work_mem = '5MB'")
        database.sql("grant temporary on database calcom to reporting")
        database.sql("""comment on database calcom is '{"migrated_by": "sha256:1"}'""")
        assert backups.make_run().failure is None
        yield backups


@pytest.fixture
def backups(sound: Backups, tmp_path: Path) -> Iterator[Backups]:
    """A copy of it to be damaged, and the database as it was, whatever a test did to it."""
    shutil.copytree(sound.place, tmp_path / "repository")
    shutil.copytree(sound.config.state, tmp_path / "state")
    sql = sound.database.sql
    sql("create database kept template calcom", "postgres")
    repository = replace(sound.repository, url=str(tmp_path / "repository"))
    config = replace(sound.config, repositories=[repository], state=tmp_path / "state")
    try:
        yield Backups(sound.database, tmp_path, config)
    finally:
        for name in ("calcom", "calcom_restored", "calcom_before_restore"):
            sql(f"drop database if exists {name} with (force)", "postgres")
        sql("alter database kept rename to calcom", "postgres")
        sql("alter database calcom set work_mem = '5MB'", "postgres")
        sql("grant temporary on database calcom to reporting", "postgres")
        sql("""comment on database calcom is '{"migrated_by": "sha256:1"}'""", "postgres")


@pytest.fixture
def restoring(backups: Backups) -> Restoring:
    return Restoring(backups.config, backups.database.server, backups.folder / "restore.json")


def _names(backups: Backups) -> list[str]:
    rows = backups.database.sql("select datname from pg_database where datname like 'calcom%'", "postgres")
    return sorted(row[0] for row in rows)


def _lose_something(backups: Backups) -> None:
    """What somebody restores for: bookings gone, a value spoilt; and a booking since the run."""
    backups.database.sql("""delete from "Booking" where id <= 1000""")
    backups.database.sql("update users set email = 'spoilt@example.com' where id = 3")
    backups.database.sql("""insert into "Booking" (uid, title, "userId") values ('late', 'Late', 1)""")


def _exchanged(restoring: Restoring) -> None:
    look = restoring.look(None, None)
    restoring.fill(look.run, look.repository)
    restoring.stop(own_maintenance=True)
    restoring.save()
    restoring.swap()


def test_a_look_says_what_would_be_lost_and_changes_nothing(backups: Backups, restoring: Restoring) -> None:
    _lose_something(backups)
    look = restoring.look(None, None)
    assert (look.run, look.repository) == (backups.manifest().run, "local")
    assert look.bookings_since == 1
    assert look.newest_booking is not None
    assert look.live_newest_booking is not None
    assert look.newest_booking < look.live_newest_booking
    assert look.same_key
    assert look.obstacles == []
    assert not restoring.file.exists()
    assert _names(backups) == ["calcom"]


def test_a_restore_brings_back_what_was_lost_with_settings_and_grants(
    backups: Backups, restoring: Restoring
) -> None:
    _lose_something(backups)
    _exchanged(restoring)
    restoring.prove()
    restoring.conclude()
    sql = backups.database.sql
    assert sql("""select count(*), count(*) filter (where uid = 'late') from "Booking" """) == [["3000", "0"]]
    assert sql("select email from users where id = 3") == [["user3@example.com"]]
    assert sql("show work_mem") == [["5MB"]]
    assert sql("select has_database_privilege('reporting', 'calcom', 'temporary')") == [["t"]]
    comment = "select shobj_description(oid, 'pg_database') from pg_database where datname = 'calcom'"
    assert sql(comment) == [['{"migrated_by": "sha256:1"}']]
    assert _names(backups) == ["calcom"]
    assert not restoring.file.exists()


def test_the_safety_run_takes_the_instance_to_where_it_was(backups: Backups, restoring: Restoring) -> None:
    _lose_something(backups)
    _exchanged(restoring)
    there = ongoing.read(restoring.file)
    restoring.prove()
    restoring.conclude()
    assert there is not None
    look = restoring.look(None, None)
    assert look.run == there.safety_run
    restoring.fill(look.run, look.repository)
    restoring.stop(own_maintenance=True)
    restoring.swap()
    assert backups.database.sql("""select title from "Booking" where uid = 'late'""") == [["Late"]]


def test_a_database_in_use_is_exchanged_and_exchanged_back(backups: Backups, restoring: Restoring) -> None:
    from deploy.onhost.backup.postgres import Session

    _lose_something(backups)
    with Session(backups.database.server, "somebody") as session:
        session.rows("select 1")
        _exchanged(restoring)
    assert _names(backups) == ["calcom", "calcom_before_restore"]
    restoring.swap_back()
    restoring.abandon()
    assert backups.database.sql("""select title from "Booking" where uid = 'late'""") == [["Late"]]
    assert _names(backups) == ["calcom"]


def test_every_step_may_be_repeated(backups: Backups, restoring: Restoring) -> None:
    _lose_something(backups)
    look = restoring.look(None, None)
    for _ in range(2):
        restoring.fill(look.run, look.repository)
    for _ in range(2):
        restoring.stop(own_maintenance=True)
    for _ in range(2):
        restoring.swap()
    for _ in range(2):
        restoring.swap_back()
    restoring.swap()
    restoring.prove()
    restoring.prove()
    restoring.conclude()
    assert backups.database.sql('select count(*) from "Booking"') == [["3000"]]


def test_a_restore_killed_right_behind_the_exchange_is_seen_as_exchanged(
    backups: Backups, restoring: Restoring
) -> None:
    """The names of the databases count, not what the file had time to say."""
    _lose_something(backups)
    _exchanged(restoring)
    there = ongoing.read(restoring.file)
    assert there is not None
    ongoing.write(restoring.file, replace(there, step=ongoing.STOPPING))
    assert restoring.save() == there.safety_run
    with pytest.raises(OnhostError, match="is the live one; it was not removed"):
        restoring.abandon()
    restoring.swap()
    assert backups.database.sql('select count(*) from "Booking"') == [["3000"]]


def test_a_live_database_that_is_gone_altogether_comes_back(backups: Backups, restoring: Restoring) -> None:
    backups.database.sql("drop database calcom with (force)", "postgres")
    look = restoring.look(None, None)
    assert look.bookings_since is None
    restoring.fill(look.run, look.repository)
    restoring.stop(own_maintenance=True)
    restoring.swap()
    assert backups.database.sql('select count(*) from "Booking"') == [["3000"]]


def test_a_role_that_is_gone_is_made_and_the_others_stay(backups: Backups, restoring: Restoring) -> None:
    sql = backups.database.sql
    sql("""revoke all on "Booking" from reporting""")
    sql("revoke all on database calcom from reporting")
    sql("revoke all on database kept from reporting", "postgres")
    sql("""revoke all on "Booking" from reporting""", "kept")
    sql("drop role reporting")
    sql("create role later login")
    sql("alter role calcom password 'another'")
    password = sql("select rolpassword from pg_authid where rolname = 'calcom'")
    try:
        _exchanged(restoring)
        assert sql("""select has_table_privilege('reporting', '"Booking"', 'select')""") == [["t"]]
        assert sql("select rolpassword from pg_authid where rolname = 'calcom'") == password
    finally:
        sql("drop role later")
        sql("""grant select on "Booking" to reporting""", "kept")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("""update "Booking" set title = 'Booking 9x' where id = 9""", "public.Booking has its 3000 rows"),
        ("""alter table "Booking" drop constraint "Booking_userId_fkey" """, "Booking_userId_fkey"),
    ],
)
def test_a_run_that_holds_something_else_leaves_the_instance_alone(
    backups: Backups, restoring: Restoring, change: str, named: str
) -> None:
    forged = backups.forge(dump=backups.database.altered_dump(change))
    with pytest.raises(OnhostError, match=named):
        restoring.fill(forged.run, "local")
    assert _names(backups) == ["calcom"]
    assert not restoring.file.exists()


def test_a_dump_that_is_cut_short_leaves_the_instance_alone(backups: Backups, restoring: Restoring) -> None:
    whole = backups.database.altered_dump("select 1")
    forged = backups.forge(dump=whole[: len(whole) // 2])
    with pytest.raises(OnhostError, match="pg_restore ended with 1"):
        restoring.fill(forged.run, "local")
    assert _names(backups) == ["calcom"]


def test_a_run_of_a_newer_app_is_refused_before_anything(backups: Backups, restoring: Restoring) -> None:
    backups.database.sql("""delete from "_prisma_migrations" where migration_name like '2023%'""")
    look = restoring.look(None, None)
    assert "newer app (6.2.0) than the one that runs here" in look.obstacles[0]
    with pytest.raises(OnhostError, match="newer app"):
        restoring.fill(look.run, look.repository)
    assert _names(backups) == ["calcom"]


def test_another_encryption_key_is_told(backups: Backups, restoring: Restoring) -> None:
    environment = backups.folder / "web.env"
    environment.write_text("CALENDSO_ENCRYPTION_KEY=another\n", encoding="utf-8")
    other = replace(restoring, config=replace(restoring.config, environment_file=environment))
    look = other.look(None, None)
    assert not look.same_key
    with pytest.raises(OnhostError, match="another encryption key"):
        other.fill(look.run, look.repository)
    assert _names(backups) == ["calcom"]


def test_another_encryption_key_is_taken_over_and_given_back(backups: Backups, restoring: Restoring) -> None:
    folder = backups.folder / "project"
    folder.mkdir()
    texts = {
        "web.env": "A=1\nCALENDSO_ENCRYPTION_KEY=another\nB=2\n",
        "api.env": "CALENDSO_ENCRYPTION_KEY=another\n",
        "plain.env": "A=1\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o600)
    other = replace(restoring, config=replace(restoring.config, environment_file=folder / "web.env"))
    look = other.look(None, None)
    other.fill(look.run, look.repository, take_key=True)
    other.stop(own_maintenance=True)
    other.swap()
    for _ in range(2):
        assert other.take_key() == KEY
    assert (folder / "web.env").read_text(encoding="utf-8") == f"A=1\nCALENDSO_ENCRYPTION_KEY={KEY}\nB=2\n"
    assert (folder / "api.env").read_text(encoding="utf-8") == f"CALENDSO_ENCRYPTION_KEY={KEY}\n"
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in folder.iterdir())
    other.swap_back()
    for _ in range(2):
        assert other.give_key_back() == "another"
    assert {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()} == texts
    other.swap()
    other.take_key()
    other.prove()
    other.conclude()
    assert sorted(file.name for file in folder.iterdir()) == sorted(texts)


def test_too_little_room_is_found_before(
    backups: Backups, restoring: Restoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.onhost.backup.beside._ROOM_BESIDES", 1 << 50)
    look = restoring.look(None, None)
    with pytest.raises(OnhostError, match="no room to restore beside the live database"):
        restoring.fill(look.run, look.repository)
    assert _names(backups) == ["calcom"]


def test_an_unknown_run_and_a_wrong_password_are_named(backups: Backups, restoring: Restoring) -> None:
    with pytest.raises(OnhostError, match="local: no run 2001, or several that begin so"):
        restoring.look("2001", None)
    config = replace(backups.config, repositories=[replace(backups.repository, password="another")])
    with pytest.raises(OnhostError, match="the password does not open the repository local"):
        replace(restoring, config=config).look(None, None)
    shutil.rmtree(backups.place)
    with pytest.raises(OnhostError, match="there is no repository at local"):
        restoring.look(None, None)


def test_a_repository_that_is_gone_does_not_hide_the_other(backups: Backups, restoring: Restoring) -> None:
    other = replace(backups.repository, name="gone", url=str(backups.folder / "gone"))
    config = replace(backups.config, repositories=[other, backups.repository])
    look = replace(restoring, config=config).look(None, None)
    assert look.repository == "local"
    assert "there is no repository at gone" in look.unreachable["gone"]


def test_a_table_comes_out_as_csv_and_as_sql_that_brings_back_rows(backups: Backups) -> None:
    chosen = choose(backups.config, None, None, utc_now())
    written = {}
    for kind in table.FORMATS:
        sink = io.BytesIO()
        image = backups.database.image
        assert table.write_table(backups.config, chosen, "Booking", kind, image, sink) == 3000
        written[kind] = sink.getvalue().decode()
    lines = written["csv"].splitlines()
    assert (lines[0], len(lines)) == ("id,uid,title,userId,createdAt", 3001)
    sql = backups.database.sql
    _lose_something(backups)
    sql("update \"Booking\" set title = 'changed since' where id = 2000")
    plain = "\n".join(line for line in written["sql"].splitlines() if not line.startswith("\\"))
    sql(plain)
    assert sql("""select count(*) from "Booking" where id <= 1000""") == [["1000"]]
    assert sql("""select title from "Booking" where id = 2000""") == [["changed since"]]


def test_an_unknown_table_is_refused_with_a_near_one(backups: Backups) -> None:
    chosen = choose(backups.config, None, None, utc_now())
    assert table.full_name(chosen.promised, "booking") == "public.Booking"
    with pytest.raises(OnhostError, match="has no table 'bookings'; is it Booking"):
        table.full_name(chosen.promised, "bookings")
