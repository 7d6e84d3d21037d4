"""What the API says of bodies and queries that it refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from deploy.lab.standin.api import booking_input, event_type_input, schedules, slots, webhooks
from deploy.lab.standin.api.application import complaint, parsed
from deploy.lab.standin.api.bookings import moved
from deploy.lab.standin.api.errors import ApiError
from deploy.lab.standin.api.routing import spoken_version
from deploy.lab.standin.api.validation import checked, checked_in_words, number_of


def refused(body: dict[str, Any], new: bool = True) -> dict[str, dict[str, str]]:
    """What is wrong with an event type, by property."""
    with pytest.raises(ApiError) as caught:
        event_type_input.read(body, new)
    return {error["property"]: error["constraints"] for error in caught.value.details["errors"]}


def test_each_wrong_field_is_named_with_what_is_wrong() -> None:
    wrong = refused({"title": 1, "slug": "a", "lengthInMinutes": "soon", "hidden": "yes"})
    assert wrong == {
        "title": {"isString": "title must be a string"},
        "lengthInMinutes": {
            "isInt": "lengthInMinutes must be an integer number",
            "min": "lengthInMinutes must not be less than 1",
        },
        "hidden": {"isBoolean": "hidden must be a boolean value"},
    }


def test_a_value_that_was_not_sent_is_not_shown() -> None:
    with pytest.raises(ApiError) as caught:
        event_type_input.read({"title": "T", "slug": "t"}, new=True)
    assert caught.value.details["errors"][0].keys() == {"target", "property", "children", "constraints"}


def test_unknown_fields_of_an_event_type_are_dropped_and_never_told_of() -> None:
    given = event_type_input.read({"title": "T", "slug": "t", "lengthInMinutes": 5, "lenght": 9}, new=True)
    assert given == {"title": "T", "slug": "t", "lengthInMinutes": 5}


def test_a_change_needs_nothing() -> None:
    assert event_type_input.read({}, new=False) == {}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"bookingFields": []}, "'bookingFields' must contain at least 1 booking field."),
        ({"bookingFields": [{"slug": "x"}]}, "must have a 'type' property"),
        ({"bookingFields": [{"type": "text", "slug": "x"}]}, "Validation failed for text booking field"),
        ({"locations": [{"type": "phone", "phone": "+1234", "public": True}]}, "valid phone number"),
        ({"locations": [{"type": "moon"}]}, "Unsupported location type 'moon'. Valid types are address"),
        ({"locations": ["moon"]}, "Each object in 'locations' must be an object."),
        ({"locations": [{"type": "organizersDefaultApp"}]}, "Unsupported location type"),
        (
            {"locations": [{"type": "address", "address": "", "public": True}]},
            "address location: address must be longer than or equal to 1 characters",
        ),
        (
            {"locations": [{"type": "integration", "integration": "pigeon"}]},
            "integration must be one of the following values: cal-video, google-meet, zoom",
        ),
        (
            {"bookingFields": [{"type": "select", "slug": "x", "label": "X", "required": True}]},
            "Validation failed for select booking field: options must be an array",
        ),
        (
            {
                "recurrence": {"interval": 1, "occurrences": 2, "frequency": "weekly"},
                "bookerActiveBookingsLimit": {"maximumActiveBookings": 1},
            },
            "Can't have `recurrence` and `bookerActiveBookingsLimit`",
        ),
        ({"bookerActiveBookingsLimit": {"disabled": False}}, "at least one other property"),
        ({"lengthInMinutes": "soon", "locations": []}, "must contain at least 1 location"),
    ],
)
def test_parts_with_a_shape_of_their_own_are_refused_in_words(body: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError, match=message.replace(".", r"\.")):
        event_type_input.read(body, new=False)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (
            {"bookingLimitsCount": {"day": 3, "week": 2}},
            {
                "ValidateBookingLimitsCount": "Invalid bookingLimitsCount: The number of bookings for day"
                " cannot exceed the number of bookings for week."
            },
        ),
        (
            {"bookingLimitsDuration": {"week": 60, "year": 30}},
            {
                "ValidateBookingLimistsDuration": "Invalid bookingLimitsDuration: The duration of bookings"
                " for week cannot exceed the duration of bookings for year."
            },
        ),
        (
            {"bookingLimitsCount": "many"},
            {"ValidateBookingLimitsCount": "Invalid bookingLimitsCount"},
        ),
        (
            {"confirmationPolicy": {"type": "sometimes"}},
            {
                "ConfirmationPolicyValidator": 'Invalid requiresConfirmation structure. Use "type": "always"'
                ' or provide a valid time and unit in "noticeThreshold" for "type": "time".'
            },
        ),
        (
            {"seats": "many"},
            {"nestedValidation": "nested property seats must be either object or array"},
        ),
    ],
)
def test_parts_are_told_of_under_the_names_of_their_own_checks(
    body: dict[str, Any], wrong: dict[str, str]
) -> None:
    assert refused(body, new=False) == {next(iter(body)): wrong}


@pytest.mark.parametrize(
    "body",
    [
        {"bookingLimitsCount": {}},
        {"bookingLimitsCount": {"disabled": False, "day": 3, "week": 2}},
        {"seats": {"disabled": True}},
        {"recurrence": {"disabled": True}},
        {"color": {"lightThemeHex": 1}},
        {"bookingWindow": {"type": "range", "value": []}},
    ],
)
def test_what_the_real_checks_let_pass_passes(body: dict[str, Any]) -> None:
    assert event_type_input.read(body, new=False) == body
    event_type_input.columns(body, {"metadata": {}})


def test_a_list_where_an_object_is_meant_is_one_without_properties() -> None:
    read = event_type_input.read({"recurrence": []}, new=False)
    assert event_type_input.columns(read, {"metadata": {}})["recurringEvent"] is None


def test_what_is_wrong_inside_an_object_is_told_of_inside_its_property() -> None:
    with pytest.raises(ApiError) as caught:
        event_type_input.read({"seats": {"seatsPerTimeSlot": 0, "shape": "round"}}, new=False)
    (problem,) = caught.value.details["errors"]
    assert problem["value"] == {"seatsPerTimeSlot": 0}
    assert "constraints" not in problem
    assert {child["property"]: child["constraints"] for child in problem["children"]} == {
        "seatsPerTimeSlot": {"min": "seatsPerTimeSlot must not be less than 1"},
        "showAttendeeInfo": {"isBoolean": "showAttendeeInfo must be a boolean value"},
        "showAvailabilityCount": {"isBoolean": "showAvailabilityCount must be a boolean value"},
    }


def test_the_default_layout_is_one_of_the_enabled_ones() -> None:
    with pytest.raises(ApiError) as caught:
        event_type_input.read(
            {"bookerLayouts": {"defaultLayout": "week", "enabledLayouts": ["month"]}}, new=False
        )
    (child,) = caught.value.details["errors"][0]["children"]
    assert child["property"] == "defaultLayout"
    assert child["constraints"].keys() == {"isDefaultLayoutWithinEnabledLayouts"}


def test_what_is_wrong_in_a_list_is_told_of_by_its_place() -> None:
    hours = {"days": ["Monday"], "startTime": "09:00", "endTime": "25:00"}
    with pytest.raises(ApiError) as caught:
        checked(schedules.shape(required=False), {"availability": [hours | {"mood": "good"}, "always"]})
    (problem,) = caught.value.details["errors"]
    assert (problem["property"], problem["value"]) == ("availability", [hours, "always"])
    first, second = problem["children"]
    assert (first["property"], first["value"], first["target"]) == ("0", hours, [hours, "always"])
    assert first["children"] == [
        {
            "target": hours,
            "value": "25:00",
            "property": "endTime",
            "children": [],
            "constraints": {"matches": "endTime must be a valid time format HH:MM"},
        }
    ]
    assert second["constraints"] == {
        "nestedValidation": "each value in nested property availability must be either object or array"
    }


def test_a_webhook_without_triggers_has_no_list_of_them() -> None:
    with pytest.raises(ApiError) as caught:
        checked(webhooks.shape(required=True, versioned=False), {"active": True, "subscriberUrl": "x"})
    (problem,) = caught.value.details["errors"]
    assert problem["constraints"].keys() == {"isEnum", "isArray"}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"eventTypeId": "9", "format": "clock"}, "slotFormat must be either 'range' or 'time'"),
        ({"eventTypeId": "nine"}, "eventTypeId must be a number conforming to the specified constraints"),
        (
            {"eventTypeSlug": "intro"},
            "The array must contain at least 2 elements., usernames must be an array",
        ),
        ({"usernames": "ada"}, "The array must contain at least 2 elements."),
        ({"eventTypeId": "9", "username": "ada"}, "property username should not exist"),
    ],
)
def test_a_question_for_slots_is_refused_by_the_way_it_names_the_type(
    query: dict[str, str], message: str
) -> None:
    call: Any = SimpleNamespace(query={"start": "2026-12-07", "end": "2026-12-08"} | query)
    with pytest.raises(ApiError) as caught:
        slots.asked(call)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), ("12abc", 12), ("-3", -3), ("abc", "abc"), ("", ""), ("9" * 30, 2**31 - 1)],
)
def test_numbers_of_a_query_are_read_as_javascript_reads_them(text: str, number: int | str) -> None:
    assert number_of(text) == number


def test_a_booking_may_not_carry_what_nobody_knows() -> None:
    with pytest.raises(ApiError) as caught:
        checked_in_words(booking_input.CREATION, (booking_input.NAMED,), {"title": "x", "eventTypeId": 1})
    assert caught.value.message == (
        "title property is wrong,property title should not exist ,"
        " start property is wrong,start must be a valid ISO 8601 date string ,"
        " attendee property is wrong,attendee should not be null or undefined "
    )


def test_a_number_too_long_for_a_phone_is_none() -> None:
    attendee = {"name": "J", "timeZone": "UTC", "phoneNumber": "+49123456789012345678"}
    with pytest.raises(ApiError, match="valid phone number"):
        checked_in_words(booking_input.ATTENDEE, (), attendee)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{bad", "Expected property name or '}' in JSON at position 1"),
        ("{", "Unexpected end of JSON input"),
        ('"text"', 'Unexpected token \'"\', ""text""... is not valid JSON'),
    ],
)
def test_broken_json_is_told_of_as_javascript_does(text: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        parsed("application/json", text.encode())
    assert (caught.value.status, caught.value.message) == (400, message)


def test_the_end_of_a_text_is_no_place_to_look_at() -> None:
    assert complaint("[1,", 3) == "Unexpected end of JSON input"


def test_a_body_beyond_the_limit_is_refused() -> None:
    with pytest.raises(ApiError, match="too large"):
        parsed("application/json", b" " * 200_000)


@pytest.mark.parametrize("header", [None, "", "1999-01-01", "2024-6-14"])
def test_an_unknown_version_means_the_oldest(header: str | None) -> None:
    assert spoken_version(header) == "2024-04-15"


def test_months_keep_their_last_days() -> None:
    start = booking_input.moment_of("2026-01-31T10:00:00Z")
    assert [moved(start, 1, step).date().isoformat() for step in range(4)] == [
        "2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30",
    ]  # fmt: skip
    assert moved(booking_input.moment_of("2028-02-29T10:00:00Z"), 0, 1).date().isoformat() == "2029-02-28"


def test_a_bare_date_ends_with_its_day() -> None:
    assert slots.end_of("2026-12-07").isoformat() == "2026-12-07T23:59:59+00:00"
    assert slots.end_of("2026-12-07T12:00:00Z").isoformat() == "2026-12-07T12:00:00+00:00"
