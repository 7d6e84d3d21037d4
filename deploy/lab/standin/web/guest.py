"""What a guest's browser sends: booking, moving and cancelling (FACTS §14)."""

from __future__ import annotations

import json
import secrets
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..core import bookings, event_types
from ..core.identifiers import trace_id
from ..core.refusals import DATABASE_ERROR, RefusalError
from ..database import Row
from ..instance import Instance
from .answers import PAGES_JSON, json_answer, with_cookies
from .procedures.slots import instant
from .session import Sessions, claims_of, signed_in
from .superjson import UNDEFINED, dumped
from .validation import (
    Check,
    InvalidError,
    Path,
    Problem,
    anything,
    boolean,
    checked,
    many,
    mapping,
    nullish,
    number,
    optional,
    sentence,
    shape,
    text,
    time_zone,
)  # fmt: skip

CSRF_COOKIE = "calcom.csrf_token"
CSRF_LENGTH = 64


def guest_name(value: Any, path: Path, problems: list[Problem]) -> Any:
    """A name in one piece or in two."""
    if isinstance(value, dict):
        return shape({"firstName": text(), "lastName": optional(text())})(value, path, problems)
    return text()(value, path, problems)


def booking_request(event_type: Row) -> Check:
    """The check of a booking's body for one event type."""
    form = shape(
        {
            "end": optional(text()),
            "eventTypeId": number(),
            "eventTypeSlug": optional(text()),
            "rescheduleUid": optional(text()),
            "rescheduledBy": optional(text()),
            "start": text(),
            "timeZone": time_zone,
            "user": optional(anything),
            "language": text(),
            "metadata": mapping(text()),
            "hasHashedBookingLink": optional(boolean),
            "hashedLink": nullish(text()),
            "responses": answers,
        }
    )

    def check(value: Any, path: Path, problems: list[Problem]) -> Any:
        given = form(value, path, problems)
        if not problems:
            rescheduling = bool(given.get("rescheduleUid"))
            wrong = bookings.problems_of_answers(event_type, given["responses"], rescheduling)
            problems += [Problem("custom", ("responses",), each) for each in wrong]
        return given

    return check


KNOWN_ANSWERS = shape(
    {
        "email": text(),
        "attendeePhoneNumber": optional(text()),
        "name": guest_name,
        "guests": optional(many(text())),
        "notes": optional(text()),
        "location": optional(shape({"optionValue": text(), "value": text()})),
    }
)


def answers(value: Any, path: Path, problems: list[Problem]) -> Any:
    """The answers of the form: the known ones of their types, the host's own as they are."""
    known = KNOWN_ANSWERS(value, path, problems)
    return {**value, **known} if isinstance(value, dict) and isinstance(known, dict) else value


