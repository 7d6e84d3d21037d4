"""What a restore says and refuses, and in which order it does what it does, without a host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from deploy.actions import interrupted, maintenance, restore
from deploy.actions.instance import Instance
from deploy.actions.restore_steps import StepError, Steps
from deploy.errors import CalstackError, InputError
from deploy.remote import Completed

LOOK: dict[str, Any] = {
    "run": "20261124T021702Z-9db249",
    "repository": "offsite",
    "started": "2026-11-24T02:17:02Z",
    "age_hours": 7.0,
    "bytes": 1,
    "app_version": "6.2.0",
    "proven": True,
    "newest_booking": "2026-11-24 01:58:12",
    "live_newest_booking": "2026-11-24 09:12:40",
    "bookings_since": 5,
    "same_key": True,
    "unreachable": {},
    "obstacles": [],
    "moment": None,
    "remarks": [],
}


class FakeProcess:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __enter__(self) -> FakeProcess:
        return self

    def __exit__(self, *_: object) -> None: ...


class FakeHost:
    """A host whose restore steps answer as told, and which notes everything that it is asked."""

    name = "cal1"

    def __init__(self) -> None:
        self.did: list[str] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self.step: str | None = None
        self.safety_run: str | None = None
        self.passes = True
        self.takes_key = False

    def start(self, script: str) -> FakeProcess:
        words = script.partition("backup restore ")[2].split()
        if words[0] == "state":
            there = {
                "step": self.step,
                "run": LOOK["run"],
                "repository": "offsite",
                "begun": "",
                "safety_run": self.safety_run,
                "own_maintenance": True,
                "takes_key": self.takes_key,
            }
            return FakeProcess([json.dumps({"done": {"ongoing": there if self.step else None}})])
        self.did.append(words[0])
        self.takes_key |= "--take-key" in words
        answer = self.answers.get(words[0], {"done": {}})
        if "done" in answer:
            after = {"fill": "filled", "stop": "stopping", "swap": "exchanged", "swap-back": "stopping"}
            self.step = {**after, "prove": "proven", "conclude": None, "abandon": None}.get(
                words[0], self.step
            )
        return FakeProcess([json.dumps({"now": "at it"}), json.dumps(answer)])

    def run(self, script: str, **_: Any) -> Completed:
        for words, what in (
            (" stop ", "app stopped"),
            (" up -d ", "app started"),
            ("flushall", "cache emptied"),
        ):
            if words in script:
                self.did.append(what)
        return Completed(0, b"", b"")

    def sql(self, query: str) -> list[list[str]]:
        assert "pg_database" in query
        return [["calcom", ""], ["calcom_before_restore", ""]]


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def instance(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> Any:
    it = mock.Mock(spec=Instance, remote=host)
    it.name = "cal1"
    it.maintenance.return_value = None
    it.settings = mock.Mock(has_api=True)
    it.settings.app.start_period_seconds = it.settings.api.start_period_seconds = 60

    def show_page(_: Instance) -> None:
        host.did.append("page shown")
        it.maintenance.return_value = mock.Mock()

    def smoke(*_: Any, **__: Any) -> Any:
        host.did.append("tested")
        return mock.Mock(passed=host.passes, conclusion=lambda: ["no time to book"])

    monkeypatch.setattr(maintenance, "begin", show_page)
    monkeypatch.setattr(maintenance, "end", lambda _: host.did.append("page gone"))
    monkeypatch.setattr(restore, "bootstrap", lambda *_: [])
    monkeypatch.setattr(restore, "smoke", smoke)
    return it


def _plan() -> restore.Plan:
    return restore.Plan("cal1", LOOK)


def test_the_order_is_such_that_nothing_can_be_lost(host: FakeHost, instance: Any) -> None:
    done = restore.restore(instance, _plan(), lambda _: None)
    assert host.did == [
        *("fill", "stop", "page shown", "app stopped", "save", "swap", "cache emptied", "app started"),
        *("tested", "prove", "page gone", "conclude"),
    ]
    assert done.document()["ok"]


def test_what_fails_beside_the_live_database_leaves_it_alone(host: FakeHost, instance: Any) -> None:
    host.answers["fill"] = {"failed": "there is no room"}
    with pytest.raises(CalstackError, match="there is no room") as failed:
        restore.restore(instance, _plan(), lambda _: None)
    assert "The instance is untouched" in str(failed.value)
    assert host.did == ["fill"]


def test_without_a_safety_run_nothing_is_exchanged(host: FakeHost, instance: Any) -> None:
    host.answers["save"] = {"failed": "no safety run could be made in offsite: it is full"}
    with pytest.raises(CalstackError, match="it is full") as failed:
        restore.restore(instance, _plan(), lambda _: None)
    assert "runs with the database that it had" in str(failed.value)
    assert "--without-safety-run" in str(failed.value)
    assert "swap" not in host.did
    assert host.did[-5:] == ["swap-back", "cache emptied", "app started", "page gone", "abandon"]


def test_an_app_that_fails_its_test_gets_its_old_database_back(host: FakeHost, instance: Any) -> None:
    host.passes = False
    with pytest.raises(CalstackError, match="no time to book") as failed:
        restore.restore(instance, _plan(), lambda _: None)
    assert "runs with the database that it had" in str(failed.value)
    back = host.did[host.did.index("tested") + 1 :]
    assert back == ["app stopped", "swap-back", "cache emptied", "app started", "page gone", "abandon"]


def test_a_way_back_that_fails_too_says_what_to_do(host: FakeHost, instance: Any) -> None:
    host.passes = False
    host.answers["swap-back"] = {"failed": "the database: gone"}
    with pytest.raises(CalstackError) as failed:
        restore.restore(instance, _plan(), lambda _: None)
    for words in ("no time to book", "the database: gone", "--undo", "--resume"):
        assert words in str(failed.value)


@pytest.mark.parametrize(
    ("step", "first"),
    [("filled", "stop"), ("stopping", "stop"), ("exchanged", "page shown"), ("proven", "page gone")],
)
def test_resume_goes_on_from_where_it_was(host: FakeHost, instance: Any, step: str, first: str) -> None:
    host.step = step
    if step == "proven":
        instance.maintenance.return_value = mock.Mock()
    restore.resume(instance, lambda _: None)
    assert host.did[0] == first
    assert host.did[-1] == "conclude"
    assert ("save" in host.did) == (step in ("filled", "stopping"))


def test_undo_has_no_way_back_from_a_restore_that_is_done(host: FakeHost, instance: Any) -> None:
    host.step, host.safety_run = "proven", "20261124T091544Z-e3f9c8"
    with pytest.raises(InputError, match="done but for some tidying up") as refused:
        restore.undo(instance, lambda _: None)
    assert "calstack restore 20261124T091544Z-e3f9c8" in str(refused.value)
    host.step = None
    with pytest.raises(InputError, match="no restore is under way"):
        restore.undo(instance, lambda _: None)


def test_a_plan_is_refused_while_another_restore_waits(host: FakeHost, instance: Any) -> None:
    host.step = "exchanged"
    with pytest.raises(InputError, match="was cut short at the step 'exchanged'"):
        restore.plan(instance, None, None)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"same_key": False}, "--take-key makes the run's key"),
        ({"obstacles": ["it was made by a newer app"]}, "newer app"),
    ],
)
def test_a_run_that_does_not_fit_is_refused(
    host: FakeHost, instance: Any, change: dict[str, Any], named: str
) -> None:
    host.answers["look"] = {"done": {**LOOK, **change}}
    with pytest.raises(InputError, match=named):
        restore.plan(instance, None, None)
    assert host.did == ["look"]


def test_the_run_s_key_is_taken_into_the_secrets_and_back(
    host: FakeHost, instance: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[str] = []
    monkeypatch.setattr(restore, "_keep_key", lambda _, key: kept.append(key))
    host.answers |= {
        "look": {"done": {**LOOK, "same_key": False}},
        "take-key": {"done": {"key": "the run's"}},
        "give-key-back": {"done": {"key": "the host's"}},
    }
    plan = restore.plan(instance, None, None, take_key=True)
    assert any("encryption key of cal1 becomes the run" in line for line in plan.lines())
    host.passes = False
    with pytest.raises(CalstackError, match="no time to book"):
        restore.restore(instance, plan, lambda _: None)
    assert kept == ["the run's", "the host's"]
    assert host.did.index("swap") < host.did.index("take-key") < host.did.index("app started")


def test_a_host_with_older_programs_is_told(host: FakeHost, instance: Any) -> None:
    host.answers["look"] = {"done": {key: value for key, value in LOOK.items() if key != "obstacles"}}
    with pytest.raises(InputError, match="programs of an older calstack"):
        restore.plan(instance, None, None)


def test_a_plan_says_what_goes() -> None:
    text = "\n".join(restore.Plan("cal1", {**LOOK, "unreachable": {"here": "it is locked"}}).lines())
    for words in (
        *("20261124T021702Z-9db249", "offsite", "7 hours ago, proven by a drill", "2026-11-24 01:58:12"),
        *("5 bookings that were made since then", "a newer run may lie in here", "it is locked"),
    ):
        assert words in text


def test_a_host_that_says_nothing_is_told() -> None:
    silent = mock.Mock(name="cal1")
    silent.start.return_value = FakeProcess(["not JSON"])
    with pytest.raises(StepError, match="no answer to the step 'fill'"):
        Steps(silent, lambda _: None).take("fill")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", None),
        ('{"step": "filling", "run": "r"}', None),
        (
            '{"step": "stopping", "run": "r"}',
            "a restore of r was cut short; the instance has its old database",
        ),
        (
            '{"step": "exchanged", "run": "r"}',
            "a restore of r was cut short; the instance has the restored database",
        ),
        ("{", "a restore was cut short, and /var/lib/calcom/restore.json cannot be read"),
    ],
)
def test_what_was_cut_short_is_told_in_a_sentence(text: str, said: str | None) -> None:
    assert interrupted.told(text) == said
