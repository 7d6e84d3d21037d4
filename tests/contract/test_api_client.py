"""The client of API v2 against what the real 6.0.2 was asked and answered (`recordings/`), no stand-in.

As with the web channel, a recorded answer is given only to the recorded request: same method, path,
parameters, body, version and credential.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from typing import Any, ClassVar

import httpx
import pytest

from deploy.calcom import errors
from deploy.calcom.abilities import cannot_write
from deploy.calcom.api import ApiChannel
from deploy.calcom.api_guest import ApiGuest
from deploy.calcom.booking import BookingRequest
from deploy.calcom.http import RetryPolicy
from deploy.calcom.models import (
    Booking,
    BookingField,
    BookingWindow,
    Color,
    EventType,
    EventTypeFields,
    Location,
    Override,
    PeriodLimits,
    ProfileFields,
    PublicEvent,
    Recurrence,
    ScheduleFields,
    Seats,
    TimeRange,
    WebhookFields,
    plain_booking_fields,
)
from deploy.calcom.opening import open_channel
from deploy.calcom.pacing import Pacer
from deploy.calcom.web import WebChannel
from deploy.calcom.wire.api.event_types import EventTypeAnswer, event_type_input

from .test_web_client import VARIANTS, Step, recorded

ONCE = RetryPolicy(attempts=1)
KEY = "cal_0123456789abcdef0123456789abcdef"
DROPPED_BY_THE_SERVER = ("metadata",)
"""Of an event type, on create and on change."""


class ApiReplay(httpx.MockTransport):
    """Answers as the steps do, each once and in order for equal requests; keeps what was sent."""

    def __init__(self, steps: Iterable[Step]) -> None:
        super().__init__(self._answer)
        self._left = list(steps)
        self.sent: list[httpx.Request] = []

    def client(self) -> httpx.Client:
        return httpx.Client(base_url="http://localhost:5555", transport=self)

    def unasked(self) -> list[str]:
        return [step["request"]["path"] for step in self._left]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        for step in self._left:
            if _is_request(step["request"], request):
                self._left.remove(step)
                answer = step["response"]
                return httpx.Response(answer["status"], headers=answer["headers"], json=answer["body"])
        raise AssertionError(f"never recorded: {request.method} {request.url} {request.content!r}")


def _is_request(wanted: dict[str, Any], request: httpx.Request) -> bool:
    if (wanted["method"], wanted["path"]) != (request.method, request.url.path):
        return False
    params = {name: str(value) for name, value in (wanted.get("params") or {}).items()}
    if params != {name: _without_time(value) for name, value in request.url.params.items()}:
        return False
    version = (wanted.get("headers") or {}).get("cal-api-version")
    if version is not None and version != request.headers["cal-api-version"]:
        return False
    if ("authorization" in request.headers) != (wanted["auth"] != "none"):
        return False
    body = json.loads(request.content) if request.content else None
    return bool((wanted.get("body") or {}) == (body or {}))


def _without_time(value: str) -> str:
    """The recorder asked for whole days by their date."""
    return value.removesuffix("T00:00:00Z").removesuffix("T23:59:59Z")


def channel_over(*steps: Step) -> tuple[ApiChannel, ApiReplay]:
    replay = ApiReplay(steps)
    return ApiChannel(replay.client(), KEY, policy=ONCE), replay


def guest_over(*steps: Step, **arguments: Any) -> tuple[ApiGuest, ApiReplay]:
    """A guest; the recorder sent its key with most of a guest's calls, guests send none."""
    replay = ApiReplay([_without_key(step) for step in steps])
    return ApiGuest(replay.client(), policy=ONCE, **arguments), replay


def _without_key(step: Step) -> Step:
    return {**step, "request": {**step["request"], "auth": "none"}}


def _with_body(step: Step, body: dict[str, Any]) -> Step:
    return {**step, "request": {**step["request"], "body": body}}


