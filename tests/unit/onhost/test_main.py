from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.onhost import jobs, stamps
from deploy.onhost.__main__ import main
from deploy.onhost.clock import to_text, utc_now
from deploy.onhost.locks import FileLock, Holder, LockStatus
from tests.unit.onhost.web import Web, serving

JobsFile = Callable[..., Path]
PACKAGE = Path(stamps.__file__).parent


def run(file: Path, *arguments: str) -> int:
    return main(["--jobs-file", str(file), *arguments])


def stamp(file: Path, name: str) -> dict[str, Any]:
    return dict(json.loads((file.parent / "stamps" / f"{name}.json").read_text()))


def log(file: Path, name: str) -> list[str]:
    return (file.parent / "logs" / f"{name}.log").read_text().splitlines()


def test_a_job_calls_its_endpoint_as_the_app_wants_it(jobs_file: JobsFile, web: Web) -> None:
    file = jobs_file()
    assert run(file, "job", "tasks") == 0
    assert run(file, "job", "webhook-triggers") == 0
    assert web.asked == ["GET /api/tasks/cron", "POST /api/cron/webhookTriggers"]
    assert [sent["Authorization"] for sent in web.headers] == ["Bearer the-secret", "the-key"]
    assert {sent["Host"] for sent in web.headers} == {"cal.example.com"}
    assert {sent["X-Forwarded-Proto"] for sent in web.headers} == {"https"}


def test_a_success_leaves_a_stamp_and_one_line_in_the_log(jobs_file: JobsFile) -> None:
    file = jobs_file()
    run(file, "job", "tasks")
    written = stamp(file, "tasks")
    assert written["outcome"] == "done"
    assert written["message"] == '{"ok": true}'
    assert written["last_success"] == written["finished"]
    assert written["consecutive_failures"] == 0
    (line,) = log(file, "tasks")
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ done in \d\.\d\d s: \{"ok": true\}', line)


def test_an_endpoint_that_this_version_lacks_is_no_failure(jobs_file: JobsFile, web: Web) -> None:
    web.status, web.content_type = 404, "text/html"
    file = jobs_file()
    assert run(file, "job", "tasks") == 0
    assert stamp(file, "tasks")["outcome"] == "not in this version"
    assert stamp(file, "tasks")["last_success"] is not None


@pytest.mark.parametrize(("what", "outcome"), [("deploy", None), ("restore", None), ("backup", "failed")])
def test_an_app_that_is_just_replaced_is_no_failure_and_a_backup_replaces_none(
    jobs_file: JobsFile, web: Web, monkeypatch: pytest.MonkeyPatch, what: str, outcome: str | None
) -> None:
    holder = Holder("ada@desk", what, "2026-11-24T06:54:10Z", 4711)
    monkeypatch.setattr(jobs, "status", lambda _: LockStatus(True, holder))
    web.status = 503
    file = jobs_file()
    assert run(file, "job", "tasks") == (0 if outcome is None else 1)
    assert (file.parent / "stamps" / "tasks.json").exists() == (outcome is not None)
    if outcome is None:
        assert log(file, "tasks")[-1].endswith(
            f"skipped: 503 (meanwhile: {what} by ada@desk (process 4711) since 2026-11-24T06:54:10Z)"
        )
    assert run(file, "catch-up", "--host-locked") == 1, "who holds the lock wants to know"


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "refuses our CRON_SECRET"),
        (403, "refuses our CRON_SECRET"),
        (405, "another method than GET"),
        (307, "redirected"),
        (500, "logs --since 15m web"),
        (503, "the app behind the proxy does not answer"),
    ],
)
def test_a_refusal_fails_and_says_what_to_check(
    jobs_file: JobsFile, web: Web, capsys: pytest.CaptureFixture[str], status: int, says: str
) -> None:
    web.status = status
    file = jobs_file()
    assert run(file, "job", "tasks") == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"job tasks failed: {status}: ")
    assert says in printed
    assert says in log(file, "tasks")[0]
    assert stamp(file, "tasks")["outcome"] == "failed"


def test_failures_are_counted_and_keep_the_last_success(jobs_file: JobsFile, web: Web) -> None:
    file = jobs_file()
    run(file, "job", "tasks")
    success = stamp(file, "tasks")["last_success"]
    web.status = 500
    run(file, "job", "tasks")
    run(file, "job", "tasks")
    assert stamp(file, "tasks")["consecutive_failures"] == 2
    assert stamp(file, "tasks")["last_success"] == success
    web.status = 200
    run(file, "job", "tasks")
    assert stamp(file, "tasks")["consecutive_failures"] == 0


