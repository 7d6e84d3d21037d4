"""A new event type, or a change of one, in API v2's form (2024-06-14): checked, and turned into columns."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..database import Connection, Row, one
from . import booking_field_forms, location_forms
from .errors import refusal
from .validation import (
    ARRAY,
    BOOLEAN,
    INTEGER,
    NOT_EMPTY,
    STRING,
    UNIQUE,
    URL,
    Check,
    Field,
    Whole,
    at_least,
    checked,
    each,
    is_iso_date,
    is_number,
    one_of,
)

PERIODS = {"day": "PER_DAY", "week": "PER_WEEK", "month": "PER_MONTH", "year": "PER_YEAR"}
FREQUENCIES = ("yearly", "monthly", "weekly")
LAYOUTS = ("month", "week", "column")

# Names that a custom name may have in braces.
NAME_VARIABLES = {
    "Event type title", "Organiser", "Scheduler", "Location", "Organiser first name", "Scheduler first name",
    "Scheduler last name", "Event duration", "LOCATION", "HOST/ATTENDEE", "HOST", "ATTENDEE", "USER",
}  # fmt: skip

# The columns that have the same name on both sides.
SAME_NAME = (
    "title", "description", "slotInterval", "minimumBookingNotice", "beforeEventBuffer", "afterEventBuffer",
    "scheduleId", "onlyShowFirstAvailableSlot", "offsetStart", "requiresBookerEmailVerification",
    "hideCalendarNotes", "lockTimeZoneToggleOnBookingPage", "hideCalendarEventDetails", "successRedirectUrl",
    "hideOrganizerEmail", "hidden", "bookingRequiresAuthentication",
)  # fmt: skip
OTHER_NAME = {"slug": "slug", "lengthInMinutes": "length", "customName": "eventName"}


def is_disabled(value: Any) -> bool:
    """Whether a part is switched off."""
    return isinstance(value, dict) and value.get("disabled") is True


def is_window(value: Any) -> bool:
    """Whether this is a booking window."""
    if is_disabled(value):
        return True
    if not isinstance(value, dict):
        return False
    if value.get("type") in ("businessDays", "calendarDays"):
        return is_number(value.get("value")) and isinstance(value.get("rolling", False), bool)
    days = value.get("value")
    return value.get("type") == "range" and isinstance(days, list) and all(is_iso_date(day) for day in days)


def is_policy(value: Any) -> bool:
    """Whether this is a confirmation policy."""
    if is_disabled(value):
        return True
    if not isinstance(value, dict):
        return False
    threshold = value.get("noticeThreshold")
    return value.get("type") == "always" or (
        value.get("type") == "time"
        and isinstance(threshold, dict)
        and is_number(threshold.get("count"))
        and isinstance(threshold.get("unit"), str)
    )


@dataclass(frozen=True)
class Limits:
    """Limits by period, of which none may exceed that of a longer one; their height is not looked at."""

    name: str
    constraint: str
    counted: str

    def excess(self, value: Any) -> tuple[str, str] | None:
        """The first period whose limit exceeds that of a longer one, and the longer one."""
        given = {period: value.get(period) for period in PERIODS if value.get(period)}
        for shorter, longer in itertools.combinations(given, 2):
            if given[shorter] > given[longer]:
                return shorter, longer
        return None

    def is_sane(self, value: Any) -> bool:
        """Whether these are limits at all."""
        return isinstance(value, dict) and (
            "disabled" in value or all(is_number(value[each] or 0) for each in PERIODS if each in value)
        )

    def refuse(self, value: Any) -> Check:
        """The check of one value, whose message tells which period is wrong."""
        sane = self.is_sane(value)
        wrong = self.excess(value) if sane and "disabled" not in value else None
        message = f"Invalid {self.name}"
        if wrong:
            message += (
                f": The {self.counted} of bookings for {wrong[0]} cannot exceed"
                f" the {self.counted} of bookings for {wrong[1]}."
            )
        return Check(self.constraint, lambda _: sane and not wrong, message)


COUNT_LIMITS = Limits("bookingLimitsCount", "ValidateBookingLimitsCount", "number")
DURATION_LIMITS = Limits("bookingLimitsDuration", "ValidateBookingLimistsDuration", "duration")


def part(check: Any, name: str, message: str) -> Check:
    """A part with a shape of its own."""
    return Check(name, check, message)


DISABLED = Field("disabled", (BOOLEAN,))


def either(sign: str, *fields: Field) -> Callable[[dict[str, Any]], tuple[Field, ...]]:
    """The fields of a part that has the property `sign`; one without it is switched off, or says nothing."""
    return lambda value: (*fields, DISABLED) if sign in value else (DISABLED,)


def active_limit(value: dict[str, Any]) -> tuple[Field, ...]:
    """The fields of a limit on one guest's bookings; one that is switched off has no others."""
    if value.get("disabled"):
        return (DISABLED,)
    return (
        Field("maximumActiveBookings", (INTEGER, at_least(1))),
        Field("offerReschedule", (BOOLEAN,)),
        DISABLED,
    )


