"""`/v2/bookings`: making, reading, moving, cancelling, confirming, and who did not come (2024-08-13)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from ..core import bookings, event_types, people, seats, webhooks
from ..core.identifiers import new_uuid
from ..core.payloads import iso
from ..core.refusals import RefusalError
from ..database import Connection, Row, rows, update
from . import booking_input, booking_list, booking_output
from .booking_input import moment_of
from .errors import refusal
from .routing import OPTIONAL, Call, Route, success
from .validation import (
    ARRAY,
    BOOLEAN,
    EMAIL,
    INTEGER,
    NOT_EMPTY_LIST,
    OBJECT,
    STRING,
    ZONE,
    Field,
    checked,
    checked_in_words,
)

CURRENT = ("2024-08-13", "2024-09-04")
OLD = ("2024-04-15", "2024-06-11", "2024-06-14")
SOURCE = "api_v2"

TAKEN = "User either already has booking at this time or is not available"
TOO_MANY = (
    "Attendee with this email can't book because the maximum number of active bookings has been reached."
)
OUT_OF_BOUNDS = (
    "The event type can't be booked at the \"start\" time provided. This could be because it's too soon"
    " (violating"
    " the minimum booking notice) or too far in the future (outside the event's scheduling window). Try"
    " fetching"
    ' available slots first using the GET /v2/slots endpoint and then make a booking with "start" time'
    " equal to"
    " one of the available slots: https://cal.com/docs/api-reference/v2/slots"
)
NO_SEATS = "No more seats left at this seated booking."
PAST = "Attempting to book a meeting in the past."

# What a refusal of the shared booking says here; all others are told of in their own words.
TOLD = {
    bookings.NO_HOST_FREE: TAKEN,
    bookings.OUT_OF_BOUNDS: OUT_OF_BOUNDS,
    "booker_limit_exceeded_error": TOO_MANY,
}

OLD_CREATION = (
    Field("end", (STRING,)),
    Field("start", (STRING,), False),
    Field("eventTypeId", (INTEGER,), False),
    Field("eventTypeSlug", (STRING,)),
    Field("rescheduleUid", (STRING,)),
    Field("timeZone", (ZONE,), False),
    Field("language", (STRING,), False),
    Field("metadata", (OBJECT,), False),
    Field("responses", (OBJECT,)),
)

ABSENT = (Field("email", (EMAIL,), False), Field("absent", (BOOLEAN,), False))
ABSENCE = (
    Field("host", (BOOLEAN,)),
    Field("attendees", (ARRAY, NOT_EMPTY_LIST), nested=ABSENT, listed=True),
)


def booked(call: Call, type_id: int, request: bookings.Request) -> bookings.Made:
    """Book as the booking page does. Raises ApiError in the API's words."""
    try:
        made = bookings.book(call.instance, type_id, request)
    except RefusalError as error:
        if error.message == seats.FULL:
            raise refusal(409, NO_SEATS) from error
        status = 404 if error.code == "NOT_FOUND" else 400
        raise refusal(status, TOLD.get(error.message, error.message)) from error
    call.queue.add()
    return made


def wanted_type(connection: Connection, given: dict[str, Any]) -> Row:
    """The event type that is to be booked. Raises ApiError with 404."""
    if given.get("eventTypeId"):
        type_id = given["eventTypeId"]
        event_type = event_types.by_id(connection, type_id) if abs(type_id) < 2**31 else None
        if event_type is None:
            raise refusal(404, f"Event type with id {type_id} not found.")
        return event_type
    if given.get("username"):
        username, slug = given["username"], given["eventTypeSlug"]
        if people.by_username(connection, username) is None:
            raise refusal(404, f"User with username {username} not found")
        found = event_types.by_slug(connection, username, slug)
        if found is None:
            raise refusal(404, f"Event type with slug {slug} belonging to user {username} not found.")
        return found[1]
    raise refusal(404, f"Team with slug {given['teamSlug']} not found")


