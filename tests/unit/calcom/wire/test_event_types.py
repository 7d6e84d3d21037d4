from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from deploy.calcom.models import (
    ActiveBookingsLimit,
    BookerLayouts,
    BookingField,
    BookingWindow,
    CalVideoSettings,
    Color,
    DestinationCalendar,
    EventTypeFields,
    Location,
    NoticeThreshold,
    PeriodLimits,
    Recurrence,
    Seats,
)
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
    "bookingFields": None,
    "disableGuests": False,
    "maxActiveBookingsPerBooker": None,
    "maxActiveBookingPerBookerOfferReschedule": False,
    "metadata": {"apps": {"giphy": {"enabled": False, "thankYouPage": ""}}},
    "requiresConfirmationWillBlockSlot": False,
    "recurringEvent": None,
    "hideCalendarNotes": False,
    "hideCalendarEventDetails": False,
    "hideOrganizerEmail": False,
    "destinationCalendar": None,
    "useEventTypeDestinationCalendarEmail": False,
    "calVideoSettings": None,
    "bookingRequiresAuthentication": False,
}
"""An event type as `eventTypes/get` shows a new one."""
PLAIN: dict[str, Any] = {"required": False, "hidden": False}


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
        ("length_options", (15, 30, 60)),
        ("length_options", ()),
        ("disable_guests", True),
        ("active_bookings_limit", ActiveBookingsLimit(maximum=3, offer_reschedule=True)),
        ("active_bookings_limit", None),
        ("booker_layouts", BookerLayouts(default="week", enabled=("month", "week"))),
        ("confirmation_threshold", NoticeThreshold(count=48, unit="hours")),
        ("unconfirmed_blocks_slot", True),
        ("recurrence", Recurrence(frequency="monthly", interval=2, occurrences=6)),
        ("recurrence", None),
        ("hide_calendar_notes", True),
        ("hide_calendar_event_details", True),
        ("hide_organizer_email", True),
        ("destination_calendar", DestinationCalendar(integration="google_calendar", external_id="a@x.test")),
        ("use_destination_calendar_email", True),
        ("cal_video", CalVideoSettings(disable_recording_for_guests=True)),
        ("requires_authentication", True),
        (
            "booking_fields",
            (
                BookingField(slug="email", label="Mail", required=False, hidden=True),
                BookingField(slug="attendeePhoneNumber", required=True, hidden=False),
                BookingField(slug="size", type="select", label="Size", options=("S", "L"), **PLAIN),
                BookingField(slug="terms", type="boolean", label="I agree", required=True, hidden=False),
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


class TestWhatIsReplacedWhole:
    """Metadata and questions: the procedure takes them whole, so what is there goes along."""

    def test_other_metadata_stays_and_what_reading_added_is_not_stored(self) -> None:
        current = {**HELD, "metadata": {**HELD["metadata"], "multipleDuration": [15, 30], "disableX": True}}
        sent = event_type_input(EventTypeFields(booker_layouts=None, length_options=(30, 45)), current)
        assert sent == {"metadata": {"multipleDuration": [30, 45], "disableX": True}}

    def test_hiding_guests_keeps_the_questions(self) -> None:
        question = BookingField(slug="company", type="text", label="Company", required=True)
        held = {**HELD, **event_type_input(EventTypeFields(booking_fields=(question,)))}
        held.update(event_type_input(EventTypeFields(disable_guests=True), held))
        read = EventTypeAnswer.model_validate(held).event_type()
        assert read.disable_guests is True
        assert [field.slug for field in read.booking_fields] == ["company"]

    def test_new_questions_keep_guests_hidden(self) -> None:
        held = {**HELD, **event_type_input(EventTypeFields(disable_guests=True))}
        sent = event_type_input(EventTypeFields(booking_fields=()), held)
        assert next(item for item in sent["bookingFields"] if item["name"] == "guests")["hidden"] is True

    def test_questions_that_cannot_be_declared_are_left_as_they_are(self) -> None:
        strange = {"name": "rating", "type": "stars", "editable": "user", "sources": []}
        guests = {"name": "guests", "type": "multiemail", "hidden": False}
        held = {**HELD, "bookingFields": [strange, guests]}
        sent = event_type_input(EventTypeFields(disable_guests=True), held)
        assert sent["bookingFields"][0] == strange
        assert sent["bookingFields"][1]["hidden"] is True
