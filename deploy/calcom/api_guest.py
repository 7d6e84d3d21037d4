"""What a guest does over API v2: slots, reservation, booking, moving, cancelling; no key, no licence.

The same calls as `deploy.calcom.guest` has over the booking page, so that either can stand behind a flow of
one's own.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import quote

import httpx

from deploy.calcom.booking import BookingRequest, Look, book_once
from deploy.calcom.errors import (
    AlreadyCancelled,
    AlreadyExists,
    InvalidInput,
    NoAnswer,
    NotFound,
    Refused,
    SlotTaken,
)
from deploy.calcom.http import RetryPolicy
from deploy.calcom.models import Booking, PublicEvent, Reservation, Slot
from deploy.calcom.pacing import Pacer
from deploy.calcom.rest import BOOKINGS, EVENT_TYPES, SLOTS, Rest
from deploy.calcom.wire.api import bookings, event_types


class ApiGuest:
    """API v2 at the base URL of `http`, without a credential: guests need none.

    `look` is asked after a lost answer (`deploy.calcom.booking.looking_in` makes one of a host's channel);
    without it only the slots can be looked at. Guests of one address share one rate limit, so share one
    `pacer`.
    """

    def __init__(
        self,
        http: httpx.Client,
        *,
        look: Look | None = None,
        policy: RetryPolicy | None = None,
        pacer: Pacer | None = None,
    ) -> None:
        self._rest = Rest(http, None, policy, pacer or Pacer())
        self._look = look

    def event(self, username: str, slug: str) -> PublicEvent:
        """The event type behind `/username/slug`; raises `NotFound` where there is none."""
        found = self._rest.get(
            "/v2/event-types",
            EVENT_TYPES,
            list[event_types.EventTypeAnswer],
            {"username": username, "eventSlug": slug},
        )
        if not found:
            raise NotFound(
                f"there is no event type /{username}/{slug}", status=200, where="GET /v2/event-types"
            )
        return found[0].public_event(username)

    def slots(
        self, event: PublicEvent, start: dt.datetime, end: dt.datetime, time_zone: str = "UTC"
    ) -> tuple[Slot, ...]:
        """The free slots between two aware times, in order and in UTC, whatever `time_zone` is."""
        params = {
            "eventTypeId": str(event.id),
            "start": bookings.moment(start),
            "end": bookings.moment(end),
        }
        if time_zone != "UTC":
            params["timeZone"] = time_zone
        if event.length_options:
            params["duration"] = str(event.length_minutes)
        days = self._rest.get("/v2/slots", SLOTS, dict[str, list[bookings.SlotAnswer]], params)
        starts = {slot.start.astimezone(dt.UTC) for day in days.values() for slot in day}
        # An end at midnight is taken for a date, and so for the end of the day that begins.
        return tuple(Slot(start=moment) for moment in sorted(starts) if start <= moment < end)

    def reserve(self, event: PublicEvent, start: dt.datetime) -> Reservation:
        """Hold a slot for five minutes; raises `SlotTaken`."""
        body: dict[str, Any] = {"eventTypeId": event.id, "slotStart": bookings.moment(start)}
        if event.length_options:
            body["slotDuration"] = event.length_minutes
        try:
            return self._rest.write(
                "POST",
                "/v2/slots/reservations",
                SLOTS,
                bookings.ReservationAnswer,
                body,
                idempotent=False,
            ).reservation()
        except InvalidInput as error:
            if error.status != 422:
                raise
            raise _slot_taken(error) from error

    def release(self, reservation: Reservation) -> None:
        """Let go of a reservation before its time."""
        self._rest.write(
            "DELETE", f"/v2/slots/reservations/{reservation.uid}", SLOTS, object, idempotent=True
        )

    def book(self, request: BookingRequest) -> Booking:
        """Book a slot.

        Of a recurring event type the first booking is returned. Raises `SlotTaken`, `InvalidInput`,
        `NotFound`, or `LostAnswer` where the answer was lost and a look could not tell whether the booking
        was made.
        """
        body = bookings.booking_input(request)
        return book_once(lambda: self._post("/v2/bookings", body), request, slots=self.slots, look=self._look)

    def reschedule(self, uid: str, request: BookingRequest, reason: str = "") -> Booking:
        """Move the booking `uid` to `request.start`; the answer is a new booking with a new uid.

        Raises as `book` does.
        """
        body = {"start": bookings.moment(request.start)}
        if reason:
            body["reschedulingReason"] = reason
        path = f"/v2/bookings/{quote(uid, safe='')}/reschedule"
        return book_once(lambda: self._post(path, body), request, slots=self.slots, look=self._look)

    def cancel(self, uid: str, reason: str) -> None:
        """Cancel a booking; raises `AlreadyCancelled`, `NotFound`."""
        try:
            self._cancel_once(uid, reason)
        except NoAnswer:
            # Cancelling twice is harmless: the second time says that it was done.
            try:
                self._cancel_once(uid, reason)
            except AlreadyCancelled:
                return

    def find(self, uid: str) -> Booking:
        """What anybody who knows its uid may know about a booking; raises `NotFound`."""
        return self._rest.get(
            f"/v2/bookings/{quote(uid, safe='')}", BOOKINGS, bookings.BookingAnswer
        ).booking()

    def _post(self, path: str, body: dict[str, Any]) -> Booking:
        try:
            answer = self._rest.write(
                "POST",
                path,
                BOOKINGS,
                bookings.BookingAnswer | list[bookings.BookingAnswer],  # type: ignore[arg-type]
                body,
                idempotent=False,
            )
        except AlreadyExists as error:
            # The last seat is gone, or somebody was faster by a moment.
            raise _slot_taken(error) from error
        except InvalidInput as error:
            if "not available" not in error.message:
                raise
            raise _slot_taken(error) from error
        first: bookings.BookingAnswer = answer[0] if isinstance(answer, list) else answer
        return first.booking()

    def _cancel_once(self, uid: str, reason: str) -> None:
        try:
            self._rest.write(
                "POST",
                f"/v2/bookings/{quote(uid, safe='')}/cancel",
                BOOKINGS,
                object,
                {"cancellationReason": reason},
                idempotent=False,
            )
        except InvalidInput as error:
            if "cancelled already" not in error.message:
                raise
            raise AlreadyCancelled(
                "the booking was cancelled before",
                status=error.status,
                code=error.code,
                message=error.message,
                request_id=error.request_id,
                where=error.where,
            ) from error


def _slot_taken(error: Refused) -> SlotTaken:
    return SlotTaken(
        f"the slot is not free: {error.message}",
        status=error.status,
        code=error.code,
        message=error.message,
        request_id=error.request_id,
        where=error.where,
    )