def refuse_stranger(call: Call, event_type: Row) -> None:
    """Raise ApiError for a guest where only the owner may book."""
    if not event_type["bookingRequiresAuthentication"]:
        return
    if call.user is None:
        raise refusal(
            401,
            "checkBookingRequiresAuthentication - request must be authenticated by passing credentials"
            " belonging"
            " to event type owner, host or team or org admin or owner.",
        )
    if call.user["id"] != event_type["userId"]:
        raise refusal(
            403,
            "checkBookingRequiresAuthentication - user is not authorized to access this event type. User"
            " has to be"
            " either event type owner, host, team admin or owner or org admin or owner.",
        )


def create(call: Call) -> dict[str, Any]:
    """Book an event type, or each time of a recurring one."""
    given = checked_in_words(booking_input.CREATION, (booking_input.NAMED,), call.body)
    with call.instance.database.transaction() as connection:
        event_type = wanted_type(connection, given)
    refuse_stranger(call, event_type)
    booking_input.refuse_answers(event_type, given)
    length = timedelta(minutes=booking_input.length_of(event_type, given))
    answers = booking_input.answers_of(event_type, given)
    booking_input.refuse_form(event_type, answers, rescheduling=False)
    starts = list(starts_of(event_type, moment_of(given["start"]), given.get("recurrenceCount")))
    series = new_uuid() if event_type["recurringEvent"] else None
    attendee = given["attendee"]
    made = [
        booked(
            call,
            event_type["id"],
            bookings.Request(
                start=start,
                end=start + length,
                time_zone=attendee["timeZone"],
                language=attendee.get("language") or "en",
                responses=answers,
                metadata=given.get("metadata") or {},
                creation_source=SOURCE,
                recurring_event_id=series,
            ),
        )
        for start in starts
    ]
    if series:
        return success(series_of(call, series))
    seat = {"seatUid": made[0].seat_uid} if made[0].seat_uid else {}
    return success(read_back(call, made[0].booked.booking["uid"]) | seat)


def starts_of(event_type: Row, start: datetime, count: int | None) -> Iterator[datetime]:
    """When to book: once, or as often as the type recurs. Raises ApiError for more often than that."""
    rule = event_type["recurringEvent"]
    if not rule:
        if count:
            raise refusal(404, f"Event type with id={event_type['id']} is not a recurring event")
        yield start
        return
    if count and count > rule["count"]:
        raise refusal(400, "Provided recurrence count is higher than the event type's recurring event count.")
    for turn in range(count or rule["count"]):
        yield moved(start, rule["freq"], turn * rule["interval"])


