"""What a smoke test puts up for itself and takes away again: a schedule, a hidden event type, a webhook.

Nobody's own event type, schedule or webhook is ever touched: things of the test's are known by the prefixes
of their slug and name, its bookings by the guest's address together with the event type they are on. Titles
mean nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from deploy.calcom.booking import BookingRequest
from deploy.calcom.channel import Channel
from deploy.calcom.errors import AlreadyCancelled, NotFound
from deploy.calcom.models import (
    WEEKDAYS,
    Booking,
    EventType,
    EventTypeFields,
    Location,
    Page,
    PublicEvent,
    Schedule,
    ScheduleFields,
    Slot,
    TimeRange,
    User,
    Webhook,
    WebhookFields,
)
from deploy.smoke.faults import CheckError
from deploy.smoke.names import SCHEDULE_PREFIX, SLUG_PREFIX, SlugsOfRuns, is_over

GUEST_NAME = "calstack smoke test"
GUEST_EMAIL = "smoke-test@calstack.invalid"
"""The top-level domain that never exists (RFC 2606 §2): the guest's mails reach nobody."""
METADATA_KEY = "calstack-smoke"
TRIGGERS = ("BOOKING_CREATED", "BOOKING_RESCHEDULED", "BOOKING_CANCELLED")

_ACTIVE = ("upcoming", "unconfirmed")
_MOST_LEFTOVERS = 50
"""Of each kind and run; what is left after that is for the next run."""


class BookingPath(Protocol):
    """What a guest can do over any channel, as `Guest` and `ApiGuest` of `deploy.calcom` do it."""

    def slots(
        self, event: PublicEvent, start: dt.datetime, end: dt.datetime, time_zone: str = "UTC"
    ) -> tuple[Slot, ...]:
        """See `Guest.slots`; without those marked away."""

    def book(self, request: BookingRequest) -> Booking:
        """See `Guest.book`."""

    def reschedule(self, uid: str, request: BookingRequest) -> Booking:
        """See `Guest.reschedule`."""

    def cancel(self, uid: str, reason: str) -> None:
        """See `Guest.cancel`."""

    def find(self, uid: str) -> Booking:
        """See `Guest.find`."""


class GuestPath(BookingPath, Protocol):
    """What a guest can do on the booking pages, as `deploy.calcom.guest.Guest` does it."""

    def event(self, username: str, slug: str) -> PublicEvent:
        """See `Guest.event`."""

    def page(self, path: str) -> Page:
        """See `Guest.page`."""


@dataclass
class Stage:
    """The things of one smoke test, each recorded as soon as it exists, so that it can be taken away."""

    channel: Channel
    guest: GuestPath
    run: str
    """Name of this run (`deploy.smoke.names`)."""
    secret: str = field(repr=False)
    """The webhook's; random for each test."""
    schedule: Schedule | None = None
    event_type: EventType | None = None
    webhook: Webhook | None = None
    uids: list[str] = field(default_factory=list)
    """Of all bookings that the test made, or found to be an earlier one's."""
    begun: bool = False
    """Whether there may be anything to take down."""

    @property
    def slug(self) -> str:
        """Slug of the hidden event type."""
        return f"{SLUG_PREFIX}{self.run}"

    @property
    def schedule_name(self) -> str:
        """Name of the test's own schedule."""
        return f"{SCHEDULE_PREFIX}{self.run}"

    def put_up(self, user: User, webhook_url: str | None) -> None:
        """Make schedule, event type and, with a URL, webhook.

        Raises `CheckError` where the user can have no schedule.
        """
        self.event_type = self.channel.create_event_type(
            EventTypeFields(
                title="calstack smoke test",
                slug=self.slug,
                description="Made by calstack to test booking, and removed again.",
                length_minutes=15,
                hidden=True,
                locations=(Location(type="address", address="calstack smoke test", public=True),),
                schedule_id=self._schedule_for(user),
                minimum_notice_minutes=0,
                slot_interval_minutes=15,
            )
        )
        if webhook_url is not None:
            self.webhook = self.channel.create_webhook(
                WebhookFields(url=webhook_url, triggers=TRIGGERS, active=True, secret=self.secret),
                event_type_id=self.event_type.id,
            )

    def active_bookings(self) -> tuple[Booking, ...]:
        """Bookings of the test's event type that are not cancelled."""
        if self.event_type is None:
            return ()
        listed = self.channel.list_bookings(_ACTIVE, attendee_email=GUEST_EMAIL)
        return tuple(booking for booking in listed if booking.event_type_id == self.event_type.id)

    def is_taken_by_others(self, start: dt.datetime, end: dt.datetime) -> bool:
        """Whether the user has another booking then: a guest's, or one of another smoke test."""
        own = self.event_type.id if self.event_type else None
        return any(
            booking.event_type_id != own and booking.start < end and start < booking.end
            for booking in self.channel.list_bookings(_ACTIVE, after=start - dt.timedelta(days=1))
        )

    def take_down(self, attempt: Callable[[str, Callable[[], None]], None]) -> None:
        """Take everything away, one `attempt(what it is, how)` a thing, so that no failure stops the others.

        The webhook goes first: Cal.com waits for it when a booking is cancelled, and nobody may be listening.
        A thing whose making failed half-way is looked for by its name.
        """
        if not self.begun:
            return
        attempt(f"webhook of {self.slug}", self._remove_webhook)
        attempt(f"active bookings of {self.slug}", self._cancel_bookings)
        attempt(f"event type {self.slug}", self._remove_event_type)
        attempt(f"schedule {self.schedule_name!r}", self._remove_schedule)

    def _schedule_for(self, user: User) -> int:
        if user.default_schedule_id is None:
            raise CheckError("no-schedule", f"{user.username} has no default schedule")
        always = (TimeRange(start=dt.time(0, 0), end=dt.time(23, 59)),)
        self.begun = True
        self.schedule = self.channel.create_schedule(
            ScheduleFields(
                name=self.schedule_name,
                time_zone="UTC",
                is_default=False,
                availability=dict.fromkeys(WEEKDAYS, always),
                overrides=(),
            )
        )
        return self.schedule.id

    def _remove_webhook(self) -> None:
        if self.webhook is not None:
            _ignoring_absence(partial(self.channel.delete_webhook, self.webhook))
        elif self.event_type is not None:
            for webhook in self.channel.list_webhooks(self.event_type.id):
                self.channel.delete_webhook(webhook)
        self.webhook = None

    def _cancel_bookings(self) -> None:
        for booking in self.active_bookings():
            cancel(self.guest, booking.uid)
            if booking.uid not in self.uids:
                self.uids.append(booking.uid)

    def _remove_event_type(self) -> None:
        own = [self.event_type] if self.event_type else self.channel.list_event_types([self.slug])
        for event_type in own:
            _ignoring_absence(partial(self.channel.delete_event_type, event_type.id))

    def _remove_schedule(self) -> None:
        own = [self.schedule] if self.schedule else self.channel.list_schedules([self.schedule_name])
        for schedule in own:
            _ignoring_absence(partial(self.channel.delete_schedule, schedule.id))


