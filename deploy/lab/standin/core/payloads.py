"""The bodies of webhooks, in the shapes that the real app sends (contract/webhook_deliveries.json)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ..database import Row
from . import booking_fields, event_types, people
from .booking_fields import Field

Payload = dict[str, Any]

# Cal Video, whose app has no keys on a self-hosted instance: no meeting comes of it.
VIDEO = "integrations:daily"
VIDEO_REQUEST_ID = "2db644eb-37a5-581a-99fa-ebe6ce513834"
NO_VIDEO_CALL = {"type": "daily_video", "id": None, "password": None, "url": None}
FAILED_VIDEO = {"appName": "daily-video", "type": "daily_video", "success": 0, "failures": 1, "errors": []}

BOOKING_COLUMNS = (
    "id", "uid", "idempotencyKey", "userId", "userPrimaryEmail", "eventTypeId", "title", "description",
    "customInputs", "responses", "startTime", "endTime", "location", "createdAt", "updatedAt", "status",
    "paid", "destinationCalendarId", "cancellationReason", "rejectionReason", "reassignReason",
    "reassignById", "dynamicEventSlugRef", "dynamicGroupSlugRef", "rescheduled", "fromReschedule",
    "recurringEventId", "smsReminderNumber", "scheduledJobs", "metadata", "isRecorded", "iCalUID",
    "iCalSequence", "rating", "ratingFeedback", "noShowHost", "oneTimePassword", "cancelledBy",
    "rescheduledBy", "creationSource",
)  # fmt: skip


@dataclass(frozen=True)
class Booked:
    """A booking with what belongs to it."""

    booking: Row
    event_type: Row
    host: Row
    attendees: list[Row]

    def stamp(self, moment: datetime) -> str:
        """An instant in the form of the channel over which the booking was made."""
        return (in_utc if self.booking["creationSource"] == "api_v2" else with_offset)(moment)


def iso(moment: datetime) -> str:
    """An instant as JavaScript writes it: `2026-12-07T08:00:00.000Z`."""
    moment = moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def with_offset(moment: datetime) -> str:
    """An instant as the payloads of the web app write it: `2026-12-07T08:00:00+00:00`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def in_utc(moment: datetime) -> str:
    """An instant as the payloads of API v2 write it: `2026-12-07T08:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def offset_minutes(time_zone: str, moment: datetime) -> int:
    """How far a zone is ahead of UTC at an instant."""
    offset = moment.astimezone(ZoneInfo(time_zone)).utcoffset()
    return int(offset.total_seconds() // 60) if offset else 0


def booking_row(booking: Row) -> Payload:
    """The booking's columns with the enums in their outward form."""
    return {column: booking[column] for column in BOOKING_COLUMNS} | {
        "status": event_types.spoken(booking["status"]),
        "creationSource": event_types.spoken(booking["creationSource"]),
        "scheduledJobs": booking["scheduledJobs"] or [],
    }


def attendee_row(attendee: Row) -> Payload:
    """An attendee's columns in the order of the real answers."""
    return {
        name: attendee[name]
        for name in ("id", "email", "name", "timeZone", "phoneNumber", "locale", "bookingId", "noShow")
    }


def organizer(host: Row, start: datetime) -> Payload:
    """The host, as a booking event names them."""
    return {
        "id": host["id"],
        "name": people.display_name(host),
        "email": host["email"],
        "username": host["username"],
        "timeZone": host["timeZone"],
        "language": {"locale": host["locale"] or "en"},
        "timeFormat": "HH:mm" if host["timeFormat"] == 24 else "h:mma",
        "utcOffset": offset_minutes(host["timeZone"], start),
    }


def stored_attendee(attendee: Row, start: datetime) -> Payload:
    """An attendee read back from the database."""
    return {
        "name": attendee["name"],
        "email": attendee["email"],
        "timeZone": attendee["timeZone"],
        "phoneNumber": attendee["phoneNumber"],
        "language": {"locale": attendee["locale"] or "en"},
        "utcOffset": offset_minutes(attendee["timeZone"], start),
    }


def fresh_attendee(attendee: Row, start: datetime) -> Payload:
    """An attendee of a booking that is just being made."""
    return {
        "email": attendee["email"],
        "name": attendee["name"],
        "firstName": "",
        "lastName": "",
        "timeZone": attendee["timeZone"],
        "language": {"locale": attendee["locale"] or "en"},
        "utcOffset": offset_minutes(attendee["timeZone"], start),
    }


def labelled(fields: list[Field], responses: Payload) -> Payload:
    """Answers under their fields' names, each with its label."""
    return {
        field["name"]: {
            "label": booking_fields.label_of(field),
            **({"value": responses[field["name"]]} if field["name"] in responses else {}),
            "isHidden": bool(field.get("hidden")),
        }
        for field in fields
    }


