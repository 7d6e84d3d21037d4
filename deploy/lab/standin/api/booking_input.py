"""What a guest sends to book over API v2 (2024-08-13): checked, and turned into the form's answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from ..core import booking_fields, bookings
from ..database import Row
from . import location_forms
from .errors import ApiError, refusal
from .validation import (
    ARRAY,
    BOOLEAN,
    DEFINED,
    INTEGER,
    ISO_DATE_STRING,
    OBJECT,
    STRING,
    ZONE,
    Check,
    Field,
    Whole,
    at_least,
    each,
    is_web_url,
    one_of,
)

PHONE = "attendeePhoneNumber"
PHONE_MISSING = (
    'Missing attendee phone number - it is required by the event type. Pass it as "attendee.phoneNumber"'
    " string in the request."
)

METADATA_KEYS, METADATA_KEY_LENGTH, METADATA_TEXT_LENGTH = 50, 40, 500

LANGUAGES = (
    "ar", "ca", "de", "es", "eu", "he", "id", "ja", "lv", "pl", "ro", "sr", "th", "vi", "az", "cs", "el",
    "es-419", "fi", "hr", "it", "km", "nl", "pt", "ru", "sv", "tr", "zh-CN", "bg", "da", "en", "et", "fr",
    "hu", "iw", "ko", "no", "pt-BR", "sk", "ta", "uk", "zh-TW", "bn",
)  # fmt: skip


def is_metadata(value: Any) -> bool:
    """Whether this fits into a booking's metadata (FACTS §5)."""
    return (
        isinstance(value, dict)
        and len(value) <= METADATA_KEYS
        and all(len(key) <= METADATA_KEY_LENGTH for key in value)
        and all(not isinstance(each, str) or len(each) <= METADATA_TEXT_LENGTH for each in value.values())
    )


METADATA = Check(
    "ValidateMetadata",
    is_metadata,
    "Metadata must have at most 50 keys, each key up to 40 characters, and string values up to 500"
    " characters.",
)

ATTENDEE = (
    Field("name", (STRING,), False),
    Field("timeZone", (ZONE,), False),
    Field("phoneNumber", (location_forms.PHONE,)),
    Field("language", (one_of(*LANGUAGES),)),
    Field("email", (STRING,)),
)
REACHABLE = Whole(
    "attendee email or phone",
    lambda given: bool(given.get("email") or given.get("phoneNumber")),
    "Attendee must have at least one contact method (email or phone number)",
)
CREATION = (
    Field("start", (ISO_DATE_STRING,), False),
    Field("attendee", (DEFINED,), False, ATTENDEE, (REACHABLE,)),
    Field("bookingFieldsResponses", (OBJECT,)),
    Field("eventTypeId", (INTEGER,)),
    Field("eventTypeSlug", (STRING,)),
    Field("username", (STRING,)),
    Field("teamSlug", (STRING,)),
    Field("organizationSlug", (STRING,)),
    Field("guests", (ARRAY, each(STRING))),
    Field("meetingUrl", (STRING,)),
    Field("location"),
    Field("metadata", (METADATA, OBJECT)),
    Field("lengthInMinutes", (at_least(1), INTEGER)),
    Field("routing", (OBJECT,)),
    Field("emailVerificationCode", (STRING,)),
    Field("recurrenceCount", (at_least(1), INTEGER)),
    Field("instant", (BOOLEAN,)),
)
NAMED = Whole(
    "eventTypeId or eventTypeSlug + username",
    lambda given: bool(
        given.get("eventTypeId")
        or (given.get("eventTypeSlug") and (given.get("username") or given.get("teamSlug")))
    ),
    "Either eventTypeId or eventTypeSlug + username or eventTypeSlug + teamSlug must be provided",
)

MOVE = (
    Field("start", (ISO_DATE_STRING,), False),
    Field("rescheduledBy", (STRING,)),
    Field("reschedulingReason", (STRING,)),
    Field("seatUid", (STRING,)),
    Field("emailVerificationCode", (STRING,)),
)
CANCELLATION = (
    Field("cancellationReason", (STRING,)),
    Field("cancelSubsequentBookings", (BOOLEAN,)),
    Field("seatUid", (STRING,)),
)

# What each kind of question takes: how the type is called, and what it is for Python.
TEXTS = ("phone", "address", "text", "textarea", "url")
KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    **dict.fromkeys(TEXTS, ("string", (str,))),
    "number": ("number", (int, float)),
    "multiemail": ("array", (list,)),
    "multiselect": ("array", (list,)),
    "checkbox": ("array", (list,)),
    "boolean": ("boolean", (bool,)),
    "select": ("string or number", (str, int, float)),
    "radio": ("string or number", (str, int, float)),
}


def moment_of(text: str) -> datetime:
    """A start in UTC; without a zone it means UTC."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def spoken_type(value: Any) -> str:
    """The name of a value's type in JavaScript."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "object"


