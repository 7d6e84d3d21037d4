"""A booking as a guest wants it, and the rule that it is never sent twice blindly, over every channel.

A booking whose answer was lost may have been made. So it is looked for before it is sent again, and sent
again only where it was surely not made: with a host's eyes (`Look`) where there are any, else by its slot
being free.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from deploy.calcom.channel import Channel
from deploy.calcom.errors import CalcomError, LostAnswer, NoAnswer, SlotTaken
from deploy.calcom.models import Booking, PublicEvent, Slot


@dataclass(frozen=True)
class BookingRequest:
    """What a guest fills in; `start` is an aware time, `metadata` comes back in the webhooks (texts only).

    `place` is what a guest says where the first location asks for it: a phone number, an address. `answers`
    are to the event type's own questions, by slug; `guests` are e-mail addresses of others who come along.
    """

    event: PublicEvent
    start: dt.datetime
    name: str
    email: str
    time_zone: str = "UTC"
    language: str = "en"
    place: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)
    guests: tuple[str, ...] = ()

    @property
    def end(self) -> dt.datetime:
        """When the meeting is over."""
        return self.start + dt.timedelta(minutes=self.event.length_minutes)


Look = Callable[[BookingRequest], Booking | None]
"""Finds a booking that may have been made, by a way that guests do not have (a host's list of bookings)."""


class Slots(Protocol):
    """The free slots of an event type between two aware times, in order."""

    def __call__(
        self, event: PublicEvent, start: dt.datetime, end: dt.datetime, time_zone: str = "UTC", /
    ) -> tuple[Slot, ...]:
        """See the class."""


def looking_in(channel: Channel) -> Look:
    """Looks for a booking in the host's own list, by attendee, event type and start."""

    def look(request: BookingRequest) -> Booking | None:
        listed = channel.list_bookings(
            ("upcoming", "unconfirmed"),
            attendee_email=request.email,
            after=request.start - dt.timedelta(minutes=1),
        )
        return next(
            (
                booking
                for booking in listed
                if booking.start == request.start
                and booking.event_type_id == request.event.id
                and booking.status in ("accepted", "pending")
            ),
            None,
        )

    return look


def book_once(
    post: Callable[[], Booking], request: BookingRequest, *, slots: Slots, look: Look | None
) -> Booking:
    """Send a booking, once; after a lost answer look, and send again only where it was surely not made.

    `post` sends it, without trying again by itself. Raises what `post` raises, and `LostAnswer` where a look
    could not tell.
    """
    try:
        return post()
    except NoAnswer as error:
        if not error.maybe_done:
            raise
        made = look(request) if look else None
        if made is not None:
            return made
        _refuse_unless_surely_not_made(request, error, slots)
    try:
        return post()
    except NoAnswer as error:
        raise _lost("no answer the second time either", request, error) from error
    except SlotTaken as error:
        # Taken since the look: by somebody else, or by our own first request that was still at work.
        raise _lost("the slot was taken while we looked", request, error) from error


def _refuse_unless_surely_not_made(request: BookingRequest, lost: NoAnswer, slots: Slots) -> None:
    if request.event.seats_per_slot or request.event.requires_confirmation:
        raise _lost("bookings of this event type leave their slot free", request, lost) from lost
    try:
        free = slots(request.event, request.start, request.end, "UTC")
    except CalcomError as error:
        raise _lost("the slots could not be read", request, error) from error
    if Slot(start=request.start.astimezone(dt.UTC)) not in free:
        raise _lost("the slot is no longer free, so it probably was", request, lost) from lost


def _lost(why: str, request: BookingRequest, error: CalcomError) -> LostAnswer:
    start = f"{request.start.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    return LostAnswer(
        f"the booking of {start} was sent, but its answer was lost ({error.what}); {why}",
        where=error.where,
        fix=f"look for a booking by {request.email} in the host's calendar before booking again",
    )