class TestKey:
    def test_me(self) -> None:
        channel, replay = channel_over(recorded("api/auth")[0])
        me = channel.me()
        assert (me.id, me.username, me.time_zone, me.week_start) == (1, "admin", "UTC", "Monday")
        assert me.completed_onboarding is None
        assert replay.sent[0].headers["authorization"] == f"Bearer {KEY}"

    @pytest.mark.parametrize(
        ("step", "kind"), [(1, errors.NotSignedIn), (2, errors.KeyNotAccepted), (5, errors.KeyExpired)]
    )
    def test_refused_keys_are_told_apart(self, step: int, kind: type[errors.Refused]) -> None:
        refused = recorded("api/auth")[step]
        refused = {**refused, "request": {**refused["request"], "auth": "some key"}}
        channel, _ = channel_over(refused)
        with pytest.raises(errors.NotSignedIn) as caught:
            channel.me()
        assert type(caught.value) is kind
        assert (caught.value.status, caught.value.code) == (401, "UnauthorizedException")
        assert caught.value.request_id == refused["response"]["headers"]["x-request-id"]
        assert caught.value.fix
        assert KEY not in str(caught.value)

    def test_profile(self) -> None:
        channel, replay = channel_over(recorded("api/auth")[8])
        channel.update_profile(ProfileFields(time_zone="UTC", week_start="Monday"))
        assert replay.unasked() == []

    def test_a_refused_field_is_named(self) -> None:
        channel, _ = channel_over(recorded("api/auth")[7])
        with pytest.raises(errors.InvalidInput) as caught:
            channel.update_profile(ProfileFields(time_zone="Mars/Base"))
        assert caught.value.field_errors == {"timeZone": ("timeZone must be a valid IANA time-zone",)}
        assert "must be a valid IANA time-zone" in str(caught.value)

    def test_what_api_v2_cannot_write_is_refused_before_anything_is_sent(self) -> None:
        fields = ProfileFields(theme="dark", time_zone="UTC")
        assert cannot_write("api", fields) == ("theme",)
        assert cannot_write("web", fields) == ()
        channel, replay = channel_over()
        with pytest.raises(errors.NotOffered, match="theme"):
            channel.update_profile(fields)
        assert replay.sent == []


class TestSchedules:
    SCHEDULES = recorded("api/schedules")

    def test_list(self) -> None:
        channel, _ = channel_over(self.SCHEDULES[0])
        first, second = channel.list_schedules()
        assert (first.name, first.is_default, len(first.availability)) == ("Working hours", True, 7)
        assert second.availability["monday"] == (TimeRange(start=dt.time(9), end=dt.time(17)),)

    def test_only_the_wanted_ones(self) -> None:
        channel, _ = channel_over(self.SCHEDULES[0])
        assert [item.name for item in channel.list_schedules({"Mornings"})] == ["Mornings"]

    def test_created_changed_removed(self) -> None:
        channel, replay = channel_over(self.SCHEDULES[1], self.SCHEDULES[4], self.SCHEDULES[8])
        morning = (TimeRange(start=dt.time(8), end=dt.time(12)),)
        override = Override(
            date=dt.date(2026, 12, 7), ranges=(TimeRange(start=dt.time(10), end=dt.time(11)),)
        )
        made = channel.create_schedule(
            ScheduleFields(
                name="Mornings",
                time_zone="Europe/Berlin",
                availability={"monday": morning, "tuesday": morning},
                overrides=(override,),
            )
        )
        assert (made.availability, made.overrides) == ({"monday": morning, "tuesday": morning}, (override,))
        friday = (TimeRange(start=dt.time(9), end=dt.time(10)),)
        changed = channel.update_schedule(
            made.id, ScheduleFields(name="Mornings 2", availability={"friday": friday})
        )
        assert (changed.name, changed.availability) == ("Mornings 2", {"friday": friday})
        assert changed.overrides == (override,)
        channel.delete_schedule(made.id)
        assert replay.unasked() == []

    def test_without_hours_and_zone_it_gets_cal_coms_and_the_users(self) -> None:
        zone_of_me = {
            **recorded("api/auth")[6],
            "request": {"method": "GET", "path": "/v2/me", "auth": "recorder key"},
        }
        channel, _ = channel_over(zone_of_me, self.SCHEDULES[2])
        assert len(channel.create_schedule(ScheduleFields(name="Mornings")).availability) == 5

    def test_missing_fields_are_named(self) -> None:
        refused = _with_body(self.SCHEDULES[6], {"name": "x", "timeZone": "Mars/Base", "isDefault": False})
        channel, _ = channel_over(refused)
        with pytest.raises(errors.InvalidInput) as caught:
            channel.create_schedule(ScheduleFields(name="x", time_zone="Mars/Base"))
        assert set(caught.value.field_errors) == {"timeZone", "isDefault"}


