"""What a guest does, as the booking page does it: no session, no key, the public address (FACTS §14).

Cookies are carried by hand from an answer to the next request, never through a jar, so that the same calls
work through a plain HTTP entrance too.
"""

from __future__ import annotations

import datetime as dt
import html
import re
from typing import Any

import httpx

from deploy.calcom.booking import BookingRequest, Look, book_once
from deploy.calcom.errors import (
    AlreadyCancelled,
    InvalidInput,
    NoAnswer,
    NotAllowed,
    NotFound,
    Refused,
    ServerFailed,
    SlotTaken,
    UnexpectedShape,
)
from deploy.calcom.http import RetryPolicy, json_object, send
from deploy.calcom.models import Booking, Location, Page, PublicEvent, Slot
from deploy.calcom.trpc import Trpc, iso_milliseconds, read_shape
from deploy.calcom.wire import bookings, event_types

__all__ = ["BookingRequest", "Guest", "Look"]

_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


class Guest:
    """The booking page's calls to one instance.

    `look` is asked after a lost answer; without it only the slots can be looked at. `policy` is how often to
    try where trying again is safe.
    """

    def __init__(
        self, http: httpx.Client, *, look: Look | None = None, policy: RetryPolicy | None = None
    ) -> None:
        self._http = http
        self._look = look
        self._policy = policy or RetryPolicy()
        self._trpc = Trpc(http, None, self._policy)

    def event(self, username: str, slug: str) -> PublicEvent:
        """The event type behind `/username/slug`; raises `NotFound` where there is none."""
        procedure = "public/event"
        answer = self._trpc.query(
            procedure,
            {"username": username, "eventSlug": slug, "isTeamEvent": False, "org": None},
            bookings.PublicEventAnswer | None,  # type: ignore[arg-type]
        )
        if answer is None:
            raise NotFound(f"there is no event type /{username}/{slug}", status=200, where=procedure)
        return answer.public_event(username)

    def slots(
        self, event: PublicEvent, start: dt.datetime, end: dt.datetime, time_zone: str = "UTC"
    ) -> tuple[Slot, ...]:
        """The free slots between two aware times, in order; those marked away are not free (FACTS §16)."""
        answer = self._trpc.query(
            "slots/getSchedule",
            {
                "isTeamEvent": False,
                "usernameList": [event.username],
                "eventTypeSlug": event.slug,
                "startTime": iso_milliseconds(start),
                "endTime": iso_milliseconds(end),
                "timeZone": time_zone,
                # A text here, as the page sends it.
                **({"duration": str(event.length_minutes)} if event.length_options else {}),
            },
            bookings.SlotsAnswer,
        )
        starts = {slot.time for day in answer.slots.values() for slot in day if not slot.away}
        return tuple(Slot(start=moment) for moment in sorted(starts))

    def reserve(self, event: PublicEvent, start: dt.datetime) -> str:
        """Hold a slot for a few minutes, as choosing it on the page does; returns the reservation's uid."""
        end = start + dt.timedelta(minutes=event.length_minutes)
        return self._trpc.mutate(
            "slots/reserveSlot",
            {
                "eventTypeId": event.id,
                # Texts here, not superjson dates: so the page sends them.
                "slotUtcStartDate": iso_milliseconds(start),
                "slotUtcEndDate": iso_milliseconds(end),
            },
            bookings.Reserved,
            idempotent=False,
        ).uid

    def book(self, request: BookingRequest) -> Booking:
        """Book a slot.

        Raises `SlotTaken`, `InvalidInput`, `NotFound`, or `LostAnswer` where the answer was lost and a look
        could not tell whether the booking was made.
        """
        return self._book_once(request, _book_body(request))

    def reschedule(self, uid: str, request: BookingRequest) -> Booking:
        """Move the booking `uid` to `request.start`; the answer is a new booking with a new uid.

        Raises as `book` does.
        """
        return self._book_once(request, {**_book_body(request), "rescheduleUid": uid})

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
        procedure = "bookings/find"
        found = self._trpc.query(procedure, {"bookingUid": uid}, bookings.BookingFound).booking
        if found is None:
            raise NotFound(f"there is no booking {uid}", status=200, where=procedure)
        return found.booking()

    def page(self, path: str) -> Page:
        """Open a page, such as `/admin/intro` or `/booking/UID`, and say what it is called."""
        response = send(self._http, "GET", path, idempotent=True, policy=self._policy)
        title = _TITLE.search(response.text)
        return Page(status=response.status_code, title=html.unescape(title[1]).strip() if title else None)

    def _book_once(self, request: BookingRequest, body: dict[str, Any]) -> Booking:
        return book_once(lambda: self._post_booking(body), request, slots=self.slots, look=self._look)

    def _post_booking(self, body: dict[str, Any]) -> Booking:
        where = "POST /api/book/event"
        response = send(
            self._http, "POST", "/api/book/event", idempotent=False, json=body, policy=self._policy
        )
        answer = json_object(response, where)
        if response.status_code != 200:
            raise _booking_refusal(response, answer, where)
        return read_shape(where, answer, bookings.BookingAnswer).booking()

    def _cancel_once(self, uid: str, reason: str) -> None:
        where = "POST /api/cancel"
        token_answer = send(self._http, "GET", "/api/csrf", idempotent=True, policy=self._policy)
        token = json_object(token_answer, "GET /api/csrf").get("csrfToken")
        if not isinstance(token, str):
            raise UnexpectedShape("GET /api/csrf", expected="a csrfToken", came="none")
        cookies = [header.partition(";")[0] for header in token_answer.headers.get_list("set-cookie")]
        response = send(
            self._http,
            "POST",
            "/api/cancel",
            idempotent=False,
            json={"uid": uid, "cancellationReason": reason, "csrfToken": token},
            headers={"cookie": "; ".join(cookies)},
            policy=self._policy,
        )
        answer = json_object(response, where)
        if response.status_code == 200 and answer.get("success") is True:
            return
        message = str(answer.get("message", ""))
        if response.status_code == 400 and "already been cancelled" in message.lower():
            raise AlreadyCancelled(
                "the booking was cancelled before", status=400, message=message, where=where
            )
        kind = {400: InvalidInput, 403: NotAllowed, 404: NotFound}.get(response.status_code, Refused)
        raise kind(
            f"Cal.com did not cancel the booking ({response.status_code}): {message[:200]}",
            status=response.status_code,
            message=message,
            request_id=_trace_id(answer),
            where=where,
        )


