"""The web channel's client against what the real 6.0.2 was asked and answered (`recordings/`).

The replaying transport gives a recorded answer only to the recorded request: same method, path and input. So
a request that the real server never got fails here, and so does an answer that we no longer read.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

import httpx
import pytest

from deploy.calcom import errors, setup
from deploy.calcom.guest import BookingRequest, Guest
from deploy.calcom.http import RetryPolicy
from deploy.calcom.models import (
    ActiveBookingsLimit,
    BookerLayouts,
    Booking,
    BookingField,
    BookingFieldType,
    BookingWindow,
    CalVideoSettings,
    Color,
    EventTypeFields,
    Location,
    NoticeThreshold,
    OutOfOfficeFields,
    Override,
    PeriodLimits,
    ProfileFields,
    Recurrence,
    ScheduleFields,
    Seats,
    TimeRange,
    WebhookFields,
)
from deploy.calcom.session import password_login
from deploy.calcom.trpc import superjson
from deploy.calcom.web import WebChannel
from deploy.calcom.wire.booking_fields import booking_fields_input
from deploy.calcom.wire.bookings import BookingAnswer
from deploy.calcom.wire.event_types import event_type_input

RECORDINGS = Path(__file__).parent / "recordings"
ONCE = RetryPolicy(attempts=1)

Step = dict[str, Any]


def recorded(file: str) -> dict[int, Step]:
    """The steps of a recording by number."""
    steps = json.loads((RECORDINGS / f"{file}.json").read_text())
    return {step["step"]: step for step in steps}


class Replay(httpx.MockTransport):
    """Answers as the steps do, each once and in order for equal requests; keeps what was sent."""

    def __init__(self, steps: Iterable[Step], nulls: tuple[str, ...] = ()) -> None:
        super().__init__(self._answer)
        self._left = list(steps)
        self._nulls = nulls
        self.sent: list[httpx.Request] = []

    def client(self) -> httpx.Client:
        return httpx.Client(base_url="http://localhost:3000", transport=self)

    def unasked(self) -> list[str]:
        return [step["request"]["path"] for step in self._left]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        for step in self._left:
            if _is_request(step["request"], request, self._nulls):
                self._left.remove(step)
                return _response(step["response"])
        raise AssertionError(f"never recorded: {request.method} {request.url} {request.content!r}")


def _is_request(
    recorded_request: dict[str, Any], request: httpx.Request, nulls: tuple[str, ...] = ()
) -> bool:
    if (recorded_request["method"], recorded_request["path"]) != (request.method, request.url.path):
        return False
    params = recorded_request.get("params")
    if params:
        sent = json.loads(request.url.params["input"])
        return bool(_meaning(json.loads(params["input"])) == _meaning(sent))
    body = recorded_request.get("body")
    if body is None:
        return not request.content
    return bool(_meaning(_filled(body), nulls) == _meaning(_sent_body(request), nulls))


def _sent_body(request: httpx.Request) -> Any:
    if request.headers["content-type"] == "application/json":
        return json.loads(request.content)
    return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}


def _filled(body: Any) -> Any:
    return {**body, "csrfToken": TOKEN} if isinstance(body, dict) and "csrfToken" in body else body


TOKEN = "a" * 64


def _meaning(envelope: Any, nulls: tuple[str, ...] = ()) -> Any:
    """An input without what says nothing: keys that are undefined, and the meta that says that they are."""
    if not isinstance(envelope, dict):
        return envelope
    if not isinstance(envelope.get("json"), dict):
        return {key: value for key, value in envelope.items() if key not in INDIFFERENT}
    values = envelope.get("meta", {}).get("values", {})
    dates = {path for path, kind in values.items() if kind == ["Date"]}
    data = {key: value for key, value in envelope["json"].items() if key not in INDIFFERENT or value}
    data = {key: value for key, value in data.items() if value is not None or key in (*NULL_MATTERS, *nulls)}
    return {"json": data, "dates": dates}


INDIFFERENT = ("hasHashedBookingLink",)
NULL_MATTERS = ("payloadTemplate", "secret")


def _response(answer: dict[str, Any]) -> httpx.Response:
    headers = [
        (name, value.replace("<value>", "made-up"))
        for name, values in answer["headers"].items()
        for value in (values if isinstance(values, list) else [values])
    ]
    body = answer["body"]
    if isinstance(body, dict) and "html_chars" in body:
        text = f"<html><head><title>{body['title']}</title></head></html>"
        return httpx.Response(answer["status"], headers=headers, text=text)
    if isinstance(body, dict) and "csrfToken" in body:
        body = {**body, "csrfToken": TOKEN}
    return httpx.Response(answer["status"], headers=headers, json=body)


@pytest.fixture(scope="module")
def session() -> dict[int, Step]:
    return recorded("web/session")


@pytest.fixture(scope="module")
def cleanup() -> dict[int, Step]:
    return recorded("web/cleanup")


@pytest.fixture(scope="module")
def booking() -> dict[int, Step]:
    return recorded("web/booking")


@pytest.fixture(scope="module")
def site() -> dict[int, Step]:
    return recorded("web/site")


def channel_over(*steps: Step) -> tuple[WebChannel, Replay]:
    replay = Replay(steps)
    return WebChannel(replay.client(), "next-auth.session-token=x", policy=ONCE), replay


OFFICE_HOURS = (TimeRange(start=dt.time(9), end=dt.time(17, 30)),)
WORKING_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")


class TestSigningIn:
    def test_right_password_gives_the_session_cookie(self, session: dict[int, Step]) -> None:
        replay = Replay([session[2], session[3]])
        cookie = password_login(replay.client(), "admin@example.test", "Correct-Horse-Battery-9")
        assert cookie == "next-auth.session-token=made-up"

    def test_the_cookie_of_the_token_goes_back_by_hand(self, session: dict[int, Step]) -> None:
        replay = Replay([session[0], session[3]])
        password_login(replay.client(), "admin@example.test", "Correct-Horse-Battery-9")
        assert "next-auth.csrf-token=made-up" in replay.sent[1].headers["cookie"]

    def test_wrong_password(self, session: dict[int, Step]) -> None:
        replay = Replay([session[0], session[1]])
        with pytest.raises(errors.WrongPassword):
            password_login(replay.client(), "admin@example.test", "wrong-password-Aa1-xx")

    def test_no_session(self, session: dict[int, Step]) -> None:
        channel, _ = channel_over(session[5])
        with pytest.raises(errors.NotSignedIn) as caught:
            channel.me()
        assert (caught.value.status, caught.value.code) == (401, "UNAUTHORIZED")

    def test_me(self, session: dict[int, Step]) -> None:
        channel, replay = channel_over(session[6])
        me = channel.me()
        assert (me.id, me.username, me.email) == (1, "admin", "admin@example.test")
        assert (me.time_zone, me.completed_onboarding) == ("Europe/London", False)
        assert replay.sent[0].headers["cookie"] == "next-auth.session-token=x"


class TestProfile:
    @pytest.mark.parametrize(
        ("step", "fields"),
        [
            (3, ProfileFields(time_zone="Europe/Berlin", week_start="Monday", time_format=24)),
            (
                4,
                ProfileFields(
                    theme="dark",
                    app_theme="light",
                    brand_color="#112233",
                    dark_brand_color="#ddeeff",
                    hide_branding=True,
                ),
            ),
            (5, ProfileFields(theme=None)),
            (6, ProfileFields(name="Ada A.", bio="hosts", locale="de")),
            (
                7,
                ProfileFields(
                    dynamic_group_links=False,
                    search_engine_indexing=False,
                    monthly_digest=False,
                    requires_email_verification=False,
                ),
            ),
            (8, ProfileFields(completed_onboarding=True)),
            (9, ProfileFields(booker_layouts=BookerLayouts(default="month", enabled=("month", "week")))),
            (11, ProfileFields(username="ada")),
        ],
    )
    def test_only_what_is_set_goes_out(self, step: int, fields: ProfileFields) -> None:
        manage = recorded("both/manage")
        replay = Replay([manage[step]], nulls=("theme",))
        WebChannel(replay.client(), "a=b", policy=ONCE).update_profile(fields)
        assert replay.unasked() == []

    def test_all_of_it_is_read(self) -> None:
        channel, _ = channel_over(recorded("both/manage")[13])
        me = channel.me()
        assert (me.name, me.bio, me.locale, me.week_start, me.time_format) == (
            "Ada A.",
            "hosts",
            "de",
            "Monday",
            24,
        )
        assert (me.theme, me.app_theme, me.brand_color, me.dark_brand_color, me.hide_branding) == (
            None,
            "light",
            "#112233",
            "#ddeeff",
            True,
        )
        assert me.booker_layouts == BookerLayouts(default="month", enabled=("month", "week"))
        assert (me.dynamic_group_links, me.search_engine_indexing, me.monthly_digest) == (False,) * 3

    def test_days_away(self) -> None:
        manage = recorded("both/manage")
        channel, replay = channel_over(manage[38], manage[39])
        days = OutOfOfficeFields(start=dt.date(2026, 12, 20), end=dt.date(2026, 12, 31), notes="away")
        channel.set_out_of_office(days)
        (entry,) = channel.list_out_of_office()
        assert (entry.start, entry.end, entry.reason_id, entry.notes) == (days.start, days.end, 1, "away")
        assert replay.unasked() == []


class TestSchedules:
    def test_none(self, session: dict[int, Step]) -> None:
        channel, _ = channel_over(session[7])
        assert channel.list_schedules() == ()

    def test_created_then_set(self, session: dict[int, Step]) -> None:
        """One create, one update of all hours with the override, and what then is there."""
        channel, replay = channel_over(session[8], session[12], session[10], session[12])
        schedule = channel.create_schedule(
            ScheduleFields(
                name="Office hours",
                time_zone="Europe/Berlin",
                availability=dict.fromkeys(WORKING_DAYS, OFFICE_HOURS),  # type: ignore[arg-type]
                overrides=(
                    Override(
                        date=dt.date(2026, 12, 24),
                        ranges=(TimeRange(start=dt.time(10), end=dt.time(12)),),
                    ),
                ),
            )
        )
        assert schedule.availability == dict.fromkeys(WORKING_DAYS, OFFICE_HOURS)
        assert [str(item) for item in schedule.overrides[0].ranges] == ["10:00-12:00"]
        assert schedule.is_default
        assert replay.unasked() == []

    def test_update_keeps_what_it_does_not_name(self, session: dict[int, Step]) -> None:
        """Cal.com replaces hours and overrides as a whole, and does nothing at all without a name."""
        channel, replay = channel_over(session[12], session[10], session[12])
        channel.update_schedule(1, ScheduleFields(time_zone="Europe/Berlin"))
        assert replay.unasked() == []

    def test_update_that_changed_nothing_is_noticed(self, session: dict[int, Step]) -> None:
        silent = {**session[10], "response": session[11]["response"]}
        channel, _ = channel_over(session[12], silent)
        with pytest.raises(errors.UnexpectedShape, match="availability"):
            channel.update_schedule(1, ScheduleFields(time_zone="Europe/Berlin"))

    def test_default_schedule_is_not_removed(self, cleanup: dict[int, Step]) -> None:
        channel, _ = channel_over(cleanup[3])
        with pytest.raises(errors.InvalidInput, match="default schedule"):
            channel.delete_schedule(1)


class TestEventTypes:
    def test_created_then_completed_and_read_back(self, session: dict[int, Step]) -> None:
        update = {
            **session[22],
            "request": {
                **session[22]["request"],
                "body": {
                    "json": {
                        "id": 1,
                        "title": "Web intro",
                        "slug": "web-intro",
                        "length": 30,
                        "description": "made over tRPC",
                        "hidden": False,
                        **session[22]["request"]["body"]["json"],
                    }
                },
            },
        }
        channel, replay = channel_over(session[16], update, session[23])
        event_type = channel.create_event_type(
            EventTypeFields(
                title="Web intro",
                slug="web-intro",
                length_minutes=30,
                description="made over tRPC",
                hidden=False,
                locations=(Location(type="address", address="Main street 1", public=True),),
            )
        )
        assert replay.unasked() == []
        assert event_type.locations == (Location(type="address", address="Main street 1", public=True),)
        assert (event_type.schedule_id, event_type.minimum_notice_minutes) == (1, 60)
        assert (event_type.slot_interval_minutes, event_type.booking_limits) == (30, None)

    def test_update_answers_with_the_state_before_so_it_is_read_back(self, session: dict[int, Step]) -> None:
        channel, _ = channel_over(session[22], session[23])
        event_type = channel.update_event_type(
            1, EventTypeFields(locations=(Location(type="address", address="Main street 1", public=True),))
        )
        assert session[22]["response"]["body"]["result"]["data"]["json"]["eventType"]["locations"] == [
            {"type": "integrations:daily"}
        ]
        assert event_type.locations[0].type == "address"

    def test_several_fields_at_once(self, session: dict[int, Step]) -> None:
        channel, replay = channel_over(session[20], session[23])
        channel.update_event_type(
            1,
            EventTypeFields(
                schedule_id=1,
                minimum_notice_minutes=60,
                slot_interval_minutes=30,
                buffer_before_minutes=0,
                hidden=False,
            ),
        )
        assert replay.unasked() == []

    def test_list_reads_only_the_wanted_ones(self, session: dict[int, Step]) -> None:
        listed = [
            {"id": 2, "slug": "other", "title": "Other"},
            {"id": 1, "slug": "web-intro", "title": "Web intro"},
        ]
        two = {
            **session[15],
            "response": {**session[15]["response"], "body": {"result": {"data": {"json": listed}}}},
        }
        channel, replay = channel_over(two, session[23])
        assert [item.slug for item in channel.list_event_types({"web-intro"})] == ["web-intro"]
        assert len(replay.sent) == 2

    def test_none(self, session: dict[int, Step]) -> None:
        channel, _ = channel_over(session[15])
        assert channel.list_event_types() == ()

    def test_invalid_fields_are_named(self, session: dict[int, Step]) -> None:
        create = {
            **session[18],
            "request": {
                **session[18]["request"],
                "body": {"json": {"title": "", "slug": "x y", "length": 5}},
            },
        }
        channel, _ = channel_over(create)
        fields = EventTypeFields(title="", slug="x y", length_minutes=5, locations=())
        with pytest.raises(errors.InvalidInput) as caught:
            channel.create_event_type(fields)
        assert caught.value.field_errors["title"] == ("String must contain at least 1 character(s)",)

    def test_removed(self, cleanup: dict[int, Step]) -> None:
        channel, _ = channel_over(cleanup[1])
        channel.delete_event_type(1)

    def test_removing_an_unknown_one(self, cleanup: dict[int, Step]) -> None:
        channel, _ = channel_over(cleanup[2])
        with pytest.raises(errors.NotFound):
            channel.delete_event_type(99999)


TEXT_QUESTIONS: dict[BookingFieldType, str] = {
    "text": "t",
    "textarea": "ta",
    "number": "1",
    "url": "https://",
    "address": "a",
    "multiemail": "m",
}
CHOICES: dict[BookingFieldType, tuple[str, ...]] = {
    "select": ("A", "B"),
    "multiselect": ("C", "D"),
    "checkbox": ("E", "F"),
    "radio": ("G", "H"),
    "boolean": (),
}

VARIANTS: dict[str, dict[str, Any]] = {
    "description": {"description": "Two lines\n\n**bold** and a <b>tag</b>"},
    "hidden": {"hidden": True},
    "slot-interval": {"slot_interval_minutes": 20},
    "notice": {"minimum_notice_minutes": 90},
    "schedule": {"schedule_id": 2},
    "limits-count": {"booking_limits": PeriodLimits(day=2, week=5, month=10, year=50)},
    "limits-disabled": {"booking_limits": None, "duration_limits": None},
    "first-slot-only": {"only_first_slot": True},
    "window-business": {"booking_window": BookingWindow(type="business_days", days=10, rolling=True)},
    "window-range": {
        "booking_window": BookingWindow(type="range", start=dt.date(2026, 12, 1), end=dt.date(2027, 2, 28))
    },
    "offset": {"offset_start_minutes": 5},
    "verify-email": {"requires_email_verification": True},
    "lock-zone": {"lock_time_zone": True},
    "color": {"color": Color(light="#292929", dark="#fafafa")},
    "seats": {
        "seats": Seats(per_slot=4, show_attendees=True, show_available_count=False),
        "locations": (Location(type="address", address="Hall 1", public=True),),
    },
    "custom-name": {
        "custom_name": "{Event type title} with {Organiser first name} and {Scheduler}",
    },
    "redirect": {"success_redirect_url": "https://example.test/thanks"},
    "loc-address": {"locations": (Location(type="address", address="Main street 1", public=True),)},
    "loc-phone": {"locations": (Location(type="phone", phone="+4930901820", public=True),)},
    "loc-attendee": {
        "locations": (
            Location(type="attendee_address"),
            Location(type="attendee_phone"),
            Location(type="attendee_defined"),
        )
    },
    "loc-cal-video": {"locations": (Location(type="integration", integration="cal-video"),)},
    "lengths": {"length_options": (15, 30, 60)},
    "disable-guests": {"disable_guests": True},
    "active-limit": {"active_bookings_limit": ActiveBookingsLimit(maximum=3, offer_reschedule=True)},
    "layouts": {"booker_layouts": BookerLayouts(default="week", enabled=("month", "week", "column"))},
    "confirm-always": {"requires_confirmation": True, "unconfirmed_blocks_slot": True},
    "confirm-time": {
        "requires_confirmation": True,
        "confirmation_threshold": NoticeThreshold(count=48, unit="hours"),
    },
    "recurrence": {"recurrence": Recurrence(frequency="weekly", interval=2, occurrences=6)},
    "video-settings": {
        "cal_video": CalVideoSettings(
            disable_recording_for_organizer=True,
            disable_recording_for_guests=True,
            redirect_url_on_exit="https://example.test/bye",
            enable_automatic_transcription=True,
        )
    },
    "auth-needed": {"requires_authentication": True},
    "fields-system": {
        "disable_guests": True,
        "booking_fields": (
            BookingField(slug="name", label="Who", placeholder="your name", disable_on_prefill=True),
            BookingField(slug="email", label="Mail", placeholder="you@example.test", required=True),
            BookingField(slug="title", label="Topic", placeholder="what", required=False, hidden=False),
            BookingField(slug="notes", label="Notes", placeholder="more", required=True, hidden=False),
            BookingField(slug="rescheduleReason", label="Why", placeholder="reason", required=True),
        ),
    },
    "fields-text": {
        "booking_fields": tuple(
            BookingField(
                slug=f"f-{kind}", type=kind, label=f"F {kind}", placeholder=placeholder, required=True
            )
            for kind, placeholder in TEXT_QUESTIONS.items()
        )
    },
    "fields-choice": {
        "booking_fields": tuple(
            BookingField(
                slug=f"f-{kind}",
                type=kind,
                label=f"F {kind}",
                placeholder="s" if kind == "select" else None,
                options=options,
                required=True,
            )
            for kind, options in CHOICES.items()
        )
    },
}
"""Each variant of the recording in calstack's words."""


