from __future__ import annotations

import base64
import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

PATH = "/0123456789abcdef0123456789abcdef"
OPTIONS = {"bind": "127.0.0.1", "port": 0, "path": PATH, "limit_seconds": 30}


class Receiver:
    """The receiver as a process, as the control machine sees it over ssh."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.stdin = process.stdin
        self.stdout = process.stdout
        self.port = 0

    def event(self) -> dict[str, Any]:
        return dict(json.loads(self.stdout.readline()))

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request(method, path, body, headers or {})
        status = connection.getresponse().status
        connection.close()
        return status


@contextmanager
def started(**changes: Any) -> Iterator[Receiver]:
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.onhost", "receiver"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    receiver = Receiver(process)
    try:
        receiver.stdin.write(json.dumps({**OPTIONS, **changes}) + "\n")
        receiver.stdin.flush()
        yield receiver
    finally:
        process.kill()
        process.wait()


@contextmanager
def listening(**changes: Any) -> Iterator[Receiver]:
    with started(**changes) as receiver:
        event = receiver.event()
        assert event["event"] == "listening"
        receiver.port = event["port"]
        yield receiver


def test_a_delivery_arrives_byte_for_byte() -> None:
    body = '{"triggerEvent":"BOOKING_CREATED", "who": "Zoë"}'.encode() + b"\x00\xff\r\n"
    with listening() as receiver:
        assert receiver.send("POST", PATH, body, {"X-Cal-Signature-256": "abc"}) == 200
        event = receiver.event()
        assert event["event"] == "delivery"
        assert base64.b64decode(event["body_base64"]) == body
        assert event["headers"]["X-Cal-Signature-256"] == "abc"
        assert event["received_at"].endswith("Z")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/", 404),
        ("POST", PATH + "x", 404),
        ("POST", PATH + "?x=1", 404),
        ("GET", PATH, 404),
        ("PUT", PATH, 404),
    ],
)
def test_nothing_else_is_taken(method: str, path: str, status: int) -> None:
    with listening() as receiver:
        assert receiver.send(method, path, b"{}") == status
        assert receiver.send("POST", PATH, b"mine") == 200
        assert base64.b64decode(receiver.event()["body_base64"]) == b"mine"


def test_a_body_is_bounded() -> None:
    with listening() as receiver:
        connection = socket.create_connection(("127.0.0.1", receiver.port), timeout=5)
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
        connection.close()


def test_a_sender_that_hangs_up_is_no_delivery() -> None:
    with listening() as receiver:
        connection = socket.create_connection(("127.0.0.1", receiver.port), timeout=5)
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123".encode())
        connection.close()
        assert receiver.send("POST", PATH, b"whole") == 200
        assert base64.b64decode(receiver.event()["body_base64"]) == b"whole"


def test_many_deliveries_at_one_moment_are_not_refused() -> None:
    with listening() as receiver:
        receiver.process.send_signal(signal.SIGSTOP)
        waiting = [socket.create_connection(("127.0.0.1", receiver.port), timeout=0.5) for _ in range(40)]
        receiver.process.send_signal(signal.SIGCONT)
        for connection in waiting:
            connection.close()


def test_it_ends_when_its_input_closes() -> None:
    with listening() as receiver:
        receiver.stdin.close()
        assert receiver.event() == {"event": "ended", "reason": "input closed"}
        assert receiver.process.wait(5) == 0
        with pytest.raises(ConnectionRefusedError):
            receiver.send("POST", PATH, b"{}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_ends_on_a_signal(number: signal.Signals) -> None:
    with listening() as receiver:
        receiver.process.send_signal(number)
        assert receiver.event() == {"event": "ended", "reason": "terminated"}
        assert receiver.process.wait(5) == 0


def test_it_ends_when_the_time_is_over() -> None:
    with listening(limit_seconds=0.3) as receiver:
        assert receiver.event() == {"event": "ended", "reason": "time is over"}
        assert receiver.process.wait(5) == 0


def test_it_ends_when_nobody_reads_any_more() -> None:
    with listening() as receiver:
        receiver.stdout.close()
        receiver.send("POST", PATH, b"{}")
        assert receiver.process.wait(5) == 0


def test_it_ends_before_it_began_when_the_channel_dies() -> None:
    with started() as receiver:
        receiver.event()
    process = subprocess.run(
        [sys.executable, "-m", "deploy.onhost", "receiver"],
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    assert json.loads(process.stdout)["event"] == "error"
    assert process.stderr == ""


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"path": "/short"}, "at least 16 characters"),
        ({"limit_seconds": 0}, "limit_seconds"),
        ({"limit_seconds": 1e9}, "limit_seconds"),
        ({"bind": "192.0.2.1"}, "cannot listen on 192.0.2.1:0"),
    ],
)
def test_options_that_cannot_be_served(changes: dict[str, Any], says: str) -> None:
    with started(**changes) as receiver:
        event = receiver.event()
        assert event["event"] == "error"
        assert says in event["message"]
        assert receiver.process.wait(5) == 1
