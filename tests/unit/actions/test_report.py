"""What a person reads when a deploy is over."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from deploy.actions.deploy import DeployResult
from deploy.actions.opening import Opened
from deploy.actions.report import deploy_report
from deploy.settings.load import load_inventory
from deploy.smoke.faults import Fault
from deploy.smoke.report import SmokeReport


def smoke_report(fault: Fault | None = None) -> SmokeReport:
    return SmokeReport(
        started=dt.datetime(2026, 11, 24, tzinfo=dt.UTC),
        seconds=0.3,
        event_type="calstack-smoke-0",
        steps=(),
        fault=fault,
        left_behind=(),
        cancelled_bookings_removed=2,
        cancelled_bookings_left=0,
    )


@pytest.fixture
def opened() -> Opened:
    nothing: Any = None
    return Opened(load_inventory("lab"), nothing, nothing)


def test_a_host_with_nothing_to_do_is_one_line(opened: Opened) -> None:
    result = DeployResult("cal1", seconds={"converge": 1.0, "smoke test": 0.5}, smoke=smoke_report())
    assert deploy_report(opened, [result], []) == ["cal1: nothing to do, smoke test passed (1.5 s)"]


def test_a_new_instance_is_handed_over(opened: Opened) -> None:
    result = DeployResult(
        "cal1", "https://cal1.calstack.test", ["App | The web app runs"], {"converge": 30.2}, smoke_report()
    )
    text = "\n".join(deploy_report(opened, [result], [("Lab", 1.0), ("Deploying", 31.0)]))
    assert "sign in     https://cal1.calstack.test/auth/login as admin@cal1.calstack.test" in text
    assert "secrets show admin_password --host cal1" in text
    assert "seconds     Lab 1, converge 30" in text
    assert "a stand-in for Cal.com's image" in text, "the lab says what is not real in it"
    assert "browsers warn until they trust the inventory's own authority" in text
    # FACTS §0.8: without a second factor an administrator's password session gets no admin pages.
    assert "turn on two-factor authentication" in text


def test_a_failure_says_why_and_what_to_do(opened: Opened) -> None:
    fault = Fault("no-slots", "look for free slots", "there is none", "no hours", "give the schedule hours")
    failed = DeployResult("cal1", changed=["x"], smoke=smoke_report(fault))
    refused = DeployResult("cal2", failure="cannot connect to 192.0.2.1:22\n  -> check that it is up")
    text = "\n".join(deploy_report(opened, [failed, refused], []))
    assert "cal1: FAILED" in text
    assert "give the schedule hours" in text
    assert "cal2: FAILED" in text
    assert "-> check that it is up" in text
    assert not failed.ok
    assert not refused.ok
