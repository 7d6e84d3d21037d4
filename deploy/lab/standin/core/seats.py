"""Seats: bookings that several guests share, each in a place of their own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from ..database import Connection, Row, insert, must, one
from .identifiers import new_uuid
from .refusals import RefusalError

FULL = "booking_seats_full_error"
SIGNED_UP = "already_signed_up_for_this_booking_error"


def shared(connection: Connection, event_type: Row, start: datetime, email: str) -> Row | None:
    """The booking that a guest would join, or None. Refuses where it is full or the guest is in it."""
    if not event_type["seatsPerTimeSlot"]:
        return None
    booking = one(
        connection,
        'SELECT * FROM "Booking" WHERE "eventTypeId" = %s AND "startTime" = %s AND status = \'accepted\''
        " ORDER BY id LIMIT 1",
        (event_type["id"], start),
    )
    if booking is None:
        return None
    if taken(connection, booking["id"]) >= event_type["seatsPerTimeSlot"]:
        raise RefusalError("CONFLICT", FULL)
    if one(
        connection, 'SELECT id FROM "Attendee" WHERE "bookingId" = %s AND email = %s', (booking["id"], email)
    ):
        raise RefusalError("CONFLICT", SIGNED_UP)
    return booking


def taken(connection: Connection, booking_id: int) -> int:
    """How many seats of a booking are taken."""
    found = must(
        connection, 'SELECT count(*) AS number FROM "Attendee" WHERE "bookingId" = %s', (booking_id,)
    )
    return int(found["number"])


def take(connection: Connection, attendee: Row, answers: dict[str, Any], metadata: dict[str, str]) -> str:
    """Give a guest a seat; returns the seat's own uid."""
    seat = insert(
        connection,
        "BookingSeat",
        {
            "referenceUid": new_uuid(),
            "bookingId": attendee["bookingId"],
            "attendeeId": attendee["id"],
            "data": Jsonb({"description": answers.get("notes") or "", "responses": answers}),
            "metadata": Jsonb(metadata),
        },
    )
    return str(seat["referenceUid"])


def of_attendee(connection: Connection, attendee_id: int) -> Row | None:
    """A guest's seat, or None."""
    return one(connection, 'SELECT * FROM "BookingSeat" WHERE "attendeeId" = %s', (attendee_id,))


def by_uid(connection: Connection, uid: str) -> Row | None:
    """A seat by its own uid, or None."""
    return one(connection, 'SELECT * FROM "BookingSeat" WHERE "referenceUid" = %s', (uid,))


def leave(connection: Connection, seat: Row) -> int:
    """Take a guest out of a booking; returns how many are left in it."""
    connection.execute('DELETE FROM "Attendee" WHERE id = %s', (seat["attendeeId"],))
    return taken(connection, seat["bookingId"])
