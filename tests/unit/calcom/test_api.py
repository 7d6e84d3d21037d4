"""What the client of API v2 does where no recording was published."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from deploy.calcom import errors
from deploy.calcom.abilities import cannot_write
from deploy.calcom.api import ApiChannel
from deploy.calcom.api_guest import ApiGuest
from deploy.calcom.booking import BookingRequest, looking_in
from deploy.calcom.http import RetryPolicy
from deploy.calcom.models import (
    Booking,
    BookingField,
    EventTypeFields,
    Location,
    NoticeThreshold,
    PublicEvent,
    ScheduleFields,
    WebhookFields,
)
from deploy.calcom.rest import field_errors

KEY = "cal_00000000000000000000000000000000"
LOST = httpx.ReadTimeout("the answer never came")
Answer = Any


class Instance:
    """Answers `METHOD path` with data, with a (status, error), or by raising; keeps what it was sent."""

    def __init__(self, answers: dict[str, list[Answer]]) -> None:
        self.answers = answers
        self.sent: list[tuple[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {request.url.path.removeprefix('/api')}"
        self.sent.append((call, json.loads(request.content) if request.content else dict(request.url.params)))
        left = self.answers[call]
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, tuple):
            return httpx.Response(answer[0], json={"status": "error", "error": answer[1]})
        return httpx.Response(200, json={"status": "success", "data": answer})

    def http(self) -> httpx.Client:
        return httpx.Client(base_url="https://cal.example.test/api", transport=httpx.MockTransport(self))

    def channel(self) -> ApiChannel:
        return ApiChannel(self.http(), KEY, policy=ONCE)

    def guest(self, **arguments: Any) -> ApiGuest:
        return ApiGuest(self.http(), policy=ONCE, **arguments)

    def bodies(self, call: str) -> list[Any]:
        return [body for sent, body in self.sent if sent == call]


ONCE = RetryPolicy(attempts=1)
HELD: dict[str, Any] = {
    "id": 9,
    "title": "Intro",
    "slug": "intro",
    "lengthInMinutes": 30,
    "description": "",
    "hidden": False,
    "locations": [],
    "bookingFields": [],
    "scheduleId": None,
    "beforeEventBuffer": 0,
    "afterEventBuffer": 0,
    "slotInterval": None,
    "offsetStart": 0,
    "minimumBookingNotice": 120,
    "onlyShowFirstAvailableSlot": False,
    "requiresBookerEmailVerification": False,
    "lockTimeZoneToggleOnBookingPage": False,
    "disableGuests": False,
    "hideCalendarNotes": False,
    "hideCalendarEventDetails": False,
    "hideOrganizerEmail": False,
    "useDestinationCalendarEmail": False,
}


class TestEventTypes:
    def test_the_rest_of_a_confirmation_policy_goes_along(self) -> None:
        policy = {
            "type": "time",
            "noticeThreshold": {"unit": "hours", "count": 48},
            "blockUnconfirmedBookingsInBooker": False,
        }
        instance = Instance(
            {
                "GET /v2/event-types/9": [{**HELD, "confirmationPolicy": policy}],
                "PATCH /v2/event-types/9": [HELD],
            }
        )
        instance.channel().update_event_type(9, EventTypeFields(unconfirmed_blocks_slot=True))
        assert instance.bodies("PATCH /v2/event-types/9") == [
            {"confirmationPolicy": {**policy, "blockUnconfirmedBookingsInBooker": True}}
        ]

    def test_a_confirmation_that_is_no_longer_wanted(self) -> None:
        instance = Instance({"PATCH /v2/event-types/9": [HELD]})
        instance.channel().update_event_type(
            9,
            EventTypeFields(
                requires_confirmation=False,
                confirmation_threshold=NoticeThreshold(count=1, unit="hours"),
                unconfirmed_blocks_slot=False,
            ),
        )
        assert instance.bodies("PATCH /v2/event-types/9") == [{"confirmationPolicy": {"disabled": True}}]

    def test_hiding_guests_keeps_the_questions(self) -> None:
        question = {
            "type": "text",
            "slug": "company",
            "label": "Company",
            "required": True,
            "hidden": False,
        }
        instance = Instance(
            {
                "GET /v2/event-types/9": [{**HELD, "bookingFields": [question]}],
                "PATCH /v2/event-types/9": [HELD],
            }
        )
        instance.channel().update_event_type(9, EventTypeFields(disable_guests=True))
        (body,) = instance.bodies("PATCH /v2/event-types/9")
        assert body["disableGuests"] is True
        assert [item["slug"] for item in body["bookingFields"]] == ["company", "guests"]
        assert body["bookingFields"][1]["hidden"] is True

    def test_a_question_of_cal_coms_keeps_what_is_not_said(self) -> None:
        """API v2 takes what is not said for false, which would show the title and make it optional."""
        instance = Instance({"PATCH /v2/event-types/9": [HELD]})
        fields = (BookingField(slug="title", label="Topic"), BookingField(slug="email", label="Mail"))
        instance.channel().update_event_type(9, EventTypeFields(booking_fields=fields, disable_guests=False))
        title, email, _ = instance.bodies("PATCH /v2/event-types/9")[0]["bookingFields"]
        assert (title["required"], title["hidden"], email["required"]) == (True, True, True)

    def test_empty_lists_are_left_out_of_a_new_one_and_refused_of_an_old_one(self) -> None:
        instance = Instance({"POST /v2/event-types": [HELD]})
        channel = instance.channel()
        channel.create_event_type(
            EventTypeFields(title="A", slug="a", length_minutes=5, locations=(), length_options=())
        )
        assert instance.sent[0][1] == {"title": "A", "slug": "a", "lengthInMinutes": 5}
        fields = EventTypeFields(locations=(), length_options=())
        assert cannot_write("api", fields) == ("locations", "length_options")
        assert cannot_write("web", fields) == ()
        with pytest.raises(errors.NotOffered, match="locations, length_options"):
            channel.update_event_type(9, fields)

    def test_texts_are_taken_away_by_empty_ones(self) -> None:
        instance = Instance({"PATCH /v2/event-types/9": [{**HELD, "customName": ""}]})
        held = instance.channel().update_event_type(9, EventTypeFields(description=None, custom_name=None))
        assert instance.sent[0][1] == {"description": "", "customName": ""}
        assert (held.description, held.custom_name) == (None, None)

    def test_a_slug_that_the_server_refuses_without_a_reason(self) -> None:
        generic = (400, {"code": "TRPCError", "message": "Bad request: Please check your request data"})
        fields = EventTypeFields(
            title="Intro", slug="intro", length_minutes=15, locations=(Location(type="attendee_phone"),)
        )
        taken = Instance({"POST /v2/event-types": [generic], "GET /v2/event-types": [[HELD]]})
        with pytest.raises(errors.AlreadyExists):
            taken.channel().create_event_type(fields)
        free = Instance({"POST /v2/event-types": [generic], "GET /v2/event-types": [[]]})
        with pytest.raises(errors.InvalidInput, match="check your request data"):
            free.channel().create_event_type(fields)

    def test_a_create_whose_answer_was_lost_is_not_sent_again(self) -> None:
        instance = Instance({"POST /v2/event-types": [LOST]})
        channel = ApiChannel(instance.http(), KEY, policy=RetryPolicy(attempts=3, sleep=lambda _: None))
        with pytest.raises(errors.NoAnswer) as caught:
            channel.create_event_type(EventTypeFields(title="A", slug="a", length_minutes=5, locations=()))
        assert caught.value.maybe_done
        assert len(instance.sent) == 1


class TestSchedules:
    def test_no_hours_at_all_are_written_once_more(self) -> None:
        hours = [{"days": ["Monday"], "startTime": "09:00", "endTime": "17:00"}]
        made = {"id": 4, "name": "Never", "timeZone": "UTC", "isDefault": False, "overrides": []}
        instance = Instance(
            {
                "POST /v2/schedules": [{**made, "availability": hours}],
                "PATCH /v2/schedules/4": [{**made, "availability": []}],
            }
        )
        fields = ScheduleFields(name="Never", time_zone="UTC", availability={})
        assert instance.channel().create_schedule(fields).availability == {}
        assert instance.bodies("PATCH /v2/schedules/4") == [{"availability": []}]


class TestKey:
    def test_the_new_one_is_used_from_then_on(self) -> None:
        new = "cal_11111111111111111111111111111111"
        seen: list[str] = []
        instance = Instance({"POST /v2/api-keys/refresh": [{"apiKey": new}], "GET /v2/schedules": [[]]})

        def answer(request: httpx.Request) -> httpx.Response:
            seen.append(request.headers["authorization"])
            return instance(request)

        http = httpx.Client(base_url="https://x.test", transport=httpx.MockTransport(answer))
        channel = ApiChannel(http, KEY, policy=ONCE)
        assert channel.refresh_key(never_expires=True) == new
        channel.list_schedules()
        assert seen == [f"Bearer {KEY}", f"Bearer {new}"]
        assert instance.sent[0][1] == {"apiKeyNeverExpires": True}
        assert new not in repr(channel._rest)

    def test_days_or_never(self) -> None:
        with pytest.raises(ValueError, match="days, or never"):
            Instance({}).channel().refresh_key(days_valid=3, never_expires=True)


class TestWebhooks:
    def test_all_pages(self) -> None:
        page = [
            {
                "id": str(number),
                "subscriberUrl": f"https://x.test/{number}",
                "triggers": ["BOOKING_CREATED"],
                "active": True,
                "secret": None,
                "payloadTemplate": None,
            }
            for number in range(250)
        ]
        instance = Instance({"GET /v2/webhooks": [page, page[:3]]})
        assert len(instance.channel().list_webhooks()) == 253
        assert instance.bodies("GET /v2/webhooks") == [{}, {"take": "250", "skip": "250"}]

    def test_of_an_event_type_it_is_changed_there(self) -> None:
        answer = {
            "id": "w1",
            "eventTypeId": 9,
            "subscriberUrl": "https://x.test/",
            "triggers": ["BOOKING_CREATED"],
            "active": True,
            "secret": "s",
            "payloadTemplate": None,
        }
        path = "/v2/event-types/9/webhooks"
        instance = Instance(
            {f"GET {path}": [[answer]], f"PATCH {path}/w1": [answer], f"DELETE {path}/w1": [answer]}
        )
        channel = instance.channel()
        (webhook,) = channel.list_webhooks(9)
        channel.update_webhook(webhook, WebhookFields(active=False))
        channel.delete_webhook(webhook)
        assert instance.bodies(f"PATCH {path}/w1") == [{"active": False}]


EVENT = PublicEvent(
    id=9,
    title="Intro",
    slug="intro",
    username="admin",
    length_minutes=30,
    locations=(Location(type="attendee_phone"),),
    requires_confirmation=False,
    seats_per_slot=None,
)
START = dt.datetime(2026, 12, 7, 8, tzinfo=dt.UTC)
REQUEST = BookingRequest(
    event=EVENT, start=START, name="Jane", email="jane@acme.test", place="+4930901820", language="de"
)
BOOKED: dict[str, Any] = {
    "id": 1,
    "uid": "u1",
    "status": "accepted",
    "start": "2026-12-07T08:00:00.000Z",
    "end": "2026-12-07T08:30:00.000Z",
    "eventTypeId": 9,
    "attendees": [{"email": "jane@acme.test"}],
}
FREE = {"2026-12-07": [{"start": "2026-12-07T08:00:00.000Z"}]}


class TestABookingIsNeverSentTwiceBlindly:
    POST = "POST /v2/bookings"

    def test_what_is_sent(self) -> None:
        instance = Instance({self.POST: [BOOKED]})
        assert instance.guest().book(REQUEST).uid == "u1"
        assert instance.bodies(self.POST) == [
            {
                "eventTypeId": 9,
                "start": "2026-12-07T08:00:00Z",
                "attendee": {
                    "name": "Jane",
                    "email": "jane@acme.test",
                    "timeZone": "UTC",
                    "language": "de",
                },
                "location": {"type": "attendeePhone", "phone": "+4930901820"},
            }
        ]

    def test_the_host_finds_the_one_that_was_made(self) -> None:
        instance = Instance({self.POST: [LOST], "GET /v2/bookings": [[{**BOOKED, "id": 2}]]})
        found = instance.guest(look=looking_in(instance.channel())).book(REQUEST)
        assert found.id == 2
        assert len(instance.bodies(self.POST)) == 1

    def test_somebody_elses_booking_is_not_ours(self) -> None:
        others: list[dict[str, Any]] = [
            {**BOOKED, "eventTypeId": 10},
            {**BOOKED, "start": "2026-12-07T09:00:00.000Z"},
            {**BOOKED, "status": "cancelled"},
        ]
        instance = Instance(
            {self.POST: [LOST, BOOKED], "GET /v2/bookings": [others], "GET /v2/slots": [FREE]}
        )
        instance.guest(look=looking_in(instance.channel())).book(REQUEST)
        assert len(instance.bodies(self.POST)) == 2

    def test_a_free_slot_says_that_none_was_made(self) -> None:
        instance = Instance({self.POST: [LOST, BOOKED], "GET /v2/slots": [FREE]})
        assert instance.guest().book(REQUEST).uid == "u1"
        assert len(instance.bodies(self.POST)) == 2

    def test_a_slot_that_is_gone_leaves_it_open(self) -> None:
        instance = Instance({self.POST: [LOST], "GET /v2/slots": [{}]})
        with pytest.raises(errors.LostAnswer, match="no longer free"):
            instance.guest().book(REQUEST)
        assert len(instance.bodies(self.POST)) == 1

    def test_taken_meanwhile_may_have_been_us(self) -> None:
        taken = (400, {"message": "User either already has booking at this time or is not available"})
        instance = Instance({self.POST: [LOST, taken], "GET /v2/slots": [FREE]})
        with pytest.raises(errors.LostAnswer, match="while we looked"):
            instance.guest().book(REQUEST)

    def test_a_5xx_may_have_booked_and_is_not_sent_again(self) -> None:
        """FACTS §0.4: without its queue API v2 answers 500 after the booking is written."""
        instance = Instance({self.POST: [(500, {"message": "Internal server error"})]})
        guest = ApiGuest(instance.http(), policy=RetryPolicy(attempts=3, sleep=lambda _: None))
        with pytest.raises(errors.ServerFailed):
            guest.book(REQUEST)
        assert len(instance.bodies(self.POST)) == 1

    def test_moving_is_as_careful(self) -> None:
        instance = Instance({"POST /v2/bookings/u0/reschedule": [LOST], "GET /v2/slots": [{}]})
        with pytest.raises(errors.LostAnswer):
            instance.guest().reschedule("u0", REQUEST)


class TestAfterALostAnswer:
    BOOKING = Booking(id=1, uid="u1", status="pending", start=START, end=START, event_type_id=9)

    @pytest.mark.parametrize(
        ("verb", "outcome", "decide"),
        [
            ("confirm", "accepted", lambda channel, booking: channel.confirm(booking)),
            ("decline", "rejected", lambda channel, booking: channel.decline(booking)),
        ],
    )
    def test_a_decision_is_looked_up(
        self, verb: str, outcome: str, decide: Callable[[ApiChannel, Booking], Booking]
    ) -> None:
        post = f"POST /v2/bookings/u1/{verb}"
        made = Instance({post: [LOST], "GET /v2/bookings/u1": [{**BOOKED, "status": outcome}]})
        assert decide(made.channel(), self.BOOKING).status == outcome
        not_made = Instance({post: [LOST], "GET /v2/bookings/u1": [{**BOOKED, "status": "pending"}]})
        with pytest.raises(errors.NoAnswer):
            decide(not_made.channel(), self.BOOKING)

    def test_a_cancellation_that_was_made(self) -> None:
        before = (400, {"message": "Can't cancel booking with uid=u1 because it has been cancelled already."})
        instance = Instance({"POST /v2/bookings/u1/cancel": [LOST, before]})
        instance.guest().cancel("u1", "test")

    def test_uids_are_no_paths(self) -> None:
        instance = Instance({"GET /v2/bookings/../me": [(404, {"message": "not found"})]})
        with pytest.raises(errors.NotFound):
            instance.guest().find("../me")


def test_absent() -> None:
    instance = Instance({"POST /v2/bookings/u1/mark-absent": [BOOKED]})
    instance.channel().mark_absent("u1", host=False, attendees=[("jane@acme.test", True)])
    assert instance.sent[0][1] == {
        "host": False,
        "attendees": [{"email": "jane@acme.test", "absent": True}],
    }


def test_an_end_at_midnight_does_not_bring_the_next_day() -> None:
    days = {
        "2026-12-07": [{"start": "2026-12-07T08:00:00.000Z"}, {"start": "2026-12-07T23:30:00.000Z"}],
        "2026-12-08": [{"start": "2026-12-08T00:00:00.000Z"}],
    }
    slots = Instance({"GET /v2/slots": [days]}).guest().slots(EVENT, START, START.replace(day=8, hour=0))
    assert [slot.start.hour for slot in slots] == [8, 23]


def test_a_slot_that_is_held_already() -> None:
    instance = Instance({"POST /v2/slots/reservations": [(422, {"message": "slot is reserved"})]})
    with pytest.raises(errors.SlotTaken):
        instance.guest().reserve(EVENT, START)


class TestRefusals:
    def test_nested_fields(self) -> None:
        details = {
            "errors": [
                {
                    "property": "seats",
                    "children": [
                        {
                            "property": "seatsPerTimeSlot",
                            "children": [],
                            "constraints": {"min": "seatsPerTimeSlot must not be less than 1"},
                        }
                    ],
                }
            ]
        }
        assert field_errors(details) == {
            "seats.seatsPerTimeSlot": ("seatsPerTimeSlot must not be less than 1",)
        }
        assert field_errors("Too many requests") == {}
        assert field_errors({"errors": [None, "x", {"children": None}]}) == {}

    @pytest.mark.parametrize("status", [200, 302, 404])
    def test_something_else_than_the_api(self, status: int) -> None:
        page = httpx.MockTransport(lambda _: httpx.Response(status, html="<html></html>"))
        channel = ApiChannel(httpx.Client(base_url="https://x.test", transport=page), KEY, policy=ONCE)
        with pytest.raises(errors.UnexpectedShape, match="envelope"):
            channel.me()

    def test_a_proxys_own_failure(self) -> None:
        page = httpx.MockTransport(lambda _: httpx.Response(503, html="<html></html>"))
        channel = ApiChannel(httpx.Client(base_url="https://x.test", transport=page), KEY, policy=ONCE)
        with pytest.raises(errors.ServerFailed, match="503"):
            channel.me()

    def test_an_older_shape_is_noticed(self) -> None:
        """Without its version a resource answers differently; a proxy may drop the header."""
        instance = Instance({"GET /v2/schedules": [[{"id": 1, "name": "A", "timeZone": "UTC"}]]})
        with pytest.raises(errors.UnexpectedShape):
            instance.channel().list_schedules()
