"""Runs as people see them, and what is asked of the host."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.actions import backup
from deploy.actions.check_backups import Drilled, check_backups
from deploy.actions.instance import Instance
from deploy.errors import CalstackError, InputError
from deploy.remote import Completed
from tests.unit.actions.test_certificate import Host, instance

OLD, NEW = "20261123T021700Z-aaaaaa", "20261124T021700Z-bbbbbb"


def answer(document: Any, code: int = 0) -> Completed:
    return Completed(code, json.dumps(document).encode(), b"")


def listed(*runs: str, failure: str | None = None) -> Completed:
    found = [
        {"run": run, "started": "2026-11-23T02:17:00Z", "bytes": 5, "proven": run == OLD, "kept_as": "daily"}
        for run in runs
    ]
    return answer({"repositories": [{"repository": "local", "failure": failure, "runs": found}]})


def kept(**changes: Any) -> dict[str, Any]:
    return {
        "repository": "local",
        "run": OLD,
        "instance": "cal.example.com",
        "started": "2026-11-23T02:17:00Z",
        "versions": {"app": "6.2.0"},
        "images": {"web": "calcom:6.2.0@sha256:aa"},
        "parts": {"dump": {"bytes": 1000}},
        "files": {"/opt/calcom/web.env": {"bytes": 7, "sha256": "aa"}},
        "record": {"tables": {"public.Booking": {"rows": 3, "digest": "1"}}, "newest_booking": None},
        **changes,
    }


def test_a_run_is_found_by_how_it_begins_and_as_the_newest() -> None:
    assert backup.find(instance(Host(listed(OLD, NEW))), None, "20261123") == ("local", OLD)
    assert backup.find(instance(Host(listed(OLD, NEW))), "local", "newest") == ("local", NEW)


@pytest.mark.parametrize("asked", ["2026", "20270101", ""])
def test_what_names_no_single_run_is_refused(asked: str) -> None:
    with pytest.raises(InputError, match="or several that begin so"):
        backup.find(instance(Host(listed(OLD, NEW))), None, asked)


def test_an_unknown_repository_is_refused_before_anything_is_asked() -> None:
    host = Host()
    with pytest.raises(InputError, match="no repository ofsite"):
        backup.make_run(instance(host), ["ofsite"])
    assert host.asked == []


def test_the_newest_run_is_not_forgotten_and_others_only_when_the_person_agrees() -> None:
    host = Host(listed(OLD, NEW), listed(OLD, NEW))
    with pytest.raises(InputError, match="is the newest run"):
        backup.forget(instance(host), None, "newest", lambda _: True)
    host = Host(listed(OLD, NEW), listed(OLD, NEW))
    assert backup.forget(instance(host), None, OLD, lambda _: False) == "nothing was forgotten"
    assert not any(" forget " in script for script in host.asked)
    host = Host(listed(OLD, NEW), listed(OLD, NEW), Completed(0, b"", b""))
    assert "is forgotten in local" in backup.forget(instance(host), None, OLD, lambda _: True)
    assert host.asked[-1].endswith(f"backup forget local {OLD}")


def test_a_host_that_answers_nothing_says_why() -> None:
    refused = Completed(1, b"", b"onhost: there is no /opt/calcom/backup/config.json: no backups are set up")
    with pytest.raises(CalstackError, match="no backups are set up"):
        backup.list_runs(instance(Host(refused)))


def test_the_list_shows_the_newest_first_and_what_failed() -> None:
    found = backup.list_runs(instance(Host(listed(OLD, NEW))))
    assert [row[1] for row in found.rows()] == [NEW, OLD]
    assert [row[5] for row in found.rows()] == ["", "proven"]
    assert found.document()["ok"]
    broken = backup.list_runs(instance(Host(listed(failure="the password does not open"))))
    assert not broken.document()["ok"]
    assert broken.rows()[0][1] == "the password does not open"


def test_two_runs_differ_in_versions_tables_and_files() -> None:
    newer = kept(
        versions={"app": "6.3.0"},
        record={"tables": {"public.Booking": {"rows": 4, "digest": "2"}, "public.New": {"rows": 0}}},
        files={},
    )
    assert backup.diff_lines(kept(), newer) == [
        "~ version of app: 6.2.0 -> 6.3.0",
        "~ table public.Booking: 3 rows -> 4 rows",
        "+ table public.New: 0 rows",
        "- file /opt/calcom/web.env: 7 bytes",
    ]
    same_count = kept(record={"tables": {"public.Booking": {"rows": 3, "digest": "9"}}})
    assert backup.diff_lines(kept(), same_count) == ["~ table public.Booking: 3 rows, of other content"]
    assert backup.diff_lines(kept(), kept()) == []


def test_a_file_that_the_run_does_not_have_is_not_asked_for() -> None:
    host = Host()
    with pytest.raises(InputError, match="has no file /etc/shadow"):
        backup.read_file(instance(host), kept(), "/etc/shadow")
    assert host.asked == []


def verdict(**changes: Any) -> dict[str, Any]:
    said = {"repository": "local", "verdict": "proven", "reasons": [], "run": OLD, "age_hours": 1.44}
    return {**said, "bytes": 404920, "seconds": 3.6, **changes}


def test_a_drill_is_a_row_with_its_reasons() -> None:
    damaged = verdict(verdict="damaged", reasons=["public.Booking has 0 rows, and had 3", "x is missing"])
    found = check_backups(instance(Host(answer({"repositories": [verdict(), damaged]}, 1))), [])
    assert found.rows("cal1") == [
        ["cal1", "local", OLD, "1.4 h", "404.9 kB", "4", "proven"],
        [
            *("cal1", "local", OLD, "1.4 h", "404.9 kB", "4"),
            "damaged: public.Booking has 0 rows, and had 3; x is missing",
        ],
    ]
    assert not found.proven
    assert not found.document()["ok"]


def test_no_repository_at_all_is_no_success() -> None:
    there = instance(Host())
    nowhere = there.settings.backups.model_copy(update={"repositories": {}})
    settings = there.settings.model_copy(update={"backups": nowhere})
    with pytest.raises(CalstackError, match="no backups are set up"):
        check_backups(Instance("cal1", there.inventory, settings, there.secrets, there.remote), [])
    assert Drilled([verdict()]).proven
