"""The smoke test: book as a customer would, see the webhooks arrive, reschedule, cancel, leave nothing."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from deploy.calcom import signatures
from deploy.calcom.booking import BookingRequest
from deploy.calcom.channel import Channel
from deploy.calcom.errors import SlotTaken, UnlicensedApi
from deploy.calcom.models import Booking, PublicEvent, User
from deploy.errors import CalstackError
from deploy.smoke.clock import Clock, SystemClock
from deploy.smoke.deliveries import Delivery, NoDeliveryError, Receiver
from deploy.smoke.faults import CheckError
from deploy.smoke.inside import Inside, mail_complaint
from deploy.smoke.mails import Mailbox
from deploy.smoke.names import new_run
from deploy.smoke.report import JourneyEndedError, Progress, SmokeReport, Steps
from deploy.smoke.skew import CLOCK_LIMIT
from deploy.smoke.stage import (
    GUEST_EMAIL,
    GUEST_NAME,
    METADATA_KEY,
    BookingPath,
    GuestPath,
    Stage,
    clear_leftovers,
    find_leftovers,
)

RemoveCancelledBookings = Callable[[list[str]], int]
"""Removes bookings by uid from the instance's database, but only cancelled ones; says how many."""

_DAYS_AHEAD = dt.timedelta(days=1)
_DAYS_LOOKED_AT = dt.timedelta(days=14)
_LOOKS_AT_A_BUSY_CALENDAR = 5
"""Others book and cancel between two looks, another smoke test for one; what always differs is the zone."""

_SLOTS_TO_TRY = 3
"""A guest whose slot was just taken chooses another one; so does the test, but not for ever."""
_FAR_ZONES = ("Pacific/Apia", "Pacific/Pago_Pago")
"""+13 and -11: where days begin and end when it is another day for the host."""

_WEBHOOK_SECONDS = 90.0
"""Sent within the booking request, or up to a minute later by TASKER_ENABLE_WEBHOOKS (FACTS §5)."""
_DOUBT_SECONDS = 3.0
"""After this it is asked whether the webhook can arrive at all."""
_LATE_SECONDS = 10.0
_MAIL_SECONDS = 20.0
"""Cal.com hands mails in behind its answer."""
_MAIL_DOUBT_SECONDS = 2.0


@dataclass(frozen=True)
class Means:
    """What a test can lay its hands on beside the guest's path and the channel; all of it may be missing."""

    inside: Inside | None = None
    """Where the host is ours."""
    api: BookingPath | None = None
    """The way of guests over API v2, where there is one."""
    key_owner: Callable[[], User] | None = None
    """Asks API v2 whose calstack's own key is, where there are both."""
    mailbox: Mailbox | None = None
    """Where the instance's mails can be read."""
    ahead: Callable[[], dt.timedelta | None] = lambda: None
    """By how much the instance's clock is ahead of ours."""
    remove_cancelled_bookings: RemoveCancelledBookings | None = None
    """Where the database is ours."""
    alone: bool = False
    """Whether no other test of this kind can be at work (the host's lock is held)."""
    queued_webhooks: bool = False
    """Whether webhooks are queued on purpose (TASKER_ENABLE_WEBHOOKS), so that a minute is not late."""


@dataclass(frozen=True)
class Walk:
    """A way for guests to book, and what the names of its steps end with."""

    guest: BookingPath
    over: str = ""


def run_smoke_test(
    guest: GuestPath,
    channel: Channel,
    receiver: Receiver | None,
    means: Means | None = None,
    *,
    clock: Clock | None = None,
    progress: Progress = lambda _: None,
) -> SmokeReport:
    """Walk the whole journey and report how it went; never raises for what a smoke test is there to find.

    `guest` goes through the public name and TLS; `channel` sets up and takes down, as the user on whose page
    is booked; `receiver` listens where the instance reaches it: without one, and for all that `means` lacks,
    the steps are skipped and the report says so. Ctrl-C clears away first, then goes through.
    """
    return Journey(guest, channel, receiver, means or Means(), clock or SystemClock(), progress).run()


