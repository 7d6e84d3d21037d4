"""Bookings: making, moving, cancelling, confirming; who is told, by webhook and by mail."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from ..database import Connection, Row, UniqueViolation, insert, must, one, rows, update
from ..instance import Instance
from . import (
    availability,
    booking_fields,
    event_types,
    meetings,
    payloads,
    people,
    schedules,
    seats,
    webhooks,
)
from .identifiers import booking_uid, idempotency_key, new_uuid
from .payloads import Booked, Payload
from .refusals import RefusalError
from .slots import Interval
from .titles import booking_title

NO_HOST_FREE = "no_available_users_found_error"
OUT_OF_BOUNDS = "booking_time_out_of_bounds_error"
VIDEO_WITHOUT_KEYS = payloads.VIDEO


@dataclass(frozen=True)
class Request:
    """What a guest asks for, checked for its form but not for its sense."""

    start: datetime
    end: datetime
    time_zone: str
    language: str
    responses: dict[str, Any]
    metadata: dict[str, str] = field(default_factory=dict)
    reschedule_uid: str | None = None
    rescheduled_by: str | None = None
    creation_source: str = "webapp"
    recurring_event_id: str | None = None


@dataclass(frozen=True)
class Made:
    """A new booking and what its answer says beside the row."""

    booked: Booked
    former: Row | None
    video_url: str | None
    seat_uid: str | None = None


@dataclass(frozen=True)
class Place:
    """Where a booking takes place, and that answer in the form that is sent on."""

    location: str
    answer: dict[str, str]


def place_of(event_type: Row, answer: dict[str, Any] | None) -> Place:
    """Turn the guest's choice of a location into an address, a link, a number or an integration."""
    offered = event_type["locations"] or []
    chosen = (answer or {}).get("value") or (offered[0]["type"] if offered else VIDEO_WITHOUT_KEYS)
    typed = (answer or {}).get("optionValue") or ""
    details: dict[str, Any] = next((location for location in offered if location.get("type") == chosen), {})
    if chosen in ("attendeeInPerson", "phone", "somewhereElse"):
        location = typed or chosen
    else:
        location = (
            details.get(
                {"inPerson": "address", "link": "link", "userPhone": "hostPhoneNumber"}.get(chosen, "")
            )
            or chosen
        )
    return Place(location, {"value": location, "optionValue": typed})


def name_of(answer: Any) -> str:
    """A guest's name, which a form may ask for in two parts."""
    if isinstance(answer, dict):
        return " ".join(filter(None, (answer.get("firstName"), answer.get("lastName"))))
    return str(answer)


def book(instance: Instance, event_type_id: int, request: Request) -> Made:
    """Make a booking, or move one, and tell everybody. Refuses as the booking page is refused."""
    now = instance.now()
    with instance.database.transaction() as connection:
        event_type = event_types.by_id(connection, event_type_id)
        host = event_types.host_of(connection, event_type) if event_type else None
        if event_type is None or host is None:
            raise RefusalError("NOT_FOUND")
        former = former_booking(connection, request.reschedule_uid)
        refuse_bad_times(event_type, request, now)
        hours = schedules.working_hours(connection, host, event_type["scheduleId"])
        if not availability.in_period(event_type, request.start, now, hours):
            raise RefusalError("BAD_REQUEST", OUT_OF_BOUNDS)
        # Two guests of one host wait for each other, so that they cannot both find the host free.
        connection.execute("SELECT pg_advisory_xact_lock(%s, %s)", (7001, host["id"]))
        refuse_over_active_limit(connection, event_type, request, now)
        wanted = Interval(request.start, request.end)
        joined = seats.shared(connection, event_type, request.start, request.responses["email"])
        if joined is not None:
            made = join(connection, event_type, host, joined, request)
        elif availability.is_free(connection, event_type, host, wanted, request.reschedule_uid):
            made = store(connection, event_type, host, former, request, instance.settings.app_name, now)
        else:
            raise RefusalError("CONFLICT", NO_HOST_FREE)
        if joined is None and made.booked.booking["status"] == "accepted":
            meetings.plan(connection, made.booked, sent_on(made, request), now)
        update(connection, "users", {"id": host["id"]}, {"lastActiveAt": now})
        trigger, payload = event_of(made, request, instance.settings.booker_url)
        told = webhooks.subscribers(connection, trigger, host["id"], event_type["id"])
        mail_is_on = not instance.flags.is_on(connection, now, "emails")
    instance.tell(told, trigger, payload)
    if mail_is_on:
        mail_all(instance, made.booked, trigger)
    return made