def refuse_answers(event_type: Row, given: dict[str, Any]) -> None:
    """Raise ApiError for an answer to one of the host's own questions that is missing or does not fit."""
    answers = dict(given.get("bookingFieldsResponses") or {})
    if given["attendee"].get("phoneNumber"):
        answers[PHONE] = given["attendee"]["phoneNumber"]
    for field in event_type["bookingFields"] or []:
        if booking_fields.is_system(field):
            continue
        name, kind, value = field["name"], field["type"], answers.get(field["name"])
        if field.get("required") and value is None:
            if name == PHONE:
                raise refusal(400, PHONE_MISSING)
            raise refusal(
                400,
                f"Missing required booking field response: {name} - it is required by the event type booking"
                " fields, but missing in the bookingFieldsResponses. You can fetch the event type with ID"
                f" {event_type['id']} to see the required fields.",
            )
        if name not in answers or kind not in KINDS:
            continue
        expected, types = KINDS[kind]
        if not isinstance(value, types) or (isinstance(value, bool) and kind != "boolean"):
            raise refusal(
                400,
                f"Invalid type for booking field '{name}'. Expected type {expected} (compatible with"
                " field type"
                f" '{kind}'), but received {spoken_type(value)}.",
            )
        refuse_option(field, value)


def refuse_option(field: booking_fields.Field, value: Any) -> None:
    """Raise ApiError for a choice that the question does not offer."""
    options = [str(option["value"]) for option in field.get("options") or []]
    if not options:
        return
    offered = ", ".join(options)
    if isinstance(value, list):
        if not all(str(each) in options for each in value):
            raise refusal(
                400,
                f"One or more invalid options for booking field '{field['name']}'. Allowed options are:"
                f" {offered}.",
            )
    elif str(value) not in options:
        raise refusal(
            400,
            f"Invalid option '{value}' for booking field '{field['name']}'. Allowed options are: {offered}.",
        )


def length_of(event_type: Row, given: dict[str, Any]) -> int:
    """How many minutes to book. Raises ApiError for a length that the type has not."""
    lengths: list[int] = (event_type["metadata"] or {}).get("multipleDuration") or []
    length = given.get("lengthInMinutes")
    if length and not lengths:
        raise refusal(
            400,
            "Can't specify 'lengthInMinutes' because event type does not have multiple possible lengths."
            " Please,"
            " remove the 'lengthInMinutes' field from the request.",
        )
    if length and length not in lengths:
        raise refusal(
            400,
            "Provided 'lengthInMinutes' is not one of the possible lengths for the event type. The possible"
            f" lengths are: {', '.join(map(str, lengths))}",
        )
    return int(length or event_type["length"])


def location_of(event_type: Row, given: dict[str, Any]) -> dict[str, str] | None:
    """The guest's choice of a place as the form has it. Raises ApiError for one that is not offered."""
    chosen = given.get("location") or given.get("meetingUrl")
    if not chosen:
        return None
    if isinstance(chosen, str):
        return free_location(chosen)
    if not isinstance(chosen, dict):
        raise refusal(400, "location property is wrong,location must be an object ")
    offered = location_forms.shown(event_type["locations"])
    kinds = [location["type"] for location in offered]
    kind = str(chosen.get("type"))
    if kind not in kinds:
        raise refusal(
            400,
            f"Booking location with type {kind} not valid for event type with id={event_type['id']}. The"
            " event"
            f" type has following location types: {', '.join(kinds)}, and only these types are allowed for"
            " booking location.",
        )
    if kind == "integration":
        return integration(event_type, offered, chosen)
    details = {"attendeeAddress": "address", "attendeePhone": "phone", "attendeeDefined": "location"}
    inner = location_forms.BARE.get(kind) or location_forms.DETAILED[kind][0]
    return {"value": inner, "optionValue": str(chosen.get(details.get(kind, ""), ""))}


def integration(event_type: Row, offered: list[dict[str, Any]], chosen: dict[str, Any]) -> dict[str, str]:
    """A conferencing app as the place."""
    names = [location["integration"] for location in offered if location["type"] == "integration"]
    if chosen.get("integration") not in names:
        raise refusal(
            400,
            f"Booking location with integration {chosen.get('integration')} not valid for event type with"
            f" id={event_type['id']}. The event type has following integrations: {', '.join(names)}, and only"
            " these integrations are allowed for booking location.",
        )
    return {"value": location_forms.stored_location(chosen)["type"], "optionValue": ""}


def free_location(text: str) -> dict[str, str]:
    """A place given as a bare text: an address on the web, a number, or anything."""
    if is_web_url(text) or text.startswith("www."):
        return {"value": "link", "optionValue": text}
    if location_forms.is_phone_number(text):
        return {"value": "phone", "optionValue": text}
    return {"value": "somewhereElse", "optionValue": text}


def answers_of(event_type: Row, given: dict[str, Any]) -> dict[str, Any]:
    """The form's answers."""
    attendee = given["attendee"]
    answers = dict(given.get("bookingFieldsResponses") or {})
    answers |= {"email": attendee.get("email") or "", "name": attendee["name"]}
    optional = {
        PHONE: attendee.get("phoneNumber"),
        "guests": given.get("guests"),
        "location": location_of(event_type, given),
    }
    return answers | {name: value for name, value in optional.items() if value is not None}


def refuse_form(event_type: Row, answers: dict[str, Any], rescheduling: bool) -> None:
    """Raise ApiError where the booking form itself would refuse the answers."""
    known = {name: value for name, value in answers.items() if name != "email" or value or rescheduling}
    wrong = bookings.problems_of_answers(event_type, known, rescheduling)
    if answers.get(PHONE) and not answers.get("email"):
        wrong = [problem for problem in wrong if not problem.startswith("{email}")]
    if wrong:
        raise ApiError(400, "BAD_REQUEST", "".join(f"responses - {problem}, " for problem in wrong))


def is_sane_uid(uid: str) -> bool:
    """Whether a text can be a booking's uid at all."""
    return bool(re.match(r"^[\w@.-]+$", uid))