def _book_body(request: BookingRequest) -> dict[str, Any]:
    responses: dict[str, Any] = {"name": request.name, "email": request.email}
    if request.event.locations:
        responses["location"] = {
            "value": _location_choice(request.event.locations[0]),
            "optionValue": request.place,
        }
    responses.update(request.answers)
    if request.guests:
        responses["guests"] = list(request.guests)
    return {
        "start": iso_milliseconds(request.start),
        "end": iso_milliseconds(request.end),
        "eventTypeId": request.event.id,
        "eventTypeSlug": request.event.slug,
        "user": request.event.username,
        "timeZone": request.time_zone,
        "language": request.language,
        "metadata": dict(request.metadata),
        "responses": responses,
    }


def _location_choice(location: Location) -> str:
    return str(event_types.location_input(location)["type"])


def _booking_refusal(response: httpx.Response, answer: dict[str, Any], where: str) -> Refused:
    status = response.status_code
    message = str(answer.get("message", ""))
    kind: type[Refused] = {
        400: InvalidInput,
        401: NotAllowed,
        403: NotAllowed,
        404: NotFound,
        409: SlotTaken,
    }.get(status, ServerFailed if status >= 500 else Refused)
    what = "the slot is not free" if kind is SlotTaken else f"Cal.com refused the booking ({status})"
    return kind(
        f"{what}: {message[:300]}",
        status=status,
        message=message,
        request_id=_trace_id(answer),
        where=where,
    )


def _trace_id(answer: dict[str, Any]) -> str | None:
    data = answer.get("data")
    trace = data.get("traceId") if isinstance(data, dict) else None
    return trace if isinstance(trace, str) else None