def former_booking(connection: Connection, uid: str | None) -> Row | None:
    """The booking that is to be moved. Refuses unknown and cancelled ones."""
    if not uid:
        return None
    former = by_uid(connection, uid)
    if former is None:
        raise RefusalError("NOT_FOUND", "Could not find original booking")
    if former["status"] == "cancelled":
        raise RefusalError("BAD_REQUEST", "cancelled_bookings_cannot_be_rescheduled")
    return former


def refuse_bad_times(event_type: Row, request: Request, now: datetime) -> None:
    """Refuse what lies in the past, comes too soon or is not as long as the type."""
    if request.start < now:
        raise RefusalError("BAD_REQUEST", "Attempting to book a meeting in the past.")
    if request.start < now + timedelta(minutes=event_type["minimumBookingNotice"]):
        raise RefusalError("BAD_REQUEST", OUT_OF_BOUNDS)
    lengths = (event_type["metadata"] or {}).get("multipleDuration") or [event_type["length"]]
    if request.end - request.start not in {timedelta(minutes=length) for length in lengths}:
        raise RefusalError("BAD_REQUEST", "Invalid event length")


def refuse_over_active_limit(
    connection: Connection, event_type: Row, request: Request, now: datetime
) -> None:
    """Refuse a guest who already has as many bookings ahead as the type allows."""
    limit = event_type["maxActiveBookingsPerBooker"]
    if not limit or request.reschedule_uid:
        return
    active = must(
        connection,
        'SELECT count(*) AS number FROM "Booking" b JOIN "Attendee" a ON a."bookingId" = b.id'
        ' WHERE b."eventTypeId" = %s AND a.email = %s AND b."startTime" >= %s AND b.status = \'accepted\'',
        (event_type["id"], request.responses["email"], now),
    )["number"]
    if active >= limit:
        raise RefusalError("BAD_REQUEST", "booker_limit_exceeded_error")


def store(
    connection: Connection,
    event_type: Row,
    host: Row,
    former: Row | None,
    request: Request,
    app_name: str,
    now: datetime,
) -> Made:
    """Write the booking and its attendees, and cancel the one it takes the place of."""
    uid, place = booking_uid(), place_of(event_type, request.responses.get("location"))
    guest = name_of(request.responses["name"])
    accepted, shared = not event_type["requiresConfirmation"], bool(event_type["seatsPerTimeSlot"])
    if former is not None:
        retire(connection, former, request.rescheduled_by, now)
    try:
        with connection.transaction():
            booking = insert(
                connection,
                "Booking",
                {
                    "uid": uid,
                    "userId": host["id"],
                    "userPrimaryEmail": host["email"],
                    "eventTypeId": event_type["id"],
                    "title": booking_title(
                        event_type, people.display_name(host), guest, host["locale"], place.location
                    ),
                    # In a shared booking each guest's answers stand with their seat.
                    "description": None if shared else request.responses.get("notes") or "",
                    "customInputs": Jsonb({}),
                    "responses": None if shared else Jsonb(request.responses),
                    "startTime": request.start,
                    "endTime": request.end,
                    "location": place.location,
                    "createdAt": now,
                    "updatedAt": now,
                    "status": "accepted" if accepted else "pending",
                    "idempotencyKey": (
                        idempotency_key(request.start, request.end, host["id"]) if accepted else None
                    ),
                    "oneTimePassword": None if accepted else new_uuid(),
                    "metadata": Jsonb(request.metadata),
                    "iCalUID": former["iCalUID"] if former else f"{uid}@{app_name}",
                    "iCalSequence": former["iCalSequence"] + 1 if former else 0,
                    "fromReschedule": former["uid"] if former else None,
                    "recurringEventId": (
                        former["recurringEventId"] if former else request.recurring_event_id
                    ),
                    "creationSource": request.creation_source,
                },
            )
    except UniqueViolation as error:
        raise RefusalError("CONFLICT", NO_HOST_FREE) from error
    guests = [(guest, request.responses["email"], request.language)]
    guests += [("", email, "en") for email in request.responses.get("guests") or []]
    attendees = [
        insert(
            connection,
            "Attendee",
            {
                "name": name,
                "email": email,
                "locale": locale,
                "timeZone": request.time_zone,
                "bookingId": booking["id"],
                "phoneNumber": request.responses.get("attendeePhoneNumber") if index == 0 else None,
            },
        )
        for index, (name, email, locale) in enumerate(guests)
    ]
    video_url = place.location if place.location.startswith(("http://", "https://")) else None
    seat_uid = None
    if event_type["seatsPerTimeSlot"]:
        seat_uid = seats.take(connection, attendees[0], request.responses, request.metadata)
    return Made(Booked(booking, event_type, host, attendees), former, video_url, seat_uid)