class Guest:
    """The guest's endpoints of one instance."""

    def __init__(self, instance: Instance, sessions: Sessions) -> None:
        self._instance = instance
        self._sessions = sessions

    def book(self, _request: Request, body: bytes) -> Response:
        """`POST /api/book/event`: make a booking, or move one; any other method fails like a bodiless one."""
        content: Any = {}
        if body:
            try:
                content = json.loads(body)
            except ValueError:
                return Response("Invalid JSON", 400)
        try:
            made = self.booked(content if isinstance(content, dict) else {})
        except InvalidError as error:
            return self._refused(400, sentence(error.problems))
        except RefusalError as refusal:
            message = DATABASE_ERROR if refusal.message == refusal.code else refusal.message
            return self._refused(refusal.status, message)
        return json_answer(sent(bookings.answer(made)), media_type=PAGES_JSON)

    def booked(self, content: dict[str, Any]) -> bookings.Made:
        """Check a body and book. Raises InvalidError or RefusalError."""
        event_type = self._type_of(content)
        given = checked(booking_request(event_type), content)
        start = instant(given["start"])
        if start is None:
            raise RefusalError("BAD_REQUEST", "Attempting to book a meeting in the past.")
        end = instant(given.get("end") or "") or start + timedelta(minutes=event_type["length"])
        return bookings.book(
            self._instance,
            event_type["id"],
            bookings.Request(
                start=start,
                end=end,
                time_zone=given["timeZone"],
                language=given["language"],
                responses=given["responses"],
                metadata=given["metadata"],
                reschedule_uid=given.get("rescheduleUid") or None,
                rescheduled_by=given.get("rescheduledBy"),
            ),
        )

    def _type_of(self, content: dict[str, Any]) -> Row:
        event_type_id = content.get("eventTypeId")
        if not event_type_id and content.get("eventTypeSlug"):
            checked(shape({"eventTypeId": number()}), {"eventTypeId": content.get("eventTypeId", UNDEFINED)})
        if not isinstance(event_type_id, int) or isinstance(event_type_id, bool):
            raise RefusalError("INTERNAL_SERVER_ERROR", DATABASE_ERROR)
        with self._instance.database.transaction() as connection:
            event_type = event_types.by_id(connection, event_type_id)
        if event_type is None:
            raise RefusalError("NOT_FOUND")
        return event_type

    def _refused(self, status: int, message: str) -> Response:
        return json_answer({"message": message, "data": {"traceId": trace_id()}}, status, PAGES_JSON)

    def csrf(self, _request: Request, _body: bytes) -> Response:
        """`GET /api/csrf`: the token that a cancellation carries, in the body and as a cookie."""
        token = secrets.token_hex(CSRF_LENGTH // 2)
        secure = self._instance.settings.secure_cookies
        attributes = "Path=/; Secure; HttpOnly; SameSite=none" if secure else "Path=/; HttpOnly; SameSite=lax"
        return with_cookies(json_answer({"csrfToken": token}), f"{CSRF_COOKIE}={token}; {attributes}")

    def cancel(self, request: Request, body: bytes) -> Response:
        """`POST /api/cancel`: for who has the booking's uid and this browser's token."""
        try:
            content = json.loads(body)
        except ValueError:
            return json_answer({"success": False, "message": "Invalid JSON"}, 400)
        try:
            given = checked(CANCELLATION, content)
        except InvalidError as error:
            return json_answer({"message": sentence(error.problems)}, 400)
        known = request.cookies.get(CSRF_COOKIE)
        if not known or not secrets.compare_digest(known, given["csrfToken"]):
            return json_answer({"success": False, "message": "Invalid CSRF token"}, 403)
        answer = self._cancelled(request, given)
        return with_cookies(answer, f"{CSRF_COOKIE}=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT")

    def _cancelled(self, request: Request, given: dict[str, Any]) -> Response:
        with self._instance.database.transaction() as connection:
            user = signed_in(connection, claims_of(request, self._instance, self._sessions))
        try:
            booking = bookings.cancel(
                self._instance,
                given.get("uid") or "",
                given.get("cancellationReason"),
                given.get("cancelledBy"),
                user["id"] if user else None,
            )
        except RefusalError as refusal:
            message = DATABASE_ERROR if refusal.message == refusal.code else refusal.message
            return json_answer({"message": message}, refusal.status)
        return json_answer(
            {
                "success": True,
                "message": "Booking successfully cancelled.",
                "onlyRemovedAttendee": False,
                "bookingId": booking["id"],
                "bookingUid": booking["uid"],
            }
        )


def csrf_token(value: Any, path: Path, problems: list[Problem]) -> Any:
    """A text of a token's length."""
    if isinstance(value, str) and len(value) != CSRF_LENGTH:
        problems.append(
            Problem("too_big" if len(value) > CSRF_LENGTH else "too_small", path, "Invalid CSRF token")
        )
        return value
    return text()(value, path, problems)


def cancellation(value: Any, path: Path, problems: list[Problem]) -> Any:
    """The body of a cancellation: a token, and a booking by id or by uid."""
    given = CANCELLATION_FORM(value, path, problems)
    if isinstance(given, dict) and not problems and not given.get("id") and not given.get("uid"):
        problems.append(Problem("custom", (), "At least one of the following required: 'id', 'uid'."))
    return given


CANCELLATION_FORM = shape(
    {
        "id": optional(number()),
        "uid": optional(text()),
        "allRemainingBookings": optional(boolean),
        "cancelSubsequentBookings": optional(boolean),
        "cancellationReason": optional(text()),
        "seatReferenceUid": optional(text()),
        "cancelledBy": optional(text()),
        "csrfToken": csrf_token,
    }
)
CANCELLATION: Check = cancellation


def sent(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer with its instants as text."""
    plain: dict[str, Any] = dumped(answer)["json"]
    return plain
