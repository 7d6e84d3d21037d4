"""The way back on a deployed host: bookings come back, and whatever is killed leaves one thing to do."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.calcom.http import open_client
from tests.deployed_lab import REPOSITORY, DeployedLab

pytestmark = pytest.mark.docker

_STATE = "cat /var/lib/calcom/restore.json 2>/dev/null || true"
_BOOK = """insert into "Booking" (uid, title, "startTime", "endTime", status)
values ('{uid}', 'Kept', now(), now() + interval '1 hour', 'cancelled')"""


def _sql(lab: DeployedLab, query: str) -> list[str]:
    return lab.sql(query.replace('"', '\\"'))


@pytest.fixture(scope="module")
def lab(deployed_lab: DeployedLab) -> Iterator[DeployedLab]:
    """The lab with a booking of ours, one that takes nobody's time."""
    _sql(deployed_lab, _BOOK.format(uid="kept"))
    yield deployed_lab
    _sql(deployed_lab, """delete from "Booking" where uid in ('kept', 'late')""")


@pytest.fixture(scope="module")
def run(lab: DeployedLab) -> str:
    """The id of a run that holds that booking."""
    return _make_run(lab)


def _make_run(lab: DeployedLab) -> str:
    made = lab.calstack("backup", "now", "--json")
    assert made.returncode == 0, made.stderr
    return str(json.loads(made.stdout)["hosts"][0]["repositories"][0]["run"])


def _bookings(lab: DeployedLab) -> list[str]:
    return _sql(lab, """select uid from "Booking" where uid in ('kept', 'late') order by uid""")


def _databases(lab: DeployedLab) -> list[str]:
    return _sql(lab, "select datname from pg_database where datname like 'calcom%' order by 1")


def _step(lab: DeployedLab) -> str | None:
    text = lab.on_host(_STATE).strip()
    return str(json.loads(text)["step"]) if text else None


def _guest_sees(lab: DeployedLab) -> int:
    with open_client(lab.url, ca_file=lab.ca_file, connect_to=(lab.address, 443)) as client:
        return client.get(lab.guest_page, headers={"accept": "text/html"}).status_code


def _lose_it_and_book_another(lab: DeployedLab) -> None:
    _sql(lab, """delete from "Booking" where uid in ('kept', 'late')""")
    _sql(lab, _BOOK.format(uid="late"))


