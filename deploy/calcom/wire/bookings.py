"""What guests and hosts see: public events, slots, bookings."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import Field

from deploy.calcom.models import Booking, PublicEvent
from deploy.calcom.wire import Wire
from deploy.calcom.wire.event_types import LocationAnswer


class EventMetadata(Wire):
    """What `public/event` tells of the event type's metadata."""

    lengths: list[int] | None = Field(None, alias="multipleDuration")


class PublicEventAnswer(Wire):
    """`public/event`."""

    id: int
    title: str
    slug: str
    length_minutes: int = Field(alias="length")
    locations: list[LocationAnswer]
    requires_confirmation: bool = Field(alias="requiresConfirmation")
    seats_per_slot: int | None = Field(alias="seatsPerTimeSlot")
    metadata: EventMetadata | None = None

    def public_event(self, username: str) -> PublicEvent:
        """The event in calstack's words."""
        own = dict(self)
        own.pop("metadata")
        return PublicEvent(
            **{**own, "locations": tuple(item.location() for item in self.locations)},
            username=username,
            length_options=tuple((self.metadata and self.metadata.lengths) or ()),
        )


class SlotAnswer(Wire):
    """One slot; `away` ones are the owner's out-of-office days, listed but not free (FACTS §16)."""

    time: dt.datetime
    away: bool = False


class SlotsAnswer(Wire):
    """`slots/getSchedule`: slots by date."""

    slots: dict[str, list[SlotAnswer]]


class Reserved(Wire):
    """`slots/reserveSlot`."""

    uid: str


class AttendeeAnswer(Wire):
    """One attendee of a booking."""

    email: str


class BookingEventType(Wire):
    """The event type inside a listed booking; without an id where the event type is gone."""

    id: int | None = None


class BookingAnswer(Wire):
    """A booking: the answer to booking, `bookings/find`, or an entry of `bookings/get`."""

    id: int
    uid: str
    status: str
    start: dt.datetime = Field(alias="startTime")
    end: dt.datetime = Field(alias="endTime")
    event_type_id: int | None = Field(None, alias="eventTypeId")
    event_type: BookingEventType | None = Field(None, alias="eventType")
    attendees: tuple[AttendeeAnswer, ...] = ()
    metadata: dict[str, Any] | None = None
    rescheduled_from: str | None = Field(None, alias="fromReschedule")
    location: str | None = None

    def booking(self) -> Booking:
        """The booking in calstack's words."""
        nested = self.event_type.id if self.event_type else None
        return Booking.model_validate(
            {
                **{
                    name: getattr(self, name)
                    for name in Booking.model_fields
                    if name in BookingAnswer.model_fields
                },
                "status": self.status.lower(),
                "event_type_id": self.event_type_id if self.event_type_id is not None else nested,
                "attendee_emails": tuple(item.email for item in self.attendees),
            }
        )


class BookingFound(Wire):
    """`bookings/find`."""

    booking: BookingAnswer | None


class Decided(Wire):
    """`bookings/confirm`, which also declines."""

    status: str


class BookingList(Wire):
    """`bookings/get`."""

    bookings: list[BookingAnswer]
    total: int = Field(alias="totalCount")