RECURRENCE = either(
    "interval",
    Field("interval", (INTEGER,), False),
    Field("occurrences", (INTEGER,), False),
    Field("frequency", (one_of(*FREQUENCIES),), False),
)
SEATS = either(
    "seatsPerTimeSlot",
    Field("seatsPerTimeSlot", (at_least(1), INTEGER), False),
    Field("showAttendeeInfo", (BOOLEAN,), False),
    Field("showAvailabilityCount", (BOOLEAN,), False),
)
LAYOUT_WORDS = "valid layouts - month, week or column"
KNOWN_LAYOUTS = (
    Field(
        "defaultLayout",
        (
            one_of(*LAYOUTS),
            one_of(
                *LAYOUTS, name="IsValidLayout", message=f"defaultLayout must be one of the {LAYOUT_WORDS}"
            ),
        ),
        False,
    ),
    Field(
        "enabledLayouts",
        (
            each(one_of(*LAYOUTS), f"enabledLayouts must contain only {LAYOUT_WORDS}"),
            part(
                lambda value: all(one in LAYOUTS for one in (value if isinstance(value, list) else [value])),
                "IsValidLayout",
                f"enabledLayouts must be an array containing {LAYOUT_WORDS}",
            ),
        ),
        False,
    ),
)
DEFAULT_AMONG_ENABLED = Whole(
    "defaultLayout",
    lambda value: (
        isinstance(value.get("enabledLayouts"), list)
        and value.get("defaultLayout") in value["enabledLayouts"]
    ),
    "If you pass the optional 'bookerLayouts' property, you must provide both 'bookerLayouts.defaultLayout'"
    " and 'bookerLayouts.enabledLayouts' and 'bookerLayouts.enabledLayouts' must include"
    " 'bookerLayouts.defaultLayout'",
    "isDefaultLayoutWithinEnabledLayouts",
)
SERIES_WITH_LIMIT = (
    "Can't have `recurrence` and `bookerActiveBookingsLimit` enabled at the same time - recurring events do"
    " not support maximum active bookings limit setting."
)
NOTHING_ENABLED = (
    "When disabled is false {disabled: false} at least one other property must be provided, because it means"
    " that the property is enabled but then other properties must be provided too."
)
VIDEO_SWITCHES = (
    "disableRecordingForOrganizer", "disableRecordingForGuests", "enableAutomaticRecordingForOrganizer",
    "enableAutomaticTranscription", "disableTranscriptionForGuests", "disableTranscriptionForOrganizer",
    "requireEmailForGuests",
)  # fmt: skip


def shape(new: bool, given: dict[str, Any]) -> tuple[Field, ...]:
    """Every field of a new event type, or of a change; what is said of limits depends on those given."""
    return (
        Field("lengthInMinutes", (INTEGER, at_least(1)), not new),
        Field("lengthInMinutesOptions", (ARRAY, NOT_EMPTY, UNIQUE, each(INTEGER), each(at_least(1)))),
        Field("title", (STRING,), not new),
        Field("slug", (STRING,), not new),
        Field("description", (STRING,)),
        Field("bookingFields"),
        Field("disableGuests", (BOOLEAN,)),
        Field("slotInterval", (INTEGER,)),
        Field("minimumBookingNotice", (INTEGER, at_least(0))),
        Field("beforeEventBuffer", (INTEGER,)),
        Field("afterEventBuffer", (INTEGER,)),
        Field("scheduleId", (INTEGER,)),
        Field("bookingLimitsCount", (COUNT_LIMITS.refuse(given.get("bookingLimitsCount")),)),
        Field("bookerActiveBookingsLimit", nested=active_limit),
        Field("onlyShowFirstAvailableSlot", (BOOLEAN,)),
        Field("bookingLimitsDuration", (DURATION_LIMITS.refuse(given.get("bookingLimitsDuration")),)),
        Field(
            "bookingWindow",
            (part(is_window, "ValidateBookingWindow", "Invalid bookingWindow structure."),),
        ),
        Field("offsetStart", (INTEGER, at_least(0))),
        Field("bookerLayouts", nested=KNOWN_LAYOUTS, whole=(DEFAULT_AMONG_ENABLED,)),
        Field(
            "confirmationPolicy",
            (
                part(
                    is_policy,
                    "ConfirmationPolicyValidator",
                    'Invalid requiresConfirmation structure. Use "type": "always" or provide a valid time and'
                    ' unit in "noticeThreshold" for "type": "time".',
                ),
            ),
        ),
        Field("recurrence", nested=RECURRENCE),
        Field("requiresBookerEmailVerification", (BOOLEAN,)),
        Field("hideCalendarNotes", (BOOLEAN,)),
        Field("lockTimeZoneToggleOnBookingPage", (BOOLEAN,)),
        Field("color"),
        Field("seats", nested=SEATS),
        Field("customName", (STRING,)),
        Field("destinationCalendar"),
        Field("useDestinationCalendarEmail", (BOOLEAN,)),
        Field("hideCalendarEventDetails", (BOOLEAN,)),
        Field("successRedirectUrl", (URL,)),
        Field("hideOrganizerEmail", (BOOLEAN,)),
        Field(
            "calVideoSettings",
            nested=(
                *(Field(name, (BOOLEAN,)) for name in VIDEO_SWITCHES),
                Field("redirectUrlOnExit", (URL,)),
            ),
        ),
        Field("hidden", (BOOLEAN,)),
        Field("bookingRequiresAuthentication", (BOOLEAN,)),
        Field("locations"),
    )