def test_no_secret_is_in_what_is_written(
    jobs_file: JobsFile, web: Web, capsys: pytest.CaptureFixture[str]
) -> None:
    web.status = 401
    file = jobs_file()
    run(file, "job", "tasks")
    run(file, "job", "webhook-triggers")
    captured = capsys.readouterr()
    written = [captured.out, captured.err]
    written += [
        path.read_text() for folder in ("logs", "stamps") for path in (file.parent / folder).iterdir()
    ]
    assert not [text for text in written if "the-secret" in text or "the-key" in text]


@pytest.mark.parametrize("slow", [{"delay_seconds": 5.0}, {"trickle_seconds": 0.1, "body": b"x" * 200}])
def test_the_limit_bounds_the_whole_call(
    jobs_file: JobsFile, web: Web, capsys: pytest.CaptureFixture[str], slow: dict[str, Any]
) -> None:
    for name, value in slow.items():
        setattr(web, name, value)
    file = jobs_file(tasks={"limit_seconds": 0.4})
    begun = time.monotonic()
    assert run(file, "job", "tasks") == 1
    assert time.monotonic() - begun < 1.5
    assert "within 0.4 s" in capsys.readouterr().err


def test_nobody_at_the_inner_entrance(jobs_file: JobsFile, capsys: pytest.CaptureFixture[str]) -> None:
    file = jobs_file()
    document = json.loads(file.read_text())
    document["origin"] = "http://127.0.0.1:9"
    file.write_text(json.dumps(document))
    assert run(file, "job", "tasks") == 1
    assert "nothing listens on 127.0.0.1:9" in capsys.readouterr().err


def test_a_run_that_is_under_way_is_not_started_twice(jobs_file: JobsFile, web: Web) -> None:
    file = jobs_file()
    (file.parent / "locks").mkdir()
    with FileLock(file.parent / "locks" / "calcom-job-tasks.lock", who="onhost", what="job tasks"):
        assert run(file, "job", "tasks") == 0
        assert run(file, "job", "webhook-triggers") == 0
    assert web.asked == ["POST /api/cron/webhookTriggers"]
    assert "skipped: the run before is still under way since" in log(file, "tasks")[0]
    assert not (file.parent / "stamps" / "tasks.json").exists()


def test_a_killed_run_blocks_nobody(jobs_file: JobsFile, web: Web) -> None:
    web.delay_seconds = 30
    file = jobs_file()
    killed = subprocess.Popen(
        [sys.executable, "-m", "deploy.onhost", "--jobs-file", str(file), "job", "tasks"]
    )
    while not web.asked:
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    web.delay_seconds = 0
    assert run(file, "job", "tasks") == 0
    assert stamp(file, "tasks")["outcome"] == "done"


def test_catch_up_runs_what_was_missed_and_only_that(jobs_file: JobsFile, web: Web) -> None:
    file = jobs_file()
    assert run(file, "catch-up") == 0
    first = len(web.asked)
    assert first == len(json.loads(file.read_text())["jobs"])
    assert run(file, "catch-up") == 0
    assert len(web.asked) == first

    age(file, "tasks-cleanup", hours=24.5)
    assert run(file, "catch-up") == 0
    assert web.asked[first:] == []  # so near to its time, cron is about to run it itself
    age(file, "tasks-cleanup", hours=27)
    assert run(file, "catch-up") == 0
    assert web.asked[first:] == ["GET /api/tasks/cleanup"]


def age(file: Path, name: str, *, hours: float) -> None:
    written = stamp(file, name)
    written["last_success"] = to_text(utc_now() - timedelta(hours=hours))
    (file.parent / "stamps" / f"{name}.json").write_text(json.dumps(written))


def test_a_success_in_the_future_proves_nothing(jobs_file: JobsFile, web: Web) -> None:
    file = jobs_file()
    run(file, "job", "tasks-cleanup")
    age(file, "tasks-cleanup", hours=-5)
    assert run(file, "job", "tasks-cleanup", "--catch-up") == 0
    assert len(web.asked) == 2


def test_a_job_without_an_interval_is_never_caught_up(jobs_file: JobsFile, web: Web) -> None:
    file = jobs_file(tasks={"interval_seconds": None})
    assert run(file, "job", "tasks", "--catch-up") == 0
    assert web.asked == []


def test_catch_up_fails_when_one_of_its_jobs_fails(jobs_file: JobsFile, web: Web) -> None:
    web.status = 500
    assert run(jobs_file(), "catch-up") == 1


def test_catch_up_waits_for_the_app(jobs_file: JobsFile, web: Web) -> None:
    file = jobs_file()
    assert run(file, "catch-up", "--wait", "5") == 0
    assert web.asked[0] == "GET /api/version"


