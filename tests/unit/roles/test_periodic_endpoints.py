from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from deploy.errors import InputError
from deploy.onhost import config
from deploy.roles.periodic_endpoints import ENDPOINTS, chosen, cron_lines, jobs_json

DOCS = Path(__file__).parents[3] / "docs" / "jobs.md"


def test_a_host_calls_what_self_hosting_needs() -> None:
    names = {endpoint.name for endpoint in chosen()}
    assert {"tasks", "tasks-cleanup", "webhook-triggers", "booking-reminder", "change-time-zone"} <= names
    assert not {"monthly-digest", "sms-prices", "downgrade-users"} & names


def test_jobs_can_be_disabled_and_enabled() -> None:
    names = [endpoint.name for endpoint in chosen(disable=["booking-reminder"], enable=["monthly-digest"])]
    assert "booking-reminder" not in names
    assert "monthly-digest" in names


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'booking-reminder'"):
        chosen(disable=["booking-reminders"])
    with pytest.raises(InputError, match="both disabled and enabled: tasks"):
        chosen(disable=["tasks"], enable=["tasks"])


def test_onhost_reads_what_is_written_for_it(tmp_path: Path) -> None:
    file = tmp_path / "jobs.json"
    file.write_text(jobs_json("cal.example.com", cron_api_key="k", cron_secret="s", ping_url=None))
    read = config.load(file)
    assert list(read.jobs) == [endpoint.name for endpoint in chosen()]
    calls = [read.job(name).work for name in ("tasks", "webhook-triggers")]
    assert [call.authorization for call in calls if isinstance(call, config.AppCall)] == ["Bearer s", "k"]


def test_only_the_task_endpoints_take_the_bearer_token() -> None:
    for endpoint in ENDPOINTS:
        wanted = "bearer CRON_SECRET" if endpoint.path.startswith("/api/tasks/") else "raw CRON_API_KEY"
        assert endpoint.authentication == wanted


def test_each_chosen_endpoint_has_its_line_and_missed_runs_are_caught_up() -> None:
    commands = [line.command for line in cron_lines()]
    for endpoint in chosen():
        assert f"/usr/bin/python3 /opt/calcom/onhost.pyz job {endpoint.name}" in commands
    assert [line.schedule for line in cron_lines() if " catch-up" in line.command] == [
        "9-59/10 * * * *",
        "@reboot",
    ]


def test_nothing_but_what_runs_every_minute_starts_at_minute_0() -> None:
    for endpoint in ENDPOINTS:
        minute = endpoint.schedule.split()[0]
        assert minute == "*" or not re.match(r"0\b|\*/", minute)


def test_cron_reads_every_line_as_it_is_meant() -> None:
    for line in cron_lines(enable=[endpoint.name for endpoint in ENDPOINTS if not endpoint.by_default]):
        assert "%" not in line.command  # cron takes it for the end of the line
        assert line.schedule == "@reboot" or len(line.schedule.split()) == 5


def test_no_secret_is_anywhere_but_in_the_secrets() -> None:
    document = json.loads(jobs_json("cal.example.com", cron_api_key="KEY!", cron_secret="SECRET!"))
    document.pop("secrets")
    assert "!" not in json.dumps(document)


def test_the_docs_list_every_job() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for endpoint in ENDPOINTS:
        row = f"| `{endpoint.name}` | `{endpoint.method} {endpoint.path}` | `{endpoint.schedule}` |"
        assert row in text
