"""The smoke test: book as a customer would, see the webhooks arrive, reschedule, cancel, leave nothing."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from deploy.calcom import signatures
from deploy.calcom.channel import Channel
from deploy.calcom.errors import SlotTaken
from deploy.calcom.guest import BookingRequest
from deploy.calcom.models import Booking, PublicEvent, User
from deploy.errors import CalstackError
from deploy.smoke.clock import Clock, SystemClock
from deploy.smoke.deliveries import Delivery, Receiver
from deploy.smoke.faults import CheckError
from deploy.smoke.report import JourneyEndedError, Progress, SmokeReport, Steps
from deploy.smoke.stage import (
    GUEST_EMAIL,
    GUEST_NAME,
    METADATA_KEY,
    GuestPath,
    Stage,
    clear_leftovers,
    find_leftovers,
)

RemoveCancelledBookings = Callable[[list[str]], int]
"""Removes bookings by uid from the instance's database, but only cancelled ones; says how many."""

_DAYS_AHEAD = dt.timedelta(days=1)
_DAYS_LOOKED_AT = dt.timedelta(days=14)
_SLOTS_TO_TRY = 3
"""A guest whose slot was just taken chooses another one; so does the test, but not for ever."""

_WEBHOOK_SECONDS = 90.0
"""Sent within the booking request, or up to a minute later by TASKER_ENABLE_WEBHOOKS (FACTS §5)."""
_LATE_SECONDS = 10.0


def run_smoke_test(
    guest: GuestPath,
    channel: Channel,
    receiver: Receiver,
    *,
    clock: Clock | None = None,
    remove_cancelled_bookings: RemoveCancelledBookings | None = None,
    progress: Progress = lambda _: None,
) -> SmokeReport:
    """Walk the whole journey and report how it went; never raises for what a smoke test is there to find.

    `guest` goes through the public name and TLS; `channel` sets up and takes down, as the user on whose page
    is booked; `receiver` listens where the instance reaches it. `remove_cancelled_bookings` exists for
    instances whose database is ours. Ctrl-C clears away first, then goes through.
    """
    journey = Journey(guest, channel, receiver, clock or SystemClock(), remove_cancelled_bookings, progress)
    return journey.run()