def join(connection: Connection, event_type: Row, host: Row, booking: Row, request: Request) -> Made:
    """Give a guest a seat in a booking that others have made."""
    guest = insert(
        connection,
        "Attendee",
        {
            "name": name_of(request.responses["name"]),
            "email": request.responses["email"],
            "locale": request.language,
            "timeZone": request.time_zone,
            "bookingId": booking["id"],
            "phoneNumber": request.responses.get("attendeePhoneNumber"),
        },
    )
    seat_uid = seats.take(connection, guest, request.responses, request.metadata)
    guests = attendees_of(connection, booking["id"])
    video_url = booking["location"] if booking["location"].startswith(("http://", "https://")) else None
    return Made(Booked(booking, event_type, host, guests), None, video_url, seat_uid)


def retire(connection: Connection, former: Row, by: str | None, now: datetime) -> None:
    """Cancel a booking that another one takes the place of."""
    update(
        connection,
        "Booking",
        {"id": former["id"]},
        {
            "status": "cancelled",
            "rescheduled": True,
            "rescheduledBy": by,
            "idempotencyKey": None,
            "updatedAt": now,
        },
    )
    meetings.forget(connection, former["id"])


def sent_on(made: Made, request: Request) -> Payload:
    """The guest's answers as they are sent on: with the place itself where the choice of it was."""
    answer = place_of(made.booked.event_type, request.responses.get("location")).answer
    return {**request.responses, "location": answer}


def event_of(made: Made, request: Request, booker_url: str) -> tuple[str, Payload]:
    """The trigger and the payload that tell of a new booking."""
    responses = sent_on(made, request)
    metadata: Payload = ({"videoCallUrl": made.video_url} if made.video_url else {}) | request.metadata
    if made.booked.booking["status"] == "pending":
        return "BOOKING_REQUESTED", payloads.created(made.booked, booker_url, responses, metadata)
    if made.former is not None:
        return "BOOKING_RESCHEDULED", payloads.rescheduled(
            made.booked, made.former, booker_url, responses, metadata
        )
    return "BOOKING_CREATED", payloads.created(made.booked, booker_url, responses, metadata)


def by_uid(connection: Connection, uid: str) -> Row | None:
    """A booking by the uid of its links, or None."""
    return one(connection, 'SELECT * FROM "Booking" WHERE uid = %s', (uid,))


def attendees_of(connection: Connection, booking_id: int) -> list[Row]:
    """The guests of a booking, the one who booked first."""
    return rows(connection, 'SELECT * FROM "Attendee" WHERE "bookingId" = %s ORDER BY id', (booking_id,))


def whole(connection: Connection, booking: Row) -> Booked:
    """A stored booking with its type (an empty one where that was deleted), host and attendees."""
    event_type = event_types.by_id(connection, booking["eventTypeId"]) if booking["eventTypeId"] else None
    host = people.by_id(connection, booking["userId"]) if booking["userId"] else None
    if host is None:
        raise RefusalError("BAD_REQUEST", "User not found")
    return Booked(booking, event_type or {}, host, attendees_of(connection, booking["id"]))


def cancel(
    instance: Instance, uid: str, reason: str | None, cancelled_by: str | None, user_id: int | None
) -> Row:
    """Cancel a booking and tell everybody; answers with the row as it is then."""
    now = instance.now()
    with instance.database.transaction() as connection:
        booking = one(connection, 'SELECT * FROM "Booking" WHERE uid = %s FOR UPDATE', (uid,))
        if booking is None:
            raise RefusalError("NOT_FOUND")
        if booking["status"] == "cancelled":
            raise RefusalError("BAD_REQUEST", "This booking has already been cancelled.")
        booked = whole(connection, booking)
        if booked.event_type.get("disableCancelling"):
            raise RefusalError("BAD_REQUEST", "This event type does not allow cancellations")
        if user_id == booking["userId"] and not reason:
            raise RefusalError("BAD_REQUEST", "Cancellation reason is required when you are the host")
        if booking["endTime"] < now:
            raise RefusalError("BAD_REQUEST", "Cannot cancel a booking that has already ended")
        told = webhooks.subscribers(
            connection, "BOOKING_CANCELLED", booking["userId"], booking["eventTypeId"]
        )
        changed = update(
            connection,
            "Booking",
            {"id": booking["id"]},
            {
                "status": "cancelled",
                "cancellationReason": reason,
                "cancelledBy": cancelled_by,
                "iCalSequence": booking["iCalSequence"] + 1,
                "idempotencyKey": None,
                "updatedAt": now,
            },
        )
        meetings.forget(connection, booking["id"])
        mail_is_on = not instance.flags.is_on(connection, now, "emails")
    payload = payloads.cancelled(booked, instance.settings.booker_url, reason, cancelled_by)
    instance.tell(told, "BOOKING_CANCELLED", payload)
    if mail_is_on:
        mail_all(instance, booked, "BOOKING_CANCELLED")
    return changed or booking


