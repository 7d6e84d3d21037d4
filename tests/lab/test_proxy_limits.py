"""Limits of the rendered proxy, as a real HAProxy in front of an app and an API that allow everything."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import secrets
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

import docker
import pytest

from deploy import haproxy as runtime
from deploy.settings.layout import PROXY_LIMITS_INSIDE
from tests.lab.certificates import self_signed
from tests.lab.entrance import Answer, Entrance, running_api, running_entrance, write_configuration
from tests.unit.roles.hosts import DOMAIN, WITH_API, host_context

pytestmark = pytest.mark.docker

API_NAME = f"api.{DOMAIN}"
HOST = host_context(
    certificate=self_signed(DOMAIN, API_NAME),
    images=WITH_API,
    api={"own_host": API_NAME},
    rate_limits={"exempt": ["198.51.100.0/24", "2001:db8:ffff::/48"]},
    # So that each connection of the tests can say where it comes from.
    proxy={"trusted_proxies": {"proxy_protocol_networks": ["172.16.0.0/12", "192.168.0.0/16", "10.0.0.0/8"]}},
)
AMOUNTS = f"{PROXY_LIMITS_INSIDE}/amounts.map"
KEYS = f"{PROXY_LIMITS_INSIDE}/keys.map"

_addresses = itertools.count(1)


def new_address() -> str:
    """One that no test has called from."""
    number = next(_addresses)
    return f"203.0.{number // 250}.{number % 250 + 1}"


class Caller:
    """Somebody who calls from this address, over one connection."""

    def __init__(self, entrance: Limited, address: str | None = None, host: str = DOMAIN) -> None:
        self.entrance, self.host = entrance, host
        self.address = address or new_address()
        self._connection: HTTPConnection | None = None

    def ask(
        self,
        target: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
    ) -> Answer:
        for _ in range(3):
            if self._connection is None:
                self._connection = HTTPConnection(self.host)
                self._connection.sock = self.entrance.connect_from(self.address, self.host)
            try:
                self._connection.request(method, target, body=body, headers=dict(headers or {}))
                answer = self._connection.getresponse()
                sent = Answer(
                    answer.status,
                    {name.lower(): value for name, value in answer.getheaders()},
                    answer.read(),
                )
            except (OSError, ValueError):
                self._connection = None
                continue
            if answer.will_close:
                self._connection = None
            return sent
        raise AssertionError("no answer")

    def statuses(self, target: str, times: int, **options: Any) -> Counter[int]:
        return Counter(self.ask(target, **options).status for _ in range(times))

    def posted(self, target: str, **options: Any) -> Answer:
        return self.ask(target, method="POST", body="{}", **options)


class Limited(Entrance):
    """An entrance where each connection says where it comes from, as behind a load balancer."""

    def connect_from(self, address: str, host: str = DOMAIN) -> socket.socket:
        import ssl

        plain = socket.create_connection((self.address, 443), timeout=30)
        family, proxy = ("TCP6", "::1") if ":" in address else ("TCP4", "127.0.0.1")
        plain.sendall(f"PROXY {family} {address} {proxy} 40000 443\r\n".encode())
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(plain, server_hostname=host)

    @contextmanager
    def allowing(self, **amounts: str) -> Iterator[None]:
        """These amounts, LIMIT/WINDOW, in place of the defaults while the block lasts; `off` for none."""
        self.replace(AMOUNTS, {**HOST.settings.rate_limits.amounts(), **amounts})
        try:
            yield
        finally:
            self.replace(AMOUNTS, HOST.settings.rate_limits.amounts())

    def replace(self, file: str, entries: Mapping[str, str]) -> None:
        wanted = {key: value for key, value in entries.items() if value != "off"}
        version = runtime.prepared_version(self.runtime(f"prepare map {file}"))
        assert version is not None
        assert [self.runtime(command) for command in runtime.filling(file, version, wanted)] == [""] * (
            1 + bool(wanted)
        )
        assert runtime.map_entries(self.runtime(f"show map {file}")) == wanted

    def table(self, name: str) -> dict[str, int]:
        """Counts by entry."""
        shown = self.runtime(f"show table counts/{name}")
        return {entry.key: entry.count for entry in runtime.table_entries(shown)}


@pytest.fixture(scope="module")
def entrance(
    client: docker.DockerClient, haproxy: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Limited]:
    folder = write_configuration(tmp_path_factory.mktemp("proxy"), HOST)
    with running_entrance(client, haproxy, folder) as running, running_api(client, running):
        yield Limited(running.proxy, running.app, running.network, running.sockets)


def hashed(key: str) -> str:
    return hashlib.sha256(key.removeprefix("cal_").encode()).hexdigest()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def accepted_key(entrance: Limited) -> str:
    """A key that the API has answered for once."""
    key = f"cal_{secrets.token_hex(16)}"
    assert (
        Caller(entrance).ask("/api/v2/me?answer-X-RateLimit-Limit-Default=5", headers=bearer(key)).status
        == 200
    )
    return key


def at_the_beginning_of_a_window(seconds: int) -> None:
    """Return just after a window has begun, so that what follows falls into one."""
    time.sleep(seconds - time.time() % seconds + 0.02)


def with_a_minute_s_rest_of(seconds: int) -> None:
    """Return when a window of a minute has that much left, so that what follows falls into one."""
    if time.time() % 60 > 60 - seconds:
        at_the_beginning_of_a_window(60)


# --- Exactness


def test_a_client_that_never_stops_gets_exactly_what_is_allowed_in_each_window(entrance: Limited) -> None:
    address = new_address()
    passed: Counter[int] = Counter()
    end = 0.0

    def never_stop() -> None:
        caller = Caller(entrance, address)
        while time.time() < end:
            asked = time.time() // 2
            if caller.ask("/ada/intro").status == 200:
                # What was under way at the edge may be either window's.
                passed[int(asked) if asked == time.time() // 2 else 0] += 1

    with entrance.allowing(pages="12/2"):
        at_the_beginning_of_a_window(2)
        first = int(time.time()) // 2
        end = (first + 3) * 2
        threads = [threading.Thread(target=never_stop) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        counts = {
            int(entry.rpartition("|")[2]): count
            for entry, count in entrance.table("pages").items()
            if entry.startswith(f"{address}|")
        }
    assert all(counts[first + number] > 12 for number in range(3))
    assert passed.total() == sum(min(12, count) for count in counts.values())
    assert all(passed[window] <= 12 for window in counts)


def test_a_refusal_says_when_to_come_again_and_then_it_is_let_in(entrance: Limited) -> None:
    caller = Caller(entrance)
    with entrance.allowing(pages="2/3"):
        at_the_beginning_of_a_window(3)
        assert caller.statuses("/ada/intro", 2) == {200: 2}
        refused = caller.ask("/ada/intro")
        assert refused.status == 429
        rest = int(refused.headers["retry-after"])
        assert 1 <= rest <= 3
        assert refused.headers["x-ratelimit-limit"] == "2"
        assert refused.headers["x-ratelimit-remaining"] == "0"
        assert refused.headers["x-ratelimit-reset"] == str(rest)
        assert refused.headers["cache-control"] == "no-store"
        time.sleep(rest)
        assert caller.ask("/ada/intro").status == 200


def test_at_the_end_of_a_window_the_rest_is_a_second_still(entrance: Limited) -> None:
    caller = Caller(entrance)
    with entrance.allowing(pages="1/2"):
        at_the_beginning_of_a_window(2)
        time.sleep(1.5)
        caller.ask("/ada/intro")
        assert caller.ask("/ada/intro").headers["retry-after"] == "1"


def test_addresses_have_counts_of_their_own(entrance: Limited) -> None:
    with entrance.allowing(pages="1/3600"):
        for _ in range(3):
            assert Caller(entrance).statuses("/ada/intro", 2) == {200: 1, 429: 1}


@pytest.mark.parametrize(("second", "shared"), [("2001:db8:1:2:ffff::9", True), ("2001:db8:1:3::1", False)])
def test_ipv6_counts_by_its_64(entrance: Limited, second: str, shared: bool) -> None:
    with entrance.allowing(bookings="1/3600"):
        Caller(entrance, "2001:db8:1:2::1").posted("/api/book/event")
        third = second.replace("2001:db8:1:3", f"2001:db8:1:{secrets.randbelow(60000) + 10:x}")
        status = Caller(entrance, third).posted("/api/book/event").status
    assert status == (429 if shared else 200)


def test_exempt_networks_are_never_refused(entrance: Limited) -> None:
    with entrance.allowing(pages="1/3600", bookings="1/3600"):
        for address in ("198.51.100.7", "2001:db8:ffff:1::2"):
            caller = Caller(entrance, address)
            assert caller.statuses("/ada/intro", 3) == {200: 3}
            assert caller.statuses("/api/book/event", 3, method="POST", body="{}") == {200: 3}


def test_what_is_off_is_not_counted(entrance: Limited) -> None:
    caller = Caller(entrance)
    with entrance.allowing(pages="off"):
        assert caller.statuses("/ada/intro", 5) == {200: 5}
    assert not [entry for entry in entrance.table("pages") if entry.startswith(f"{caller.address}|")]


def test_the_app_s_own_calls_to_the_public_address_are_not_counted(entrance: Limited) -> None:
    Caller(entrance).ask("/ada/intro")
    entrance.app.reload()
    own = entrance.app.attrs["NetworkSettings"]["Networks"][entrance.network]["IPAddress"]
    with entrance.allowing(pages="1/3600"):
        assert Caller(entrance, own).statuses("/api/auth/csrf", 4) == {200: 4}


def test_the_inner_entrance_has_no_limits(entrance: Limited) -> None:
    with entrance.allowing(pages="1/3600", bookings="1/3600"):
        assert {entrance.inner("/ada/intro").status for _ in range(4)} == {200}


# --- What counts as what

SIGN_IN = [
    ("POST", "/api/auth/callback/credentials"),
    ("POST", "/api/auth/forgot-password"),
    ("POST", "/api/auth/reset-password"),
    ("POST", "/api/auth/two-factor/totp/setup"),
    ("POST", "/api/auth//callback/%63redentials"),
    ("POST", "/API/AUTH/callback/credentials"),
    ("POST", "/api/trpc/auth/verifyCodeUnAuthenticated?batch=1"),
    ("GET", "/api/auth/callback/email?token=x"),
]
BOOKINGS = [
    ("POST", "/api/book/event"),
    ("POST", "/api/book/recurring-event"),
    ("POST", "/api/cancel"),
    ("POST", "/api/%62ook/event/"),
    ("POST", "/api/v2/bookings"),
    ("POST", "/api/v2/bookings/uid/reschedule"),
    ("POST", "/api/v2/Bookings/uid/cancel"),
]
SLOTS = [
    ("GET", "/api/trpc/slots/getSchedule?input=%7B%7D"),
    ("POST", "/api/trpc/slots/reserveSlot?batch=1"),
    ("GET", "/api/trpc/public/event"),
    ("GET", "/api/trpc/viewer/slots.getSchedule"),
    ("GET", "/api/v2/slots?start=2030-01-01"),
    ("POST", "/api/v2/slots/reservations"),
]
PAGES = [
    ("GET", "/ada/intro"),
    ("GET", "/api/auth/session"),
    ("POST", "/api/auth/signout"),
    ("GET", "/api/trpc/features/map?batch=1"),
    ("GET", "/api/v2/bookings"),
    ("GET", "/api/v2/me"),
    ("OPTIONS", "/api/v2/slots2"),
    ("GET", "/_next/image?url=/logo.png&w=64"),
    ("GET", "/ada.png"),
]


@pytest.mark.parametrize(
    ("kind", "method", "target"),
    [
        (kind, method, target)
        for kind, targets in (
            ("sign_in", SIGN_IN),
            ("bookings", BOOKINGS),
            ("slots", SLOTS),
            ("pages", PAGES),
        )
        for method, target in targets
    ],
)
def test_each_request_counts_as_one_thing(entrance: Limited, kind: str, method: str, target: str) -> None:
    caller = Caller(entrance)
    caller.ask(target, method=method, body="{}" if method == "POST" else None)
    counted = {
        name: count
        for name in ("sign_in", "bookings", "slots", "pages", "prefetches", "api_key")
        for entry, count in entrance.table(name).items()
        if entry.startswith(f"{caller.address}|")
    }
    assert counted == {kind: 1}


@pytest.mark.parametrize("comma", [",", "%2c"])
def test_each_look_at_slots_in_one_request_counts(entrance: Limited, comma: str) -> None:
    caller = Caller(entrance)
    with entrance.allowing(slots="4/3600"):
        looks = comma.join(["getSchedule"] * 3)
        assert caller.ask(f"/api/trpc/slots/{looks}?batch=1").status == 200
        assert caller.ask(f"/api/trpc/slots/{looks}?batch=1").status == 429


@pytest.mark.parametrize(
    "target",
    ["/_next/static/chunks/a.js", "/embed/embed.js", "/fonts/a.woff2", "/favicon.ico", "/icons/sprite.svg"],
)
def test_files_are_free(entrance: Limited, target: str) -> None:
    with entrance.allowing(pages="1/3600"):
        assert Caller(entrance).statuses(target, 5) == {200: 5}


def test_files_that_are_not_there_are_pages(entrance: Limited) -> None:
    caller = Caller(entrance)
    with entrance.allowing(pages="2/3600"):
        assert caller.statuses("/ada/made-up.png?status=404", 5) == {404: 3, 429: 2}


@pytest.mark.parametrize(
    "headers",
    [
        {"RSC": "1", "Next-Router-Prefetch": "1"},
        {"Purpose": "prefetch", "x-nextjs-data": "1"},
        {"Sec-Purpose": "prefetch;prerender"},
    ],
)
def test_prefetches_use_up_nobody_s_pages(entrance: Limited, headers: dict[str, str]) -> None:
    caller = Caller(entrance)
    with entrance.allowing(pages="2/3600", prefetches="2/3600", slots="1/3600"):
        assert caller.statuses("/signup-not", 4, headers=headers) == {200: 2, 429: 2}
        assert caller.statuses("/ada/intro", 3) == {200: 2, 429: 1}
        assert caller.statuses("/api/trpc/slots/getSchedule", 2, headers=headers) == {200: 1, 429: 1}


# --- The measured load


def open_booking_page(caller: Caller) -> list[int]:
    """What a browser sends, cold, to open a page and to book (FACTS §14: 72 requests, then 17)."""
    static = [f"/_next/static/chunks/{number}.js" for number in range(8)]
    opened = [
        *static,
        "/ada/intro",
        "/api/auth/session",
        "/api/trpc/slots/getSchedule?input=%7B%7D",
        "/api/trpc/features/map",
        "/api/trpc/timezones/cityTimezones",
        "/icons/sprite.svg",
    ]
    statuses = [caller.ask(target).status for target in opened]
    statuses.append(caller.ask("/ada", headers={"RSC": "1", "Next-Router-Prefetch": "1"}).status)
    more = ["/api/trpc/slots/getSchedule?input=%7B%22month%22%7D", "/api/csrf", "/ada", "/booking/uid"]
    statuses += [caller.ask(target).status for target in more]
    statuses += [caller.posted("/api/trpc/slots/reserveSlot").status, caller.posted("/api/book/event").status]
    return statuses


def test_an_office_of_fifty_behind_one_address_books_within_a_minute(entrance: Limited) -> None:
    address = new_address()
    with_a_minute_s_rest_of(15)
    found = [status for _ in range(50) for status in open_booking_page(Caller(entrance, address))]
    assert Counter(found) == {200: 50 * 21}


# --- Keys


def test_a_key_is_refused_above_twice_its_limit_whatever_address_it_comes_from(entrance: Limited) -> None:
    key = accepted_key(entrance)
    with entrance.allowing(api_key="5/3600", pages="1/3600"):
        statuses = Counter(Caller(entrance).ask("/api/v2/me", headers=bearer(key)).status for _ in range(14))
        refused = Caller(entrance).ask("/api/v2/me", headers=bearer(key))
    assert statuses == {200: 10, 429: 4}
    assert refused.status == 429
    assert refused.headers["x-ratelimit-limit-default"] == "5"


def test_a_named_key_has_its_own_limit_from_the_first_call_on(entrance: Limited) -> None:
    key = f"cal_{secrets.token_hex(16)}"
    entrance.replace(KEYS, {hashed(key): "2/3600"})
    try:
        assert Caller(entrance).statuses("/api/v2/me", 6, headers=bearer(key)) == {200: 4, 429: 2}
        by_own_name = Caller(entrance, host=API_NAME).ask("/v2/me", headers=bearer(key))
        assert by_own_name.status == 429
    finally:
        entrance.replace(KEYS, {})


def test_a_key_with_a_limit_above_its_address_s_is_not_held_back(entrance: Limited) -> None:
    key = accepted_key(entrance)
    with entrance.allowing(pages="2/3600", slots="1/3600", bookings="1/3600"):
        caller = Caller(entrance)
        for target in ("/api/v2/me", "/api/v2/slots"):
            assert caller.statuses(target, 10, headers=bearer(key)) == {200: 10}
        booked = caller.statuses("/api/v2/bookings", 10, method="POST", body="{}", headers=bearer(key))
        assert booked == {200: 10}


@pytest.mark.parametrize(
    "written",
    ["Bearer {}", "{}", "bearer {}", "BEARER   {}", "Bearer \t{}", "cal_Bearer {bare}", " Bearer {} "],
)
def test_a_key_counts_for_one_however_it_is_written(entrance: Limited, written: str) -> None:
    key = f"cal_{secrets.token_hex(16)}"
    header = {"Authorization": written.format(key, bare=key.removeprefix("cal_"))}
    entrance.replace(KEYS, {hashed(key): "1/3600"})
    try:
        Caller(entrance).ask("/api/v2/me", headers=bearer(key))
        assert Caller(entrance).statuses("/api/v2/me", 2, headers=header) == {200: 1, 429: 1}
    finally:
        entrance.replace(KEYS, {})


def test_more_than_one_credential_is_refused(entrance: Limited) -> None:
    key = accepted_key(entrance)
    with entrance.connect_from(new_address()) as connection:
        connection.sendall(
            f"GET /api/v2/me HTTP/1.1\r\nHost: {DOMAIN}\r\nAuthorization: Bearer {key}\r\n"
            "Authorization: Bearer x\r\n\r\n".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


def test_no_key_stands_in_a_table(entrance: Limited) -> None:
    key = accepted_key(entrance)
    Caller(entrance).ask("/api/v2/me", headers=bearer(key))
    for name in ("api_key", "accepted_keys", "refused", "pages"):
        shown = entrance.runtime(f"show table counts/{name}")
        assert key not in shown
        assert key.removeprefix("cal_") not in shown
    assert hashed(key) in entrance.table("accepted_keys")
    assert any(entry.startswith(hashed(key)) for entry in entrance.table("api_key"))


@pytest.mark.parametrize(
    "target", ["/api/v2/me?status=401&answer-X-RateLimit-Limit-Default=5", "/api/v2/nothing?status=404"]
)
def test_made_up_keys_count_for_their_address_and_take_no_place(entrance: Limited, target: str) -> None:
    real = accepted_key(entrance)
    Caller(entrance).ask("/api/v2/me", headers=bearer(real))
    before = entrance.table("api_key"), entrance.table("accepted_keys")
    attacker = Caller(entrance)
    with entrance.allowing(pages="30/3600"):
        statuses = Counter(
            attacker.ask(target, headers=bearer(f"cal_{secrets.token_hex(16)}")).status for _ in range(40)
        )
    assert statuses[429] == 10
    assert (entrance.table("api_key"), entrance.table("accepted_keys")) == before


# --- Live


def test_amounts_change_while_it_runs(entrance: Limited) -> None:
    caller = Caller(entrance)
    worker = entrance.runtime("show info").partition("Pid: ")[2].split()[0]
    with entrance.allowing(bookings="1/3600"):
        assert caller.posted("/api/book/event").status == 200
        assert caller.posted("/api/book/event").status == 429
    with entrance.allowing(bookings="4/3600"):
        assert caller.posted("/api/book/event").status == 200
    assert entrance.runtime("show info").partition("Pid: ")[2].split()[0] == worker


def test_counts_survive_a_reload(entrance: Limited) -> None:
    caller = Caller(entrance)
    worker = entrance.runtime("show info").partition("Pid: ")[2].split()[0]
    with_a_minute_s_rest_of(20)
    for _ in range(100):
        caller.posted("/api/book/event")
    assert caller.posted("/api/book/event").status == 429
    entrance.proxy.kill(signal.SIGUSR2)
    deadline = time.monotonic() + 10
    while entrance.runtime("show info").partition("Pid: ")[2].split()[0] == worker:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1)
    assert Caller(entrance, caller.address).posted("/api/book/event").status == 429
    assert "peer" not in entrance.proxy.logs().decode().lower()


# --- Refusals


def refused(entrance: Limited, target: str, **options: Any) -> Answer:
    """The answer to one request more than each limit allows."""
    nothing = dict.fromkeys(("pages", "prefetches", "slots", "bookings", "sign_in"), "1/3600")
    caller = Caller(entrance)
    with entrance.allowing(**nothing):
        caller.ask(target, **options)
        answer = caller.ask(target, **options)
    assert answer.status == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 3600
    return answer


def test_a_refused_booking_tells_the_guest(entrance: Limited) -> None:
    answer = refused(entrance, "/api/book/event", method="POST", body="{}")
    assert answer.headers["content-type"] == "application/json"
    assert re.fullmatch(r".+ try again in \d+ seconds\.", json.loads(answer.body)["message"])


def test_a_refused_sign_in_has_a_url_with_an_error(entrance: Limited) -> None:
    answer = refused(entrance, "/api/auth/callback/credentials", method="POST", body="x=1")
    document = json.loads(answer.body)
    assert document["url"] == f"https://{DOMAIN}/auth/error?error=TooManyRequests"
    assert "seconds" in document["message"]


def test_a_refused_look_at_slots_is_a_trpc_error(entrance: Limited) -> None:
    error = json.loads(refused(entrance, "/api/trpc/slots/getSchedule?batch=1").body)["error"]["json"]
    assert error["data"] == {"code": "TOO_MANY_REQUESTS", "httpStatus": 429}
    assert error["code"] == -32029
    assert "seconds" in error["message"]


def test_the_api_s_callers_get_its_envelope_and_its_headers(entrance: Limited) -> None:
    answer = refused(entrance, '/api/v2/me/"x"')
    document = json.loads(answer.body)
    assert document["status"] == "error"
    assert document["path"] == '/api/v2/me/"x"'
    assert document["error"]["code"] == "ThrottlerException"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", document["timestamp"])
    assert answer.headers["x-ratelimit-limit-default"] == "1"
    assert answer.headers["x-ratelimit-remaining-default"] == "0"
    assert answer.headers["x-ratelimit-reset-default"] == answer.headers["retry-after"]
    assert answer.headers["access-control-allow-origin"] == "*"


def test_people_get_a_page(entrance: Limited) -> None:
    answer = refused(entrance, "/ada/intro")
    assert answer.headers["content-type"].startswith("text/html")
    assert re.search(rf"try again in {answer.headers['retry-after']} seconds", answer.body.decode())


def test_a_refused_prefetch_is_a_line_of_text(entrance: Limited) -> None:
    answer = refused(entrance, "/ada", headers={"RSC": "1", "Next-Router-Prefetch": "1"})
    assert answer.headers["content-type"].startswith("text/plain")
    assert len(answer.body) < 100


def test_the_api_s_own_refusals_say_when_to_come_again(entrance: Limited) -> None:
    answer = Caller(entrance).ask("/api/v2/me?status=429&answer-X-RateLimit-Reset-Default=7")
    assert answer.headers["retry-after"] == "7"
    assert "retry-after" not in Caller(entrance).ask("/api/v2/me?answer-X-RateLimit-Limit-Default=5").headers


def test_who_is_refused_is_kept_for_an_hour(entrance: Limited) -> None:
    caller = Caller(entrance)
    with entrance.allowing(pages="1/3600"):
        caller.statuses("/ada/intro", 4)
    assert entrance.table("refused")[f"pages|{caller.address}"] == 3