def read(body: Any, new: bool) -> dict[str, Any]:
    """The known fields of a body, all of the right shape. Raises ApiError."""
    body = body if isinstance(body, dict) else {}
    given = {name: value for name, value in body.items() if value is not None}
    # These refuse at once, whatever else is wrong.
    refuse_series_with_limit(given)
    if "locations" in given:
        location_forms.refuse_wrong(given["locations"])
    if "bookingFields" in given:
        booking_field_forms.refuse_wrong(given["bookingFields"])
    given = checked(shape(new, body), body)
    return {name: value for name, value in given.items() if value is not None}


def refuse_series_with_limit(given: dict[str, Any]) -> None:
    """Raise ApiError for a limit that says nothing, or one on a series."""
    limit, series = given.get("bookerActiveBookingsLimit"), given.get("recurrence")
    if not isinstance(limit, dict):
        return
    if limit.get("disabled") is False and not limit.keys() - {"disabled"}:
        raise refusal(400, NOTHING_ENABLED)
    if limit.keys() & {"maximumActiveBookings", "offerReschedule"} and (
        isinstance(series, dict) and "interval" in series
    ):
        raise refusal(400, SERIES_WITH_LIMIT)


def columns(given: dict[str, Any], before: Row | None) -> Row:
    """The columns that a body sets; `before` is the row that is changed, or None for a new one."""
    values: Row = {name: given[name] for name in SAME_NAME if name in given}
    values |= {column: given[name] for name, column in OTHER_NAME.items() if name in given}
    fields = given.get("bookingFields")
    if "disableGuests" in given:
        fields = booking_field_forms.with_guests_hidden(fields, given["disableGuests"])
    if fields is not None or before is None:
        values["bookingFields"] = booking_field_forms.stored(fields or [])
        guests = next(field for field in values["bookingFields"] if field["name"] == "guests")
        values["disableGuests"] = bool(guests.get("hidden"))
    if given.get("locations"):
        values["locations"] = location_forms.stored(given["locations"])
    for name, column in (
        ("bookingLimitsCount", "bookingLimits"),
        ("bookingLimitsDuration", "durationLimits"),
    ):
        if name in given:
            values[column] = by_period(given[name])
    if "color" in given:
        # Nothing of it is checked.
        color = given["color"] if isinstance(given["color"], dict) else {}
        values["eventTypeColor"] = {
            "lightEventTypeColor": color.get("lightThemeHex"),
            "darkEventTypeColor": color.get("darkThemeHex"),
        }
    return values | parts(given) | {"metadata": metadata(given, before)}


def by_period(given: dict[str, Any]) -> dict[str, int]:
    """Limits under the names of the table; none for those that are switched off."""
    if given.get("disabled"):
        return {}
    return {PERIODS[period]: number for period, number in given.items() if period in PERIODS and number}


def parts(given: dict[str, Any]) -> Row:
    """The columns of the parts that can be switched off."""
    values: Row = {}
    if "bookerActiveBookingsLimit" in given:
        limit = given["bookerActiveBookingsLimit"]
        off = is_disabled(limit)
        values["maxActiveBookingsPerBooker"] = None if off else limit.get("maximumActiveBookings")
        values["maxActiveBookingPerBookerOfferReschedule"] = (
            False if off else bool(limit.get("offerReschedule"))
        )
    if "bookingWindow" in given:
        values |= window(given["bookingWindow"])
    if "confirmationPolicy" in given:
        policy = given["confirmationPolicy"]
        on = not is_disabled(policy)
        values["requiresConfirmation"] = on
        values["requiresConfirmationWillBlockSlot"] = on and bool(
            policy.get("blockUnconfirmedBookingsInBooker")
        )
    if "recurrence" in given:
        values["recurringEvent"] = recurrence(given["recurrence"])
    if "seats" in given:
        seats = given["seats"]
        if is_disabled(seats):
            values["seatsPerTimeSlot"] = None
        elif "seatsPerTimeSlot" in seats:
            values["seatsPerTimeSlot"] = seats["seatsPerTimeSlot"]
            values["seatsShowAttendees"] = seats["showAttendeeInfo"]
            values["seatsShowAvailabilityCount"] = seats["showAvailabilityCount"]
    return values


