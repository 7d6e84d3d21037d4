"""`bookings`: what a host does with bookings (FACTS §16)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ...core import bookings, event_types, meetings, payloads, people, webhooks
from ...core.refusals import RefusalError
from ...database import Row, must, one, rows, update
from ..superjson import UNDEFINED
from ..trpc import Call, Router, mutation, query
from ..validation import anything, boolean, many, nullish, number, one_of, optional, shape, text

LIST_LIMIT = 100

# What each filter means, over the booking `b`; `%(now)s` is bound.
STATUS = {
    "upcoming": "(b.\"endTime\" >= %(now)s AND b.status IN ('accepted', 'pending'))",
    "recurring": '(b."endTime" >= %(now)s AND b."recurringEventId" IS NOT NULL'
    " AND b.status NOT IN ('cancelled', 'rejected'))",
    "past": "(b.\"endTime\" <= %(now)s AND b.status NOT IN ('cancelled', 'rejected'))",
    "cancelled": "b.status IN ('cancelled', 'rejected')",
    "unconfirmed": "(b.\"endTime\" >= %(now)s AND b.status = 'pending')",
}

KNOWN_STATUS = one_of(*STATUS)
DATES = {
    "afterStartDate": 'b."startTime" >=',
    "beforeEndDate": 'b."endTime" <=',
    "afterUpdatedDate": 'b."updatedAt" >=',
    "beforeUpdatedDate": 'b."updatedAt" <=',
    "afterCreatedDate": 'b."createdAt" >=',
    "beforeCreatedDate": 'b."createdAt" <=',
}
GUESTS = {"attendeeEmail": "email", "attendeeName": "name"}
FILTERS = {
    "teamIds": optional(many(number())),
    "userIds": optional(many(number())),
    "status": optional(KNOWN_STATUS),
    "statuses": optional(many(KNOWN_STATUS)),
    "eventTypeIds": optional(many(number())),
    # A text, or how the pages compare with one.
    **dict.fromkeys(GUESTS, anything),
    "bookingUid": optional(text()),
    **dict.fromkeys(DATES, optional(text())),
}

LISTED_COLUMNS = (
    "id", "title", "userPrimaryEmail", "description", "customInputs", "metadata", "uid", "responses",
    "recurringEventId", "location", "paid", "fromReschedule", "rescheduled", "rescheduledBy",
    "cancelledBy", "isRecorded", "cancellationReason", "rejectionReason",
)  # fmt: skip

TYPE_COLUMNS = (
    "slug", "id", "title", "eventName", "price", "recurringEvent", "currency", "disableGuests",
    "bookingFields", "seatsPerTimeSlot", "seatsShowAttendees", "seatsShowAvailabilityCount",
    "eventTypeColor", "customReplyToEmail", "allowReschedulingPastBookings", "hideOrganizerEmail",
    "disableCancelling", "disableRescheduling", "minimumRescheduleNotice", "teamId", "parentId", "length",
)  # fmt: skip


def listed(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """The host's bookings by status and other filters, a page of them."""
    filters, limit = given["filters"], given.get("limit") or 10
    wanted = filters.get("statuses") or [filters.get("status") or "upcoming"]
    conditions = ["(" + " OR ".join(STATUS[status] for status in wanted) + ")"]
    values: Row = {
        "now": call.instance.now(),
        "host": call.host["id"],
        "limit": limit,
        "offset": given.get("offset") or 0,
    }
    conditions.append('b."userId" = %(host)s')
    for name, column in GUESTS.items():
        if filters.get(name):
            values[name] = operand(filters[name])
            conditions.append(
                f'EXISTS (SELECT 1 FROM "Attendee" a WHERE a."bookingId" = b.id AND a.{column} = %({name})s)'  # noqa: S608
            )
    for name, comparison in DATES.items():
        if filters.get(name):
            values[name] = readable_date(filters[name])
            conditions.append(f"{comparison} %({name})s::timestamptz")
    if filters.get("bookingUid"):
        values["bookingUid"] = filters["bookingUid"]
        conditions.append("b.uid = %(bookingUid)s")
    if filters.get("eventTypeIds"):
        values["types"] = filters["eventTypeIds"]
        conditions.append('b."eventTypeId" = ANY(%(types)s)')
    where = " AND ".join(conditions)
    # The conditions are texts of this module; what the caller gave is bound.
    counting = f'SELECT count(*) AS number FROM "Booking" b WHERE {where}'  # noqa: S608
    total = must(call.connection, counting, values)["number"]
    sort = (given.get("sort") or {}).get("sortStart")
    falling = sort == "desc" if sort else wanted in (["past"], ["cancelled"])
    found = rows(
        call.connection,
        f'SELECT b.* FROM "Booking" b WHERE {where}'  # noqa: S608
        f' ORDER BY b."startTime" {"DESC" if falling else "ASC"}, b.id'
        " LIMIT %(limit)s OFFSET %(offset)s",
        values,
    )
    more = values["offset"] + len(found) < total
    return {
        "bookings": [shown(call, booking) for booking in found],
        "recurringInfo": [],
        "totalCount": total,
        "nextCursor": str(values["offset"] + limit) if more else UNDEFINED,
    }