def custom_only(fields: list[Field], responses: Payload) -> Payload:
    """The answers to the host's own questions, labelled."""
    return labelled([field for field in fields if not booking_fields.is_system(field)], responses)


def stored_responses(booked: Booked) -> Payload:
    """The answers of a stored booking: labelled by the type's own fields, or by their bare names."""
    responses = booked.booking["responses"] or {}
    fields = booked.event_type.get("bookingFields")
    if fields:
        return labelled(fields, responses)
    return {name: {"label": name, "value": value} for name, value in responses.items()}


def about_type(event_type: Row) -> Payload:
    """What every booking event says of its type, at its end."""
    return {
        "eventTitle": event_type["title"],
        "eventDescription": event_type["description"],
        "price": event_type["price"],
        "currency": event_type["currency"],
        "length": event_type["length"],
    }


def fresh_event(booked: Booked, booker_url: str, responses: Payload) -> Payload:
    """The common part of BOOKING_CREATED, _RESCHEDULED and _REQUESTED, up to the type's own words."""
    booking, kind = booked.booking, booked.event_type
    fields = booking_fields.fields_of(kind)
    start = booking["startTime"]
    return {
        "bookerUrl": booker_url,
        "title": booking["title"],
        "startTime": booked.stamp(start),
        "endTime": booked.stamp(booking["endTime"]),
        "additionalNotes": booking["description"] or "",
        "type": kind["slug"],
        "description": kind["description"] or "",
        "eventTypeId": kind["id"],
        "hideCalendarNotes": kind["hideCalendarNotes"],
        "hideCalendarEventDetails": kind["hideCalendarEventDetails"],
        "hideOrganizerEmail": kind["hideOrganizerEmail"],
        "schedulingType": event_types.spoken(kind["schedulingType"]),
        "seatsPerTimeSlot": kind["seatsPerTimeSlot"],
        "seatsShowAttendees": kind["seatsShowAttendees"] if kind["seatsPerTimeSlot"] else True,
        "seatsShowAvailabilityCount": kind["seatsShowAvailabilityCount"],
        "customReplyToEmail": kind["customReplyToEmail"],
        "disableRescheduling": bool(kind["disableRescheduling"]),
        "disableCancelling": bool(kind["disableCancelling"]),
        "organizer": organizer(booked.host, start),
        "attendees": [fresh_attendee(attendee, start) for attendee in booked.attendees],
        "customInputs": booking["customInputs"] or {},
        "responses": labelled(fields, responses),
        "userFieldsResponses": custom_only(fields, responses),
        "location": booking["location"],
        "destinationCalendar": None,
    }


def conference(booking: Row) -> Payload:
    """What an accepted booking with Cal Video carries of its meeting, with one id for all (recorded)."""
    if booking["status"] != "accepted" or booking["location"] != VIDEO:
        return {}
    return {"conferenceData": {"createRequest": {"requestId": VIDEO_REQUEST_ID}}}


def created(booked: Booked, booker_url: str, responses: Payload, metadata: Payload) -> Payload:
    """BOOKING_CREATED and BOOKING_REQUESTED."""
    booking = booked.booking
    return {
        **fresh_event(booked, booker_url, responses),
        "iCalUID": booking["iCalUID"],
        "iCalSequence": booking["iCalSequence"],
        "requiresConfirmation": booked.event_type["requiresConfirmation"],
        "oneTimePassword": booking["oneTimePassword"],
        "hashedLink": None,
        "uid": booking["uid"],
        **conference(booking),
        **about_type(booked.event_type),
        "bookingId": booking["id"],
        "metadata": metadata,
        "status": event_types.spoken(booking["status"]),
    }


def rescheduled(
    booked: Booked, former: Row, booker_url: str, responses: Payload, metadata: Payload
) -> Payload:
    """BOOKING_RESCHEDULED: the new booking, and which one it takes the place of."""
    booking = booked.booking
    return {
        **fresh_event(booked, booker_url, responses),
        **({"iCalUID": booking["iCalUID"]} if booking["location"] == VIDEO else {}),
        "iCalSequence": booking["iCalSequence"],
        "requiresConfirmation": booked.event_type["requiresConfirmation"],
        "oneTimePassword": booking["oneTimePassword"],
        "hashedLink": None,
        "uid": booking["uid"],
        **({"videoCallData": NO_VIDEO_CALL} if booking["location"] == VIDEO else {}),
        **conference(booking),
        "appsStatus": [FAILED_VIDEO] if booking["location"] == VIDEO else [],
        **about_type(booked.event_type),
        "bookingId": booking["id"],
        "rescheduleId": former["id"],
        "rescheduleUid": former["uid"],
        "rescheduleStartTime": booked.stamp(former["startTime"]),
        "rescheduleEndTime": booked.stamp(former["endTime"]),
        "metadata": metadata,
        "status": event_types.spoken(booking["status"]),
    }