def _begin(lab: DeployedLab, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        lab.command(*arguments),
        cwd=REPOSITORY,
        env=lab.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _kill_at(lab: DeployedLab, step: str, *arguments: str) -> None:
    """Begin a restore, and kill it with all that it started once it is at this step."""
    process = _begin(lab, *arguments)
    try:
        deadline = time.monotonic() + 120
        while _step(lab) != step:
            assert process.poll() is None, f"it ended before it was at the step {step}"
            assert time.monotonic() < deadline, f"it did not come to the step {step}"
    finally:
        _kill(process)


def _wait_for_the_host(lab: DeployedLab) -> None:
    """Until what the host was at for a killed restore has ended, and tidied up."""
    busy = "pgrep -f '[o]nhost.pyz backup restore' >/dev/null && echo busy || true"
    deadline = time.monotonic() + 60
    while lab.on_host(busy).strip():
        assert time.monotonic() < deadline, "the host goes on with a restore whose control machine is gone"
        time.sleep(0.2)


def test_a_table_of_a_run_lands_in_a_file_of_ours_alone(lab: DeployedLab, run: str, tmp_path: Path) -> None:
    table = tmp_path / "bookings.csv"
    refused = lab.calstack("restore", run, "--table", "Bookingz", "--to", str(table))
    assert refused.returncode == 1
    assert "has no table 'Bookingz'; is it Booking" in refused.stderr
    assert list(tmp_path.iterdir()) == []
    exported = lab.calstack("restore", run, "--table", "Booking", "--to", str(table))
    assert exported.returncode == 0, exported.stderr
    assert ",kept," in table.read_text(encoding="utf-8")
    assert table.stat().st_mode & 0o777 == 0o600


def test_a_lost_booking_comes_back_and_can_be_taken_back(lab: DeployedLab, run: str) -> None:
    _lose_it_and_book_another(lab)
    asked = lab.calstack("restore", run)
    assert asked.returncode == 2
    assert "add --yes" in asked.stderr

    done = lab.calstack("restore", run, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert "1 bookings that were made since then are gone" in done.stderr
    assert _bookings(lab) == ["kept"]
    assert _databases(lab) == ["calcom"]
    assert _guest_sees(lab) == 200
    assert lab.calstack("maintenance", "status").stderr.count("maintenance is off") == 1

    changed = json.loads(lab.calstack("deploy", "--json").stdout)["hosts"][0]["changed"]
    content = [line for line in changed if "migrations" in line or "app store" in line or "created" in line]
    assert content == [], "what was restored is what a deploy would make"

    safety_run = json.loads(done.stdout)["hosts"][0]["safety_run"]
    back = lab.calstack("restore", safety_run, "--yes")
    assert back.returncode == 0, back.stderr
    assert _bookings(lab) == ["late"]


def test_killed_while_filling_it_leaves_the_instance_untouched(lab: DeployedLab, run: str) -> None:
    _lose_it_and_book_another(lab)
    _kill_at(lab, "filling", "restore", run, "--yes")
    _wait_for_the_host(lab)
    assert (_step(lab), _databases(lab), _bookings(lab)) == (None, ["calcom"], ["late"])
    assert _guest_sees(lab) == 200


def test_killed_with_the_app_stopped_it_can_be_undone(lab: DeployedLab, run: str) -> None:
    _lose_it_and_book_another(lab)
    _kill_at(lab, "stopping", "restore", run, "--yes")
    deployed = lab.calstack("deploy", "--json")
    assert deployed.returncode == 1
    assert "calstack restore --undo" in deployed.stdout
    again = lab.calstack("restore", run, "--yes")
    assert again.returncode == 2
    assert "was cut short" in again.stderr
    verified = lab.calstack("verify")
    assert verified.returncode == 1
    assert f"a restore of {run} was cut short; the instance has its old database" in verified.stderr
    undone = lab.calstack("restore", "--undo")
    assert undone.returncode == 0, undone.stderr
    assert (_step(lab), _databases(lab), _bookings(lab)) == (None, ["calcom"], ["late"])
    assert _guest_sees(lab) == 200


def test_killed_behind_the_exchange_it_goes_on(lab: DeployedLab, run: str) -> None:
    _lose_it_and_book_another(lab)
    _kill_at(lab, "exchanged", "restore", run, "--yes")
    assert _guest_sees(lab) == 503
    resumed = lab.calstack("restore", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert (_step(lab), _databases(lab), _bookings(lab)) == (None, ["calcom"], ["kept"])
    assert _guest_sees(lab) == 200


def test_an_app_that_fails_its_test_is_put_back(lab: DeployedLab) -> None:
    """A run of a moment at which the table of webhooks had another name: none arrives."""
    _lose_it_and_book_another(lab)
    _sql(lab, 'alter table "Webhook" rename to webhook_away')
    bad = _make_run(lab)
    _sql(lab, 'alter table webhook_away rename to "Webhook"')
    failed = lab.calstack("restore", bad, "--yes")
    assert failed.returncode == 1
    assert "the smoke test failed" in failed.stderr
    assert "The restore was undone: the instance runs with the database that it had" in failed.stderr
    assert (_step(lab), _databases(lab), _bookings(lab)) == (None, ["calcom"], ["late"])
    assert _guest_sees(lab) == 200
    lab.calstack("backup", "forget", bad, "--yes")


@pytest.mark.long
@pytest.mark.parametrize("moment", range(30))
def test_killed_at_any_moment_it_leaves_nothing_or_one_thing_to_do(
    lab: DeployedLab, run: str, moment: int
) -> None:
    """Thirty moments over the seconds that a whole restore takes; each is undone or ended, in turns."""
    _lose_it_and_book_another(lab)
    began = time.monotonic()
    process = _begin(lab, "restore", run, "--yes")
    # About as long as one takes on an idle machine; later ones find it done.
    while time.monotonic() - began < 1 + moment and process.poll() is None:
        time.sleep(0.05)
    ended = process.poll() is not None
    _kill(process)
    _wait_for_the_host(lab)
    how = "--undo" if moment % 2 else "--resume"
    step = _step(lab)
    if step in ("stopping", "exchanged", "proven"):
        done = lab.calstack("restore", how)
        assert done.returncode == (2 if step == "proven" and how == "--undo" else 0), done.stderr
        if done.returncode == 2:
            how = "--resume"
            assert lab.calstack("restore", how).returncode == 0
        assert _bookings(lab) == (["late"] if how == "--undo" else ["kept"])
    elif step is not None:
        assert lab.calstack("restore", "--undo").returncode == 0
        assert _bookings(lab) == ["late"]
    else:
        assert _bookings(lab) == ["kept"] or not ended
    assert (_step(lab), _databases(lab), _guest_sees(lab)) == (None, ["calcom"], 200)
