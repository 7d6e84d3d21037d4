"""Event types in the API's form and in the table's: one way and back."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.lab.standin.api import booking_field_forms, event_type_input, location_forms

LOCATIONS = [
    {"type": "address", "address": "Main street 1", "public": True},
    {"type": "link", "link": "https://meet.example.test/x", "public": False},
    {"type": "phone", "phone": "+4930901820", "public": True},
    {"type": "attendeeAddress"},
    {"type": "attendeePhone"},
    {"type": "attendeeDefined"},
    {"type": "integration", "integration": "cal-video"},
    {"type": "integration", "integration": "google-meet"},
]


@pytest.mark.parametrize("location", LOCATIONS, ids=lambda each: str(each["type"]))
def test_a_location_comes_back_as_it_was_sent(location: dict[str, Any]) -> None:
    assert location_forms.shown(location_forms.stored([location])) == [location]


def test_a_location_of_no_known_kind_is_shown_as_it_is() -> None:
    assert location_forms.shown([{"type": "moon"}]) == [{"type": "unknown", "location": '{"type":"moon"}'}]


def test_custom_fields_stand_between_the_systems() -> None:
    given = [{"type": "text", "slug": "company", "label": "Company", "required": True}]
    names = [field["name"] for field in booking_field_forms.stored(given)]
    assert names == ["name", "email", "location", "company", "title", "notes", "guests", "rescheduleReason"]


def test_a_custom_field_comes_back_with_its_defaults() -> None:
    given = [{"type": "select", "slug": "size", "label": "Size", "required": False, "options": ["S", "M"]}]
    shown = booking_field_forms.shown(booking_field_forms.stored(given))
    assert shown[3] == given[0] | {"isDefault": False, "hidden": False, "disableOnPrefill": False}


def test_a_name_in_two_boxes_comes_back_in_two() -> None:
    given = [{"type": "splitName", "firstNameLabel": "First", "lastNameRequired": True}]
    shown = booking_field_forms.shown(booking_field_forms.stored(given))[0]
    assert (shown["type"], shown["firstNameLabel"], shown["lastNameRequired"]) == ("splitName", "First", True)


def test_parts_that_are_switched_off_clear_their_columns() -> None:
    off = {"disabled": True}
    parts = ("seats", "recurrence", "bookingWindow", "confirmationPolicy", "bookerActiveBookingsLimit")
    columns = event_type_input.parts(dict.fromkeys(parts, off))
    assert columns == {
        "seatsPerTimeSlot": None,
        "recurringEvent": None,
        "periodType": "UNLIMITED",
        "requiresConfirmation": False,
        "requiresConfirmationWillBlockSlot": False,
        "maxActiveBookingsPerBooker": None,
        "maxActiveBookingPerBookerOfferReschedule": False,
    }


def test_a_change_keeps_the_metadata_that_it_does_not_name() -> None:
    before = {"metadata": {"multipleDuration": [15, 30], "requiresConfirmationThreshold": {"time": 1}}}
    assert event_type_input.metadata({"confirmationPolicy": {"disabled": True}}, before) == {
        "multipleDuration": [15, 30]
    }