CALCOMS_QUESTIONS = booking_fields_input((), guests_hidden=False)


def fields_recording() -> dict[str, dict[str, Any]]:
    """What `eventTypesHeavy/update` was sent per variant, without id and what is the API's default."""
    updates: dict[str, dict[str, Any]] = {}
    for step in recorded("both/fields").values():
        if step["request"]["path"] == "/api/trpc/eventTypesHeavy/update":
            data = dict(step["request"]["body"]["json"])
            updates[step["note"]] = {
                key: value
                for key, value in data.items()
                if key != "id"
                and not (key == "metadata" and value == {})
                and not (key == "bookingFields" and value == CALCOMS_QUESTIONS)
            }
    return updates


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_event_type_fields_are_spelled_as_recorded(variant: str) -> None:
    sent = superjson(event_type_input(EventTypeFields(**VARIANTS[variant])))["json"]
    wanted = fields_recording()[variant]
    assert _comparable(sent) == _comparable(wanted)


def _comparable(data: dict[str, Any]) -> dict[str, Any]:
    """Recorded dates have no milliseconds where ours have; both are the same instant."""
    return {
        key: value.replace(".000Z", "Z") if isinstance(value, str) and key.startswith("period") else value
        for key, value in data.items()
    }


class TestWebhooks:
    TRIGGERS = (
        "BOOKING_CREATED",
        "BOOKING_RESCHEDULED",
        "BOOKING_CANCELLED",
        "MEETING_STARTED",
        "MEETING_ENDED",
    )
    URL = "http://127.0.0.1:9099/web"

    def test_created_for_the_user(self, session: dict[int, Step]) -> None:
        channel, _ = channel_over(session[26])
        webhook = channel.create_webhook(
            WebhookFields(url=self.URL, triggers=self.TRIGGERS, active=True, secret="w3b")
        )
        assert webhook.event_type_id is None
        assert webhook.triggers == self.TRIGGERS

    def test_created_for_an_event_type(self, session: dict[int, Step]) -> None:
        channel, _ = channel_over(session[29])
        webhook = channel.create_webhook(
            WebhookFields(
                url="http://127.0.0.1:9099/ev", triggers=("BOOKING_CREATED",), active=True, secret="3v"
            ),
            event_type_id=1,
        )
        assert webhook.event_type_id == 1

    def test_lists_of_user_and_event_type(self, session: dict[int, Step]) -> None:
        channel, _ = channel_over(session[30], session[31])
        assert [item.url for item in channel.list_webhooks()] == [self.URL]
        assert [item.url for item in channel.list_webhooks(1)] == ["http://127.0.0.1:9099/ev"]

    def test_edit_sends_all_that_is_there(self, session: dict[int, Step]) -> None:
        channel, replay = channel_over(session[30], session[33])
        (webhook,) = channel.list_webhooks()
        channel.update_webhook(webhook, WebhookFields(active=True))
        assert replay.unasked() == []

    def test_no_url(self, session: dict[int, Step]) -> None:
        channel, _ = channel_over(session[28])
        with pytest.raises(errors.InvalidInput, match="Invalid url"):
            channel.create_webhook(WebhookFields(url="not a url", triggers=self.TRIGGERS, active=True))

    def test_same_url_twice_is_a_500_that_we_explain(self, session: dict[int, Step]) -> None:
        failed = {
            **session[26],
            "response": {
                "status": 500,
                "headers": {"content-type": "application/json"},
                "body": {
                    "error": {
                        "json": {
                            "message": "Failed to create webhook",
                            "code": -32603,
                            "data": {
                                "code": "INTERNAL_SERVER_ERROR",
                                "httpStatus": 500,
                                "path": "create",
                            },
                        }
                    }
                },
            },
        }
        channel, _ = channel_over(failed, session[30])
        with pytest.raises(errors.AlreadyExists):
            channel.create_webhook(
                WebhookFields(url=self.URL, triggers=self.TRIGGERS, active=True, secret="w3b")
            )

    def test_removed(self, session: dict[int, Step], cleanup: dict[int, Step]) -> None:
        channel, replay = channel_over(session[30], cleanup[0])
        (webhook,) = channel.list_webhooks()
        channel.delete_webhook(webhook)
        assert replay.unasked() == []

    def test_delay_and_template(self) -> None:
        manage = recorded("both/manage")
        channel, _ = channel_over(manage[46], manage[43])
        late = channel.create_webhook(
            WebhookFields(
                url="http://127.0.0.1:9099/late",
                triggers=("AFTER_HOSTS_CAL_VIDEO_NO_SHOW",),
                active=True,
                secret="l4te",
                time=5,
                time_unit="MINUTE",
            )
        )
        assert (late.time, late.time_unit) == (5, "MINUTE")
        template = '{"kind":"{{triggerEvent}}","title":"{{title}}","who":"{{attendees.0.email}}"}'
        plain = channel.create_webhook(
            WebhookFields(
                url="http://127.0.0.1:9099/tpl",
                triggers=("BOOKING_CREATED", "BOOKING_REQUESTED"),
                active=False,
                payload_template=template,
                secret=None,
            )
        )
        assert (plain.active, plain.payload_template, plain.secret) == (False, template, None)


