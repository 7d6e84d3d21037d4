"""Repositories of every kind, on real servers: what works works on all of them, what fails is named."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import docker
import pytest

from deploy.actions import backup_key
from deploy.actions.check_repository import Asked, check_repository
from deploy.errors import CalstackError, InputError
from deploy.onhost.backup import restic as keeping
from deploy.onhost.backup import run, runs, work
from deploy.onhost.backup.restic import Repository, RepositoryError, Restic
from deploy.secrets import SecretStore
from deploy.settings.load import load_inventory
from tests.lab.backups import INSTANCE, KEY, Backups, Database, new_backups, running_database
from tests.lab.storages import House, Storage, running_house
from tests.unit.settings.folders import DEFAULTS, write_inventory

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def database(docker_engine: None) -> Iterator[Database]:  # noqa: ARG001 - has to be there first
    with running_database() as database:
        yield database


@pytest.fixture(scope="module")
def house(client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running_house(client, tmp_path_factory.mktemp("house")) as house:
        yield house


@pytest.fixture
def storage(house: House, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Storage]:
    """An empty place of the kind that the test names; all is in order again afterwards."""
    yield house.storage(request.param, tmp_path)
    if request.param != "local":
        house.mend()


@pytest.fixture
def backups(database: Database, restic: Path, storage: Storage, tmp_path: Path) -> Iterator[Backups]:
    with new_backups(database, tmp_path / "host", restic) as backups:
        backups.config = replace(backups.config, repositories=[storage.repository], limit_seconds=90)
        yield backups


@contextmanager
def impatient(backups: Backups) -> Iterator[None]:
    """Every call may take six seconds, not minutes: restic tries again and again where no hope is."""
    patient = backups.config
    backups.config = replace(patient, limit_seconds=6)
    with mock.patch.object(keeping, "QUICK_SECONDS", 6.0):
        yield
    backups.config = patient


def of(*kinds: str, long: Sequence[str] = ()) -> pytest.MarkDecorator:
    """The test runs on these kinds; on those of `long` only in `make test-long`."""
    late = [pytest.param(kind, marks=pytest.mark.long) for kind in long]
    return pytest.mark.parametrize("storage", [*kinds, *late], indirect=True)


def failure(backups: Backups, repository: Repository | None = None) -> str:
    """Why a run failed, made with another password, in another place and so on."""
    if repository is not None:
        backups = replace(backups, config=replace(backups.config, repositories=[repository]))
    said = backups.make_run().failure
    assert said is not None
    assert (repository or backups.repository).name in said
    return said


def listed(backups: Backups) -> list[str]:
    return [run.id for run in runs.listing(backups.restic, INSTANCE, datetime.now(UTC)).runs]


@of("local", "sftp", "rest", "s3")
def test_runs_are_stored_listed_and_proven_and_the_retention_is_obeyed(
    backups: Backups, storage: Storage
) -> None:
    made = [backups.make_run() for _ in range(2)]
    assert [outcome.failure for outcome in made] == [None, None]
    assert listed(backups) == [outcome.run for outcome in made]
    verdict = backups.drill()
    assert (verdict.verdict, verdict.reasons, verdict.run) == ("proven", (), made[1].run)
    assert work.check_data(backups.config).failures == []
    old = replace(backups.config.keep, last=1, daily=1)
    config = replace(backups.config, keep=replace(old, within_days=0))
    done = work.forget_and_prune(config)
    assert done.failures == []
    if storage.kind == "rest":
        assert done.lines == ["rest: append-only: its own side removes what is old"]
        assert listed(backups) == [outcome.run for outcome in made]
    else:
        assert done.lines[0].startswith(f"{storage.kind}: 1 runs forgotten")
        assert listed(backups) == [made[1].run]
    assert backups.drill().verdict == "proven"


@of("rest")
def test_a_storage_that_only_adds_is_noticed_where_nobody_said_so(backups: Backups) -> None:
    backups.config = replace(backups.config, repositories=[replace(backups.repository, append_only=False)])
    made = [backups.make_run() for _ in range(2)]
    keep = replace(backups.config.keep, last=1, daily=1, within_days=0)
    done = work.forget_and_prune(replace(backups.config, keep=keep))
    assert done.lines == []
    assert "lets nothing be removed" in done.failures[0]
    assert "set append_only: true" in done.failures[0]
    assert listed(backups) == [outcome.run for outcome in made]


@of("rest", long=("local", "sftp", "s3"))
def test_a_repository_with_another_password_is_refused_and_stays_as_it_is(
    backups: Backups, storage: Storage
) -> None:
    made = backups.make_run()
    other = replace(storage.repository, password="another")
    said = failure(backups, other)
    assert said == f"the password does not open the repository {storage.kind}"
    with pytest.raises(RepositoryError):
        Restic(other, hostname=INSTANCE, binary=backups.config.restic).create()
    assert listed(backups) == [made.run]


@of("sftp", "rest", long=("s3",))
def test_credentials_that_were_revoked_are_named(backups: Backups, storage: Storage) -> None:
    assert backups.make_run().failure is None
    storage.revoke()
    with impatient(backups):
        said = failure(backups)
        verdict = backups.drill()
    words = {"sftp": "Permission denied (publickey", "rest": "401 Unauthorized", "s3": "Access Key Id"}
    assert words[storage.kind] in said
    assert verdict.verdict == "unproven", verdict
    assert words[storage.kind] in verdict.reasons[0]
    storage.house.mend()
    assert backups.make_run().failure is None


@of("sftp")
def test_a_storage_whose_host_key_has_changed_is_refused(backups: Backups, house: House) -> None:
    assert backups.make_run().failure is None
    known = house.folder / "known_hosts"
    true = known.read_text(encoding="utf-8")
    try:
        other = (house.folder / "id_ed25519.pub").read_text(encoding="utf-8").split()[1]
        known.write_text(f"{house.address} ssh-ed25519 {other}\n", encoding="utf-8")
        assert "Host key verification failed" in failure(backups)
        known.write_text("", encoding="utf-8")
        assert "Host key verification failed" in failure(backups)
    finally:
        known.write_text(true, encoding="utf-8")
    assert backups.make_run().failure is None


@of("rest")
def test_a_certificate_of_a_private_authority_needs_its_file(backups: Backups) -> None:
    without = {k: v for k, v in backups.repository.environment.items() if k != "RESTIC_CACERT"}
    with impatient(backups):
        assert "certificate" in failure(backups, replace(backups.repository, environment=without))


@of("sftp", long=("rest", "s3"))
def test_a_storage_that_hangs_costs_its_limit_and_is_named(backups: Backups, storage: Storage) -> None:
    assert backups.make_run().failure is None
    with storage.house.frozen(), impatient(backups):
        verdict = backups.drill()
        said = failure(backups)
    assert said == f"the repository {storage.kind} hangs: no answer within 6 s"
    assert (verdict.verdict, verdict.reasons) == ("unproven", (said,))
    assert backups.make_run().failure is None


@of("rest")
def test_a_storage_that_hangs_in_the_middle_ends_the_run_and_the_database_s_session(
    backups: Backups, storage: Storage, database: Database
) -> None:
    assert backups.make_run().failure is None
    database.sql("""update "Booking" set title = md5(random()::text)""")
    slow = replace(storage.repository, upload_kib=20)
    backups.config = replace(backups.config, repositories=[slow], limit_seconds=8)
    house = storage.house
    freezer = subprocess.Popen(["sh", "-c", f"sleep 3; docker pause {house.name} >/dev/null"])
    try:
        said = failure(backups)
    finally:
        freezer.wait()
        subprocess.run(["docker", "unpause", house.name], check=True, capture_output=True)
    assert "hangs: no answer within 8 s" in said
    assert database.sql("select 1 from pg_stat_activity where application_name like 'calstack%'") == []
    backups.config = replace(backups.config, repositories=[storage.repository], limit_seconds=90)
    assert backups.make_run().failure is None
    assert backups.drill().verdict == "proven"


@of("local")
def test_upload_kib_bounds_what_is_sent(backups: Backups, storage: Storage) -> None:
    assert backups.make_run().failure is None
    slow = Restic(
        replace(storage.repository, upload_kib=200), hostname=INSTANCE, binary=backups.config.restic
    )
    begun = time.monotonic()
    slow.store(os.urandom(1 << 20), "noise", [], limit_seconds=60)
    assert 4 < time.monotonic() - begun < 20


@of("sftp", "rest", long=("s3",))
@pytest.mark.parametrize("fault", ["full", pytest.param("read-only", marks=pytest.mark.long)])
def test_a_storage_that_takes_nothing_more_is_named_and_what_it_has_stays_readable(
    backups: Backups, storage: Storage, fault: str
) -> None:
    assert storage.small is not None
    backups.config = replace(backups.config, repositories=[storage.small])
    made = backups.make_run()
    assert made.failure is None
    storage.fill() if fault == "full" else storage.make_read_only()
    with impatient(backups):
        said = failure(backups)
    words = {
        ("full", "sftp"): "no space left on device",
        ("full", "rest"): "507 Insufficient Storage",
        ("full", "s3"): "used up its quota",
        # Their protocols have no word for it.
        ("read-only", "sftp"): "SSH_FX_FAILURE",
        ("read-only", "rest"): "500 Internal Server Error",
        ("read-only", "s3"): "Access Denied",
    }
    assert words[fault, storage.kind] in said
    assert listed(backups) == [made.run]
    assert backups.drill().verdict == "proven"
    storage.house.mend()
    assert backups.make_run().failure is None


@pytest.mark.parametrize(
    ("storage", "alive"),
    [
        ("sftp", True),
        pytest.param("rest", False, marks=pytest.mark.long),
        pytest.param("s3", False, marks=pytest.mark.long),
    ],
    indirect=["storage"],
)
def test_a_lock_of_another_machine_is_waited_for_and_never_broken(
    backups: Backups, storage: Storage, alive: bool
) -> None:
    repository = replace(storage.repository, append_only=False)
    backups.config = replace(backups.config, repositories=[repository])
    assert backups.make_run().failure is None
    assert storage.inside is not None
    other = storage.house.another_machine(
        storage.inside, repository.password, "backup", "--stdin", "--stdin-filename", "elsewhere"
    )
    assert other.stdin is not None
    try:
        _until(lambda: bool(_locks(backups)))
        if not alive:
            storage.house.run("pkill -KILL -x restic")
            other.wait(10)
        # A run goes on beside it, what removes does not.
        assert backups.make_run().failure is None
        keep = replace(backups.config.keep, last=1, daily=1, within_days=0)
        with mock.patch.object(keeping, "_LOCK_SECONDS", 2.0):
            done = work.forget_and_prune(replace(backups.config, keep=keep))
        assert "locked by another program" in done.failures[0]
        assert "another-host" in done.failures[0], "who holds it"
        assert len(_locks(backups)) == 1
    finally:
        other.stdin.close()
        other.wait(30)


@of("local")
def test_a_lock_that_a_killed_run_of_this_machine_left_is_removed(backups: Backups) -> None:
    assert backups.make_run().failure is None
    environment = {
        **os.environ,
        "RESTIC_REPOSITORY": backups.repository.url,
        "RESTIC_PASSWORD": backups.repository.password,
    }
    holder = subprocess.Popen(
        [backups.config.restic, "--no-cache", "backup", "--stdin"], env=environment, stdin=subprocess.PIPE
    )
    _until(lambda: bool(_locks(backups)))
    holder.kill()
    holder.wait()
    assert work.forget_and_prune(backups.config).failures == []
    assert backups.make_run().failure is None
    keep = replace(backups.config.keep, last=1, daily=1, within_days=0)
    assert work.forget_and_prune(replace(backups.config, keep=keep)).failures == []


@of("sftp")
def test_one_bad_repository_does_not_keep_the_others_from_their_run(
    backups: Backups, storage: Storage, tmp_path: Path
) -> None:
    good = Repository("disk", str(tmp_path / "disk"), "a password")
    backups.config = replace(backups.config, repositories=[storage.repository, good])
    storage.revoke()
    outcomes = run.back_up(backups.config, backups.database.server, backups.config.repositories)
    assert [(outcome.repository, outcome.failure is None) for outcome in outcomes] == [
        ("sftp", False),
        ("disk", True),
    ]


@of("local")
def test_a_drill_needs_nothing_but_repository_and_password(
    backups: Backups, database: Database, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = {"db": f"{database.image}@sha256:{'0' * 64}"}
    monkeypatch.setattr(run, "_images", lambda: reference)
    made = backups.make_run()
    url = storage.repository.url
    asked = Asked(url, storage.repository.password, restic=backups.config.restic)
    verdict = check_repository(asked)
    assert (verdict["verdict"], verdict["run"], verdict["instance"]) == ("proven", made.run, INSTANCE)
    # As a person does it: the command runs under gevent, which puts its own subprocess in place.
    done = subprocess.run(
        [
            *(sys.executable, "-m", "deploy.cli", "check-backups", "--json"),
            *("--repository", url, "--restic", backups.config.restic),
        ],
        env={**os.environ, "CALSTACK_BACKUP_PASSWORD": storage.repository.password},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["repositories"][0]["run"] == made.run
    with pytest.raises(CalstackError, match="the password does not open"):
        check_repository(replace(asked, password="another"))
    with pytest.raises(CalstackError, match="there is no repository"):
        check_repository(replace(asked, url=f"{url}-elsewhere"))
    backups.config = replace(backups.config, instance="cal2.calstack.test")
    reference["db"] = "calstack-lab/nowhere:1@sha256:" + "0" * 64
    assert backups.make_run().failure is None
    with pytest.raises(InputError, match=r"runs of cal\.calstack\.test, cal2\.calstack\.test"):
        check_repository(asked)
    other = replace(asked, instance="cal2.calstack.test")
    with pytest.raises(CalstackError, match="image calstack-lab/nowhere:1 is not here"):
        check_repository(other)
    assert check_repository(replace(other, postgres_image=database.image))["verdict"] == "proven"


@of("sftp")
def test_the_sheet_leads_back_with_restic_alone(
    backups: Backups, database: Database, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "example"
    write_inventory(
        folder,
        defaults=DEFAULTS.replace("postgres:17.6-bookworm", database.image)
        + "  restic: {reference: 'restic/restic:0.19.1'}\n",
        more=f"""