BASE: dict[str, Any] = {"title": "T", "length_minutes": 30}
ONLY_HERE: dict[str, dict[str, Any]] = {"limits-disabled": {"active_bookings_limit": None}}


def fields_of(variant: str) -> EventTypeFields:
    return EventTypeFields(**BASE, slug=f"api-{variant}", **VARIANTS[variant], **ONLY_HERE.get(variant, {}))


class TestEveryFieldOfAnEventType:
    """`recordings/both/fields.json`: each variant was made over API v2, over the web, and read back."""

    @staticmethod
    def steps(variant: str) -> tuple[Step, Step]:
        """How it was made over the API, and how the one made over the web was read over the API."""
        by_note = {
            (step["note"], step["request"]["method"]): step
            for step in recorded("both/fields").values()
            if step["request"].get("channel") == "api"
        }
        return by_note[(variant, "POST")], by_note[(f"{variant} as made over web", "GET")]

    @pytest.mark.parametrize("variant", sorted(VARIANTS))
    def test_is_spelled_as_recorded(self, variant: str) -> None:
        made, _ = self.steps(variant)
        assert _by_slug(event_type_input(fields_of(variant))) == _by_slug(made["request"]["body"])

    @pytest.mark.parametrize("variant", sorted(VARIANTS))
    def test_is_read_as_written_whichever_channel_wrote_it(self, variant: str) -> None:
        over_api, over_web = (
            EventTypeAnswer.model_validate(step["response"]["body"]["data"]).event_type()
            for step in self.steps(variant)
        )
        fields = fields_of(variant)
        for name in fields.model_fields_set - {"slug"}:
            wanted = getattr(fields, name)
            if name == "booking_fields":
                wanted = plain_booking_fields(wanted)
            assert getattr(over_api, name) == wanted, name
        assert _without_names(over_api) == _without_names(over_web)

    def test_what_is_refused_says_why(self) -> None:
        refused = next(step for step in recorded("both/fields").values() if step["note"] == "loc-jitsi")
        fields = EventTypeFields(
            **BASE,
            slug="api-loc-jitsi",
            locations=(Location(type="integration", integration="jitsi"),),
        )
        channel, _ = channel_over(refused, NO_EVENT_TYPES)
        with pytest.raises(errors.InvalidInput, match="jitsi not connected") as caught:
            channel.create_event_type(fields)
        assert caught.value.field_errors == {}


NO_EVENT_TYPES: Step = {
    "request": {"method": "GET", "path": "/v2/event-types", "auth": "recorder key"},
    "response": {"status": 200, "headers": {}, "body": {"status": "success", "data": []}},
}


def _by_slug(body: dict[str, Any]) -> dict[str, Any]:
    """A body by what it means.

    Cal.com's own questions have their own order, hiding guests can be said in two ways, and a switch of Cal
    Video's that is not said is off, as a question that is not said to be hidden is shown.
    """
    data = {name: value for name, value in body.items() if name not in DROPPED_BY_THE_SERVER}
    if "calVideoSettings" in data:
        switches = data["calVideoSettings"]
        data["calVideoSettings"] = {name: value for name, value in switches.items() if value is not False}
    questions = data.get("bookingFields")
    if questions is not None:
        hides = any(item.get("slug") == "guests" and item.get("hidden") for item in questions)
        data["bookingFields"] = {
            item.get("slug") or item["type"]: {
                name: value for name, value in item.items() if value is not False
            }
            for item in questions
            if item != {"slug": "guests", "hidden": False}
        }
        if hides:
            data["disableGuests"] = True
    return data


def _without_names(event_type: EventType) -> EventType:
    return event_type.model_copy(update={"id": 0, "slug": ""})