def operand(filtered: Any) -> str:
    """The text of a filter: given as such, or as the pages compare with one."""
    if isinstance(filtered, dict):
        data = filtered.get("data")
        filtered = data.get("operand") if isinstance(data, dict) else None
    return filtered if isinstance(filtered, str) else ""


def readable_date(given: str) -> datetime:
    """A moment in ISO form. What is none fails in the real app's database library, hence the 500."""
    try:
        return datetime.fromisoformat(given)
    except ValueError as error:
        raise RefusalError("INTERNAL_SERVER_ERROR", "Provided Date object is invalid.") from error


def shown(call: Call, booking: Row) -> dict[str, Any]:
    """One booking of the list, with its type, host and guests."""
    kind = event_types.by_id(call.connection, booking["eventTypeId"]) if booking["eventTypeId"] else None
    host = people.by_id(call.connection, booking["userId"]) or call.host
    guests = bookings.attendees_of(call.connection, booking["id"])
    references = rows(
        call.connection,
        'SELECT * FROM "BookingReference" WHERE "bookingId" = %s ORDER BY id',
        (booking["id"],),
    )
    return {name: booking[name] for name in LISTED_COLUMNS} | {
        "startTime": payloads.iso(booking["startTime"]),
        "endTime": payloads.iso(booking["endTime"]),
        "createdAt": booking["createdAt"],
        "updatedAt": booking["updatedAt"],
        "status": event_types.spoken(booking["status"]),
        "routedFromRoutingFormReponse": None,
        "eventType": shown_type(kind) if kind else None,
        "references": [dict(reference) for reference in references],
        "payment": [],
        "user": {name: host[name] for name in ("id", "name", "email", "avatarUrl", "username", "timeZone")},
        "attendees": [
            payloads.attendee_row(guest)
            | {"user": {"name": None, "email": guest["email"], "avatarUrl": None, "username": None}}
            for guest in guests
        ],
        "seatsReferences": [],
        "assignmentReason": [],
        "report": None,
        "rescheduler": None,
    }


def shown_type(kind: Row) -> dict[str, Any]:
    """The type of a listed booking."""
    return {name: kind[name] for name in TYPE_COLUMNS} | {
        "metadata": kind["metadata"] or {},
        "schedulingType": event_types.spoken(kind["schedulingType"]),
        "hosts": [],
        "team": None,
        "hostGroups": [],
    }