backups:
  repositories:
    nas:
      url: {backups.repository.url}
      ssh_key: !secret nas_key
      ssh_known_hosts: {json.dumps((house.folder / "known_hosts").read_text(encoding="utf-8"))}
""",
    )
    monkeypatch.setenv("CALSTACK_IDENTITY", str(tmp_path / "identity.txt"))
    inventory = load_inventory(str(folder))
    store = SecretStore.open(inventory)
    store.set("nas_key", (house.folder / "id_ed25519").read_text(encoding="utf-8"))
    repository = replace(backups.repository, password=store.host("cal1").backup_password)
    backups.config = replace(backups.config, repositories=[repository], instance="cal1.example.org")
    for _ in range(2):
        made = backups.make_run()
        assert made.failure is None
    text = backup_key.sheet(inventory, store, ["cal1"], datetime.now(UTC))
    assert repository.password in text
    container = f"calstack-back-{secrets.token_hex(4)}"
    blocks = [block.partition(backup_key.END)[0] for block in text.split(backup_key.BEGIN)[1:]]
    script = "set -e\n" + "".join(blocks).replace("calcom-back", container)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "restic").symlink_to(backups.config.restic)
    bare = {"PATH": f"{tmp_path / 'bin'}:/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    try:
        done = subprocess.run(
            ["sh"], input=script, cwd=tmp_path, env=bare, capture_output=True, text=True, check=False
        )
    finally:
        subprocess.run(["docker", "rm", "-f", "-v", container], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"run={made.run}\n" in done.stdout
    assert "3000" in done.stdout.splitlines()[-3], "the bookings are there"
    assert next((tmp_path / "back").rglob("web.env")).read_text(encoding="utf-8").count(KEY) == 1


def _locks(backups: Backups) -> list[str]:
    return backups.restic._call(["list", "locks", "--no-lock"]).output.decode().split()


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(100):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come true within 10 s")
