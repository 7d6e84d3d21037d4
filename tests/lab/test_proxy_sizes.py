"""How large headers and bodies may be."""

from __future__ import annotations

import pytest

from tests.lab.entrance import Entrance
from tests.unit.roles.hosts import DOMAIN

pytestmark = pytest.mark.docker


def test_large_cookies_pass(entrance: Entrance) -> None:
    cookie = "a=" + "x" * 20_000
    answer = entrance.ask("/ada", headers=f"Cookie: {cookie}\r\n")
    assert answer.reached_app_with("cookie") == [cookie]
    ((status, _, body),) = entrance.over_http2(["/ada"], "-H", f"Cookie: {cookie}")
    assert status == 200
    assert cookie in body


def test_headers_beyond_reason_are_refused(entrance: Entrance) -> None:
    assert entrance.ask("/ada", headers=f"Cookie: {'x' * 40_000}\r\n").status in (400, 431)


def test_an_avatar_of_some_megabytes_passes(entrance: Entrance) -> None:
    assert entrance.ask("/api/x", method="POST", body=b"x" * 9_000_000).seen["body_length"] == 9_000_000


def test_more_than_10_megabytes_are_refused(entrance: Entrance) -> None:
    head = f"POST /api/x HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 10485761\r\n\r\n"
    assert entrance.raw(head.encode()).status == 413


def chunked(method: str, size: int, headers: str = "") -> bytes:
    head = f"{method} /api/x HTTP/1.1\r\nHost: {DOMAIN}\r\n{headers}Transfer-Encoding: chunked\r\n\r\n"
    return (
        head.encode()
        + b"".join(b"3e8\r\n" + b"x" * 1000 + b"\r\n" for _ in range(size // 1000))
        + b"0\r\n\r\n"
    )


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_bodies_without_a_length_may_be_small_only(entrance: Entrance, method: str) -> None:
    cookie = f"Cookie: {'x' * 20_000}\r\n"
    assert entrance.raw(chunked(method, 15_000)).seen["body_length"] == 15_000
    assert entrance.raw(chunked(method, 15_000, cookie)).seen["body_length"] == 15_000
    assert entrance.raw(chunked(method, 40_000)).status == 413
    assert entrance.raw(chunked(method, 40_000, cookie)).status == 413


def test_bodies_without_a_length_may_be_small_only_over_http2(entrance: Entrance) -> None:
    post = ["-X", "POST", "-H", "Content-Length:", "-H", "Expect:", "--data-binary", "@/tmp/body"]
    for size, expected in ((15_000, 200), (60_000, 413)):
        entrance.app.exec_run(["sh", "-c", f"head -c {size} /dev/zero | tr '\\0' x > /tmp/body"])
        ((status, version, _),) = entrance.over_http2(["/api/x"], *post)
        assert (status, version) == (expected, "2")