def cancelled(booked: Booked, booker_url: str, reason: str | None, cancelled_by: str | None) -> Payload:
    """BOOKING_CANCELLED; unlike the others it carries no metadata."""
    booking, kind, start = booked.booking, booked.event_type, booked.booking["startTime"]
    payload = {
        "bookerUrl": booker_url,
        "title": booking["title"],
        "length": kind.get("length"),
        "type": kind.get("slug"),
        "additionalNotes": booking["description"],
        "description": kind.get("description") or "",
        "customInputs": booking["customInputs"] or {},
        "eventTypeId": booking["eventTypeId"],
        "userFieldsResponses": custom_only(kind.get("bookingFields") or [], booking["responses"] or {}),
        "responses": stored_responses(booked),
        "startTime": with_offset(start),
        "endTime": with_offset(booking["endTime"]),
        "organizer": organizer(booked.host, start),
        "attendees": [stored_attendee(attendee, start) for attendee in booked.attendees],
        "uid": booking["uid"],
        "bookingId": booking["id"],
        "location": booking["location"],
        "destinationCalendar": [],
        "cancellationReason": reason,
        "seatsPerTimeSlot": kind.get("seatsPerTimeSlot"),
        "seatsShowAttendees": kind.get("seatsShowAttendees"),
        "iCalUID": booking["iCalUID"],
        "iCalSequence": booking["iCalSequence"] + 1,
        "hideOrganizerEmail": kind.get("hideOrganizerEmail"),
        "customReplyToEmail": kind.get("customReplyToEmail"),
        "organizationId": None,
        "eventTitle": kind.get("title"),
        "eventDescription": kind.get("description"),
        "requiresConfirmation": kind.get("requiresConfirmation") or None,
        "price": kind.get("price") or None,
        "currency": kind.get("currency"),
        "status": "CANCELLED",
    }
    return payload | ({"cancelledBy": cancelled_by} if cancelled_by else {})


def decided(booked: Booked, booker_url: str, reason: str | None) -> Payload:
    """BOOKING_CREATED or BOOKING_REJECTED after the host confirmed or declined a request."""
    booking, kind, start = booked.booking, booked.event_type, booked.booking["startTime"]
    return {
        "type": kind["slug"],
        "title": booking["title"],
        "description": booking["description"] or "",
        "bookerUrl": booker_url,
        "userFieldsResponses": custom_only(kind["bookingFields"] or [], booking["responses"] or {}),
        "responses": stored_responses(booked),
        "customInputs": booking["customInputs"] or {},
        "startTime": iso(start),
        "endTime": iso(booking["endTime"]),
        "organizer": organizer(booked.host, start),
        "attendees": [stored_attendee(attendee, start) for attendee in booked.attendees],
        "location": booking["location"],
        "uid": booking["uid"],
        "destinationCalendar": [],
        "requiresConfirmation": kind["requiresConfirmation"],
        "hideOrganizerEmail": kind["hideOrganizerEmail"],
        "hideCalendarNotes": kind["hideCalendarNotes"],
        "hideCalendarEventDetails": kind["hideCalendarEventDetails"],
        "eventTypeId": kind["id"],
        "customReplyToEmail": kind["customReplyToEmail"],
        "organizationId": None,
        "additionalNotes": booking["description"] or "",
        **conference(booking),
        **({"rejectionReason": reason} if booking["status"] == "rejected" else {}),
        **about_type(kind),
        "bookingId": booking["id"],
        "status": event_types.spoken(booking["status"]),
    }


def meeting(booked: Booked, trigger: str, responses: Payload) -> Payload:
    """MEETING_STARTED and MEETING_ENDED: the booking's row itself, with no `payload` around it."""
    row = {
        name: iso(value) if isinstance(value, datetime) else value
        for name, value in booking_row(booked.booking).items()
    }
    return {
        "triggerEvent": trigger,
        **row,
        "responses": labelled(booking_fields.fields_of(booked.event_type), responses),
        "user": {name: booked.host[name] for name in ("email", "name", "timeZone", "username")},
        "attendees": [attendee_row(attendee) for attendee in booked.attendees],
        "payment": [],
        "references": [],
    }


def ping(now: datetime) -> Payload:
    """What a test of a webhook sends: a meeting of made-up people."""

    def person(name: str, email: str) -> Payload:
        return {
            "email": email,
            "name": name,
            "timeZone": "Europe/London",
            "language": {"locale": "en"},
            "utcOffset": offset_minutes("Europe/London", now),
        }

    host = person("Cal", "no-reply@cal.com")
    return {
        "type": "Test",
        "title": "Test trigger event",
        "startTime": iso(now),
        "endTime": iso(now),
        "attendees": [person("John Doe", "jdoe@example.com")],
        "organizer": {"name": host.pop("name")} | host,
    }
