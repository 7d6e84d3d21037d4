"""A Cal.com in memory that a smoke test can walk through, with a switch for each way in which it can fail."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.calcom.booking import BookingRequest
from deploy.calcom.errors import AlreadyCancelled, NotFound, SlotTaken
from deploy.calcom.models import (
    Booking,
    EventType,
    EventTypeFields,
    Page,
    ProfileFields,
    PublicEvent,
    Schedule,
    ScheduleFields,
    Slot,
    User,
    Webhook,
    WebhookFields,
)
from deploy.calcom.signatures import HEADER, sign
from deploy.smoke.deliveries import Delivery, NoDeliveryError, ReceiverGoneError
from deploy.smoke.inside import Calendars, Probe
from deploy.smoke.mails import Mail
from tests.unit.calcom.bare import bare_event_type, bare_webhook

ADA = User(
    id=1,
    username="ada",
    email="ada@example.test",
    name="Ada",
    time_zone="UTC",
    completed_onboarding=True,
    default_schedule_id=1,
)
NOW = dt.datetime(2026, 11, 24, 7, 0, tzinfo=dt.UTC)


class FakeClock:
    """Stands still unless it is told to go on."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> dt.datetime:
        return NOW + dt.timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds


class FakeReceiver:
    """Hands out what the instance sent to its URL."""

    def __init__(self, port: int = 40000) -> None:
        self.url = f"http://172.30.0.1:{port}/0123456789abcdef0123"
        self.arrived: list[Delivery] = []
        self.gone = False

    def wait_for(self, trigger: str, timeout: float) -> Delivery:
        for delivery in self.arrived:
            if delivery.trigger == trigger:
                self.arrived.remove(delivery)
                return delivery
        if self.gone:
            raise ReceiverGoneError("the connection to the host's receiver broke")
        raise NoDeliveryError(trigger, timeout, tuple(str(one.trigger) for one in self.arrived))


class FakeInside:
    """A host where all is well until told otherwise."""

    def __init__(self) -> None:
        self.sends_mail = True
        self.name = Probe(reached=True)
        self.way = Probe(reached=True)
        self.lines: list[str] = []
        self.connected: tuple[str, ...] = ()
        self.written: tuple[str, ...] = ()

    def own_name(self) -> Probe:
        return self.name

    def reaches(self, url: str) -> Probe:
        assert url == FakeReceiver().url
        return self.way

    def log(self) -> list[str]:
        return self.lines

    def calendars(self, user_id: int, uid: str) -> Calendars:
        assert (user_id, uid[:4]) == (ADA.id, "uid-")
        return Calendars(self.connected, self.written)


Hook = Callable[..., None]