FULL = EventTypeFields(
    title="Full",
    slug="full",
    length_minutes=45,
    length_options=(15, 45, 60),
    description="All knobs",
    locations=(
        Location(type="integration", integration="cal-video"),
        Location(type="address", address="1 Main St", public=True),
        Location(type="link", link="https://meet.example.test/x", public=True),
        Location(type="phone", phone="+14155552671"),
        Location(type="attendee_phone"),
    ),
    booking_fields=(
        BookingField(slug="company", type="text", label="Company", required=True, placeholder="Acme"),
        BookingField(slug="size", type="select", label="Size", placeholder="pick", options=("1-10", "11-50")),
    ),
    minimum_notice_minutes=60,
    buffer_before_minutes=10,
    buffer_after_minutes=5,
    slot_interval_minutes=15,
    schedule_id=1,
    booking_limits=PeriodLimits(day=5, week=20),
    duration_limits=PeriodLimits(day=240),
    booking_window=BookingWindow(type="business_days", days=30, rolling=True),
    hidden=False,
    color=Color(light="#292929", dark="#fafafa"),
    disable_guests=False,
    success_redirect_url="https://example.test/thanks",
    custom_name="{Event type title} between {Organiser} and {Scheduler}",
    lock_time_zone=True,
)


class TestEventTypes:
    EVENT_TYPES = recorded("api/event_types")

    def test_many_fields_at_once(self) -> None:
        step = self.EVENT_TYPES[9]
        sent = event_type_input(FULL)
        assert _by_slug(sent) == _by_slug(step["request"]["body"])
        channel, _ = channel_over(_with_body(step, sent))
        made = channel.create_event_type(FULL)
        for name in FULL.model_fields_set:
            wanted_value = getattr(FULL, name)
            if name == "booking_fields":
                wanted_value = plain_booking_fields(wanted_value)
            assert getattr(made, name) == wanted_value, name

    def test_seats_and_recurrence(self) -> None:
        assert (
            event_type_input(EventTypeFields(seats=Seats(per_slot=3)))["seats"]
            == (self.EVENT_TYPES[11]["request"]["body"]["seats"])
        )
        weekly = Recurrence(frequency="weekly", occurrences=4)
        assert (
            event_type_input(EventTypeFields(recurrence=weekly))["recurrence"]
            == (self.EVENT_TYPES[12]["request"]["body"]["recurrence"])
        )

    def test_all_with_hidden_ones_in_one_request(self) -> None:
        channel, replay = channel_over(self.EVENT_TYPES[24])
        listed = channel.list_event_types()
        assert [item.id for item in listed] == sorted(item.id for item in listed)
        assert "hidden" in {item.slug for item in listed}
        assert len(replay.sent) == 1

    def test_one_and_none(self) -> None:
        channel, _ = channel_over(self.EVENT_TYPES[26], self.EVENT_TYPES[27])
        assert channel.get_event_type(9).slug == "intro"
        with pytest.raises(errors.NotFound):
            channel.get_event_type(999999)

    def test_slug_taken(self) -> None:
        channel, replay = channel_over(self.EVENT_TYPES[8])
        with pytest.raises(errors.AlreadyExists, match="'intro' is there already"):
            channel.create_event_type(
                EventTypeFields(title="Intro", slug="intro", length_minutes=30, locations=())
            )
        assert len(replay.sent) == 1

    def test_changed_without_a_read_before(self) -> None:
        step = self.EVENT_TYPES[28]
        body = {name: value for name, value in step["request"]["body"].items() if name != "metadata"}
        channel, replay = channel_over(_with_body(step, body))
        changed = channel.update_event_type(9, EventTypeFields(title="Intro call", length_minutes=20))
        assert (changed.title, changed.length_minutes) == ("Intro call", 20)
        assert len(replay.sent) == 1

    def test_removed_and_removed_again(self) -> None:
        channel, _ = channel_over(self.EVENT_TYPES[33], self.EVENT_TYPES[34])
        channel.delete_event_type(14)
        with pytest.raises(errors.NotFound):
            channel.delete_event_type(14)


