from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.onhost.backup.continuous import bases, state
from deploy.onhost.backup.continuous.settings import Continuous
from deploy.onhost.backup.continuous.ship import Sent
from deploy.onhost.backup.continuous.work import judge
from deploy.onhost.backup.restic import Repository
from tests.unit.onhost.backup.continuous.hosts import backup_config


@pytest.fixture
def continuous(tmp_path: Path) -> Continuous:
    return Continuous(tmp_path, "wal", "calcom_wal", "calcom_wal", 20, 120, 7, 2, 4096)


def test_a_short_absence_is_no_failure_and_a_long_one_says_why(continuous: Continuous) -> None:
    away = ["the receiver is not connected"]
    assert judge(continuous, Sent({"offsite": 90}, away), []) == []
    late, why = judge(continuous, Sent({"offsite": 130}, away), [])
    assert late == "offsite: nothing newer than 130 s lies there for certain; the limit is 120 s"
    assert why == away[0]


def test_a_log_without_a_base_is_a_failure(continuous: Continuous) -> None:
    (said,) = judge(continuous, Sent({"offsite": 3}, []), ["offsite"])
    assert said == "offsite: there is no base to which its log belongs"


def test_a_base_counts_that_was_begun_after_the_log_was_whole(continuous: Continuous) -> None:
    config = backup_config([Repository("offsite", "/nowhere", "x")])
    log = state.KnownLog(system="1", last=4, until="2026-11-24T10", unbroken_since="2026-11-24T09")
    base = state.KnownBase(system="1", full="a", base="a", started="2026-11-24T09:30")
    state.write_log(continuous.state, "offsite", log)
    assert bases.lacking(config, continuous) == ["offsite"]
    state.write_base(continuous.state, "offsite", base)
    assert bases.lacking(config, continuous) == []
    state.write_base(continuous.state, "offsite", replace(base, started="2026-11-24T08:30"))
    assert bases.lacking(config, continuous) == ["offsite"]
    state.write_base(continuous.state, "offsite", replace(base, system="2"))
    assert bases.lacking(config, continuous) == ["offsite"]


def test_no_base_is_made_for_a_repository_that_cannot_be_reached(continuous: Continuous) -> None:
    config = backup_config([Repository("offsite", "/nowhere", "x")])
    state.write_log(continuous.state, "offsite", state.KnownLog(failure="connection refused"))
    assert bases.lacking(config, continuous) == ["offsite"]
    assert bases.lacking(config, continuous, reachable=True) == []


def test_a_damaged_note_counts_as_none(continuous: Continuous) -> None:
    continuous.state.mkdir(parents=True)
    (continuous.state / "offsite.log.json").write_text("{", encoding="utf-8")
    assert state.read_log(continuous.state, "offsite") == state.KnownLog()