class Journey:
    """One smoke test."""

    def __init__(
        self,
        guest: GuestPath,
        channel: Channel,
        receiver: Receiver,
        clock: Clock,
        remove_cancelled_bookings: RemoveCancelledBookings | None,
        progress: Progress,
    ) -> None:
        self._guest = guest
        self._channel = channel
        self._receiver = receiver
        self._clock = clock
        self._remove_cancelled_bookings = remove_cancelled_bookings
        self._steps = Steps(clock, progress)
        self._stage = Stage(channel, guest, secrets.token_hex(4), secrets.token_hex(16))
        self._metadata = {METADATA_KEY: self._stage.short_id}
        self._left_behind: list[str] = []
        self._removed = 0

    def run(self) -> SmokeReport:
        """The journey from end to end, then clearing away, whatever happened."""
        started, begun = self._clock.now(), self._clock.monotonic()
        try:
            with suppress(JourneyEndedError):
                self._walk()
        finally:
            self._clear_away()
        return SmokeReport(
            started=started,
            seconds=self._clock.monotonic() - begun,
            event_type=self._stage.slug,
            steps=tuple(self._steps.done),
            fault=self._steps.fault,
            left_behind=tuple(self._left_behind),
            cancelled_bookings_removed=self._removed,
            cancelled_bookings_left=max(0, len(self._stage.uids) - self._removed),
        )

    def _walk(self) -> None:
        self._clear_what_earlier_runs_left()
        user = self._put_up_a_hidden_event_type()
        event = self._open_its_page(user)
        first, second = self._look_for_free_slots(event)

        booking = self._book(event, first)
        self._receive("BOOKING_CREATED", booking, metadata=True)
        self._read_back(booking)

        moved = self._reschedule(event, booking, second)
        self._receive("BOOKING_RESCHEDULED", moved, metadata=True)

        self._cancel(moved)
        # Cal.com repeats the metadata in the first two alone (FACTS §14).
        self._receive("BOOKING_CANCELLED", moved, metadata=False)
        self._see_that_nothing_active_is_left(event, booking, moved)

    # --- the steps

    def _clear_what_earlier_runs_left(self) -> None:
        with self._steps.step("clear what earlier runs left", limit_seconds=120) as step:
            found = find_leftovers(self._channel, with_cancelled=self._remove_cancelled_bookings is not None)
            clear_leftovers(self._channel, self._guest, found)
            self._stage.uids += [booking.uid for booking in (*found.active, *found.cancelled)]
            step.detail = str(found)

    def _put_up_a_hidden_event_type(self) -> User:
        with self._steps.step("put up a hidden event type", limit_seconds=30) as step:
            user = self._channel.me()
            if not user.username:
                raise CheckError("no-username", f"user {user.id} has no user name")
            self._stage.put_up(user, self._receiver.url)
            step.detail = f"/{user.username}/{self._stage.slug}"
        return user

    def _open_its_page(self, user: User) -> PublicEvent:
        with self._steps.step("open its page", limit_seconds=30) as step:
            path = f"/{user.username}/{self._stage.slug}"
            page = self._guest.page(path)
            if page.status != 200:
                fault = {403: "refused-by-proxy", 502: "app-down", 503: "app-down", 504: "app-down"}
                raise CheckError(
                    fault.get(page.status, "app-failed" if page.status >= 500 else "event-page-missing"),
                    f"{path} answers {page.status}",
                )
            step.detail = page.title or "no title"
            return self._guest.event(user.username or "", self._stage.slug)

    def _look_for_free_slots(self, event: PublicEvent) -> tuple[list[dt.datetime], list[dt.datetime]]:
        with self._steps.step("look for free slots", limit_seconds=30) as step:
            start = self._clock.now() + _DAYS_AHEAD
            free = [slot.start for slot in self._guest.slots(event, start, start + _DAYS_LOOKED_AT)]
            later = [slot for slot in free if slot >= free[0] + dt.timedelta(days=1)]
            if not later:
                raise CheckError(
                    "no-slots", f"{len(free)} free slot(s) in two weeks; the test needs them on two days"
                )
            step.detail = f"{len(free)} in two weeks"
        return free[:_SLOTS_TO_TRY], later[:_SLOTS_TO_TRY]

    def _book(self, event: PublicEvent, slots: list[dt.datetime]) -> Booking:
        with self._steps.step("book", limit_seconds=30) as step:
            booking, refused = _first_that_is_free(
                slots, lambda slot: self._guest.book(self._request(event, slot))
            )
            self._stage.uids.append(booking.uid)
            _check_accepted(booking)
            step.detail = _described(booking, refused)
        return booking

    def _read_back(self, booking: Booking) -> None:
        with self._steps.step("read the booking back", limit_seconds=30) as step:
            found = self._guest.find(booking.uid)
            if (found.status, found.start) != ("accepted", booking.start):
                raise CheckError(
                    "booking-differs", f"it is {found.status}, at {found.start:%Y-%m-%d %H:%M} UTC"
                )
            page = self._guest.page(f"/booking/{booking.uid}")
            if page.status != 200:
                raise CheckError("booking-differs", f"/booking/{booking.uid} answers {page.status}")
            step.detail = page.title or "no title"

    def _reschedule(self, event: PublicEvent, booking: Booking, slots: list[dt.datetime]) -> Booking:
        with self._steps.step("reschedule", limit_seconds=30) as step:
            moved, refused = _first_that_is_free(
                slots, lambda slot: self._guest.reschedule(booking.uid, self._request(event, slot))
            )
            self._stage.uids.append(moved.uid)
            _check_accepted(moved)
            if moved.uid == booking.uid or moved.start == booking.start:
                raise CheckError("booking-differs", "the booking is where it was")
            step.detail = _described(moved, refused)
        return moved

    def _cancel(self, booking: Booking) -> None:
        with self._steps.step("cancel", limit_seconds=30):
            self._guest.cancel(booking.uid, "calstack smoke test")

    def _receive(self, trigger: str, booking: Booking, *, metadata: bool) -> None:
        with self._steps.step(f"receive {trigger}", limit_seconds=_WEBHOOK_SECONDS + 5) as step:
            begun = self._clock.monotonic()
            delivery = self._receiver.wait_for(trigger, _WEBHOOK_SECONDS)
            self._check_delivery(delivery, booking, metadata=metadata)
            step.detail = "signature right, metadata there" if metadata else "signature right"
            if self._clock.monotonic() - begun > _LATE_SECONDS:
                step.detail += "; late: webhooks are queued, or the app is overloaded"

    def _see_that_nothing_active_is_left(self, event: PublicEvent, *bookings: Booking) -> None:
        with self._steps.step("see that nothing active is left", limit_seconds=30) as step:
            if active := self._stage.active_bookings():
                raise CheckError("still-active", f"still active: {', '.join(one.uid for one in active)}")
            for booking in bookings:
                found = self._guest.find(booking.uid)
                if found.status != "cancelled":
                    raise CheckError("still-active", f"booking {booking.uid} is {found.status}")
                free = self._guest.slots(event, booking.start, booking.end)
                if booking.start not in (slot.start for slot in free):
                    raise CheckError("still-active", f"{booking.start:%Y-%m-%d %H:%M} UTC is not free again")
            step.detail = "both slots are free again"

    def _check_delivery(self, delivery: Delivery, booking: Booking, *, metadata: bool) -> None:
        signature = delivery.header(signatures.HEADER)
        if signature in (None, signatures.NO_SECRET):
            raise CheckError("webhook-unsigned", f"{signatures.HEADER} is {signature or 'missing'}")
        if not signatures.is_signed(delivery.body, signature, self._stage.secret):
            raise CheckError("webhook-wrong-signature", f"{signatures.HEADER} does not fit the body")
        if delivery.payload.get("uid") != booking.uid:
            raise CheckError("webhook-wrong-booking", f"it is about booking {delivery.payload.get('uid')}")
        said = delivery.payload.get("metadata")
        # Cal.com adds keys of its own, such as videoCallUrl.
        if metadata and not (isinstance(said, dict) and self._metadata.items() <= said.items()):
            raise CheckError("webhook-without-metadata", f"{METADATA_KEY} is not in its metadata")

    # --- clearing away

    def _clear_away(self) -> None:
        with suppress(JourneyEndedError), self._steps.step("clear away", limit_seconds=120) as step:
            self._stage.take_down(self._attempt)
            remove = self._remove_cancelled_bookings
            if remove is not None and self._stage.uids:
                self._attempt("cancelled bookings", partial(self._remove_rows, remove))
            if self._left_behind:
                raise CheckError("left-behind", f"left behind: {'; '.join(self._left_behind)}")
            step.detail = f"{self._removed} booking row(s) removed" if self._removed else "nothing is left"

    def _attempt(self, what: str, how: Callable[[], None]) -> None:
        try:
            how()
        except CalstackError as error:
            self._left_behind.append(f"{what} ({error.what})")

    def _remove_rows(self, remove: RemoveCancelledBookings) -> None:
        self._removed = remove(self._stage.uids)

    def _request(self, event: PublicEvent, start: dt.datetime) -> BookingRequest:
        return BookingRequest(
            event=event, start=start, name=GUEST_NAME, email=GUEST_EMAIL, metadata=self._metadata
        )


def _first_that_is_free(
    slots: list[dt.datetime], take: Callable[[dt.datetime], Booking]
) -> tuple[Booking, int]:
    """Take the first slot that nobody has taken in the meantime; also says how many were refused."""
    for refused, slot in enumerate(slots[:-1]):
        with suppress(SlotTaken):
            return take(slot), refused
    return take(slots[-1]), len(slots) - 1


def _check_accepted(booking: Booking) -> None:
    if booking.status != "accepted":
        raise CheckError("booking-refused", f"booking {booking.uid} is {booking.status}, not accepted")


def _described(booking: Booking, refused: int) -> str:
    described = f"{booking.start:%Y-%m-%d %H:%M} UTC, {booking.uid}"
    return f"{described}, after {refused} slot(s) that were taken" if refused else described