class TestWebhooks:
    WEBHOOKS = recorded("api/webhooks")

    def test_of_the_user(self) -> None:
        made = self.WEBHOOKS[5]["request"]["body"]
        changed = self.WEBHOOKS[52]["request"]["body"]
        channel, replay = channel_over(
            self.WEBHOOKS[5], self.WEBHOOKS[52], self.WEBHOOKS[49], self.WEBHOOKS[12]
        )
        webhook = channel.create_webhook(
            WebhookFields(url=made["subscriberUrl"], triggers=tuple(made["triggers"]), secret=made["secret"])
        )
        assert (webhook.secret, webhook.active, webhook.event_type_id) == ("s3cr3t", True, None)
        webhook = channel.update_webhook(
            webhook, WebhookFields(active=True, triggers=tuple(changed["triggers"]))
        )
        assert webhook.triggers == tuple(changed["triggers"])
        assert len(channel.list_webhooks()) == 4
        channel.delete_webhook(webhook.model_copy(update={"id": "7e32c7b4-3b89-4860-a14b-aa4eb09f45e2"}))
        assert replay.unasked() == []

    def test_of_an_event_type(self) -> None:
        channel, _ = channel_over(self.WEBHOOKS[54], self.WEBHOOKS[56], self.WEBHOOKS[55], self.WEBHOOKS[57])
        fields = WebhookFields(url="http://127.0.0.1:9099/et", triggers=("BOOKING_CREATED",), secret="et")
        made = channel.create_webhook(fields, 9)
        assert made.event_type_id == 9
        assert channel.list_webhooks(9) == (made,)
        with pytest.raises(errors.AlreadyExists):
            channel.create_webhook(fields, 9)
        with pytest.raises(errors.NotFound):
            channel.list_webhooks(999999)

    def test_template(self) -> None:
        body = self.WEBHOOKS[47]["request"]["body"]
        channel, _ = channel_over(self.WEBHOOKS[47])
        made = channel.create_webhook(
            WebhookFields(
                url=body["subscriberUrl"],
                triggers=("BOOKING_CREATED",),
                secret="tpl",
                payload_template=body["payloadTemplate"],
            )
        )
        assert made.payload_template == body["payloadTemplate"]

    def test_unknown_trigger_is_named(self) -> None:
        channel, _ = channel_over(self.WEBHOOKS[8])
        with pytest.raises(errors.InvalidInput) as caught:
            channel.create_webhook(WebhookFields(url="http://127.0.0.1:9099/x", triggers=("NOPE",)))
        assert "each value in triggers" in caught.value.field_errors["triggers"][0]

    def test_a_delay_is_refused_before_anything_is_sent(self) -> None:
        channel, replay = channel_over()
        fields = WebhookFields(
            url="https://x.test/",
            triggers=("AFTER_HOSTS_CAL_VIDEO_NO_SHOW",),
            time=5,
            time_unit="MINUTE",
        )
        assert cannot_write("api", fields) == ("time", "time_unit")
        with pytest.raises(errors.NotOffered):
            channel.create_webhook(fields)
        assert replay.sent == []


INTRO = PublicEvent(
    id=9,
    title="Intro call",
    slug="intro",
    username="admin",
    length_minutes=20,
    locations=(),
    requires_confirmation=False,
    seats_per_slot=None,
)
FULL_EVENT = INTRO.model_copy(
    update={"id": 10, "slug": "full", "locations": (Location(type="address", address="1 Main St"),)}
)


def day(hour: int, minute: int = 0, second: int = 0) -> dt.datetime:
    return dt.datetime(2026, 12, 7, hour, minute, second, tzinfo=dt.UTC)


def jane(start: dt.datetime, event: PublicEvent = INTRO, **more: Any) -> BookingRequest:
    return BookingRequest(
        event=event,
        start=start,
        name="Jane Smith",
        email="jane@acme.test",
        time_zone="Europe/Berlin",
        **more,
    )