class TestGuest:
    def guest_over(self, *steps: Step) -> tuple[Guest, Replay]:
        replay = Replay(steps)
        return Guest(replay.client(), policy=ONCE), replay

    def request(self, guest: Guest, start: dt.datetime) -> BookingRequest:
        return BookingRequest(
            event=guest.event("admin", "web-intro"),
            start=start,
            name="Jane Smith",
            email="jane@acme.test",
            time_zone="Europe/Berlin",
            metadata={"source": "smoke"},
        )

    def test_free_slots(self, booking: dict[int, Step]) -> None:
        guest, _ = self.guest_over(booking[5], _without(booking[6], "rescheduleUid", "teamMemberEmail"))
        event = guest.event("admin", "web-intro")
        slots = guest.slots(
            event,
            dt.datetime(2026, 12, 7, tzinfo=dt.UTC),
            dt.datetime(2026, 12, 8, 23, 59, 59, 999000, tzinfo=dt.UTC),
            "Europe/Berlin",
        )
        assert len(slots) == 34
        assert slots[0].start == dt.datetime(2026, 12, 7, 8, tzinfo=dt.UTC)

    def test_days_away_are_not_free(self, booking: dict[int, Step]) -> None:
        manage = recorded("both/manage")
        away = {**booking[6], "response": manage[40]["response"]}
        guest, _ = self.guest_over(booking[5], away)
        start = dt.datetime(2026, 12, 7, tzinfo=dt.UTC)
        end = dt.datetime(2026, 12, 8, 23, 59, 59, 999000, tzinfo=dt.UTC)
        slots = guest.slots(guest.event("admin", "web-intro"), start, end, "Europe/Berlin")
        assert all(slot.start >= dt.datetime(2027, 1, 1, tzinfo=dt.UTC) for slot in slots)

    def test_slot_held(self, booking: dict[int, Step]) -> None:
        guest, _ = self.guest_over(booking[5], booking[9])
        event = guest.event("admin", "web-intro")
        assert guest.reserve(event, dt.datetime(2026, 12, 7, 9, tzinfo=dt.UTC))

    def test_booked_moved_and_cancelled(self, booking: dict[int, Step]) -> None:
        steps = [_without_guests(booking[10]), _without_guests(booking[24]), booking[27], booking[28]]
        guest, replay = self.guest_over(booking[5], booking[5], *steps)
        made = guest.book(self.request(guest, dt.datetime(2026, 12, 7, 8, tzinfo=dt.UTC)))
        assert (made.status, made.metadata) == ("accepted", {"source": "smoke"})
        assert made.attendee_emails == ("jane@acme.test",)
        moved = guest.reschedule(made.uid, self.request(guest, dt.datetime(2026, 12, 8, 9, tzinfo=dt.UTC)))
        assert (moved.rescheduled_from, moved.uid != made.uid) == (made.uid, True)
        guest.cancel(moved.uid, "smoke test")
        assert replay.sent[-1].headers["cookie"] == "calcom.csrf_token=made-up"
        assert replay.unasked() == []

    def test_cancelled_before(self, booking: dict[int, Step]) -> None:
        guest, _ = self.guest_over(booking[29], booking[30])
        with pytest.raises(errors.AlreadyCancelled):
            guest.cancel("dyZgibfGycmvv8FWQRTYu9", "smoke test")

    @pytest.mark.parametrize(
        ("step", "kind", "text"),
        [
            (11, errors.SlotTaken, "no_available_users_found_error"),
            (14, errors.InvalidInput, "in the past"),
            (19, errors.InvalidInput, "Invalid timezone"),
        ],
    )
    def test_refusals(
        self, booking: dict[int, Step], step: int, kind: type[errors.Refused], text: str
    ) -> None:
        answer = {**_without_guests(booking[10]), "response": booking[step]["response"]}
        guest, _ = self.guest_over(booking[5], answer)
        with pytest.raises(kind, match=text) as caught:
            guest.book(self.request(guest, dt.datetime(2026, 12, 7, 8, tzinfo=dt.UTC)))
        assert caught.value.request_id == booking[step]["response"]["body"]["data"]["traceId"]

    def test_pages(self, booking: dict[int, Step]) -> None:
        guest, _ = self.guest_over(booking[1], booking[3])
        assert guest.page("/admin/web-intro").title == "Web intro | Ada Admin | Cal.com"
        assert guest.page("/admin/none-such").status == 404

    def test_found_by_uid(self) -> None:
        manage = recorded("both/manage")
        guest, _ = self.guest_over(manage[30])
        assert guest.find("jVYQByfiGNgPzwSrwV1nvj").status == "accepted"