def test_a_damaged_stamp_is_mended_by_the_next_run(jobs_file: JobsFile) -> None:
    file = jobs_file()
    run(file, "job", "tasks")
    (file.parent / "stamps" / "tasks.json").write_text('{"name": "ta')
    assert run(file, "job", "tasks", "--catch-up") == 0
    assert stamp(file, "tasks")["outcome"] == "done"


def test_the_log_stays_small(jobs_file: JobsFile) -> None:
    file = jobs_file()
    logs = file.parent / "logs"
    logs.mkdir()
    (logs / "tasks.log").write_text("x" * 1_000_000)
    run(file, "job", "tasks")
    run(file, "job", "tasks")
    assert len(log(file, "tasks")) == 2
    assert (logs / "tasks.log.1").stat().st_size == 1_000_000


def test_pings_tell_how_the_run_went(jobs_file: JobsFile, web: Web) -> None:
    with serving(Web()) as pinged:
        file = jobs_file(ping_url=f"{pinged.origin}/ping/k/calcom-{{job}}")
        run(file, "job", "tasks")
        web.status = 500
        run(file, "job", "tasks")
    base = "POST /ping/k/calcom-tasks"
    assert pinged.asked == [f"{base}/start", base, f"{base}/start", f"{base}/fail"]
    assert pinged.bodies[1] == b'{"ok": true}'


def test_a_ping_service_that_fails_fails_no_job(jobs_file: JobsFile) -> None:
    with serving(Web(status=500)) as pinged:
        file = jobs_file(ping_url=f"{pinged.origin}/secret-key")
        assert run(file, "job", "tasks") == 0
    assert run(file, "job", "tasks") == 0
    first, second = log(file, "tasks")
    assert "the ping service answered 500" in first
    assert "the ping service was not reached" in second
    assert "secret-key" not in first + second


def test_the_last_day_of_the_month(jobs_file: JobsFile, web: Web) -> None:
    file = jobs_file(tasks={"only_last_day_of_month": True})
    assert run(file, "job", "tasks") == 0
    is_last_day = (utc_now().astimezone() + timedelta(days=1)).day == 1
    assert bool(web.asked) == is_last_day


def test_stamps_lists_every_job(jobs_file: JobsFile, capsys: pytest.CaptureFixture[str]) -> None:
    file = jobs_file()
    run(file, "job", "tasks")
    (file.parent / "stamps" / "old-job.json").write_text(
        json.dumps({**stamp(file, "tasks"), "name": "old-job"})
    )
    capsys.readouterr()
    assert run(file, "stamps", "--json") == 0
    listed = {job["name"]: job for job in json.loads(capsys.readouterr().out)["jobs"]}
    assert listed["tasks"]["stamp"]["outcome"] == "done"
    assert not listed["tasks"]["overdue"]
    assert listed["webhook-triggers"] == {
        "name": "webhook-triggers",
        "configured": True,
        "overdue": True,
        "stamp": None,
    }
    assert not listed["old-job"]["configured"]
    assert run(file, "stamps") == 0
    assert "OVERDUE has not run yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file"),
        ("{", "is not JSON"),
        ("{}", "lacks or misplaces 'directories'"),
        ("[]", "lacks"),
    ],
)
def test_a_jobs_file_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, says: str
) -> None:
    file = tmp_path / "jobs.json"
    if content is not None:
        file.write_text(content)
    assert run(file, "job", "tasks") == 1
    assert says in capsys.readouterr().err


def test_an_unknown_job_names_those_that_exist(
    jobs_file: JobsFile, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(jobs_file(), "job", "nonsense") == 1
    assert "there are: tasks, webhook-triggers" in capsys.readouterr().err


@pytest.mark.parametrize("module", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.name)
def test_it_runs_on_a_bare_python_310(module: Path) -> None:
    tree = ast.parse(module.read_text(), feature_version=(3, 10))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            roots = {str(node.module).split(".")[0]}
        else:
            continue
        assert roots <= sys.stdlib_module_names | {"__future__"}


def test_a_stamp_is_never_half_written(tmp_path: Path) -> None:
    now = utc_now()
    for _ in range(3):
        stamps.write(
            tmp_path,
            stamps.after_run(
                None, name="tasks", started=now, finished=now, seconds=1, outcome=stamps.DONE, message=""
            ),
        )
    assert os.listdir(tmp_path) == ["tasks.json"]  # noqa: PTH208
    assert (tmp_path / "tasks.json").stat().st_mode & 0o777 == 0o644
