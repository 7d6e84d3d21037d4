"""What clients say about themselves stays outside; what the app and browsers need passes."""

from __future__ import annotations

import json
import re

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


def test_browsers_are_told_to_stay_with_https_and_frames_are_left_to_the_app(entrance: Entrance) -> None:
    for target in ("/ada/intro", "/signup"):
        answer = entrance.ask(target)
        assert answer.headers["strict-transport-security"] == "max-age=63072000"
        assert not {"x-frame-options", "content-security-policy", "x-powered-by"} & set(answer.headers)
    assert "strict-transport-security" not in entrance.ask("/", port=80).headers
