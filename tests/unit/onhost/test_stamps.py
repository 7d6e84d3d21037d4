from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from deploy.onhost import stamps
from deploy.onhost.__main__ import main
from deploy.onhost.clock import utc_now
from tests.unit.onhost.web import Web


def failed(minutes_ago: float) -> stamps.Stamp:
    then = utc_now() - timedelta(minutes=minutes_ago)
    return stamps.after_run(
        None, name="x", started=then, finished=then, seconds=1, outcome=stamps.FAILED, message=""
    )


def test_only_a_failure_of_a_short_while_ago_counts() -> None:
    assert stamps.failed_within(failed(10), 3000, utc_now())
    assert not stamps.failed_within(failed(60), 3000, utc_now())
    assert not stamps.failed_within(failed(-10), 3000, utc_now()), "a clock that was wrong proves nothing"
    assert not stamps.failed_within(None, 3000, utc_now())


def test_a_catch_up_leaves_alone_what_failed_a_short_while_ago(
    jobs_file: Callable[..., Path], web: Web
) -> None:
    web.status = 500
    file = jobs_file(tasks={"pause_after_failure_seconds": 3000})
    main(["--jobs-file", str(file), "job", "tasks"])
    main(["--jobs-file", str(file), "catch-up"])
    assert web.asked.count("GET /api/tasks/cron") == 1
    main(["--jobs-file", str(file), "job", "tasks"])
    assert web.asked.count("GET /api/tasks/cron") == 2, "cron and people are not held back"
