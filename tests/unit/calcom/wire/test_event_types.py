from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from deploy.calcom.models import BookingWindow, Color, EventTypeFields, Location, PeriodLimits, Seats
from deploy.calcom.trpc import superjson
from deploy.calcom.wire.event_types import EventTypeAnswer, event_type_input

HELD: dict[str, Any] = {
    "id": 1,
    "title": "Intro",
    "slug": "intro",
    "length": 30,
    "description": None,
    "hidden": False,
    "locations": [],
    "schedule": None,
    "beforeEventBuffer": 0,
    "afterEventBuffer": 0,
    "slotInterval": None,
    "offsetStart": 0,
    "minimumBookingNotice": 120,
    "onlyShowFirstAvailableSlot": False,
    "bookingLimits": None,
    "durationLimits": None,
    "periodType": "UNLIMITED",
    "periodDays": None,
    "periodCountCalendarDays": None,
    "periodStartDate": None,
    "periodEndDate": None,
    "requiresConfirmation": False,
    "requiresBookerEmailVerification": False,
    "lockTimeZoneToggleOnBookingPage": False,
    "eventName": None,
    "successRedirectUrl": None,
    "eventTypeColor": None,
    "seatsPerTimeSlot": None,
    "seatsShowAttendees": False,
    "seatsShowAvailabilityCount": True,
}
"""An event type as `eventTypes/get` shows a new one."""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", "Other"),
        ("description", "Two\nlines"),
        ("hidden", True),
        ("schedule_id", 7),
        ("buffer_before_minutes", 5),
        ("buffer_after_minutes", 10),
        ("slot_interval_minutes", 15),
        ("offset_start_minutes", 5),
        ("minimum_notice_minutes", 0),
        ("only_first_slot", True),
        ("requires_confirmation", True),
        ("requires_email_verification", True),
        ("lock_time_zone", True),
        ("custom_name", "{Scheduler}"),
        ("success_redirect_url", "https://example.test/thanks"),
        ("booking_limits", PeriodLimits(day=2, week=5, month=10, year=50)),
        ("booking_limits", None),
        ("duration_limits", PeriodLimits(month=600)),
        ("booking_window", None),
        ("booking_window", BookingWindow(type="calendar_days", days=30)),
        ("booking_window", BookingWindow(type="business_days", days=10, rolling=True)),
        (
            "booking_window",
            BookingWindow(type="range", start=dt.date(2026, 12, 1), end=dt.date(2027, 2, 28)),
        ),
        ("color", Color(light="#292929", dark="#fafafa")),
        ("color", None),
        ("seats", Seats(per_slot=4, show_attendees=True, show_available_count=False)),
        ("seats", None),
        (
            "locations",
            (
                Location(type="address", address="Main street 1", public=True),
                Location(type="link", link="https://meet.example.test/"),
                Location(type="phone", phone="+4930901820", public=True),
                Location(type="attendee_address"),
                Location(type="attendee_phone"),
                Location(type="attendee_defined"),
                Location(type="integration", integration="cal-video"),
                Location(type="integration", integration="google:meet"),
            ),
        ),
    ],
)
def test_what_is_written_is_what_is_read(name: str, value: object) -> None:
    sent = superjson(event_type_input(EventTypeFields.model_validate({name: value})))["json"]
    held = EventTypeAnswer.model_validate({**HELD, **sent}).event_type()
    assert getattr(held, name) == value


def test_only_what_is_set_is_sent() -> None:
    assert event_type_input(EventTypeFields(hidden=False)) == {"hidden": False}


def test_a_location_without_anything_is_read_all_the_same() -> None:
    held = EventTypeAnswer.model_validate(
        {**HELD, "locations": [{"type": "conferencing", "credentialId": 1}]}
    )
    assert held.event_type().locations == (Location(type="integration", integration="conferencing"),)
