"""Bookings (2024-08-13), slots and reservations (2024-09-04) over API v2."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import Field

from deploy.calcom.booking import BookingRequest
from deploy.calcom.models import Booking, Location, Reservation
from deploy.calcom.wire import Wire


class AttendeeAnswer(Wire):
    """One attendee; one without an address of their own has a made-up one."""

    email: str


class BookingAnswer(Wire):
    """A booking."""

    id: int
    uid: str
    status: str
    start: dt.datetime
    end: dt.datetime
    event_type_id: int | None = Field(None, alias="eventTypeId")
    attendees: tuple[AttendeeAnswer, ...] = ()
    metadata: dict[str, Any] | None = None
    rescheduled_from: str | None = Field(None, alias="rescheduledFromUid")
    rescheduled_to: str | None = Field(None, alias="rescheduledToUid")
    location: str | None = None

    def booking(self) -> Booking:
        """The booking in calstack's words."""
        values = {name: getattr(self, name) for name in BookingAnswer.model_fields if name != "attendees"}
        return Booking.model_validate(
            {**values, "attendee_emails": tuple(item.email for item in self.attendees)}
        )


class SlotAnswer(Wire):
    """One free slot."""

    start: dt.datetime


class ReservationAnswer(Wire):
    """A reserved slot."""

    uid: str = Field(alias="reservationUid")
    event_type_id: int = Field(alias="eventTypeId")
    start: dt.datetime = Field(alias="slotStart")
    end: dt.datetime = Field(alias="slotEnd")
    until: dt.datetime = Field(alias="reservationUntil")

    def reservation(self) -> Reservation:
        """The reservation in calstack's words."""
        return Reservation(**dict(self))


def moment(time: dt.datetime) -> str:
    """An aware time as API v2 takes it: UTC, whole seconds."""
    return f"{time.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def booking_input(request: BookingRequest) -> dict[str, Any]:
    """Body of `POST /v2/bookings`."""
    attendee = {"name": request.name, "email": request.email, "timeZone": request.time_zone}
    if request.language != "en":
        attendee["language"] = request.language
    data: dict[str, Any] = {
        "eventTypeId": request.event.id,
        "start": moment(request.start),
        "attendee": attendee,
    }
    if request.event.length_options:
        data["lengthInMinutes"] = request.event.length_minutes
    if request.metadata:
        data["metadata"] = dict(request.metadata)
    if request.answers:
        data["bookingFieldsResponses"] = dict(request.answers)
    if request.guests:
        data["guests"] = list(request.guests)
    if request.event.locations:
        data["location"] = _location_choice(request.event.locations[0], request.place)
    return data


def _location_choice(location: Location, place: str) -> dict[str, Any]:
    match location.type:
        case "attendee_phone":
            return {"type": "attendeePhone", "phone": place}
        case "attendee_address":
            return {"type": "attendeeAddress", "address": place}
        case "attendee_defined":
            return {"type": "attendeeDefined", "location": place}
        case "integration":
            return {"type": "integration", "integration": location.integration}
        case _:
            return {"type": location.type}
