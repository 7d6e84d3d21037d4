"""The drill on a real restic and PostgreSQL: what is whole is proven, and every damage is found and named."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.onhost.backup import manifest, retention
from deploy.onhost.backup.restic import Repository
from deploy.onhost.failures import OnhostError
from tests.lab.backups import Backups, Database, archive_without, new_backups, running_database

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def database(docker_engine: None) -> Iterator[Database]:  # noqa: ARG001 - has to be there first
    with running_database() as database:
        yield database


@pytest.fixture(scope="module")
def sound(database: Database, restic: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backups]:
    """A repository with two sound runs, which nobody changes."""
    with new_backups(database, tmp_path_factory.mktemp("sound"), restic) as backups:
        for _ in range(2):
            assert backups.make_run().failure is None
        yield backups


@pytest.fixture
def backups(sound: Backups, tmp_path: Path) -> Backups:
    """A copy of it, to be damaged."""
    shutil.copytree(sound.place, tmp_path / "repository")
    shutil.copytree(sound.config.state, tmp_path / "state")
    repository = replace(sound.repository, url=str(tmp_path / "repository"))
    config = replace(sound.config, repositories=[repository], state=tmp_path / "state")
    return Backups(sound.database, tmp_path, config)


def test_a_sound_run_is_proven_and_noted(backups: Backups) -> None:
    verdict = backups.drill()
    assert (verdict.verdict, verdict.reasons) == ("proven", ())
    assert verdict.run == backups.manifest().run
    noted = (backups.config.state / "local.json").read_text(encoding="utf-8")
    assert f'"proven_run": "{verdict.run}"' in noted


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("""update "Booking" set title = 'Booking 9x' where id = 9""", "public.Booking has its 3000 rows"),
        ("""truncate "Booking" """, "public.Booking has 0 rows, and had 3000"),
        ("""alter table "Booking" drop constraint "Booking_userId_fkey" """, "Booking_userId_fkey"),
        ("""select setval('"Booking_id_seq"', 17)""", "Booking_id_seq is behind: 17, and was at 3000"),
    ],
)
def test_a_dump_that_holds_something_else_is_found_and_named(
    backups: Backups, change: str, named: str
) -> None:
    found_and_named(backups, change, named)


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("""drop table "Empty" """, "the table public.Empty is missing"),
        ("""alter table "Booking" drop constraint "Booking_uid_key" """, "Booking_uid_key"),
        ("drop view upcoming", "missing: view public.upcoming"),
        ("""delete from "_prisma_migrations" where migration_name like '2023%'""", "newest migration"),
        ("alter type status add value 'PENDING'", "enum public.status"),
        ('revoke select on "Booking" from reporting', "grants on public.Booking"),
        ("""update users set "twoFactorSecret" = null""", "public.users has its 50 rows"),
    ],
)
def test_every_other_kind_of_difference_is_found_and_named(backups: Backups, change: str, named: str) -> None:
    found_and_named(backups, change, named)


def found_and_named(backups: Backups, change: str, named: str) -> None:
    backups.forge(dump=backups.database.altered_dump(change))
    verdict = backups.drill()
    assert verdict.verdict == "damaged"
    assert any(named in reason for reason in verdict.reasons), verdict.reasons


def test_a_dump_that_was_cut_short_is_found(backups: Backups) -> None:
    whole = backups.database.altered_dump("select 1")
    backups.forge(dump=whole[: len(whole) * 2 // 3])
    verdict = backups.drill()
    assert verdict.verdict == "damaged"
    assert any("pg_restore ended with 1" in reason for reason in verdict.reasons), verdict.reasons


def test_a_missing_role_is_named(backups: Backups) -> None:
    roles = backups.restic.read(backups.manifest().parts["roles"].snapshot, "roles.sql", limit_seconds=60)
    lines = [line for line in roles.splitlines(keepends=True) if b"reporting" not in line]
    backups.forge(roles=b"".join(lines))
    verdict = backups.drill()
    assert verdict.verdict == "damaged"
    assert any("reporting" in reason for reason in verdict.reasons), verdict.reasons


def test_a_missing_key_file_is_named(backups: Backups) -> None:
    files = backups.restic.read(backups.manifest().parts["files"].snapshot, "files.tar", limit_seconds=60)
    backups.forge(files=archive_without(files, "web.env"))
    verdict = backups.drill()
    assert verdict.verdict == "damaged"
    assert any(reason.endswith("opt/web.env is missing") for reason in verdict.reasons), verdict.reasons


def test_a_pack_that_is_damaged_is_found(backups: Backups) -> None:
    for pack in _packs(backups):
        content = bytearray(pack.read_bytes())
        content[len(content) // 3] ^= 1
        pack.chmod(0o600)
        pack.write_bytes(content)
    verdict = backups.drill()
    assert verdict.verdict == "damaged", verdict


@pytest.mark.parametrize("damage", ["truncate", "remove"])
def test_a_pack_that_is_cut_or_gone_is_found(backups: Backups, damage: str) -> None:
    for pack in _packs(backups):
        pack.chmod(0o600)
        if damage == "remove":
            pack.unlink()
        else:
            pack.write_bytes(pack.read_bytes()[:-100])
    verdict = backups.drill()
    assert verdict.verdict == "damaged", verdict


def test_an_index_that_is_gone_is_found(backups: Backups) -> None:
    for index in (backups.place / "index").iterdir():
        index.unlink()
    assert backups.drill().verdict == "damaged"


def test_an_emptied_snapshot_is_found(backups: Backups) -> None:
    snapshot = backups.place / "snapshots" / backups.manifest().parts["dump"].snapshot
    snapshot.chmod(0o600)
    snapshot.write_bytes(b"")
    assert backups.drill().verdict == "damaged"


def test_a_newest_run_that_was_removed_is_missed(backups: Backups) -> None:
    newest = backups.manifest().run
    gone = [snapshot.id for snapshot in backups.restic.snapshots(f"run={newest}")]
    backups.restic.forget(gone)
    verdict = backups.drill()
    assert verdict.verdict == "damaged"
    assert verdict.reasons[0].startswith(newest)
    assert "is not there" in verdict.reasons[0]


def test_an_emptied_place_is_missed_and_not_begun_anew(backups: Backups) -> None:
    shutil.rmtree(backups.place)
    assert backups.drill().verdict == "damaged"
    failure = backups.make_run().failure
    assert failure is not None
    assert "is gone" in failure
    assert not backups.place.exists()


def test_a_wrong_password_is_named_and_changes_nothing(backups: Backups) -> None:
    config = replace(backups.config, repositories=[Repository("local", str(backups.place), "another")])
    verdict = backups.drill(config=config)
    assert verdict.verdict == "unproven"
    assert "the password does not open" in verdict.reasons[0]
    assert "the password does not open" in str(
        Backups(backups.database, backups.folder, config).make_run().failure
    )


def test_parts_without_a_manifest_are_no_run_and_a_manifest_without_parts_is_damage(backups: Backups) -> None:
    newest = backups.manifest()
    backups.restic.forget([newest.parts["dump"].snapshot])
    verdict = backups.drill()
    assert verdict.verdict == "damaged"
    assert "parts are missing: dump" in verdict.reasons


def test_a_repository_that_was_set_back_is_found(backups: Backups, tmp_path: Path) -> None:
    shutil.copytree(backups.place, tmp_path / "last-week")
    assert backups.make_run().failure is None
    newest = backups.manifest().run
    shutil.rmtree(backups.place)
    shutil.copytree(tmp_path / "last-week", backups.place)
    verdict = backups.drill()
    assert verdict.verdict == "damaged"
    assert verdict.reasons[0].startswith(newest)
    assert "was set back" in verdict.reasons[0]


def test_a_snapshot_of_the_future_is_damage_and_stops_the_retention(backups: Backups) -> None:
    newest = backups.manifest()
    later = datetime.now(UTC) + timedelta(days=1500)
    tags = manifest.tags(manifest.new_run(later), "manifest", newest.instance)
    backups.restic.store(newest.to_bytes(), manifest.NAME, tags, limit_seconds=60)
    verdict = backups.drill()
    assert verdict.verdict == "damaged"
    assert "lie in the future" in verdict.reasons[0]
    assert verdict.run == newest.run, "the true one was restored"
    with pytest.raises(OnhostError, match="nothing is forgotten"):
        retention.forget(backups.restic, newest.instance, backups.config.keep, datetime.now(UTC))


def test_a_sequence_that_was_behind_before_is_no_damage(backups: Backups) -> None:
    backups.database.sql("""select setval('"Booking_id_seq"', 17)""")
    try:
        assert backups.make_run().failure is None
    finally:
        backups.database.sql("""select setval('"Booking_id_seq"', 3000)""")
    assert backups.drill().verdict == "proven"


def test_a_missing_extension_is_named(backups: Backups) -> None:
    backups.forge(dump=backups.database.altered_dump("create extension citext; drop extension citext"))
    assert backups.drill().verdict == "proven"
    backups.database.sql("create extension citext")
    try:
        assert backups.make_run().failure is None
    finally:
        backups.database.sql("drop extension citext")
    backups.forge(dump=backups.database.altered_dump("select 1"))
    verdict = backups.drill()
    assert verdict.verdict == "damaged"
    assert any("citext" in reason for reason in verdict.reasons), verdict.reasons


def test_a_retention_that_does_not_work_is_unproven(backups: Backups) -> None:
    long_after = datetime.now(UTC) + timedelta(hours=25)
    keep = replace(backups.config.keep, last=1, daily=0, weekly=0, monthly=0, within_days=1)
    config = replace(backups.config, keep=keep, max_age_hours=1000)
    assert backups.drill(config=config, now=long_after).verdict == "proven"
    verdict = backups.drill(config=config, now=long_after + timedelta(days=2))
    assert verdict.verdict == "unproven"
    assert "the retention is not obeyed" in verdict.reasons[0]


def test_too_little_room_is_said_and_the_bytes_are_read_all_the_same(
    backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_free = shutil.disk_usage("/")._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: nothing_free)
    verdict = backups.drill()
    assert verdict.verdict == "unproven"
    assert "no room to restore it" in verdict.reasons[0]


def test_an_old_run_is_unproven(backups: Backups) -> None:
    verdict = backups.drill(now=datetime.now(UTC) + timedelta(hours=30))
    assert verdict.verdict == "unproven"
    assert "30 hours old; the limit is 26" in verdict.reasons[0]


def _packs(backups: Backups) -> list[Path]:
    return [path for path in (backups.place / "data").rglob("*") if path.is_file()]
