"""Small rules of bookings: slugs, uids, answers, places, titles, signatures, periods."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from deploy.lab.standin.core import availability, webhooks
from deploy.lab.standin.core.booking_fields import EMAIL, answer_problems, system_fields
from deploy.lab.standin.core.bookings import place_of
from deploy.lab.standin.core.identifiers import booking_uid, idempotency_key, slugify, trace_id
from deploy.lab.standin.core.people import password_is_valid
from deploy.lab.standin.core.schedules import WorkingHours
from deploy.lab.standin.core.slots import Interval
from deploy.lab.standin.core.titles import booking_title

NOW = datetime(2026, 11, 23, 23, 19, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "slug"),
    [
        ("Has Space & Sign", "has-space-sign"),
        ("web-intro", "web-intro"),
        ("  Crème brûlée! ", "creme-brulee"),
        ("a_b", "a-b"),
        ("--x--", "x"),
    ],
)
def test_slugs_are_normalised(typed: str, slug: str) -> None:
    assert slugify(typed) == slug


def test_identifiers_have_the_real_forms() -> None:
    assert len(booking_uid()) == 22
    assert trace_id().startswith("trace_")
    assert len(trace_id()) == 27


def test_the_same_slot_of_a_host_has_one_key() -> None:
    end = NOW + timedelta(minutes=30)
    assert idempotency_key(NOW, end, 1) == idempotency_key(NOW, end, 1) != idempotency_key(NOW, end, 2)


@pytest.mark.parametrize(
    ("password", "good"),
    [
        ("Correct-Horse-Battery-9", True),
        ("short", False),
        ("alllowercase-12345", False),
        ("NoDigitsInThisOne", False),
    ],
)
def test_admin_passwords_follow_the_policy(password: str, good: bool) -> None:
    assert password_is_valid(password, 15) is good


@pytest.mark.parametrize("address", ["nope", "a@b", "a b@c.de", "@c.de", ".a@c.de", "a..b@c.de"])
def test_what_is_no_address_is_refused(address: str) -> None:
    assert not EMAIL.match(address)


def test_answers_are_refused_by_field() -> None:
    answers: dict[str, Any] = {"name": "", "email": "nope", "guests": ["x"]}
    assert answer_problems(system_fields(), answers, rescheduling=False) == [
        "{name}error_required_field",
        "{email}email_validation_error",
        "{guests}email_validation_error",
    ]


def test_a_reason_is_asked_only_when_rescheduling() -> None:
    fields = [field | {"required": True} for field in system_fields() if field["name"] == "rescheduleReason"]
    assert answer_problems(fields, {}, rescheduling=False) == []
    assert answer_problems(fields, {}, rescheduling=True) == ["{rescheduleReason}error_required_field"]


@pytest.mark.parametrize(
    ("locations", "answer", "location"),
    [
        ([{"type": "inPerson", "address": "Main street 1"}], {"value": "inPerson"}, "Main street 1"),
        ([{"type": "link", "link": "https://meet.test"}], None, "https://meet.test"),
        ([{"type": "userPhone", "hostPhoneNumber": "+49"}], {"value": "userPhone"}, "+49"),
        ([{"type": "phone"}], {"value": "phone", "optionValue": "+1"}, "+1"),
        ([], None, "integrations:daily"),
    ],
)
def test_the_choice_of_a_place_becomes_the_place(
    locations: list[dict[str, str]], answer: dict[str, str] | None, location: str
) -> None:
    assert place_of({"locations": locations}, answer).location == location


def test_titles_are_in_the_hosts_language() -> None:
    kind = {"title": "Intro", "eventName": None, "length": 30}
    assert booking_title(kind, "Ada", "Jane", "en", "") == "Intro between Ada and Jane"
    assert booking_title(kind, "Ada", "Jane", "de", "") == "Intro zwischen Ada und Jane"
    named = kind | {"eventName": "{Scheduler} meets {Organiser}"}
    assert booking_title(named, "Ada", "Jane", "de", "") == "Jane meets Ada"


def test_deliveries_are_signed_over_the_raw_bytes() -> None:
    body = '{"title":"Crème"}'.encode()
    assert webhooks.signature("s", body) == hmac.new(b"s", body, hashlib.sha256).hexdigest()
    assert webhooks.signature(None, body) == "no-secret-provided"


@pytest.mark.parametrize(
    ("period", "day", "inside"),
    [
        ({"periodType": "unlimited"}, 400, True),
        ({"periodType": "rolling", "periodDays": 7, "periodCountCalendarDays": True}, 7, True),
        ({"periodType": "rolling", "periodDays": 7, "periodCountCalendarDays": True}, 8, False),
        ({"periodType": "rolling", "periodDays": 5, "periodCountCalendarDays": False}, 7, True),
        ({"periodType": "range", "periodStartDate": NOW, "periodEndDate": NOW + timedelta(days=2)}, 3, False),
    ],
)
def test_booking_windows(period: dict[str, Any], day: int, inside: bool) -> None:
    hours = WorkingHours("UTC", {})
    assert availability.in_period(period, NOW + timedelta(days=day), NOW, hours) is inside


def test_limits_count_by_whole_weeks_and_months() -> None:
    window = Interval(datetime(2026, 12, 9, tzinfo=UTC), datetime(2026, 12, 10, tzinfo=UTC))
    zone = ZoneInfo("UTC")
    week = next(availability.periods("PER_WEEK", window, zone))
    month = next(availability.periods("PER_MONTH", window, zone))
    assert (week.start.date(), week.end.date()) == (date(2026, 12, 6), date(2026, 12, 13))
    assert (month.start.date(), month.end.date()) == (date(2026, 12, 1), date(2027, 1, 1))