def _without(step: Step, *names: str) -> Step:
    """A recorded query without keys that are null in it; the page sends them, the server needs none."""
    request = dict(step["request"])
    envelope = json.loads(request["params"]["input"])
    for name in names:
        assert envelope["json"].pop(name) is None
    request["params"] = {"input": json.dumps(envelope)}
    return {**step, "request": request}


def _without_guests(step: Step) -> Step:
    """A recorded booking without the empty list of further guests, which other recordings lack too."""
    request = dict(step["request"])
    body = json.loads(json.dumps(request["body"]))
    assert body["responses"].pop("guests") == []
    return {**step, "request": {**request, "body": body}}


class TestBookingsOfTheHost:
    def test_filter_and_pages(self) -> None:
        manage = recorded("both/manage")
        first = manage[27]
        query = json.loads(first["request"]["params"]["input"])["json"]
        # The recorded page size is 2; ours is the largest that the server gives.
        pages = []
        for offset, step in ((0, first), (2, {**first, "response": manage[28]["response"]})):
            data = {**query, "limit": 100, "offset": offset}
            params = {"input": json.dumps({"json": data})}
            pages.append({**step, "request": {**step["request"], "params": params}})
        channel, _ = channel_over(*pages)
        bookings = channel.list_bookings(["upcoming", "cancelled"], attendee_email="jane@acme.test")
        assert [(item.status, item.event_type_id) for item in bookings] == [
            ("accepted", 81),
            ("rejected", 81),
        ]


