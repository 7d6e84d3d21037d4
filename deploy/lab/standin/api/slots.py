"""`/v2/slots`: when a guest can book, and holding a slot for a while (2024-09-04)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ..core import availability, bookings, event_types, people, slots
from ..core.identifiers import new_uuid
from ..core.payloads import iso
from ..core.slots import Interval
from ..database import Connection, Row, insert, one, rows, update
from .errors import refusal
from .routing import NOBODY, OPTIONAL, Call, Route, success
from .validation import (
    ARRAY,
    INTEGER,
    ISO_DATE_STRING,
    NUMBER,
    STRING,
    ZONE,
    Check,
    Field,
    checked,
    checked_in_words,
    each,
    number_of,
    one_of,
)

VERSIONS = ("2024-09-04",)
RESERVED_MINUTES = 5

FORMATS = ("range", "time")
QUESTION = (
    Field("start", (ISO_DATE_STRING,), False),
    Field("end", (ISO_DATE_STRING,), False),
    Field("timeZone", (ZONE,)),
    Field("duration", (NUMBER,)),
    Field("format", (one_of(*FORMATS, message="slotFormat must be either 'range' or 'time'"), STRING)),
    Field("bookingUidToReschedule", (STRING,)),
    Field("rrHostSubsetIds"),
)
TYPE = Field("type", (STRING,))
SLUG, ORGANISATION = Field("eventTypeSlug", (STRING,), False), Field("organizationSlug", (STRING,))
TWO_OR_MORE = Check(
    "arrayMinSize",
    lambda value: isinstance(value, list) and len(value) > 1,
    "The array must contain at least 2 elements.",
)
# How an event type is named, the first one that fits: what a question then has beside the general.
BY_ID = (TYPE, Field("eventTypeId", (NUMBER,), False))
BY_USERNAME = (TYPE, SLUG, Field("username", (STRING,), False), ORGANISATION)
BY_TEAM = (TYPE, SLUG, Field("teamSlug", (STRING,), False), ORGANISATION)
BY_USERNAMES = (
    TYPE,
    Field("usernames", (each(STRING), TWO_OR_MORE, ARRAY), False),
    Field("organizationSlug", (STRING,), False),
)
RESERVATION = (
    Field("eventTypeId", (INTEGER,), False),
    Field("slotStart", (ISO_DATE_STRING,), False),
    Field("slotDuration", (INTEGER,)),
    Field("reservationDuration", (INTEGER,)),
)
NUMBERS = ("eventTypeId", "duration")


def moment_of(text: str) -> datetime:
    """An instant, or a day, in UTC."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def end_of(text: str) -> datetime:
    """The end of a window: an instant, or the end of a day where that is all there is."""
    moment = moment_of(text)
    if (moment.hour, moment.minute, moment.second) == (0, 0, 0):
        return moment.replace(hour=23, minute=59, second=59)
    return moment


def asked(call: Call) -> dict[str, Any]:
    """The checked question. Raises ApiError."""
    query: dict[str, Any] = dict(call.query)
    for name in NUMBERS:
        if name in query:
            query[name] = number_of(query[name])
    if "usernames" in query:
        query["usernames"] = [name.strip() for name in query["usernames"].split(",")]
    if "format" in query:
        query["format"] = query["format"].lower() or None
    return checked_in_words((*naming(query), *QUESTION), (), query)


def naming(query: dict[str, Any]) -> tuple[Field, ...]:
    """The fields by which a question names its event type."""
    if "eventTypeId" in query:
        return BY_ID
    if "eventTypeSlug" in query and "username" in query:
        return BY_USERNAME
    return BY_TEAM if "eventTypeSlug" in query and "teamSlug" in query else BY_USERNAMES


def type_of(connection: Connection, given: dict[str, Any]) -> tuple[Row, Row]:
    """The event type that is asked for, and its host. Raises ApiError with 404."""
    event_type = None
    if given.get("eventTypeId") is not None:
        known = abs(given["eventTypeId"]) < 2**31
        event_type = event_types.by_id(connection, given["eventTypeId"]) if known else None
    elif given.get("username"):
        if people.by_username(connection, given["username"]) is None:
            raise refusal(404, f"User with username {given['username']} not found")
        found = event_types.by_slug(connection, given["username"], given["eventTypeSlug"])
        event_type = found[1] if found else None
    elif given.get("teamSlug"):
        raise refusal(404, f"Team with slug {given['teamSlug']} not found")
    host = event_types.host_of(connection, event_type) if event_type else None
    if event_type is None or host is None:
        raise refusal(404, "Event Type not found")
    return event_type, host


