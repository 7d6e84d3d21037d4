"""A booking as API v2 shows it (2024-08-13): one alone, or one of a recurring series."""

from __future__ import annotations

from typing import Any

from ..core import bookings, event_types, people, seats
from ..core.payloads import iso
from ..database import Connection, Row, one


def shown(connection: Connection, booking: Row) -> dict[str, Any]:
    """A booking with its host, guests and answers."""
    answers = dict(booking["responses"] or {})
    metadata = dict(booking["metadata"] or {})
    place = metadata.pop("videoCallUrl", None) or booking["location"]
    kind = event_types.by_id(connection, booking["eventTypeId"]) if booking["eventTypeId"] else None
    guests = bookings.attendees_of(connection, booking["id"])
    start, end = booking["startTime"], booking["endTime"]
    whole: dict[str, Any] = {
        "id": booking["id"],
        "uid": booking["uid"],
        "title": booking["title"],
        "description": booking["description"],
        "hosts": [host_of(connection, booking)],
        "status": booking["status"],
        "cancellationReason": booking["cancellationReason"] or "",
        "cancelledByEmail": booking["cancelledBy"] or "",
        "start": iso(start),
        "end": iso(end),
        "duration": int((end - start).total_seconds() // 60),
        "eventTypeId": booking["eventTypeId"],
        "eventType": {"id": kind["id"], "slug": kind["slug"]} if kind else None,
        "meetingUrl": place,
        "location": place,
        "absentHost": bool(booking["noShowHost"]),
        "createdAt": iso(booking["createdAt"]),
        "updatedAt": iso(booking["updatedAt"]) if booking["updatedAt"] else None,
        "metadata": metadata,
        "rating": booking["rating"],
        "icsUid": booking["iCalUID"],
        "attendees": [guest_of(guest) for guest in guests],
        "bookingFieldsResponses": answers,
    }
    optional = {
        "reschedulingReason": answers.get("rescheduledReason"),
        "rescheduledFromUid": booking["fromReschedule"] or None,
        "guests": answers.get("guests"),
    }
    whole |= {name: value for name, value in optional.items() if value is not None}
    if booking["recurringEventId"]:
        return whole | {"recurringBookingUid": booking["recurringEventId"]}
    return whole | about_moves(connection, booking)


def shared(connection: Connection, booking: Row, with_guests: bool) -> dict[str, Any]:
    """A booking that several guests share: each with their seat, their answers and their metadata."""
    left_out = {
        "bookingFieldsResponses", "cancelledByEmail", "metadata", "reschedulingReason", "guests", "attendees",
    }  # fmt: skip
    whole = {name: value for name, value in shown(connection, booking).items() if name not in left_out}
    guests = bookings.attendees_of(connection, booking["id"]) if with_guests else []
    return whole | {"attendees": [seated(connection, guest) for guest in guests]}


def seated(connection: Connection, guest: Row) -> dict[str, Any]:
    """One guest of a shared booking; the address is not repeated among the answers."""
    seat = seats.of_attendee(connection, guest["id"]) or {}
    answers = dict((seat.get("data") or {}).get("responses") or {})
    answers.pop("email", None)
    return {name: value for name, value in guest_of(guest).items() if name != "phoneNumber"} | {
        "seatUid": seat.get("referenceUid"),
        "bookingFieldsResponses": answers,
        "metadata": seat.get("metadata") or {},
    }


def in_form(connection: Connection, booking: Row, user: Row | None) -> dict[str, Any]:
    """A booking in its form; strangers see who shares one only where the type says so."""
    kind = event_types.by_id(connection, booking["eventTypeId"]) if booking["eventTypeId"] else None
    if kind is None or not kind["seatsPerTimeSlot"]:
        return shown(connection, booking)
    is_owner = user is not None and user["id"] == kind["userId"]
    return shared(connection, booking, is_owner or bool(kind["seatsShowAttendees"]))


def about_moves(connection: Connection, booking: Row) -> dict[str, Any]:
    """What the booking became, and who moved it."""
    by = booking["rescheduledBy"]
    if not booking["rescheduled"] and booking["fromReschedule"]:
        before = bookings.by_uid(connection, booking["fromReschedule"])
        by = (before and before["rescheduledBy"]) or by
    after = None
    if booking["rescheduled"]:
        after = one(connection, 'SELECT uid FROM "Booking" WHERE "fromReschedule" = %s', (booking["uid"],))
    return {"rescheduledByEmail": by, **({"rescheduledToUid": after["uid"]} if after else {})}


def host_of(connection: Connection, booking: Row) -> dict[str, Any]:
    """The host, or the one who is not known any more."""
    host = people.by_id(connection, booking["userId"]) if booking["userId"] else None
    if host is None:
        return dict.fromkeys(("id", "name", "email", "username"), "unknown")
    return {
        "id": host["id"],
        "name": host["name"],
        "email": host["email"],
        "username": host["username"] or "unknown",
        "timeZone": host["timeZone"],
    }


def guest_of(guest: Row) -> dict[str, Any]:
    """One guest."""
    phone = {"phoneNumber": guest["phoneNumber"]} if guest["phoneNumber"] else {}
    return {
        "name": guest["name"],
        "email": guest["email"],
        "timeZone": guest["timeZone"],
        "language": guest["locale"],
        "absent": bool(guest["noShow"]),
        **phone,
    }