class TestGuest:
    BOOKINGS = recorded("api/bookings")
    SLOTS = recorded("api/slots")

    def test_event_type(self) -> None:
        guest, replay = guest_over(recorded("api/event_types")[25])
        event = guest.event("admin", "intro")
        assert (event.id, event.slug, event.username) == (9, "intro", "admin")
        assert "authorization" not in replay.sent[0].headers

    def test_no_event_type(self) -> None:
        nobody = recorded("api/event_types")[23]
        nobody = {
            **nobody,
            "request": {**nobody["request"], "params": {"username": "ghost", "eventSlug": "intro"}},
        }
        guest, _ = guest_over(nobody)
        with pytest.raises(errors.NotFound, match="/ghost/intro"):
            guest.event("ghost", "intro")

    def test_slots(self) -> None:
        guest, _ = guest_over(self.SLOTS[0])
        slots = guest.slots(INTRO, day(0), day(23, 59, 59))
        assert (len(slots), slots[0].start, slots[-1].start) == (71, day(0), day(23, 40))

    def test_slots_of_nothing(self) -> None:
        guest, _ = guest_over(self.SLOTS[5])
        with pytest.raises(errors.NotFound):
            guest.slots(INTRO.model_copy(update={"id": 999999}), day(0), day(23, 59, 59))

    def test_reserved(self) -> None:
        guest, _ = guest_over(self.SLOTS[10])
        reservation = guest.reserve(INTRO, day(15))
        assert (reservation.start, reservation.end) == (day(15), day(15, 20))
        assert reservation.uid == "c5ee0b43-e43b-4e33-ba9a-040bfe67dec3"

    def test_booked_moved_cancelled(self) -> None:
        guest, replay = guest_over(*(self.BOOKINGS[step] for step in (0, 18, 26, 27, 29, 30)))
        metadata = {"source": "custom-checkout", "orderId": "42"}
        booking = guest.book(jane(day(14), metadata=metadata))
        assert (booking.status, booking.start, booking.metadata) == ("accepted", day(14), metadata)
        assert guest.find(booking.uid) == booking
        moved = guest.reschedule(booking.uid, jane(day(19)), "moved")
        assert (moved.start, moved.rescheduled_from) == (day(19), booking.uid)
        old = guest.find(booking.uid)
        assert (old.status, old.rescheduled_to) == ("cancelled", moved.uid)
        guest.cancel(moved.uid, "done")
        with pytest.raises(errors.AlreadyCancelled):
            guest.cancel(moved.uid, "again")
        assert replay.unasked() == []

    def test_answers_and_guests(self) -> None:
        guest, _ = guest_over(self.BOOKINGS[17], self.BOOKINGS[15])
        booking = guest.book(jane(day(8), FULL_EVENT, answers={"company": "Acme"}))
        assert (booking.event_type_id, booking.location) == (10, "1 Main St")
        guest.book(jane(day(18), answers={"notes": "hello"}, guests=("g1@acme.test", "g2@acme.test")))

    def test_a_recurring_one_is_its_first(self) -> None:
        guest, _ = guest_over(self.BOOKINGS[37])
        booking = guest.book(jane(day(12, 30), INTRO.model_copy(update={"id": 13})))
        assert booking.start == day(12, 30)

    def test_that_waits_for_its_host(self) -> None:
        guest, _ = guest_over(self.BOOKINGS[32])
        assert guest.book(jane(day(9), INTRO.model_copy(update={"id": 11}))).status == "pending"

    @pytest.mark.parametrize(
        ("step", "request_", "kind"),
        [
            (1, jane(day(14)), errors.SlotTaken),
            (11, jane(dt.datetime(2020, 1, 6, 10, tzinfo=dt.UTC)), errors.InvalidInput),
            (12, jane(day(16), INTRO.model_copy(update={"id": 999999})), errors.NotFound),
            (16, jane(day(8), INTRO.model_copy(update={"id": 10})), errors.InvalidInput),
        ],
    )
    def test_refusals(self, step: int, request_: BookingRequest, kind: type[errors.Refused]) -> None:
        guest, _ = guest_over(self.BOOKINGS[step])
        with pytest.raises(errors.Refused) as caught:
            guest.book(request_)
        assert type(caught.value) is kind
        assert caught.value.code == self.BOOKINGS[step]["response"]["body"]["error"]["code"]

    def test_no_booking(self) -> None:
        guest, _ = guest_over(self.BOOKINGS[20])
        with pytest.raises(errors.NotFound):
            guest.find("absent")


class TestHost:
    BOOKINGS = recorded("api/bookings")

    def booking(self, step: int) -> Booking:
        guest, _ = guest_over({**self.BOOKINGS[step], "request": self.FIND})
        return guest.find("x")

    FIND: ClassVar[dict[str, Any]] = {"method": "GET", "path": "/v2/bookings/x", "auth": "none"}

    def test_confirmed_and_declined(self) -> None:
        channel, _ = channel_over(self.BOOKINGS[33], self.BOOKINGS[35])
        assert channel.confirm(self.booking(32)).status == "accepted"
        assert channel.decline(self.booking(34), "no").status == "rejected"

    def test_all_pages(self) -> None:
        """The recorder took one a page; the third page here is made of the second."""
        first, last = self.BOOKINGS[22], self.BOOKINGS[23]
        params = {"take": "100", "status": "upcoming,past", "attendeeEmail": "jane@acme.test"}
        page = {**first, "request": {**first["request"], "params": params}}
        end = {
            **last,
            "request": {**last["request"], "params": {**params, "skip": "2"}},
            "response": {
                **last["response"],
                "body": {**last["response"]["body"], "pagination": {"hasNextPage": False}},
            },
        }
        channel, replay = channel_over(page, end)
        listed = channel.list_bookings(["upcoming", "past"], attendee_email="jane@acme.test")
        assert (len(listed), replay.unasked()) == (3, [])

    def test_unknown_status_is_named(self) -> None:
        step = self.BOOKINGS[24]
        request = {**step["request"], "params": {"status": "bogus", "take": "100"}}
        channel, _ = channel_over({**step, "request": request})
        with pytest.raises(errors.InvalidInput) as caught:
            channel.list_bookings(["bogus"])
        assert "upcoming, recurring" in caught.value.field_errors["status"][0]


