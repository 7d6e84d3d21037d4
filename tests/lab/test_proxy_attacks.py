"""What somebody might try who wants to bring the instance down, or to get past the proxy."""

from __future__ import annotations

import time

import pytest

from tests.lab.entrance import Entrance, read_answer
from tests.unit.roles.hosts import DOMAIN

pytestmark = pytest.mark.docker


def test_a_body_that_does_not_come_is_not_waited_for(entrance: Entrance) -> None:
    head = f"POST /api/x HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 100\r\n\r\nx"
    before = len(entrance.seen_by_app())
    start = time.monotonic()
    assert entrance.raw(head.encode()).status == 408
    assert 10 < time.monotonic() - start < 25
    assert entrance.seen_by_app()[before:] == []


def test_headers_that_trickle_in_are_not_waited_for(entrance: Entrance) -> None:
    start = time.monotonic()
    with entrance.connect(443) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n".encode())
        connection.settimeout(1)
        while time.monotonic() - start < 20:
            try:
                connection.sendall(b"X-A: b\r\n")
                if connection.recv(1024):
                    break
            except TimeoutError:
                continue
    assert 8 < time.monotonic() - start < 15


def test_requests_cannot_be_smuggled_past(entrance: Entrance) -> None:
    head = f"POST /api/x HTTP/1.1\r\nHost: {DOMAIN}\r\n"
    hidden = b"GET /api/cron/x HTTP/1.1\r\nHost: a\r\n\r\n"
    before = len(entrance.seen_by_app())
    for lines, body in (
        (f"Content-Length: {len(hidden)}\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + hidden),
        ("Content-Length: 0\r\nContent-Length: 5\r\n", hidden),
        ("Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + hidden),
        ("Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + hidden),
    ):
        with entrance.connect(443) as connection:
            connection.sendall(f"{head}{lines}\r\n".encode() + body)
            read_answer(connection)
    seen = [str(request["target"]) for request in entrance.seen_by_app()[before:]]
    assert not [target for target in seen if "cron" in target]