def moved(start: datetime, frequency: int, steps: int) -> datetime:
    """A start some years (0), months (1) or weeks (2) later; a month's last day stays its last day."""
    if frequency == 2:
        return start + timedelta(weeks=steps)
    months = start.year * 12 + start.month - 1 + (steps * 12 if frequency == 0 else steps)
    for day in range(start.day, 27, -1):
        try:
            return start.replace(year=months // 12, month=months % 12 + 1, day=day)
        except ValueError:
            continue
    return start.replace(year=months // 12, month=months % 12 + 1)


def read_back(call: Call, uid: str) -> dict[str, Any]:
    """A booking as it is stored. Raises ApiError with 404."""
    with call.instance.database.transaction() as connection:
        return booking_output.in_form(connection, stored(connection, uid), call.user)


def stored(connection: Connection, uid: str) -> Row:
    """A booking's row. Raises ApiError with 404."""
    booking = bookings.by_uid(connection, uid) if booking_input.is_sane_uid(uid) else None
    if booking is None:
        raise refusal(404, f"Booking with uid={uid} was not found in the database")
    return booking


def of_series(connection: Connection, uid: str) -> list[Row]:
    """The bookings of a recurring series, the first one first."""
    return rows(
        connection, 'SELECT * FROM "Booking" WHERE "recurringEventId" = %s ORDER BY "startTime", id', (uid,)
    )


def series_of(call: Call, uid: str) -> list[dict[str, Any]]:
    """The bookings of a recurring series, as they are shown."""
    with call.instance.database.transaction() as connection:
        return [booking_output.in_form(connection, each, call.user) for each in of_series(connection, uid)]


def read(call: Call) -> dict[str, Any]:
    """A booking by its uid, or all of a recurring series by the series' own, for anybody who knows it."""
    uid = call.params["uid"]
    series = series_of(call, uid)
    return success(series or read_back(call, uid))


def listed(call: Call) -> dict[str, Any]:
    """The caller's bookings."""
    return booking_list.listed(call)


def reschedule(call: Call) -> dict[str, Any]:
    """Move a booking: a new one is made, the old one is cancelled."""
    given = checked_in_words(booking_input.MOVE, (), call.body)
    with call.instance.database.transaction() as connection:
        former = stored(connection, call.params["uid"])
        refuse_cancelled(connection, former)
        if former["eventTypeId"] is None:
            raise refusal(404, f"Booking with uid={former['uid']} is missing event type")
        guests = bookings.attendees_of(connection, former["id"])
        seat = seat_to_move(connection, former, given.get("seatUid"))
    guest = next((each for each in guests if seat and each["id"] == seat["attendeeId"]), guests[0])
    stored_answers = seat["data"]["responses"] if seat else former["responses"]
    answers = dict(stored_answers or {}) or {"name": guest["name"], "email": guest["email"]}
    if given.get("reschedulingReason"):
        answers["rescheduledReason"] = given["reschedulingReason"]
    start = moment_of(given["start"])
    made = booked(
        call,
        former["eventTypeId"],
        bookings.Request(
            start=start,
            end=start + (former["endTime"] - former["startTime"]),
            time_zone=guest["timeZone"],
            language=guest["locale"] or "en",
            responses=answers,
            metadata=(seat or former)["metadata"] or {},
            reschedule_uid=None if seat else former["uid"],
            rescheduled_by=given.get("rescheduledBy"),
            creation_source=SOURCE,
        ),
    )
    if seat:
        leave(call, former, seat, "")
        return success(read_back(call, made.booked.booking["uid"]) | {"seatUid": made.seat_uid})
    return success(read_back(call, made.booked.booking["uid"]))


def seat_to_move(connection: Connection, former: Row, uid: str | None) -> Row | None:
    """The seat that is to be moved, or None for a booking without seats. Raises ApiError."""
    kind = event_types.by_id(connection, former["eventTypeId"])
    if uid:
        seat = seats.by_uid(connection, uid)
        if seat is None or seat["bookingId"] != former["id"]:
            raise refusal(404, f"Seat with uid={uid} does not exist.")
        return seat
    if kind and kind["seatsPerTimeSlot"]:
        raise refusal(
            400,
            f"Booking with uid={former['uid']} is a seated booking which means you have to provide"
            " seatUid in the"
            " request body to specify which seat specifically you want to reschedule. First, fetch the"
            " booking using"
            " the GET /v2/bookings/{uid} endpoint and then within the attendees array you will find the"
            " seatUid of"
            " the booking you want to reschedule. Second, provide the seatUid in the request body to"
            " specify which"
            " seat specifically you want to reschedule using the POST /v2/bookings/{uid}/reschedule"
            " endpoint.",
        )
    return None


def leave(call: Call, booking: Row, seat: Row, reason: str) -> None:
    """Take one guest out of a shared booking; without the last one it is cancelled."""
    with call.instance.database.transaction() as connection:
        left = seats.leave(connection, seat)
    if not left:
        cancel_one(call, booking["uid"], reason or None, None)


def refuse_cancelled(connection: Connection, former: Row) -> None:
    """Raise ApiError for a booking that is cancelled, or was moved already."""
    uid = former["uid"]
    if former["status"] != "cancelled":
        return
    if not former["rescheduled"]:
        raise refusal(
            400,
            f"Can't reschedule booking with uid={uid} because it has been cancelled. Please provide uid"
            " of a booking"
            " that is not cancelled.",
        )
    after = rows(connection, 'SELECT uid FROM "Booking" WHERE "fromReschedule" = %s', (uid,))
    other = after[0]["uid"] if after else "undefined"
    raise refusal(
        400,
        f"Can't reschedule booking with uid={uid} because it has been cancelled and rescheduled already"
        " to booking"
        f" with uid={other}. You probably want to reschedule {other} instead by passing it within the"
        " request URL.",
    )


def cancel(call: Call) -> dict[str, Any]:
    """Cancel a booking, what is left of its series, or the whole series."""
    given = checked_in_words(booking_input.CANCELLATION, (), call.body)
    uid, now = call.params["uid"], call.now()
    with call.instance.database.transaction() as connection:
        series = of_series(connection, uid)
        booking = (
            series[0]
            if series
            else bookings.by_uid(connection, uid)
            if booking_input.is_sane_uid(uid)
            else None
        )
        if booking is None:
            raise refusal(404, f"Booking with uid={uid} not found")
        subsequent = bool(given.get("cancelSubsequentBookings"))
        if series and subsequent:
            raise refusal(
                400,
                "Cannot cancel subsequent bookings for recurring event - you have to provide uid of one"
                " of the"
                " individual bookings of a recurring booking.",
            )
        if booking["status"] == "cancelled":
            raise refusal(
                400,
                f"Can't cancel booking with uid={uid} because it has been cancelled already. Please"
                " provide uid of a"
                " booking that is not cancelled.",
            )
        chosen = [each for each in series if each["status"] != "cancelled" and each["endTime"] > now] or [
            booking
        ]
        if subsequent and booking["recurringEventId"]:
            chosen = [
                each
                for each in of_series(connection, booking["recurringEventId"])
                if each["startTime"] >= booking["startTime"] and each["status"] != "cancelled"
            ]
        seat = seat_to_cancel(connection, booking, given.get("seatUid"))
    if seat:
        leave(call, booking, seat, given.get("cancellationReason") or "")
        call.queue.add()
        return success(read_back(call, uid))
    # The host's own key stands for the host: the shared procedure asks for a reason then.
    user_id = call.user["id"] if call.user else None
    for each in chosen:
        cancel_one(call, each["uid"], given.get("cancellationReason"), user_id)
    call.queue.add()
    if subsequent and booking["recurringEventId"]:
        return success(series_of(call, booking["recurringEventId"]))
    return success(series_of(call, uid) or read_back(call, uid))


def seat_to_cancel(connection: Connection, booking: Row, uid: str | None) -> Row | None:
    """The seat that is to be given back, or None where none was named. Raises ApiError."""
    if not uid:
        return None
    seat = seats.by_uid(connection, uid)
    if seat is None:
        raise refusal(400, "Invalid seatUid: this seat does not exist or has already been cancelled.")
    if seat["bookingId"] != booking["id"]:
        raise refusal(400, "Invalid seatUid: this seat does not belong to this booking.")
    return seat


def cancel_one(call: Call, uid: str, reason: str | None, user_id: int | None) -> None:
    """Cancel one booking. Raises ApiError in the API's words."""
    try:
        bookings.cancel(call.instance, uid, reason, None, user_id)
    except RefusalError as error:
        raise refusal(404 if error.code == "NOT_FOUND" else 400, error.message) from error


def confirm(call: Call) -> dict[str, Any]:
    """Confirm a request as its host."""
    return decided(call, confirmed=True, reason=None)


def decline(call: Call) -> dict[str, Any]:
    """Decline a request as its host."""
    given = checked((Field("reason", (STRING,)),), call.body)
    return decided(call, confirmed=False, reason=given.get("reason"))


def decided(call: Call, confirmed: bool, reason: str | None) -> dict[str, Any]:
    """Confirm or decline; what the shared procedure refuses comes as its generic refusal."""
    with call.instance.database.transaction() as connection:
        booking = stored(connection, call.params["uid"])
    bookings.decide(call.instance, call.caller["id"], booking["id"], confirmed, reason)
    return success(read_back(call, booking["uid"]))


def mark_absent(call: Call) -> dict[str, Any]:
    """Say who did not come to a booking that has begun."""
    given = checked(ABSENCE, call.body)
    absent = {each["email"]: each["absent"] for each in given.get("attendees") or []}
    with call.instance.database.transaction() as connection:
        booking = stored_or(connection, call.params["uid"], "Booking with uid={} not found.")
        if booking["userId"] != call.caller["id"]:
            raise RefusalError("FORBIDDEN")
        if call.now() < booking["startTime"]:
            raise refusal(
                400,
                "Bookings can only be marked as absent after their scheduled start time. Current time in"
                " UTC+0:"
                f" {iso(call.now())}, Booking start time in UTC+0: {iso(booking['startTime'])}",
            )
        if given.get("host") is not None:
            update(connection, "Booking", {"id": booking["id"]}, {"noShowHost": given["host"]})
        for email, value in absent.items():
            update(connection, "Attendee", {"bookingId": booking["id"], "email": email}, {"noShow": value})
        told = webhooks.subscribers(
            connection, "BOOKING_NO_SHOW_UPDATED", booking["userId"], booking["eventTypeId"]
        )
    if absent:
        call.instance.tell(told, "BOOKING_NO_SHOW_UPDATED", no_shows(booking, absent))
    return success(read_back(call, booking["uid"]))


def stored_or(connection: Connection, uid: str, unknown: str) -> Row:
    """A booking's row. Raises ApiError with 404 in these words."""
    booking = bookings.by_uid(connection, uid) if booking_input.is_sane_uid(uid) else None
    if booking is None:
        raise refusal(404, unknown.format(uid))
    return booking


def no_shows(booking: Row, absent: dict[str, bool]) -> dict[str, Any]:
    """What subscribers are told of guests who did not come."""
    names = " and ".join(absent)
    return {
        "message": f"{names} marked as {'no-show' if all(absent.values()) else 'attended'}",
        "attendees": [{"email": email, "noShow": value} for email, value in absent.items()],
        "bookingUid": booking["uid"],
        "bookingId": booking["id"],
    }


def old_create(call: Call) -> dict[str, Any]:
    """Book in the oldest version: the booking page's own body and answer."""
    given = checked(OLD_CREATION, call.body)
    with call.instance.database.transaction() as connection:
        event_type = wanted_type(connection, given)
    answers = given.get("responses") or {}
    booking_input.refuse_form(event_type, answers, rescheduling=bool(given.get("rescheduleUid")))
    try:
        start = moment_of(given["start"])
        end = moment_of(given["end"]) if given.get("end") else start + timedelta(minutes=event_type["length"])
    except ValueError as error:
        raise refusal(400, PAST) from error
    made = booked(
        call,
        event_type["id"],
        bookings.Request(
            start=start,
            end=end,
            time_zone=given["timeZone"],
            language=given["language"],
            responses=answers,
            metadata=given["metadata"],
            reschedule_uid=given.get("rescheduleUid"),
            creation_source=SOURCE,
        ),
    )
    return success(plain(bookings.answer(made)))


def plain(value: Any) -> Any:
    """An answer with its instants as text."""
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, Jsonb):
        return value.obj
    return [plain(each) for each in value] if isinstance(value, list) else value


ROUTES = [
    Route("GET", "/v2/bookings", listed, versions=CURRENT),
    Route("POST", "/v2/bookings", create, OPTIONAL, versions=CURRENT, status=201),
    Route("GET", "/v2/bookings/{uid}", read, OPTIONAL, versions=CURRENT),
    Route("POST", "/v2/bookings/{uid}/reschedule", reschedule, OPTIONAL, versions=CURRENT, status=201),
    Route("POST", "/v2/bookings/{uid}/cancel", cancel, OPTIONAL, versions=CURRENT),
    Route("POST", "/v2/bookings/{uid}/confirm", confirm, versions=CURRENT),
    Route("POST", "/v2/bookings/{uid}/decline", decline, versions=CURRENT),
    Route("POST", "/v2/bookings/{uid}/mark-absent", mark_absent, versions=CURRENT),
    Route("POST", "/v2/bookings", old_create, OPTIONAL, versions=OLD, status=201),
]
