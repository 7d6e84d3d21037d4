"""What happens around a guest's booking when answers get lost; the good way is in the contract test."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from deploy.calcom import errors
from deploy.calcom.guest import BookingRequest, Guest
from deploy.calcom.http import RetryPolicy
from deploy.calcom.models import Booking, Location, PublicEvent

START = dt.datetime(2026, 12, 7, 8, tzinfo=dt.UTC)
EVENT = PublicEvent(
    id=1,
    title="Intro",
    slug="intro",
    username="admin",
    length_minutes=30,
    locations=(Location(type="attendee_phone"),),
    requires_confirmation=False,
    seats_per_slot=None,
)
REQUEST = BookingRequest(event=EVENT, start=START, name="Jane", email="jane@acme.test", place="+4930901820")
MADE = {
    "id": 1,
    "uid": "u1",
    "status": "ACCEPTED",
    "startTime": "2026-12-07T08:00:00.000Z",
    "endTime": "2026-12-07T08:30:00.000Z",
    "eventTypeId": 1,
}


class Instance:
    """Answers bookings one after the other; `free` says whether the slot is still offered."""

    def __init__(self, *bookings: Any, free: bool = True) -> None:
        self.left = list(bookings)
        self.free = free
        self.paths: list[str] = []
        self.bodies: list[dict[str, Any]] = []

    def guest(self, look: Callable[[BookingRequest], Booking | None] | None = None) -> Guest:
        http = httpx.Client(base_url="https://cal.example.test", transport=httpx.MockTransport(self))
        return Guest(http, look=look, policy=RetryPolicy(attempts=2, sleep=lambda _: None))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        if request.url.path == "/api/trpc/slots/getSchedule":
            slots = {"2026-12-07": [{"time": "2026-12-07T08:00:00.000Z"}] if self.free else []}
            return httpx.Response(200, json={"result": {"data": {"json": {"slots": slots}}}})
        if request.url.path == "/api/csrf":
            return httpx.Response(
                200, json={"csrfToken": "t"}, headers={"set-cookie": "calcom.csrf_token=c; Secure"}
            )
        self.bodies.append(json.loads(request.content))
        now = self.left.pop(0)
        if isinstance(now, Exception):
            raise now
        return httpx.Response(now[0], json=now[1])

    @property
    def booked(self) -> int:
        return self.paths.count("/api/book/event")


LOST = httpx.ReadTimeout("late")
TAKEN = (409, {"message": "no_available_users_found_error", "data": {"traceId": "t"}})


class TestLostAnswer:
    def test_slot_still_free_so_it_was_not_made_and_is_sent_again(self) -> None:
        instance = Instance(LOST, (200, MADE))
        assert instance.guest().book(REQUEST).uid == "u1"
        assert instance.paths == ["/api/book/event", "/api/trpc/slots/getSchedule", "/api/book/event"]

    def test_slot_gone_so_it_probably_was_made(self) -> None:
        instance = Instance(LOST, free=False)
        with pytest.raises(errors.LostAnswer, match="no longer free") as caught:
            instance.guest().book(REQUEST)
        assert instance.booked == 1
        assert "jane@acme.test" in str(caught.value.fix)

    def test_a_look_that_finds_it(self) -> None:
        made = Booking(id=1, uid="u1", status="accepted", start=START, end=START, event_type_id=1)
        instance = Instance(LOST, free=False)
        assert instance.guest(look=lambda _: made).book(REQUEST) == made
        assert instance.booked == 1

    def test_lost_again(self) -> None:
        instance = Instance(LOST, LOST)
        with pytest.raises(errors.LostAnswer, match="the second time"):
            instance.guest().book(REQUEST)
        assert instance.booked == 2

    def test_taken_while_we_looked(self) -> None:
        instance = Instance(LOST, TAKEN)
        with pytest.raises(errors.LostAnswer, match="taken while we looked"):
            instance.guest().book(REQUEST)

    @pytest.mark.parametrize("change", [{"requires_confirmation": True}, {"seats_per_slot": 3}])
    def test_a_free_slot_proves_nothing_where_bookings_leave_it_free(self, change: dict[str, Any]) -> None:
        instance = Instance(LOST)
        event = EVENT.model_copy(update=change)
        request = BookingRequest(event=event, start=START, name="Jane", email="jane@acme.test")
        with pytest.raises(errors.LostAnswer, match="leave their slot free"):
            instance.guest().book(request)
        assert instance.booked == 1

    def test_never_left_is_no_lost_answer(self) -> None:
        refused = httpx.ConnectError("refused")
        with pytest.raises(errors.NoAnswer, match="cannot be reached"):
            Instance(refused, refused).guest().book(REQUEST)

    def test_a_5xx_is_not_sent_again(self) -> None:
        instance = Instance((500, {"message": "boom"}))
        with pytest.raises(errors.ServerFailed, match="boom"):
            instance.guest().book(REQUEST)
        assert instance.booked == 1


def test_what_is_sent() -> None:
    instance = Instance((200, MADE))
    instance.guest().reschedule("u0", REQUEST)
    assert instance.bodies == [
        {
            "start": "2026-12-07T08:00:00.000Z",
            "end": "2026-12-07T08:30:00.000Z",
            "eventTypeId": 1,
            "eventTypeSlug": "intro",
            "user": "admin",
            "timeZone": "UTC",
            "language": "en",
            "metadata": {},
            "responses": {
                "name": "Jane",
                "email": "jane@acme.test",
                "location": {"value": "phone", "optionValue": "+4930901820"},
            },
            "rescheduleUid": "u0",
        }
    ]


class TestCancelling:
    DONE = (200, {"success": True, "message": "Booking successfully cancelled."})
    BEFORE = (400, {"message": "This booking has already been cancelled."})

    def test_after_a_lost_answer_already_cancelled_is_success(self) -> None:
        instance = Instance(LOST, self.BEFORE)
        instance.guest().cancel("u1", "test")
        assert len(instance.bodies) == 2

    def test_a_lost_request_is_sent_again(self) -> None:
        Instance(LOST, self.DONE).guest().cancel("u1", "test")

    def test_cancelled_by_somebody_else_is_told(self) -> None:
        with pytest.raises(errors.AlreadyCancelled):
            Instance(self.BEFORE).guest().cancel("u1", "test")

    def test_refused(self) -> None:
        with pytest.raises(errors.NotFound, match="did not cancel"):
            Instance((404, {"message": "No booking"})).guest().cancel("u9", "test")


def test_page_titles_are_read_as_text() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, html="<head><title data-x> Tom &amp; Ada </title></head>")

    http = httpx.Client(base_url="https://cal.example.test", transport=httpx.MockTransport(answer))
    assert Guest(http).page("/admin").title == "Tom & Ada"


def test_no_event_there() -> None:
    http = httpx.Client(
        base_url="https://cal.example.test",
        transport=httpx.MockTransport(
            lambda _: httpx.Response(200, json={"result": {"data": {"json": None}}})
        ),
    )
    with pytest.raises(errors.NotFound, match="/admin/none"):
        Guest(http).event("admin", "none")
