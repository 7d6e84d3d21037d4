"""The same thing written over either channel is the same, in every column, and read alike over both.

Null and what API v2 writes by itself mean the same to a guest (FACTS §15): `metadata` {} and the seven
questions that Cal.com asks of everybody.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from deploy.calcom.api import ApiChannel
from deploy.calcom.api_guest import ApiGuest
from deploy.calcom.booking import BookingRequest, looking_in
from deploy.calcom.errors import SlotTaken
from deploy.calcom.guest import Guest
from deploy.calcom.http import open_client
from deploy.calcom.models import (
    Booking,
    EventType,
    EventTypeFields,
    Location,
    Override,
    ScheduleFields,
    Seats,
    TimeRange,
    WebhookFields,
    plain_booking_fields,
)
from deploy.calcom.session import minted_cookie
from deploy.calcom.web import WebChannel
from deploy.calcom.wire.booking_fields import booking_fields_input

from . import replay
from .replaying import servers, states
from .replaying.keys import RECORDER, Keys
from .replaying.recordings import STARTS
from .test_web_client import VARIANTS

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]
START, SETTINGS = STARTS["api"], replay.SETTINGS["api"]
ITS_OWN = ("id", "slug", "createdAt", "updatedAt", "eventTypeId")
FIRST_MONDAY = dt.datetime(2026, 12, 7, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Both:
    """One instance over both channels, and its database."""

    api: ApiChannel
    web: WebChannel
    api_guest: ApiGuest
    web_guest: Guest
    database: str

    def row(self, table: str, key: str, value: int) -> dict[str, Any] | None:
        with psycopg.connect(self.database, row_factory=dict_row) as connection:
            return connection.execute(
                f'SELECT * FROM "{table}" WHERE "{key}" = %s'.encode(),  # noqa: S608
                (value,),
            ).fetchone()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder: Path = tmp_path_factory.mktemp("both")
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(servers.postgres())
        redis = stack.enter_context(servers.redis_server())
        database = stack.enter_context(servers.scratch_database(postgres))
        servers.migrate(database, SETTINGS)
        states.prepare(database, START)
        web = stack.enter_context(servers.stand_in(database, folder, SETTINGS, START))
        api = stack.enter_context(servers.api(database, redis, folder, SETTINGS, web.clock))
        key = (Keys(database, START).authorization(RECORDER) or "").removeprefix("Bearer ")
        cookie = minted_cookie(SETTINGS["NEXTAUTH_SECRET"], 1, "admin@example.test", secure=False, now=START)
        api_http, web_http = (stack.enter_context(open_client(url)) for url in (api, web.url))
        channel = ApiChannel(api_http, key)
        yield Both(
            channel,
            WebChannel(web_http, cookie),
            ApiGuest(api_http, look=looking_in(channel)),
            Guest(web_http),
            database,
        )


BASE: dict[str, Any] = {
    "title": "T",
    "length_minutes": 30,
    "locations": (Location(type="attendee_phone"),),
}


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_event_types(both: Both, variant: str) -> None:
    values = {**BASE, **VARIANTS[variant]}
    if "schedule_id" in values:
        values["schedule_id"] = 3
    over_api = both.api.create_event_type(EventTypeFields(**values, slug=f"api-{variant}"))
    over_web = both.web.create_event_type(EventTypeFields(**values, slug=f"web-{variant}"))
    for name, value in values.items():
        wanted = plain_booking_fields(value) if name == "booking_fields" else value
        assert getattr(over_api, name) == wanted
        # The web app does not tell this one switch.
        assert name == "requires_authentication" or getattr(over_web, name) == wanted

    ids = (over_api.id, over_web.id)
    read = [_alike(channel.get_event_type(one)) for channel in (both.api, both.web) for one in ids]
    assert all(one == read[0] for one in read)

    rows = [both.row("EventType", "id", one) or {} for one in ids]
    assert _columns(rows[0]) == _columns(rows[1])
    video = [both.row("CalVideoSettings", "eventTypeId", one) for one in ids]
    assert _columns(video[0] or {}) == _columns(video[1] or {})


def _alike(event_type: EventType) -> EventType:
    return event_type.model_copy(update={"id": 0, "slug": "", "requires_authentication": False})


def _columns(row: dict[str, Any]) -> dict[str, Any]:
    columns = {name: value for name, value in row.items() if name not in ITS_OWN}
    if columns.get("metadata") == {}:
        columns["metadata"] = None
    if columns.get("bookingFields") == booking_fields_input((), guests_hidden=False):
        columns["bookingFields"] = None
    return columns


@pytest.mark.parametrize("written_over", ["api", "web"])
def test_schedules(both: Both, written_over: str) -> None:
    morning = TimeRange(start=dt.time(9), end=dt.time(12))
    fields = ScheduleFields(
        name=f"Over {written_over}",
        time_zone="Europe/Berlin",
        availability={
            "monday": (morning, TimeRange(start=dt.time(13), end=dt.time(17))),
            "sunday": (morning,),
        },
        overrides=(
            Override(date=dt.date(2026, 12, 24), ranges=()),
            Override(date=dt.date(2026, 12, 31), ranges=(morning,)),
        ),
    )
    writer = both.api if written_over == "api" else both.web
    made = writer.create_schedule(fields)
    assert (made.availability, made.overrides) == (fields.availability, fields.overrides)
    for channel in (both.api, both.web):
        assert channel.list_schedules({made.name}) == (made,)


@pytest.mark.parametrize("written_over", ["api", "web"])
def test_webhooks(both: Both, written_over: str) -> None:
    writer = both.api if written_over == "api" else both.web
    fields = WebhookFields(
        url=f"http://127.0.0.1:9/{written_over}", triggers=("BOOKING_CREATED",), secret="s", active=False
    )
    made = writer.create_webhook(fields)
    for channel in (both.api, both.web):
        assert made in channel.list_webhooks()
    writer.delete_webhook(made)
    for channel in (both.web, both.api):
        assert made.id not in {webhook.id for webhook in channel.list_webhooks()}


def test_a_guest_books_moves_and_cancels_over_either(both: Both) -> None:
    slug = "guests"
    both.api.create_event_type(EventTypeFields(**BASE, slug=slug))
    events = [guest.event("admin", slug) for guest in (both.api_guest, both.web_guest)]
    assert events[0] == events[1]
    day = dt.timedelta(days=1)
    slots = [
        guest.slots(events[0], FIRST_MONDAY, FIRST_MONDAY + day) for guest in (both.api_guest, both.web_guest)
    ]
    assert slots[0] == slots[1]
    guests: tuple[ApiGuest | Guest, ...] = (both.api_guest, both.web_guest)
    booked: list[Booking] = []
    for number, guest in enumerate(guests):
        request = BookingRequest(
            event=events[0],
            start=FIRST_MONDAY + dt.timedelta(hours=8 + number),
            name="Jane Smith",
            email="jane@acme.test",
            place="+4930901820",
            metadata={"order": str(number)},
        )
        booked.append(guest.book(request))
        with pytest.raises(SlotTaken):
            guest.book(request)
    uids = {booking.uid for booking in booked}
    for channel in (both.api, both.web):
        listed = channel.list_bookings(["upcoming"], attendee_email="jane@acme.test")
        assert {booking.uid for booking in listed} == uids
        assert {str((booking.metadata or {})["order"]) for booking in listed} == {"0", "1"}
    for guest, booking in zip(guests, booked, strict=True):
        guest.cancel(booking.uid, "test")
        assert both.api.get_booking(booking.uid).status == "cancelled"


def test_a_guest_chooses_among_lengths_over_either(both: Both) -> None:
    fields = EventTypeFields(**BASE, slug="lengths", length_options=(15, 30, 60))
    both.api.create_event_type(fields)
    events = [guest.event("admin", "lengths") for guest in (both.api_guest, both.web_guest)]
    assert events[0] == events[1]
    assert events[0].length_options == (15, 30, 60)
    long = events[0].lasting(60)
    with pytest.raises(ValueError, match="15, 30, 60"):
        events[0].lasting(45)
    evening = FIRST_MONDAY + dt.timedelta(hours=22)
    guests: tuple[ApiGuest | Guest, ...] = (both.api_guest, both.web_guest)
    for number, guest in enumerate(guests):
        # The hours end at midnight: so late there is a start for half an hour, and none for a whole one.
        late = evening + dt.timedelta(minutes=90)
        assert [slot.start for slot in guest.slots(events[0], late, late + dt.timedelta(minutes=15))] == [
            late
        ]
        assert guest.slots(long, late, late + dt.timedelta(minutes=15)) == ()
        start = FIRST_MONDAY + dt.timedelta(days=1, hours=8 + 2 * number)
        guest.reserve(long, start)
        request = BookingRequest(
            event=long, start=start, name="Jane Smith", email="jane@acme.test", place="+4930901820"
        )
        booked = guest.book(request)
        assert booked.end - booked.start == dt.timedelta(hours=1)
        guest.cancel(booked.uid, "test")


def test_the_last_seat_is_a_taken_slot_over_either(both: Both) -> None:
    seats = Seats(per_slot=1)
    both.api.create_event_type(EventTypeFields(**BASE, slug="one-seat", seats=seats))
    event = both.api_guest.event("admin", "one-seat")
    start = FIRST_MONDAY + dt.timedelta(days=2, hours=8)
    requests = [
        BookingRequest(event=event, start=start, name="Jane", email=f"{name}@acme.test", place="+4930901820")
        for name in "ab"
    ]
    both.api_guest.book(requests[0])
    for guest in (both.api_guest, both.web_guest):
        with pytest.raises(SlotTaken):
            guest.book(requests[1])
