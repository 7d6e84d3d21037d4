"""What clients say about themselves stays outside; what the app and browsers need passes."""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.lab.entrance import Entrance
from tests.unit.roles.hosts import DOMAIN

pytestmark = pytest.mark.docker


FORGED = """\
CF-Connecting-IP: 1.2.3.4
cf-connecting-ip: 1.2.3.5
X-Real-IP: 1.2.3.4
X-Forwarded-For: 1.2.3.4
X-Forwarded-Host: evil.test
X-Forwarded-Proto: http
X-Forwarded-Port: 81
X-Forwarded-Server: evil.test
X-Forwarded-Anything: 1.2.3.4
Forwarded: for=1.2.3.4;host=evil.test
True-Client-IP: 1.2.3.4
X-Client-IP: 1.2.3.4
X-Original-URL: /api/cron/x
X-Rewrite-URL: /api/cron/x
X-Middleware-Subrequest: middleware
X-Request-Id: 1.2.3.4
CF_Connecting_IP: 1.2.3.4
X_Real_IP: 1.2.3.4
""".replace("\n", "\r\n")


@pytest.mark.parametrize("port", [443, 8080])
def test_clients_cannot_say_who_they_are(entrance: Entrance, port: int) -> None:
    seen = entrance.ask("/api/ip", headers=FORGED, port=port)
    own = {"x-forwarded-host": DOMAIN, "x-forwarded-proto": "https", "x-forwarded-port": "443"}
    headers: dict[str, str] = dict(seen.seen["headers"])
    address = headers["x-real-ip"]
    own |= dict.fromkeys(("x-real-ip", "cf-connecting-ip", "x-forwarded-for"), address)
    told = {
        name: value for name, value in seen.seen["headers"] if re.search("forward|ip$|client|url|_", name)
    }
    assert told == own
    assert not re.search(r"1\.2\.3\.|evil|middleware", json.dumps(seen.seen))
    for name in own:
        assert len(seen.reached_app_with(name)) == 1


def test_clients_cannot_say_who_they_are_over_http2(entrance: Entrance) -> None:
    options = [word for line in FORGED.split("\r\n")[:-1] for word in ("-H", line)]
    ((status, version, body),) = entrance.over_http2(["/api/ip"], *options)
    assert (status, version) == (200, "2")
    assert not re.search(r"1\.2\.3\.|evil|middleware", body)


def test_what_the_app_needs_passes(entrance: Entrance) -> None:
    answer = entrance.ask(
        "/api/x",
        headers="Authorization: Bearer abc\r\ncal-api-version: 2024-08-13\r\nCookie: a=b; c=d\r\nRSC: 1\r\n",
    )
    assert answer.reached_app_with("authorization") == ["Bearer abc"]
    assert answer.reached_app_with("cal-api-version") == ["2024-08-13"]
    assert answer.reached_app_with("cookie") == ["a=b; c=d"]
    assert answer.reached_app_with("rsc") == ["1"]


def test_inner_entrance_speaks_to_the_app_as_the_public_one_does(entrance: Entrance) -> None:
    answer = entrance.inner("/api/auth/setup")
    assert answer.reached_app_with("host") == [DOMAIN]
    assert answer.reached_app_with("x-forwarded-proto") == ["https"]
    assert answer.reached_app_with("x-forwarded-host") == [DOMAIN]


def test_a_request_has_one_name_in_the_log_for_the_app_and_for_whoever_asked(entrance: Entrance) -> None:
    first, second = (entrance.ask("/ada/intro") for _ in range(2))
    (name,) = first.reached_app_with("x-request-id")
    assert first.headers["x-request-id"] == name
    assert name != second.headers["x-request-id"]
    refused = entrance.ask("/api/cron/x").headers["x-request-id"]
    time.sleep(0.3)
    lines = [json.loads(line) for line in entrance.proxy.logs().decode().splitlines() if line.startswith("{")]
    assert [line["path"] for line in lines if line.get("id") == name] == ["/ada/intro"]
    assert [line["status"] for line in lines if line.get("id") == refused] == [404]


def test_browsers_are_told_to_stay_with_https(entrance: Entrance) -> None:
    for target in ("/ada/intro", "/signup"):
        assert entrance.ask(target).headers["strict-transport-security"] == "max-age=63072000"
    assert "strict-transport-security" not in entrance.ask("/", port=80).headers


def test_answers_carry_what_protects_browsers_and_the_app_has_the_say(entrance: Entrance) -> None:
    for target in ("/ada/intro", "/api/cron/x"):
        answer = entrance.ask(target)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "strict-origin-when-cross-origin"
    own = entrance.ask("/ada?answer-referrer-policy=no-referrer&answer-x-content-type-options=nosniff")
    assert own.all("referrer-policy") == ["no-referrer"]
    assert own.all("x-content-type-options") == ["nosniff"]


@pytest.mark.parametrize("port", [80, 443])
@pytest.mark.parametrize(
    "request_head",
    [
        f"GET /ada HTTP/1.1\r\nHost: {DOMAIN}",
        f"GET /api/cron/x HTTP/1.1\r\nHost: {DOMAIN}",
        "GET / HTTP/1.1\r\nHost: elsewhere.test",
        f"TRACE / HTTP/1.1\r\nHost: {DOMAIN}",
        "nonsense",
        f"GET / HTTP/1.1\r\nHost: {DOMAIN}\r\nCookie: {'x' * 60_000}",
    ],
    ids=["app", "closed", "elsewhere", "method", "nonsense", "headers"],
)
def test_nobody_learns_what_runs_here(entrance: Entrance, port: int, request_head: str) -> None:
    answer = entrance.raw(f"{request_head}\r\n\r\n".encode(), port=port)
    said = " ".join(answer.headers.values()) + answer.body.decode()
    assert not {"server", "x-powered-by", "via"} & set(answer.headers)
    assert not re.search("haproxy|BaseHTTP|Python", said, re.IGNORECASE)