def window(given: dict[str, Any]) -> Row:
    """The columns of a booking window."""
    if is_disabled(given):
        return {"periodType": "UNLIMITED"}
    if given["type"] == "range":
        if not given["value"]:
            return {}
        first, last = given["value"][0], given["value"][-1]
        return {
            "periodType": "RANGE",
            "periodStartDate": at_midnight(first),
            "periodEndDate": at_midnight(last),
        }
    return {
        "periodType": "ROLLING_WINDOW" if given.get("rolling") else "ROLLING",
        "periodDays": given["value"],
        "periodCountCalendarDays": given["type"] == "calendarDays",
    }


def at_midnight(day: str) -> datetime:
    """A day, or an instant, as an instant in UTC."""
    moment = datetime.fromisoformat(day)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def recurrence(given: dict[str, Any]) -> dict[str, int] | None:
    """A recurrence in the form of the table."""
    if given.get("disabled") or "interval" not in given:
        return None
    return {
        "interval": given["interval"],
        "count": given["occurrences"],
        "freq": FREQUENCIES.index(given["frequency"]),
    }


def metadata(given: dict[str, Any], before: Row | None) -> dict[str, Any]:
    """The type's metadata: its lengths, layouts and notice threshold; a caller's own are dropped."""
    values = dict((before or {}).get("metadata") or {})
    if "bookerLayouts" in given:
        layouts = given["bookerLayouts"]
        values["bookerLayouts"] = {
            "defaultLayout": f"{layouts['defaultLayout']}_view",
            "enabledLayouts": [f"{layout}_view" for layout in layouts["enabledLayouts"]],
        }
    if "confirmationPolicy" in given:
        threshold = given["confirmationPolicy"].get("noticeThreshold")
        values.pop("requiresConfirmationThreshold", None)
        if threshold and not is_disabled(given["confirmationPolicy"]):
            values["requiresConfirmationThreshold"] = {"time": threshold["count"], "unit": threshold["unit"]}
    if "lengthInMinutesOptions" in given:
        values["multipleDuration"] = given["lengthInMinutesOptions"]
    return values


def refuse_senseless(
    connection: Connection, user: Row, given: dict[str, Any], values: Row, before: Row | None
) -> None:
    """Raise ApiError for what is well-formed and cannot be (FACTS §5, rules that yield 400)."""
    location_forms.refuse_unconnected(connection, user["id"], given.get("locations") or [])
    after = (before or {}) | values
    seats = after.get("seatsPerTimeSlot")
    if seats and len(after.get("locations") or []) > 1:
        raise refusal(400, "Seats Validation failed: Seats are enabled but more than one location provided.")
    if seats and after.get("requiresConfirmation"):
        raise refusal(400, "Seats Validation failed: Seats are enabled but requiresConfirmation is true.")
    for variable in re.findall(r"\{(.+?)\}", given.get("customName") or ""):
        names = {field["name"] for field in after.get("bookingFields") or []}
        if variable not in NAME_VARIABLES | names:
            raise refusal(400, f"Invalid event name variables: {{{variable}}}")
    if given.get("destinationCalendar"):
        raise refusal(400, "Invalid destinationCalendarId: Calendar does not exist")
    if given.get("useDestinationCalendarEmail"):
        raise refusal(
            400,
            "Validation failed: A primary connected calendar is required to set useDestinationCalendarEmail",
        )
    email = next((field for field in values.get("bookingFields") or [] if field["name"] == "email"), None)
    if email and (not email["required"] or email.get("hidden")):
        raise refusal(400, "checkIsEmailUserAccessible - Email booking field must be required and visible")


def refuse_schedule(connection: Connection, user: Row, schedule_id: int | None) -> None:
    """Raise ApiError with 404 for a schedule that the user does not own."""
    if schedule_id and not one(
        connection, 'SELECT id FROM "Schedule" WHERE id = %s AND "userId" = %s', (schedule_id, user["id"])
    ):
        raise refusal(404, f"User with ID={user['id']} does not own schedule with ID={schedule_id}")
