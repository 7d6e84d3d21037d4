"""Rules of API v2 that the published recordings do not show, on a real database and a real Redis."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from deploy.lab.standin.web.session import Sessions

from . import replay
from .replaying import recordings, servers, states
from .replaying.keys import RECORDER, Keys
from .replaying.player import Outcome, Player
from .replaying.recordings import STARTS

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

START = STARTS["api"]
SETTINGS = replay.SETTINGS["api"] | {"STANDIN_VERSION": "6.2.0"}
TYPES, BOOKINGS, SLOTS = "2024-06-14", "2024-08-13", "2024-09-04"


@dataclass
class Api:
    """A running API, and what tests do with it again and again."""

    url: str
    web_url: str
    database: str
    redis: str
    folder: Path
    clock: Path
    keys: Keys
    client: httpx.Client

    def call(
        self, method: str, path: str, version: str = "", body: Any = None, key: str = RECORDER, **query: str
    ) -> httpx.Response:
        authorization = self.keys.authorization(key)
        headers = {"cal-api-version": version}
        if authorization:
            headers["authorization"] = authorization
        return self.client.request(method, path, headers=headers, json=body, params=query)

    def made_type(self, slug: str, **more: Any) -> int:
        body = {"title": slug, "slug": slug, "lengthInMinutes": 30, **more}
        answer = self.call("POST", "/v2/event-types", TYPES, body)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["data"]["id"])

    def book(
        self, type_id: int, start: str, email: str = "jane@acme.test", key: str = RECORDER
    ) -> httpx.Response:
        attendee = {"name": "Jane", "email": email, "timeZone": "Europe/Berlin"}
        body = {"eventTypeId": type_id, "start": start, "attendee": attendee}
        return self.call("POST", "/v2/bookings", BOOKINGS, body, key)

    def execute(self, query: str, *values: Any) -> None:
        with psycopg.connect(self.database) as connection:
            connection.execute(query.encode(), values)


@pytest.fixture(scope="module")
def around() -> Iterator[replay.Around]:
    with contextlib.ExitStack() as stack:
        redis_url = stack.enter_context(servers.redis_server())
        yield replay.Around(stack.enter_context(servers.postgres()), redis_url)


@pytest.fixture(scope="module")
def api(around: replay.Around) -> Iterator[Api]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = stack.enter_context(servers.scratch_database(around.postgres_url))
        servers.migrate(database, SETTINGS)
        states.prepare(database, START)
        web = stack.enter_context(servers.stand_in(database, folder, SETTINGS, START))
        redis_url = around.redis_url or ""
        url = stack.enter_context(servers.api(database, redis_url, folder, SETTINGS, web.clock))
        client = stack.enter_context(httpx.Client(base_url=url, trust_env=False, timeout=30))
        yield Api(url, web.url, database, redis_url, folder, web.clock, Keys(database, START), client)


def message(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["message"])


def test_a_key_works_without_its_scheme_and_a_foreign_token_does_not_work_at_all(api: Api) -> None:
    assert api.call("GET", "/v2/me", key="recorder key without Bearer").status_code == 200
    assert api.call("GET", "/v2/me", key="foreign token").status_code == 401


def test_a_rejected_credential_is_an_error_even_where_guests_may_call(api: Api) -> None:
    assert api.call("GET", "/v2/event-types", TYPES, key="none", username="admin").status_code == 200
    refused = api.call("GET", "/v2/event-types", TYPES, key="expired key", username="admin")
    assert refused.status_code == 401


def test_a_key_holds_until_the_end_of_its_last_day(api: Api) -> None:
    api.call("GET", "/v2/me", key="a key of today")
    api.execute(
        'UPDATE "ApiKey" SET "expiresAt" = %s WHERE note = %s', START.replace(hour=0), "a key of today"
    )
    assert api.call("GET", "/v2/me", key="a key of today").status_code == 200


def test_with_several_rows_a_request_is_refused_only_when_all_are_exhausted(api: Api) -> None:
    key = "burst 1 per 60 s and long 3 per 60 s"
    answers = [api.call("GET", "/v2/me", key=key) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining-burst"] for answer in answers[:2]] == ["0", "0"]
    assert answers[2].headers["x-ratelimit-remaining-long"] == "0"


def test_rows_are_looked_up_again_once_their_cache_is_dropped(api: Api) -> None:
    import redis

    key = "limited 5 per 60 s"
    assert api.call("GET", "/v2/me", key=key).headers["x-ratelimit-limit-default"] == "5"
    api.execute(
        'UPDATE "RateLimit" SET "limit" = 7 WHERE "apiKeyId" = (SELECT id FROM "ApiKey" WHERE note = %s)', key
    )
    assert api.call("GET", "/v2/me", key=key).headers["x-ratelimit-limit-default"] == "5"
    with redis.Redis.from_url(api.redis) as client:
        for cached in client.keys("rate_limit:*"):
            client.delete(cached)
    assert api.call("GET", "/v2/me", key=key).headers["x-ratelimit-limit-default"] == "7"


def test_strangers_are_counted_by_the_address_that_the_proxy_names(api: Api) -> None:
    def left(address: str) -> int:
        answer = api.client.get("/health", headers={"cf-connecting-ip": address})
        return int(answer.headers["x-ratelimit-remaining-default"])

    assert [left("192.0.2.1"), left("192.0.2.1"), left("192.0.2.2")] == [119, 118, 119]


def test_hidden_types_are_seen_by_their_owner_alone(api: Api) -> None:
    api.made_type("hidden-one", hidden=True)

    def slugs(key: str) -> list[str]:
        answer = api.call("GET", "/v2/event-types", TYPES, key=key, username="admin")
        return [each["slug"] for each in answer.json()["data"]]

    assert "hidden-one" in slugs(RECORDER)
    assert "hidden-one" not in slugs("none")


def test_a_taken_slug_is_refused_on_a_change_in_general_words(api: Api) -> None:
    api.made_type("first")
    second = api.made_type("second")
    refused = api.call("PATCH", f"/v2/event-types/{second}", TYPES, {"slug": "first"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "TRPCError")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"seats": {"seatsPerTimeSlot": 2, "showAttendeeInfo": True, "showAvailabilityCount": True},
          "confirmationPolicy": {"type": "always", "blockUnconfirmedBookingsInBooker": True}}, "Seats"),
        ({"customName": "{Nobody} calls"}, "Invalid event name variables: {Nobody}"),
        ({"bookingFields": [{"type": "email", "required": False, "hidden": True}]}, "Email booking field"),
        ({"destinationCalendar": {"integration": "x", "externalId": "y"}}, "Calendar does not exist"),
    ],
)  # fmt: skip
def test_senseless_types_are_refused(api: Api, body: dict[str, Any], words: str) -> None:
    refused = api.call(
        "POST", "/v2/event-types", TYPES, {"title": "S", "slug": "s", "lengthInMinutes": 5, **body}
    )
    assert refused.status_code == 400
    assert words in message(refused)


def test_a_held_slot_is_refused_to_the_next_and_gone_from_the_list(api: Api) -> None:
    type_id = api.made_type("held")
    body = {"eventTypeId": type_id, "slotStart": "2026-12-08T10:00:00Z"}
    held = api.call("POST", "/v2/slots/reservations", SLOTS, body, key="none")
    assert held.status_code == 201
    assert api.call("POST", "/v2/slots/reservations", SLOTS, body).status_code == 422
    query = {"eventTypeId": str(type_id), "start": "2026-12-08T10:00:00Z", "end": "2026-12-08T10:30:00Z"}
    assert api.call("GET", "/v2/slots", SLOTS, key="none", **query).json()["data"] == {}
    uid = held.json()["data"]["reservationUid"]
    assert api.call("DELETE", f"/v2/slots/reservations/{uid}", SLOTS, key="none").status_code == 200
    assert api.call("GET", "/v2/slots", SLOTS, key="none", **query).json()["data"] != {}


def test_only_the_owner_says_how_long_a_slot_is_held(api: Api) -> None:
    type_id = api.made_type("held-longer")
    body = {"eventTypeId": type_id, "slotStart": "2026-12-08T10:00:00Z", "reservationDuration": 30}
    assert api.call("POST", "/v2/slots/reservations", SLOTS, body, key="none").status_code == 401
    held = api.call("POST", "/v2/slots/reservations", SLOTS, body)
    assert held.json()["data"]["reservationDuration"] == 30


def test_a_full_slot_with_seats_is_not_held(api: Api) -> None:
    seats = {"seatsPerTimeSlot": 1, "showAttendeeInfo": False, "showAvailabilityCount": True}
    type_id = api.made_type("full", seats=seats)
    start = "2026-12-08T12:00:00Z"
    assert api.book(type_id, start).status_code == 201
    body = {"eventTypeId": type_id, "slotStart": start}
    refused = api.call("POST", "/v2/slots/reservations", SLOTS, body)
    assert refused.status_code == 422
    assert message(refused) == f"Booking with id={type_id} at {start} has no more seats left."


def test_many_guests_of_one_slot_make_one_booking(api: Api) -> None:
    type_id = api.made_type("wanted")
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(api.book, type_id, "2026-12-09T10:00:00Z", key="none") for _ in range(8)]
    assert sorted(job.result().status_code for job in jobs) == [201] + [400] * 7


def test_seats_are_shared_until_there_are_none(api: Api) -> None:
    seats = {"seatsPerTimeSlot": 2, "showAttendeeInfo": False, "showAvailabilityCount": True}
    type_id = api.made_type("shared", seats=seats)
    start = "2026-12-10T10:00:00Z"
    first, second, third = (api.book(type_id, start, f"{each}@acme.test") for each in "abc")
    assert [first.status_code, second.status_code, third.status_code] == [201, 201, 409]
    uid = first.json()["data"]["uid"]
    assert second.json()["data"]["uid"] == uid
    # A stranger does not see who shares it.
    assert api.call("GET", f"/v2/bookings/{uid}", BOOKINGS, key="none").json()["data"]["attendees"] == []
    cancelled = api.call(
        "POST", f"/v2/bookings/{uid}/cancel", BOOKINGS, {"seatUid": first.json()["data"]["seatUid"]}
    )
    assert [each["email"] for each in cancelled.json()["data"]["attendees"]] == ["b@acme.test"]
    assert api.book(type_id, start, "c@acme.test").status_code == 201


def test_a_whole_series_is_cancelled_by_its_own_uid(api: Api) -> None:
    recurrence = {"interval": 1, "occurrences": 3, "frequency": "weekly"}
    type_id = api.made_type("weekly", recurrence=recurrence)
    made = api.book(type_id, "2026-12-11T10:00:00Z").json()["data"]
    series = made[0]["recurringBookingUid"]
    body = {"cancellationReason": "over"}
    cancelled = api.call("POST", f"/v2/bookings/{series}/cancel", BOOKINGS, body).json()["data"]
    assert [each["status"] for each in cancelled] == ["cancelled"] * 3


def test_who_moved_on_is_told_where_to(api: Api) -> None:
    type_id = api.made_type("moved")
    first = api.book(type_id, "2026-12-14T10:00:00Z").json()["data"]["uid"]
    body = {"start": "2026-12-14T11:00:00Z"}
    second = api.call("POST", f"/v2/bookings/{first}/reschedule", BOOKINGS, body).json()["data"]["uid"]
    refused = api.call("POST", f"/v2/bookings/{first}/reschedule", BOOKINGS, body)
    assert refused.status_code == 400
    assert f"rescheduled already to booking with uid={second}" in message(refused)


def test_absence_is_noted_only_after_the_start(api: Api) -> None:
    type_id = api.made_type("absent")
    uid = api.book(type_id, "2026-12-15T10:00:00Z").json()["data"]["uid"]
    body = {"host": False, "attendees": [{"email": "jane@acme.test", "absent": True}]}
    assert "after their scheduled start" in message(
        api.call("POST", f"/v2/bookings/{uid}/mark-absent", BOOKINGS, body)
    )
    api.execute('UPDATE "Booking" SET "startTime" = %s WHERE uid = %s', START.replace(tzinfo=None), uid)
    marked = api.call("POST", f"/v2/bookings/{uid}/mark-absent", BOOKINGS, body).json()["data"]
    assert [each["absent"] for each in marked["attendees"]] == [True]


def test_a_webhook_of_an_event_type_is_reached_through_it_alone(api: Api) -> None:
    own, other = api.made_type("told"), api.made_type("not-told")
    body = {"active": True, "subscriberUrl": "http://127.0.0.1:9/x", "triggers": ["BOOKING_CREATED"]}
    uid = api.call("POST", f"/v2/event-types/{own}/webhooks", body=body).json()["data"]["id"]
    assert api.call("GET", f"/v2/event-types/{own}/webhooks/{uid}").status_code == 200
    assert api.call("GET", f"/v2/event-types/{other}/webhooks/{uid}").status_code == 403
    assert api.call("DELETE", f"/v2/event-types/{own}/webhooks").json()["data"] == "1 webhooks deleted"


def test_cloud_metadata_is_no_subscriber(api: Api) -> None:
    body = {"active": True, "subscriberUrl": "http://169.254.169.254/", "triggers": ["BOOKING_CREATED"]}
    assert "not allowed" in message(api.call("POST", "/v2/webhooks", body=body))


def test_a_refreshed_key_takes_the_place_of_the_old_one(api: Api) -> None:
    old = "a key to refresh"
    new = api.call("POST", "/v2/api-keys/refresh", body={"apiKeyDaysValid": 3}, key=old).json()["data"][
        "apiKey"
    ]
    assert api.client.get("/v2/me", headers={"authorization": f"Bearer {new}"}).status_code == 200
    assert api.call("GET", "/v2/me", key=old).status_code == 401


def test_half_of_a_client_is_told_from_nothing_at_all(api: Api) -> None:
    only = {"x-cal-client-id": "c"}
    refused = api.client.get("/v2/me", headers=only)
    assert message(refused).startswith("ApiAuthStrategy - Only 'x-cal-client-id' header provided.")
    assert api.client.get("/v2/event-types", headers=only | {"cal-api-version": TYPES}).status_code == 200
    both = only | {"x-cal-secret-key": "s", "authorization": api.keys.authorization(RECORDER) or ""}
    assert message(api.client.get("/v2/me", headers=both)).endswith("Client with ID c not found")


def test_webhooks_come_in_pages(api: Api) -> None:
    type_id = api.made_type("paged")
    for name in "abc":
        body = {
            "active": True,
            "subscriberUrl": f"http://127.0.0.1:9/{name}",
            "triggers": ["BOOKING_CREATED"],
        }
        assert api.call("POST", f"/v2/event-types/{type_id}/webhooks", body=body).status_code == 201

    def page(**query: str) -> httpx.Response:
        return api.call("GET", f"/v2/event-types/{type_id}/webhooks", **query)

    assert [len(page(take="2", skip=skip).json()["data"]) for skip in "02"] == [2, 1]
    problem = page(take="251").json()["error"]["details"]["errors"][0]
    assert problem["constraints"] == {"max": "take must not be greater than 250"}


def test_the_web_apps_session_is_a_credential_too(api: Api) -> None:
    sessions = Sessions(SETTINGS["NEXTAUTH_SECRET"], secure=False)
    cookie = sessions.session_cookie({"sub": "1", "email": "admin@example.test"}, START).split(";")[0]
    answer = api.client.get("/v2/me", headers={"cookie": cookie})
    assert answer.json()["data"]["username"] == "admin"


def test_a_build_that_wants_a_licence_says_so_to_keys_and_lets_guests_book(api: Api) -> None:
    more = SETTINGS | {"STANDIN_LICENCE": "required"}
    type_id = api.made_type("licensed")
    with servers.api(api.database, api.redis, api.folder, more, api.clock) as url:
        headers = {"authorization": api.keys.authorization(RECORDER) or ""}
        refused = httpx.get(f"{url}/v2/me", headers=headers, trust_env=False)
        assert refused.status_code == 401
        assert "CALCOM_LICENSE_KEY" in message(refused)
        body = {
            "eventTypeId": type_id,
            "start": "2026-12-16T10:00:00Z",
            "attendee": {"name": "J", "email": "j@acme.test", "timeZone": "UTC"},
        }
        version = {"cal-api-version": BOOKINGS}
        assert (
            httpx.post(f"{url}/v2/bookings", json=body, headers=version, trust_env=False).status_code == 201
        )


def test_a_queue_that_speaks_tls_to_a_plain_redis_hangs_after_the_booking_is_written(api: Api) -> None:
    type_id = api.made_type("hanging")
    more = SETTINGS | {"REDIS_URL": api.redis, "STANDIN_QUEUE_PATIENCE": "1"}
    with servers.api(api.database, api.redis, api.folder, more, api.clock) as url:
        body = {
            "eventTypeId": type_id,
            "start": "2026-12-17T10:00:00Z",
            "attendee": {"name": "J", "email": "hang@acme.test", "timeZone": "UTC"},
        }
        started = time.monotonic()
        version = {"cal-api-version": BOOKINGS}
        answer = httpx.post(f"{url}/v2/bookings", json=body, headers=version, trust_env=False, timeout=30)
    assert (answer.status_code, answer.json()["message"]) == (500, "Internal server error")
    assert time.monotonic() - started >= 1
    found = api.call("GET", "/v2/bookings", BOOKINGS, attendeeEmail="hang@acme.test").json()
    assert found["pagination"]["totalItems"] == 1


def test_both_channels_leave_the_same_row_for_every_variant(around: replay.Around) -> None:
    """FACTS §15: the rows were equal in every column but id, slug and instants."""
    found = recordings.read([Path(__file__).parent / "recordings"])
    (fields, *_) = found.replayable["both"]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = stack.enter_context(servers.scratch_database(around.postgres_url))
        sink = stack.enter_context(servers.Sink().open())
        both = replay.SETTINGS["both"]
        web = stack.enter_context(servers.stand_in(database, folder, both, STARTS["both"]))
        url = stack.enter_context(servers.api(database, around.redis_url or "", folder, both, web.clock))
        player = Player(web, sink, STARTS["both"], Outcome(), url, Keys(database, STARTS["both"]))
        stack.callback(player.close)
        player.play(fields)
        with psycopg.connect(database, row_factory=dict_row) as connection:
            types = connection.execute('SELECT * FROM "EventType"').fetchall()
            video = connection.execute('SELECT * FROM "CalVideoSettings"').fetchall()
    by_slug = {row["slug"]: row for row in types}
    settings_of = {row.pop("eventTypeId"): row for row in video}
    own = {"id", "slug", "createdAt", "updatedAt"}
    variants = [slug.removeprefix("api-") for slug in by_slug if slug.startswith("api-")]
    assert len(variants) == 35
    for variant in variants:
        over_api, over_web = by_slug[f"api-{variant}"], by_slug[f"web-{variant}"]
        assert {name: over_api[name] for name in over_api.keys() - own} == {
            name: over_web[name] for name in over_web.keys() - own
        }, variant
        videos = [settings_of.get(row["id"], {}) for row in (over_api, over_web)]
        assert {k: v for k, v in videos[0].items() if k not in own} == {
            k: v for k, v in videos[1].items() if k not in own
        }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    "title", "slug", "lengthInMinutes", "lengthInMinutesOptions", "locations", "bookingFields", "seats",
    "recurrence", "bookingWindow", "confirmationPolicy", "color", "bookerLayouts", "scheduleId",
    "bookingLimitsCount", "bookerActiveBookingsLimit", "calVideoSettings", "customName", "name", "timeZone",
    "isDefault", "availability", "overrides", "active", "subscriberUrl", "triggers", "secret",
    "payloadTemplate", "start", "eventTypeId", "attendee", "metadata", "guests", "location",
    "bookingFieldsResponses", "slotStart", "reservationDuration", "apiKeyDaysValid", "cancellationReason",
)  # fmt: skip
TARGETS = (
    ("POST", "/v2/event-types", TYPES),
    ("PATCH", "/v2/event-types/9", TYPES),
    ("POST", "/v2/schedules", TYPES),
    ("PATCH", "/v2/schedules/3", TYPES),
    ("POST", "/v2/webhooks", ""),
    ("POST", "/v2/event-types/9/webhooks", ""),
    ("POST", "/v2/bookings", BOOKINGS),
    ("POST", "/v2/bookings", ""),
    ("POST", "/v2/slots/reservations", SLOTS),
    ("POST", "/v2/bookings/x/cancel", BOOKINGS),
    ("PATCH", "/v2/me", ""),
)
SENSIBLE = {
    "title": "T", "slug": "fuzzed", "lengthInMinutes": 30, "name": "N", "timeZone": "UTC", "isDefault": False,
    "active": False, "subscriberUrl": "http://127.0.0.1:9/", "triggers": ["BOOKING_CREATED"],
    "eventTypeId": 9,
    "start": "2026-12-18T10:00:00Z", "attendee": {"name": "J", "email": "j@acme.test", "timeZone": "UTC"},
    "slotStart": "2026-12-18T10:00:00Z",
}  # fmt: skip
FIELDS_OF = {
    "/v2/event-types": ("title", "slug", "lengthInMinutes"),
    "/v2/schedules": ("name", "timeZone", "isDefault"),
    "/v2/webhooks": ("active", "subscriberUrl", "triggers"),
    "/v2/bookings": ("eventTypeId", "start", "attendee"),
    "/v2/slots/reservations": ("eventTypeId", "slotStart"),
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(TARGETS), st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4))
def test_no_body_breaks_it(api: Api, target: tuple[str, str, str], more: dict[str, Any]) -> None:
    method, path, version = target
    base = {name: SENSIBLE[name] for name in FIELDS_OF.get(path, ())}
    try:
        content = json.dumps(base | more, allow_nan=False)
        content.encode()
    except (ValueError, UnicodeEncodeError):
        return
    headers = {"cal-api-version": version, "content-type": "application/json"}
    headers["authorization"] = api.keys.authorization(RECORDER) or ""
    answer = api.client.request(method, path, headers=headers, content=content)
    assert answer.status_code < 500, (target, content, answer.text)


QUERIES = (
    "start", "end", "eventTypeId", "timeZone", "duration", "format", "status", "take", "skip", "username",
    "eventSlug", "eventTypeSlug", "afterStart", "sortStart", "eventTypeIds", "attendeeEmail",
)  # fmt: skip
VALUES = ("9", "2026-12-07", "UTC", "-1", "0", "9" * 20, "past", "asc", "\x00", "1,2")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(("/v2/slots", "/v2/bookings", "/v2/event-types", "/v2/webhooks")),
    st.dictionaries(st.sampled_from(QUERIES), st.sampled_from(VALUES) | st.text(max_size=8), max_size=5),
)
def test_no_query_breaks_it(api: Api, path: str, query: dict[str, str]) -> None:
    version = BOOKINGS if path == "/v2/bookings" else SLOTS
    try:
        answer = api.call("GET", path, version, **query)
    except UnicodeEncodeError:
        return
    assert answer.status_code < 500, (path, query, answer.text)