class TestRateLimit:
    def test_recorded_refusals_are_waited_for_and_told(self) -> None:
        steps = recorded("api/rate_limits")
        waits: list[float] = []
        now = [0.0]

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            now[0] += seconds

        replay = ApiReplay([steps[5], steps[9]])
        pacer = Pacer(clock=lambda: now[0], sleep=sleep)
        channel = ApiChannel(replay.client(), KEY, policy=RetryPolicy(attempts=2, sleep=sleep), pacer=pacer)
        assert channel.me().id == 1
        assert sum(waits) >= 15

        channel, _ = channel_over(steps[5])
        with pytest.raises(errors.TooManyRequests) as caught:
            channel.me()
        assert caught.value.retry_after == 15


class TestWhichChannel:
    UNLICENSED: ClassVar[dict[str, Any]] = {
        "code": "UnauthorizedException",
        "message": "ApiAuthStrategy - api key - Invalid or missing CALCOM_LICENSE_KEY environment variable",
    }

    def api(self, status: int, body: dict[str, Any]) -> ApiChannel:
        http = httpx.Client(
            base_url="https://cal.example.test/api",
            transport=httpx.MockTransport(lambda _: httpx.Response(status, json=body)),
        )
        return ApiChannel(http, KEY, policy=ONCE)

    def test_the_api_where_it_takes_the_key(self) -> None:
        channel, _ = channel_over(recorded("api/auth")[0])
        opened = open_channel("auto", api=lambda: channel, web=None)
        assert (opened.channel.name, opened.why) == ("api", "API v2 takes the key")

    def test_a_build_that_wants_a_licence_is_named(self) -> None:
        api = self.api(401, {"status": "error", "error": self.UNLICENSED})
        with pytest.raises(errors.UnlicensedApi, match="channel: web"):
            open_channel("api", api=lambda: api, web=None)
        with pytest.raises(errors.UnlicensedApi):
            open_channel("auto", api=lambda: api, web=None)

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (UNLICENSED, "this build of API v2 takes keys only with a licence"),
            (
                {
                    "code": "UnauthorizedException",
                    "message": "ApiAuthStrategy - api key - Your api key is expired",
                },
                "the API key is expired",
            ),
            (
                {"code": "UnauthorizedException", "message": "CustomThrottlerGuard - Invalid API Key"},
                "API v2 does not know the key",
            ),
        ],
    )
    def test_else_the_web_channel_and_why(self, answer: dict[str, Any], why: str) -> None:
        api = self.api(401, {"status": "error", "error": answer})
        web = WebChannel(httpx.Client(), "a=b")
        opened = open_channel("auto", api=lambda: api, web=lambda: web)
        assert opened.channel is web
        assert opened.why == why

    def test_where_there_is_no_api(self) -> None:
        page = httpx.MockTransport(lambda _: httpx.Response(404, html="<html>not found</html>"))
        api = ApiChannel(httpx.Client(base_url="https://x.test/api", transport=page), KEY, policy=ONCE)
        web = WebChannel(httpx.Client(), "a=b")
        opened = open_channel("auto", api=lambda: api, web=lambda: web)
        assert (opened.channel.name, opened.why.startswith("API v2 cannot be used")) == ("web", True)
        assert open_channel("auto", api=None, web=lambda: web).channel is web
        assert open_channel("web", api=lambda: api, web=lambda: web).why == "as asked"
        with pytest.raises(errors.CalcomError, match="neither"):
            open_channel("auto", api=None, web=None)
        with pytest.raises(errors.CalcomError, match="no key"):
            open_channel("api", api=None, web=lambda: web)