@dataclass
class FakeInstance:
    """Channel and guest's path of one user over the same memory.

    `before[method]` is called with the method's arguments before it does its work, and may raise.
    """

    receiver: FakeReceiver
    user: User = ADA
    schedules: dict[int, Schedule] = field(default_factory=dict)
    event_types: dict[int, EventType] = field(default_factory=dict)
    webhooks: dict[str, Webhook] = field(default_factory=dict)
    bookings: dict[str, Booking] = field(default_factory=dict)
    before: dict[str, Hook] = field(default_factory=dict)
    slots_a_day: int = 4
    days_with_slots: int = 14
    sign: Callable[[bytes, str], str | None] = sign
    metadata_in_webhooks: bool = True
    new_booking_status: str = "accepted"
    name: str = "web"
    numbers: int = 100
    calls: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    """Slugs of the event types that were read in full."""
    further_receivers: list[FakeReceiver] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    slots_in: Callable[[str, dt.datetime], bool] = lambda _zone, _start: True
    """Whether a guest in that zone is offered that slot."""

    def _called(self, method: str, *arguments: Any) -> None:
        self.calls.append(method)
        if method in self.before:
            self.before[method](*arguments)

    def _number(self) -> int:
        self.numbers += 1
        return self.numbers

    # --- the channel

    def me(self) -> User:
        self._called("me")
        return self.user

    def update_profile(self, fields: ProfileFields) -> None:
        raise NotImplementedError

    def list_schedules(self, names: Collection[str] | None = None) -> tuple[Schedule, ...]:
        self._called("list_schedules")
        return tuple(one for one in self.schedules.values() if names is None or one.name in names)

    def create_schedule(self, fields: ScheduleFields) -> Schedule:
        self._called("create_schedule", fields)
        assert fields.name
        schedule = Schedule(
            id=self._number(),
            name=fields.name,
            time_zone=fields.time_zone or "UTC",
            is_default=bool(fields.is_default),
            availability=fields.availability or {},
            overrides=(),
        )
        self.schedules[schedule.id] = schedule
        self.before.get("schedule_created", lambda: None)()
        return schedule

    def update_schedule(self, schedule_id: int, fields: ScheduleFields) -> Schedule:
        raise NotImplementedError

    def delete_schedule(self, schedule_id: int) -> None:
        self._called("delete_schedule", schedule_id)
        assert not self.schedules[schedule_id].is_default
        del self.schedules[schedule_id]

    def list_event_types(self, slugs: Collection[str] | None = None) -> tuple[EventType, ...]:
        self._called("list_event_types")
        found = tuple(one for one in self.event_types.values() if slugs is None or one.slug in slugs)
        self.reads += [one.slug for one in found]
        return found

    def event_type_ids(self, slugs: Collection[str] | None = None) -> tuple[int, ...]:
        raise NotImplementedError

    def get_event_type(self, event_type_id: int) -> EventType:
        raise NotImplementedError

    def create_event_type(self, fields: EventTypeFields) -> EventType:
        self._called("create_event_type", fields)
        event_type = event_type_of(self._number(), fields)
        self.event_types[event_type.id] = event_type
        self.before.get("event_type_created", lambda: None)()
        return event_type

    def update_event_type(self, event_type_id: int, fields: EventTypeFields) -> EventType:
        raise NotImplementedError

    def delete_event_type(self, event_type_id: int) -> None:
        self._called("delete_event_type", event_type_id)
        if event_type_id not in self.event_types:
            raise NotFound("no such event type", status=404)
        del self.event_types[event_type_id]
        for webhook in [one for one in self.webhooks.values() if one.event_type_id == event_type_id]:
            del self.webhooks[webhook.id]
        for booking in list(self.bookings.values()):
            if booking.event_type_id == event_type_id:
                self.bookings[booking.uid] = booking.model_copy(update={"event_type_id": None})

    def list_webhooks(self, event_type_id: int | None = None) -> tuple[Webhook, ...]:
        self._called("list_webhooks")
        return tuple(one for one in self.webhooks.values() if one.event_type_id == event_type_id)

    def create_webhook(self, fields: WebhookFields, event_type_id: int | None = None) -> Webhook:
        self._called("create_webhook", fields)
        assert fields.url
        assert fields.triggers
        webhook = bare_webhook(
            f"webhook-{self._number()}",
            fields.url,
            event_type_id,
            triggers=fields.triggers,
            secret=fields.secret,
        )
        self.webhooks[webhook.id] = webhook
        return webhook

    def update_webhook(self, webhook: Webhook, fields: WebhookFields) -> Webhook:
        raise NotImplementedError

    def delete_webhook(self, webhook: Webhook) -> None:
        self._called("delete_webhook", webhook)
        if webhook.id not in self.webhooks:
            raise NotFound("no such webhook", status=404)
        del self.webhooks[webhook.id]

    def list_bookings(
        self,
        statuses: Sequence[str],
        *,
        attendee_email: str | None = None,
        after: dt.datetime | None = None,  # noqa: ARG002
    ) -> tuple[Booking, ...]:
        self._called("list_bookings")
        wanted = {"upcoming": "accepted", "unconfirmed": "pending", "cancelled": "cancelled"}
        return tuple(
            booking
            for booking in self.bookings.values()
            if booking.status in [wanted[status] for status in statuses]
            and attendee_email in (None, *booking.attendee_emails)
        )

    # --- the guest's path

    def event(self, username: str, slug: str) -> PublicEvent:
        self._called("event")
        found = next(one for one in self.event_types.values() if one.slug == slug)
        return PublicEvent(
            id=found.id,
            title=found.title,
            slug=slug,
            username=username,
            length_minutes=found.length_minutes,
            locations=found.locations,
            requires_confirmation=False,
            seats_per_slot=None,
        )

    def slots(
        self,
        event: PublicEvent,  # noqa: ARG002
        start: dt.datetime,
        end: dt.datetime,
        time_zone: str = "UTC",
    ) -> tuple[Slot, ...]:
        self._called("slots")
        midnight = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
        all_starts = [
            midnight + dt.timedelta(days=day, hours=9 + hour)
            for day in range(self.days_with_slots)
            for hour in range(self.slots_a_day)
        ]
        taken = {one.start for one in self.bookings.values() if one.status == "accepted"}
        return tuple(
            Slot(start=one)
            for one in all_starts
            if start <= one < end and one not in taken and self.slots_in(time_zone, one)
        )

    def book(self, request: BookingRequest) -> Booking:
        self._called("book", request)
        return self._booked(request, "BOOKING_CREATED")

    def reschedule(self, uid: str, request: BookingRequest) -> Booking:
        self._called("reschedule", request)
        self._set_status(uid, "cancelled")
        return self._booked(request, "BOOKING_RESCHEDULED")

    def cancel(self, uid: str, reason: str) -> None:
        self._called("cancel", uid)
        assert reason
        if self.bookings[uid].status == "cancelled":
            raise AlreadyCancelled("cancelled before", status=400)
        self._set_status(uid, "cancelled")
        self._deliver("BOOKING_CANCELLED", self.bookings[uid], None)

    def find(self, uid: str) -> Booking:
        self._called("find", uid)
        return self.bookings[uid]

    def page(self, path: str) -> Page:
        self._called("page", path)
        return Page(status=200, title=f"Page of {path}")

    def _booked(self, request: BookingRequest, trigger: str) -> Booking:
        if any(one.start == request.start and one.status == "accepted" for one in self.bookings.values()):
            raise SlotTaken("the slot is not free", status=409, where="POST /api/book/event")
        booking = Booking(
            id=self._number(),
            uid=f"uid-{self._number()}",
            status=self.new_booking_status,  # type: ignore[arg-type]
            start=request.start,
            end=request.end,
            event_type_id=request.event.id,
            attendee_emails=(request.email,),
            metadata=dict(request.metadata),
        )
        self.bookings[booking.uid] = booking
        text = f"Subject: any\n\nhttps://cal.example.test/booking/{booking.uid}\n".encode()
        self.mails += [Mail((address,), text) for address in (self.user.email, request.email)]
        self._deliver(trigger, booking, dict(request.metadata) if self.metadata_in_webhooks else {})
        self.before.get("booked", lambda: None)()
        return booking

    def _set_status(self, uid: str, status: str) -> None:
        self.bookings[uid] = self.bookings[uid].model_copy(update={"status": status})

    def _deliver(self, trigger: str, booking: Booking, metadata: dict[str, str] | None) -> None:
        for webhook in self.webhooks.values():
            if webhook.event_type_id != booking.event_type_id or trigger not in webhook.triggers:
                continue
            receivers = [self.receiver, *self.further_receivers]
            receiver = next((one for one in receivers if one.url == webhook.url), None)
            if receiver is None or receiver.gone:
                continue
            payload = {"uid": booking.uid, "title": "any", "metadata": metadata}
            body = json.dumps({"triggerEvent": trigger, "payload": payload}).encode()
            assert webhook.secret
            signature = self.sign(body, webhook.secret)
            headers = {} if signature is None else {HEADER.lower(): signature}
            receiver.arrived.append(Delivery(headers, body, "2026-11-24T07:00:00Z"))

    def remove_cancelled(self, uids: list[str]) -> int:
        self._called("remove_cancelled", uids)
        gone = [uid for uid in uids if uid in self.bookings and self.bookings[uid].status == "cancelled"]
        for uid in gone:
            del self.bookings[uid]
        return len(gone)


def event_type_of(number: int, fields: EventTypeFields) -> EventType:
    """The event type of these fields, which can be booked at once."""
    return bare_event_type(
        number,
        fields,
        locations=fields.locations or (),
        schedule_id=fields.schedule_id,
        minimum_notice_minutes=0,
    )