def free(call: Call) -> dict[str, Any]:
    """The free slots of a window by day; those of holidays are left out."""
    given = asked(call)
    with call.instance.database.transaction() as connection:
        event_type, host = type_of(connection, given)
        window = Interval(moment_of(given["start"]), end_of(given["end"]))
        if window.end <= window.start:
            raise refusal(400, "Invalid time range given - check the 'start' and 'end' query parameters.")
        zone = given.get("timeZone")
        starts = availability.free_starts(
            connection,
            event_type,
            host,
            window,
            call.now(),
            zone or "UTC",
            length=given.get("duration"),
            reschedule_uid=given.get("bookingUidToReschedule"),
        )
        away = availability.holidays(connection, host["id"], window)
        starts = [start for start in starts if not any(each.start <= start < each.end for each in away)]
        shared = shared_bookings(connection, event_type, window)
    length = timedelta(minutes=given.get("duration") or event_type["length"])
    days = slots.by_day(starts, event_type["lockedTimeZone"] or zone or "UTC")
    ranged = given.get("format") == "range"
    return {
        "data": {
            day: [
                shown(start, length, zone, ranged) | seats_at(event_type, shared.get(start)) for start in each
            ]
            for day, each in days.items()
        },
        "status": "success",
    }


def shared_bookings(connection: Connection, event_type: Row, window: Interval) -> dict[datetime, Row]:
    """The bookings of a type with seats by their starts, with how many seats are taken."""
    if not event_type["seatsPerTimeSlot"]:
        return {}
    found = rows(
        connection,
        'SELECT b.uid, b."startTime", count(a.id) AS taken FROM "Booking" b JOIN "Attendee" a'
        ' ON a."bookingId" = b.id WHERE b."eventTypeId" = %s AND b.status = \'accepted\''
        ' AND b."startTime" >= %s AND b."startTime" < %s GROUP BY b.id',
        (event_type["id"], window.start, window.end),
    )
    return {row["startTime"]: row for row in found}


def seats_at(event_type: Row, booking: Row | None) -> dict[str, Any]:
    """What a slot says of its seats, where its type has any."""
    total = event_type["seatsPerTimeSlot"]
    if not total:
        return {}
    taken = booking["taken"] if booking else 0
    counts = {"seatsBooked": taken, "seatsRemaining": total - taken, "seatsTotal": total}
    return counts | ({"bookingUid": booking["uid"]} if booking else {})


def shown(start: datetime, length: timedelta, zone: str | None, ranged: bool) -> dict[str, str]:
    """One slot, in the zone that was asked for."""
    slot = {"start": in_zone(start, zone)}
    return slot | ({"end": in_zone(start + length, zone)} if ranged else {})


def in_zone(moment: datetime, zone: str | None) -> str:
    """An instant with the offset of a zone; with a Z where none was asked for, or where it is UTC."""
    local = moment.astimezone(ZoneInfo(zone or "UTC"))
    text = local.isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z" if zone in (None, "UTC", "Etc/UTC") else text


def booked_type(connection: Connection, type_id: int) -> Row:
    """The event type of a reservation. Raises ApiError with 404."""
    event_type = event_types.by_id(connection, type_id) if abs(type_id) < 2**31 else None
    if event_type is None:
        raise refusal(404, f"Event Type with ID={type_id} not found")
    return event_type


def wanted_slot(event_type: Row, given: dict[str, Any]) -> Interval:
    """The slot that a reservation asks for. Raises ApiError for a length that the type has not."""
    lengths: Sequence[int] | None = (event_type["metadata"] or {}).get("multipleDuration")
    length = given.get("slotDuration")
    if length and not lengths:
        raise refusal(
            400, "You passed 'slotDuration' but this event type is not a variable length event type."
        )
    if length and length not in (lengths or ()):
        raise refusal(
            400,
            "Provided 'slotDuration' is not one of the possible lengths for the event type. The possible"
            f" lengths for this variable length event type are: {', '.join(map(str, lengths or ()))}",
        )
    start = moment_of(given["slotStart"])
    return Interval(start, start + timedelta(minutes=length or event_type["length"]))


def refuse_taken(
    call: Call, connection: Connection, event_type: Row, wanted: Interval, given_start: str
) -> None:
    """Raise ApiError with 422 for a slot that is booked or held, be it by the reservation that is changed."""
    booking = one(
        connection,
        'SELECT id FROM "Booking" WHERE "eventTypeId" = %s AND "startTime" < %s AND "endTime" > %s'
        " AND status IN ('accepted', 'pending', 'awaiting_host')",
        (event_type["id"], wanted.end, wanted.start),
    )
    if booking and not event_type["seatsPerTimeSlot"]:
        raise refusal(422, "Can't reserve a slot if the event is already booked.")
    if booking and len(bookings.attendees_of(connection, booking["id"])) >= event_type["seatsPerTimeSlot"]:
        raise refusal(422, f"Booking with id={event_type['id']} at {given_start} has no more seats left.")
    held = one(
        connection,
        'SELECT id FROM "SelectedSlots" WHERE "eventTypeId" = %s AND "slotUtcStartDate" < %s'
        ' AND "slotUtcEndDate" > %s AND "releaseAt" > %s',
        (event_type["id"], wanted.end, wanted.start, call.now()),
    )
    if held:
        raise refusal(
            422, "This time slot is already reserved by another user. Please choose a different time."
        )