class TestDecisionsOfTheHost:
    MANAGE = recorded("both/manage")

    def booking(self, step: int) -> Booking:
        answer = self.MANAGE[step]["response"]["body"]
        return BookingAnswer.model_validate({**answer, "attendees": []}).booking()

    def test_confirmed_and_declined(self) -> None:
        channel, replay = channel_over(self.MANAGE[22], self.MANAGE[24])
        assert channel.confirm(self.booking(18)).status == "accepted"
        assert channel.decline(self.booking(19), "no time").status == "rejected"
        assert replay.unasked() == []

    def test_a_booking_that_is_not_there(self) -> None:
        channel, _ = channel_over(self.MANAGE[25])
        with pytest.raises(errors.NotFound, match="no booking 99999"):
            channel.confirm(self.booking(18).model_copy(update={"id": 99999}))

    def test_another_time_is_asked_for(self) -> None:
        channel, replay = channel_over(self.MANAGE[33])
        channel.request_reschedule("jVYQByfiGNgPzwSrwV1nvj", "sorry")
        assert replay.unasked() == []

    def test_one_by_its_uid(self) -> None:
        channel, _ = channel_over(self.MANAGE[30])
        assert channel.get_booking("jVYQByfiGNgPzwSrwV1nvj").status == "accepted"


class TestFirstAdmin:
    ADMIN: ClassVar[dict[str, str]] = {
        "username": "admin",
        "full_name": "Ada Admin",
        "email": "Admin@Example.test",
        "password": "Correct-Horse-Battery-9",
    }

    def test_made(self, site: dict[int, Step]) -> None:
        setup.create_first_admin(Replay([site[16]]).client(), **self.ADMIN)

    def test_somebody_was_there_before(self, site: dict[int, Step]) -> None:
        with pytest.raises(errors.AlreadySetUp):
            setup.create_first_admin(Replay([site[17]]).client(), **self.ADMIN)

    def test_fields_that_are_refused_are_named(self, site: dict[int, Step]) -> None:
        with pytest.raises(errors.InvalidInput) as caught:
            setup.create_first_admin(Replay([site[11]]).client(), **{**self.ADMIN, "password": "short"})
        assert "15 characters" in caught.value.field_errors["password"][0]

    def test_version(self, site: dict[int, Step]) -> None:
        assert setup.version(Replay([site[0]]).client()) == "6.0.2"
