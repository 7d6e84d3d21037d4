from __future__ import annotations

import datetime as dt
import xml.etree.ElementTree as ET

from deploy.smoke.faults import Fault
from deploy.smoke.junit import junit
from deploy.smoke.report import SmokeReport, Step

STARTED = dt.datetime(2026, 11, 24, 7, 0, tzinfo=dt.UTC)


def report(*steps: Step, fault: Fault | None = None) -> SmokeReport:
    return SmokeReport(
        started=STARTED,
        seconds=1.5,
        event_type="calstack-smoke-x",
        steps=steps,
        fault=fault,
        left_behind=(),
        cancelled_bookings_removed=0,
        cancelled_bookings_left=0,
    )


def parsed(document: bytes) -> ET.Element:
    return ET.fromstring(document)  # noqa: S314 - our own


def test_an_instance_is_a_suite_and_a_step_a_case() -> None:
    steps = (
        Step("book", "ok", 0.25, 30, "at <noon> & \x00"),
        Step("see its mails", "skipped", 0, 0, "cannot"),
    )
    (suite,) = parsed(junit({"cal1": report(*steps)}, {}))
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("cal1", "2", "0")
    assert (suite.get("skipped"), suite.get("timestamp")) == ("1", "2026-11-24T07:00:00")
    booked, mails = suite
    assert (booked.get("name"), booked.get("time")) == ("book", "0.250")
    assert booked.findtext("system-out") == "at <noon> &  "
    skipped = mails.find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "cannot"


def test_the_fault_is_the_failure_with_cause_and_fix() -> None:
    fault = Fault("mail-refused", "see its mails", "it says no", "wrong port", "right port")
    steps = (Step("see its mails", "failed", 1, 30, "it says no"), Step("clear away", "failed", 1, 9, "left"))
    (suite,) = parsed(junit({"cal1": report(*steps, fault=fault)}, {}))
    assert suite.get("failures") == "2"
    failure = suite[0].find("failure")
    assert failure is not None
    assert (failure.get("type"), failure.get("message")) == ("mail-refused", "it says no")
    assert failure.text == "likely cause: wrong port\nfix: right port"


def test_an_instance_that_was_not_tested_fails() -> None:
    (suite,) = parsed(junit({}, {"cal2": "cannot be reached\n  -> switch it on"}))
    assert (suite.get("name"), suite.get("failures")) == ("cal2", "1")
    failure = suite[0].find("failure")
    assert failure is not None
    assert (failure.get("message"), failure.text) == (
        "cannot be reached",
        "cannot be reached\n  -> switch it on",
    )