def reserve(call: Call) -> dict[str, Any]:
    """Hold a slot for five minutes, or for as long as the event type's owner says."""
    given = checked(RESERVATION, call.body)
    minutes = given.get("reservationDuration")
    if minutes and call.user is None:
        raise refusal(
            401,
            "reservationDuration can only be used for authenticated requests - use access token, api key or"
            " OAuth credentials",
        )
    uid = new_uuid()
    with call.instance.database.transaction() as connection:
        event_type = booked_type(connection, given["eventTypeId"])
        if minutes and call.caller["id"] != event_type["userId"]:
            raise refusal(
                403,
                "authenticated user is not owner of event type, does not have memberships in common with"
                " owner"
                " of the event type, nor does belong to event type's team or org.",
            )
        wanted = wanted_slot(event_type, given)
        refuse_taken(call, connection, event_type, wanted, given["slotStart"])
        minutes = minutes or RESERVED_MINUTES
        host = event_types.host_of(connection, event_type)
        if host is None:
            raise refusal(400, "Cannot reserve a slot for a team event without any hosts")
        slot = insert(
            connection,
            "SelectedSlots",
            {
                "eventTypeId": event_type["id"],
                "userId": host["id"],
                "slotUtcStartDate": wanted.start,
                "slotUtcEndDate": wanted.end,
                "uid": uid,
                "releaseAt": call.now() + timedelta(minutes=minutes),
                "isSeat": event_type["seatsPerTimeSlot"] is not None,
            },
        )
    return success(reservation(slot) | {"reservationDuration": minutes})


def reservation(slot: Row) -> dict[str, Any]:
    """A held slot."""
    start, end = slot["slotUtcStartDate"], slot["slotUtcEndDate"]
    return {
        "eventTypeId": slot["eventTypeId"],
        "slotStart": iso(start),
        "slotEnd": iso(end),
        "slotDuration": int((end - start).total_seconds() // 60),
        "reservationUid": slot["uid"],
        "reservationUntil": iso(slot["releaseAt"]),
    }


def by_uid(connection: Connection, uid: str) -> Row | None:
    """A held slot, or None."""
    return one(connection, 'SELECT * FROM "SelectedSlots" WHERE uid = %s', (uid,))


def read(call: Call) -> dict[str, Any]:
    """A held slot, or null."""
    with call.instance.database.transaction() as connection:
        slot = by_uid(connection, call.params["uid"])
    return success(reservation(slot) if slot else None)


def change(call: Call) -> dict[str, Any]:
    """Hold another slot instead."""
    given = checked(RESERVATION, call.body)
    uid = call.params["uid"]
    with call.instance.database.transaction() as connection:
        slot = by_uid(connection, uid)
        if slot is None:
            raise refusal(404, f"Slot with uid={uid} not found")
        event_type = booked_type(connection, given["eventTypeId"])
        wanted = wanted_slot(event_type, given)
        refuse_taken(call, connection, event_type, wanted, given["slotStart"])
        minutes = given.get("reservationDuration") or RESERVED_MINUTES
        changed = update(
            connection,
            "SelectedSlots",
            {"id": slot["id"]},
            {
                "eventTypeId": event_type["id"],
                "slotUtcStartDate": wanted.start,
                "slotUtcEndDate": wanted.end,
                "releaseAt": call.now() + timedelta(minutes=minutes),
            },
        )
    return success(reservation(changed or slot) | {"reservationDuration": minutes})


def delete(call: Call) -> dict[str, Any]:
    """Give a held slot back."""
    with call.instance.database.transaction() as connection:
        availability.release(connection, call.params["uid"])
    return {"status": "success"}


ROUTES = [
    Route("GET", "/v2/slots", free, NOBODY, versions=VERSIONS),
    Route("POST", "/v2/slots/reservations", reserve, OPTIONAL, versions=VERSIONS, status=201),
    Route("GET", "/v2/slots/reservations/{uid}", read, NOBODY, versions=VERSIONS),
    Route("PATCH", "/v2/slots/reservations/{uid}", change, NOBODY, versions=VERSIONS),
    Route("DELETE", "/v2/slots/reservations/{uid}", delete, NOBODY, versions=VERSIONS),
]