def decide(instance: Instance, user_id: int, booking_id: int, confirmed: bool, reason: str | None) -> str:
    """Confirm or decline a request as its host; answers with the new status in its outward form."""
    now = instance.now()
    with instance.database.transaction() as connection:
        booking = one(connection, 'SELECT * FROM "Booking" WHERE id = %s FOR UPDATE', (booking_id,))
        if booking is None:
            raise RefusalError("INTERNAL_SERVER_ERROR", missing_record("booking"))
        if booking["userId"] != user_id:
            raise RefusalError("UNAUTHORIZED", "User is not the organizer of this booking")
        if booking["status"] == "accepted":
            raise RefusalError("BAD_REQUEST", "Booking already confirmed")
        if booking["status"] != "pending":
            raise RefusalError("BAD_REQUEST", "Booking is no longer pending")
        values: Row = {"status": "rejected", "rejectionReason": reason, "updatedAt": now}
        if confirmed:
            key = idempotency_key(booking["startTime"], booking["endTime"], booking["userId"])
            values = {"status": "accepted", "idempotencyKey": key, "updatedAt": now}
        try:
            with connection.transaction():
                booking = update(connection, "Booking", {"id": booking_id}, values) or booking
        except UniqueViolation as error:
            raise RefusalError("CONFLICT", NO_HOST_FREE) from error
        booked = whole(connection, booking)
        if confirmed:
            meetings.plan(connection, booked, booking["responses"] or {}, now)
            add_empty_video(connection, booking)
        trigger = "BOOKING_CREATED" if confirmed else "BOOKING_REJECTED"
        told = webhooks.subscribers(connection, trigger, booking["userId"], booking["eventTypeId"])
        mail_is_on = not instance.flags.is_on(connection, now, "emails")
    instance.tell(told, trigger, payloads.decided(booked, instance.settings.booker_url, reason))
    if mail_is_on:
        mail_all(instance, booked, trigger)
    return str(event_types.spoken(booking["status"]))


def add_empty_video(connection: Connection, booking: Row) -> None:
    """Note the Cal Video meeting that could not be made, as the real app does where its app has no keys."""
    if booking["location"] != VIDEO_WITHOUT_KEYS:
        return
    reference = {"type": "daily_video", "uid": "", "bookingId": booking["id"]}
    insert(connection, "BookingReference", reference, returning="id")
    metadata = (booking["metadata"] or {}) | {"videoCallUrl": ""}
    update(connection, "Booking", {"id": booking["id"]}, {"metadata": Jsonb(metadata)})


def missing_record(model: str) -> str:
    """The text of the real app's database layer where a row that must be there is not."""
    return (
        f"\nInvalid `prisma.{model}.findUniqueOrThrow()` invocation:\n\n\n"
        "An operation failed because it depends on one or more records that were required but not found."
        " No record was found for a query."
    )


SUBJECTS = {
    "BOOKING_CREATED": "Confirmed: {title}",
    "BOOKING_REQUESTED": "Awaiting confirmation: {title}",
    "BOOKING_RESCHEDULED": "Moved: {title}",
    "BOOKING_CANCELLED": "Cancelled: {title}",
    "BOOKING_REJECTED": "Declined: {title}",
}


def mail_all(instance: Instance, booked: Booked, trigger: str) -> None:
    """Tell the host and the guests by mail."""
    booking = booked.booking
    text = (
        f"{booking['title']}\n\nWhen: {booking['startTime']:%Y-%m-%d %H:%M} UTC\n"
        f"Where: {booking['location']}\n"
        f"\n{instance.settings.public_url}/booking/{booking['uid']}\n"
    )
    for email in [booked.host["email"], *(attendee["email"] for attendee in booked.attendees)]:
        instance.mailer.send(email, SUBJECTS[trigger].format(title=booking["title"]), text)


def problems_of_answers(event_type: Row, responses: dict[str, Any], rescheduling: bool) -> list[str]:
    """What is wrong with a guest's answers, in the order of the form's fields."""
    return booking_fields.answer_problems(booking_fields.fields_of(event_type), responses, rescheduling)


def answer(made: Made) -> dict[str, Any]:
    """What `POST /api/book/event` answers with."""
    host = made.booked.host
    return {
        **payloads.booking_row(made.booked.booking),
        "user": {
            "email": None,
            "name": host["name"],
            "timeZone": host["timeZone"],
            "username": host["username"],
        },
        "attendees": [payloads.attendee_row(attendee) for attendee in made.booked.attendees],
        "payment": [],
        "references": [],
        **({"appsStatus": []} if made.former else {}),
        "paymentRequired": False,
        "luckyUsers": [],
        "isDryRun": False,
        **({"videoCallUrl": made.video_url} if made.video_url else {}),
    }