def find(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """A booking's bare facts by its uid, for anybody who knows that; null where there is none."""
    booking = bookings.by_uid(call.connection, given["bookingUid"]) if given.get("bookingUid") else None
    if booking is None:
        return {"booking": None}
    names = ("id", "uid", "startTime", "endTime", "description", "paid", "eventTypeId")
    return {
        "booking": {name: booking[name] for name in names} | {"status": event_types.spoken(booking["status"])}
    }


def details(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """What a booking came from and became."""
    booking = bookings.by_uid(call.connection, given["uid"])
    if booking is None:
        raise RefusalError("NOT_FOUND", "Booking not found")
    after = one(call.connection, 'SELECT uid FROM "Booking" WHERE "fromReschedule" = %s', (booking["uid"],))
    before = booking["fromReschedule"]
    return {
        "rescheduledToBooking": {"uid": after["uid"]} if after else None,
        "previousBooking": {"uid": before} if before else None,
        "tracking": None,
    }


def confirm(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Confirm or decline a request."""
    status = bookings.decide(
        call.instance, call.host["id"], given["bookingId"], given["confirmed"], given.get("reason")
    )
    return {"message": f"Booking {'confirmed' if given['confirmed'] else 'rejected'}", "status": status}


def request_reschedule(call: Call, given: dict[str, Any]) -> Any:
    """Cancel a booking and ask its guest for another time."""
    booking = one(
        call.connection,
        'SELECT * FROM "Booking" WHERE uid = %s AND "userId" = %s FOR UPDATE',
        (given["bookingUid"], call.host["id"]),
    )
    if booking is None:
        raise RefusalError("INTERNAL_SERVER_ERROR", bookings.missing_record("booking"))
    if booking["status"] == "cancelled":
        raise RefusalError("BAD_REQUEST", "This booking has already been cancelled.")
    booked = bookings.whole(call.connection, booking)
    reason = given.get("rescheduleReason") or ""
    update(
        call.connection,
        "Booking",
        {"id": booking["id"]},
        {
            "status": "cancelled",
            "rescheduled": True,
            "cancellationReason": reason,
            "idempotencyKey": None,
            "updatedAt": call.instance.now(),
        },
    )
    meetings.forget(call.connection, booking["id"])
    told = webhooks.subscribers(
        call.connection, "BOOKING_CANCELLED", booking["userId"], booking["eventTypeId"]
    )
    call.instance.tell(told, "BOOKING_CANCELLED", asked_again(booked, reason))
    return UNDEFINED


def asked_again(booked: payloads.Booked, reason: str) -> payloads.Payload:
    """The body of the cancellation that asks for another time: shorter than a guest's own."""
    booking, start = booked.booking, booked.booking["startTime"]
    host = payloads.organizer(booked.host, start)
    return {
        "bookingId": booking["id"],
        "type": booked.event_type.get("slug"),
        "title": booking["title"],
        "customInputs": booking["customInputs"] or {},
        "responses": payloads.stored_responses(booked),
        "userFieldsResponses": {},
        "startTime": payloads.with_offset(start),
        "endTime": payloads.with_offset(booking["endTime"]),
        "organizer": {name: value for name, value in host.items() if name not in ("id", "timeFormat")},
        "attendees": [
            payloads.stored_attendee(attendee, start) | {"username": ""} for attendee in booked.attendees
        ],
        "uid": booking["uid"],
        "location": booking["location"],
        "destinationCalendar": [],
        "iCalUID": booking["iCalUID"],
        "cancelledBy": booked.host["email"],
        "cancellationReason": f"Please reschedule. {reason}",
    }


ROUTER: Router = {
    "get": query(
        listed,
        shape(
            {
                "filters": shape(FILTERS),
                "limit": optional(number(1, maximum=LIST_LIMIT)),
                "offset": optional(number(0)),
                "cursor": nullish(text()),
                "sort": optional(shape({"sortStart": optional(one_of("asc", "desc"))})),
            }
        ),
    ),
    "find": query(find, shape({"bookingUid": nullish(text())}), guests=True),
    "getBookingDetails": query(details, shape({"uid": text()})),
    "confirm": mutation(
        confirm,
        shape({"bookingId": number(), "confirmed": boolean, "reason": nullish(text())}),
    ),
    "requestReschedule": mutation(
        request_reschedule, shape({"bookingUid": text(), "rescheduleReason": nullish(text())})
    ),
}