def cancel(guest: GuestPath, uid: str) -> None:
    """Cancel a booking of the test's; one that is cancelled already is as good."""
    try:
        guest.cancel(uid, "calstack smoke test")
    except AlreadyCancelled:
        return


@dataclass(frozen=True)
class Leftovers:
    """What a run that was killed left behind."""

    event_types: tuple[EventType, ...]
    schedules: tuple[Schedule, ...]
    active: tuple[Booking, ...]
    cancelled: tuple[Booking, ...]

    def __str__(self) -> str:
        counted = [
            (len(self.event_types), "event type(s)"),
            (len(self.schedules), "schedule(s)"),
            (len(self.active), "active booking(s)"),
            (len(self.cancelled), "cancelled booking(s)"),
        ]
        return ", ".join(f"{count} {kind}" for count, kind in counted if count) or "nothing"


def find_leftovers(
    channel: Channel, now: dt.datetime, *, alone: bool, with_cancelled: bool = False
) -> Leftovers:
    """Look for things of earlier runs that are over (`deploy.smoke.names.is_over`).

    `with_cancelled`: also for bookings that only SQL can remove.
    """

    def over(run: str) -> bool:
        return is_over(run, now, alone=alone)

    event_types = channel.list_event_types(SlugsOfRuns(over))
    schedules = [
        schedule
        for schedule in channel.list_schedules()
        if schedule.name.startswith(SCHEDULE_PREFIX) and over(schedule.name.removeprefix(SCHEDULE_PREFIX))
    ]
    ids = {event_type.id for event_type in event_types}

    def own(statuses: tuple[str, ...]) -> tuple[Booking, ...]:
        """On event types of the test's, or, marked in the metadata, on one that is gone."""
        return tuple(
            booking
            for booking in channel.list_bookings(statuses, attendee_email=GUEST_EMAIL)
            if booking.event_type_id in ids
            or (
                booking.event_type_id is None
                and METADATA_KEY in (booking.metadata or {})
                and over(str((booking.metadata or {})[METADATA_KEY]))
            )
        )[:_MOST_LEFTOVERS]

    return Leftovers(
        tuple(event_types[:_MOST_LEFTOVERS]),
        tuple(schedules[:_MOST_LEFTOVERS]),
        own(_ACTIVE),
        own(("cancelled",)) if with_cancelled else (),
    )


def clear_leftovers(channel: Channel, guest: GuestPath, found: Leftovers) -> None:
    """Remove them, bookings by cancelling; webhooks go first, since nobody listens at their end any more."""
    for event_type in found.event_types:
        for webhook in channel.list_webhooks(event_type.id):
            _ignoring_absence(partial(channel.delete_webhook, webhook))
    for booking in found.active:
        cancel(guest, booking.uid)
    for event_type in found.event_types:
        _ignoring_absence(partial(channel.delete_event_type, event_type.id))
    for schedule in found.schedules:
        if not schedule.is_default:  # Cal.com does not remove the default one (FACTS §14)
            _ignoring_absence(partial(channel.delete_schedule, schedule.id))


def _ignoring_absence(remove: Callable[[], None]) -> None:
    try:
        remove()
    except NotFound:
        return