class Journey:
    """One smoke test."""

    def __init__(
        self,
        guest: GuestPath,
        channel: Channel,
        receiver: Receiver | None,
        means: Means,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._guest = guest
        self._channel = channel
        self._receiver = receiver
        self._means = means
        self._clock = clock
        self._steps = Steps(clock, progress)
        self._stage = Stage(channel, guest, new_run(clock.now(), alone=means.alone), secrets.token_hex(16))
        self._metadata = {METADATA_KEY: self._stage.run}
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
        self._open_the_sign_in_page()
        self._see_that_the_app_reaches_itself()
        self._clear_what_earlier_runs_left()
        user = self._put_up_a_hidden_event_type()
        event = self._open_its_page(user)
        self._walk_as(Walk(self._guest), user, event)
        self._see_that_api_v2_takes_the_key()
        if self._means.api is not None:
            # What customers' own pages do; guests need no key there (FACTS §4).
            self._walk_as(Walk(self._means.api, " over API v2"), user, event)
        self._see_that_the_app_did_not_complain_of_mail()

    def _walk_as(self, walk: Walk, user: User, event: PublicEvent) -> None:
        first, second = self._look_for_free_slots(walk, event)

        begun = self._clock.monotonic()
        booking = self._book(walk, event, first)
        self._receive(walk, "BOOKING_CREATED", booking, begun, metadata=True)
        self._read_back(walk, booking)
        self._see_it_in_the_calendars(walk, user, booking)
        self._see_its_mails(walk, user, booking)

        begun = self._clock.monotonic()
        moved = self._reschedule(walk, event, booking, second)
        self._receive(walk, "BOOKING_RESCHEDULED", moved, begun, metadata=True)

        begun = self._clock.monotonic()
        self._cancel(walk, moved)
        # Cal.com repeats the metadata in the first two alone (FACTS §14).
        self._receive(walk, "BOOKING_CANCELLED", moved, begun, metadata=False)
        self._see_that_nothing_active_is_left(walk, event, booking, moved)

    # --- the steps

    def _open_the_sign_in_page(self) -> None:
        with self._steps.step("open the sign-in page", limit_seconds=30) as step:
            page = self._guest.page("/auth/login")
            _check_answer("/auth/login", page.status)
            ahead = self._means.ahead()
            if ahead is not None and abs(ahead) > CLOCK_LIMIT:
                direction = "ahead of" if ahead > dt.timedelta(0) else "behind"
                raise CheckError(
                    "clock-skew",
                    f"the instance's clock is {abs(ahead).total_seconds():.0f} s {direction} ours",
                )
            step.detail = page.title or "no title"

    def _see_that_the_app_reaches_itself(self) -> None:
        name = "see that the app reaches itself"
        if self._means.inside is None:
            self._steps.skip(name, "the host is not ours to look into")
            return
        with self._steps.step(name, limit_seconds=30):
            probe = self._means.inside.own_name()
            if not probe.reached:
                fault = "hairpin-not-trusted" if probe.certificate_refused else "hairpin-broken"
                raise CheckError(fault, f"from inside of web: {probe.said}")

    def _see_that_api_v2_takes_the_key(self) -> None:
        if self._means.key_owner is None:
            return
        with self._steps.step("see that API v2 takes the key", limit_seconds=30) as step:
            try:
                step.detail = f"it is {self._means.key_owner().email}'s"
            except UnlicensedApi:
                # Guests need no key, and all that a host does goes over the web app.
                step.outcome = "skipped"
                step.detail = (
                    "this build of API v2 takes keys only with a licence; without one everything else works"
                )

    def _clear_what_earlier_runs_left(self) -> None:
        with self._steps.step("clear what earlier runs left", limit_seconds=120) as step:
            found = find_leftovers(
                self._channel,
                self._clock.now(),
                alone=self._means.alone,
                with_cancelled=self._means.remove_cancelled_bookings is not None,
            )
            clear_leftovers(self._channel, self._guest, found)
            self._stage.uids += [booking.uid for booking in (*found.active, *found.cancelled)]
            step.detail = str(found)

    def _put_up_a_hidden_event_type(self) -> User:
        with self._steps.step("put up a hidden event type", limit_seconds=30) as step:
            user = self._channel.me()
            if not user.username:
                raise CheckError("no-username", f"user {user.id} has no user name")
            self._stage.put_up(user, self._receiver.url if self._receiver else None)
            step.detail = f"/{user.username}/{self._stage.slug}"
        return user

    def _open_its_page(self, user: User) -> PublicEvent:
        with self._steps.step("open its page", limit_seconds=30) as step:
            path = f"/{user.username}/{self._stage.slug}"
            page = self._guest.page(path)
            _check_answer(path, page.status)
            if page.status != 200:
                raise CheckError("event-page-missing", f"{path} answers {page.status}")
            step.detail = page.title or "no title"
            return self._guest.event(user.username or "", self._stage.slug)

    def _look_for_free_slots(
        self, walk: Walk, event: PublicEvent
    ) -> tuple[list[dt.datetime], list[dt.datetime]]:
        with self._steps.step(f"look for free slots{walk.over}", limit_seconds=30) as step:
            start = self._clock.now() + _DAYS_AHEAD
            end = start + _DAYS_LOOKED_AT
            free = self._free(walk, event, start, end)
            choices = _two_days(free)
            if choices is None:
                raise CheckError(
                    "no-slots", f"{len(free)} free slot(s) in two weeks; the test needs them on two days"
                )
            for zone in _FAR_ZONES:
                self._compare_slots(walk, event, start, end, zone, free)
            step.detail = f"{len(free)} in two weeks, the same ones from {' and '.join(_FAR_ZONES)}"
        return choices

    def _compare_slots(
        self,
        walk: Walk,
        event: PublicEvent,
        start: dt.datetime,
        end: dt.datetime,
        zone: str,
        free: list[dt.datetime],
    ) -> None:
        differ_always: set[dt.datetime] | None = None
        for _ in range(_LOOKS_AT_A_BUSY_CALENDAR):
            there, after = self._free(walk, event, start, end, zone), self._free(walk, event, start, end)
            if there in (free, after):
                return
            differ = set(there) ^ set(after)
            differ_always = differ if differ_always is None else differ_always & differ
            free = after
        if differ_always:
            raise CheckError(
                "slots-differ", f"{len(differ_always)} slot(s) are not the same for a guest in {zone}"
            )

    def _free(
        self, walk: Walk, event: PublicEvent, start: dt.datetime, end: dt.datetime, zone: str = "UTC"
    ) -> list[dt.datetime]:
        return [slot.start for slot in walk.guest.slots(event, start, end, zone)]

    def _book(self, walk: Walk, event: PublicEvent, slots: list[dt.datetime]) -> Booking:
        with self._steps.step(f"book{walk.over}", limit_seconds=30) as step:
            booking, refused = _first_that_is_free(
                slots, lambda slot: walk.guest.book(self._request(event, slot))
            )
            self._stage.uids.append(booking.uid)
            _check_accepted(booking)
            step.detail = _described(booking, refused)
        return booking

    def _read_back(self, walk: Walk, booking: Booking) -> None:
        with self._steps.step(f"read the booking back{walk.over}", limit_seconds=30) as step:
            found = walk.guest.find(booking.uid)
            if (found.status, found.start) != ("accepted", booking.start):
                raise CheckError(
                    "booking-differs", f"it is {found.status}, at {found.start:%Y-%m-%d %H:%M} UTC"
                )
            page = self._guest.page(f"/booking/{booking.uid}")
            if page.status != 200:
                raise CheckError("booking-differs", f"/booking/{booking.uid} answers {page.status}")
            step.detail = page.title or "no title"

    def _reschedule(
        self, walk: Walk, event: PublicEvent, booking: Booking, slots: list[dt.datetime]
    ) -> Booking:
        with self._steps.step(f"reschedule{walk.over}", limit_seconds=30) as step:
            moved, refused = _first_that_is_free(
                slots, lambda slot: walk.guest.reschedule(booking.uid, self._request(event, slot))
            )
            self._stage.uids.append(moved.uid)
            _check_accepted(moved)
            if moved.uid == booking.uid or moved.start == booking.start:
                raise CheckError("booking-differs", "the booking is where it was")
            step.detail = _described(moved, refused)
        return moved

    def _cancel(self, walk: Walk, booking: Booking) -> None:
        with self._steps.step(f"cancel{walk.over}", limit_seconds=30):
            walk.guest.cancel(booking.uid, "calstack smoke test")

    def _receive(self, walk: Walk, trigger: str, booking: Booking, begun: float, *, metadata: bool) -> None:
        name = f"receive {trigger}{walk.over}"
        if self._receiver is None:
            self._steps.skip(name, "the instance has no address to send it to")
            return
        with self._steps.step(name, limit_seconds=_WEBHOOK_SECONDS + 5) as step:
            delivery = self._wait_for(self._receiver, trigger)
            self._check_delivery(delivery, booking, metadata=metadata)
            taken = self._clock.monotonic() - begun
            if taken > _LATE_SECONDS and not self._means.queued_webhooks:
                raise CheckError(
                    "webhook-late", f"it is right, but came {taken:.0f} s after it was asked for"
                )
            step.detail = "signature right, metadata there" if metadata else "signature right"

    def _wait_for(self, receiver: Receiver, trigger: str) -> Delivery:
        try:
            return receiver.wait_for(trigger, _DOUBT_SECONDS)
        except NoDeliveryError as error:
            if not error.others and self._means.inside is not None:
                probe = self._means.inside.reaches(receiver.url)
                if not probe.reached:
                    raise CheckError("webhook-unreachable", f"from inside of web: {probe.said}") from error
        try:
            return receiver.wait_for(trigger, _WEBHOOK_SECONDS - _DOUBT_SECONDS)
        except NoDeliveryError as error:
            raise NoDeliveryError(trigger, _WEBHOOK_SECONDS, error.others) from error

    def _see_it_in_the_calendars(self, walk: Walk, user: User, booking: Booking) -> None:
        name = f"see it in the host's calendars{walk.over}"
        if self._means.inside is None:
            self._steps.skip(name, "the database is not ours to look into")
            return
        with self._steps.step(name, limit_seconds=30) as step:
            calendars = self._means.inside.calendars(user.id, booking.uid)
            if calendars.connected and not calendars.written:
                raise CheckError(
                    "calendar-not-written", f"not written to any of: {', '.join(calendars.connected)}"
                )
            step.detail = ", ".join(calendars.written) or "none is connected"

    def _see_its_mails(self, walk: Walk, user: User, booking: Booking) -> None:
        name = f"see its mails{walk.over}"
        if self._means.mailbox is None:
            if self._means.inside is None:
                self._steps.skip(name, "the instance's mails cannot be read from here")
            return
        with self._steps.step(name, limit_seconds=_MAIL_SECONDS + 10) as step:
            missing = self._wait_for_mails(self._means.mailbox, {user.email, GUEST_EMAIL}, booking.uid)
            if missing:
                raise CheckError("mail-absent", f"no mail of the booking for {' and '.join(sorted(missing))}")
            step.detail = f"one for {user.email}, one for the guest"

    def _wait_for_mails(self, mailbox: Mailbox, recipients: set[str], uid: str) -> set[str]:
        """Those of the recipients for whom no mail of the booking came in time."""
        begun = self._clock.monotonic()
        while True:
            mails = [mail for mail in mailbox() if mail.mentions(uid)]
            missing = {one for one in recipients if not any(mail.is_for(one) for mail in mails)}
            waited = self._clock.monotonic() - begun
            if not missing or waited > _MAIL_SECONDS:
                return missing
            if waited > _MAIL_DOUBT_SECONDS:
                self._refuse_complaints_of_mail()
            self._clock.sleep(0.2)

    def _see_that_the_app_did_not_complain_of_mail(self) -> None:
        if self._means.inside is None or self._means.mailbox is not None:
            return
        name = "see that mails went out"
        if not self._means.inside.sends_mail:
            self._steps.skip(name, "no mail server is configured: nobody is told of a booking")
            return
        with self._steps.step(name, limit_seconds=30) as step:
            self._refuse_complaints_of_mail()
            step.detail = "the app does not complain"

    def _refuse_complaints_of_mail(self) -> None:
        inside = self._means.inside
        complaint = mail_complaint(inside.log()) if inside is not None else None
        if complaint is not None:
            raise CheckError("mail-refused", f"the app says: {complaint[:300]}")

    def _see_that_nothing_active_is_left(self, walk: Walk, event: PublicEvent, *bookings: Booking) -> None:
        with self._steps.step(f"see that nothing active is left{walk.over}", limit_seconds=30) as step:
            if active := self._stage.active_bookings():
                raise CheckError("still-active", f"still active: {', '.join(one.uid for one in active)}")
            for booking in bookings:
                found = walk.guest.find(booking.uid)
                if found.status != "cancelled":
                    raise CheckError("still-active", f"booking {booking.uid} is {found.status}")
                if booking.start not in self._free(
                    walk, event, booking.start, booking.end
                ) and not self._stage.is_taken_by_others(booking.start, booking.end):
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
            remove = self._means.remove_cancelled_bookings
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


def _check_answer(path: str, status: int) -> None:
    """Raise where a page's status says that proxy or app are not well."""
    fault = {403: "refused-by-proxy", 502: "app-down", 503: "app-down", 504: "app-down"}.get(status)
    if fault is not None or status >= 500:
        raise CheckError(fault or "app-failed", f"{path} answers {status}")


def _two_days(free: list[dt.datetime]) -> tuple[list[dt.datetime], list[dt.datetime]] | None:
    """Slots to try for a booking, and for moving it to another day; None where there are not enough.

    Taken at random, so that two tests at once seldom meet.
    """
    early = [slot for slot in free if slot <= free[-1] - dt.timedelta(days=1)]
    if not early:
        return None
    at = secrets.randbelow(len(early))
    later = [slot for slot in free if slot >= early[at] + dt.timedelta(days=1)]
    then = secrets.randbelow(len(later))
    return early[at : at + _SLOTS_TO_TRY], later[then : then + _SLOTS_TO_TRY]


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
