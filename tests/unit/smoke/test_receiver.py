from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from deploy.smoke.deliveries import Delivery, NoDeliveryError, ReceiverGoneError
from deploy.smoke.receiver import RemoteReceiver


class LocalProcess:
    """The real receiver, without ssh between."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            command or (sys.executable, "-m", "deploy.onhost", "receiver"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def write_line(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def __iter__(self) -> Iterator[str]:
        assert self.process.stdout is not None
        yield from self.process.stdout

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)


def send(url: str, body: bytes) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    connection.request("POST", parts.path, body, {"X-Cal-Signature-256": "abc"})
    status = connection.getresponse().status
    connection.close()
    return status


def event(trigger: str, uid: str = "u") -> bytes:
    return json.dumps({"triggerEvent": trigger, "payload": {"uid": uid}}).encode()


@pytest.fixture
def process() -> LocalProcess:
    return LocalProcess()


@pytest.fixture
def receiver(process: LocalProcess) -> Iterator[RemoteReceiver]:
    with RemoteReceiver(process, bind="127.0.0.1", limit_seconds=30) as receiver:
        yield receiver


def test_a_delivery_comes_through_whole(receiver: RemoteReceiver) -> None:
    body = event("BOOKING_CREATED", "Zoë") + b"\r\n"
    assert send(receiver.url, body) == 200
    assert receiver.wait_for("BOOKING_CREATED", 5).body == body


def test_each_is_given_once_and_others_are_kept(receiver: RemoteReceiver) -> None:
    send(receiver.url, event("BOOKING_CANCELLED", "c"))
    send(receiver.url, event("BOOKING_CREATED", "a"))
    send(receiver.url, event("BOOKING_CREATED", "b"))
    assert {receiver.wait_for("BOOKING_CREATED", 5).payload["uid"] for _ in range(2)} == {"a", "b"}
    with pytest.raises(NoDeliveryError, match="instead: BOOKING_CANCELLED"):
        receiver.wait_for("BOOKING_CREATED", 0.2)
    cancelled = receiver.wait_for("BOOKING_CANCELLED", 5)
    assert cancelled.header("x-cal-signature-256") == "abc"
    assert cancelled.received_at.endswith("Z")


def test_it_waits_for_what_is_still_to_come(receiver: RemoteReceiver) -> None:
    threading.Timer(0.3, send, (receiver.url, event("BOOKING_CREATED"))).start()
    begun = time.monotonic()
    receiver.wait_for("BOOKING_CREATED", 5)
    assert time.monotonic() - begun > 0.2


def test_many_at_once(receiver: RemoteReceiver) -> None:
    senders = [
        threading.Thread(target=send, args=(receiver.url, event("BOOKING_CREATED", str(number))))
        for number in range(20)
    ]
    for sender in senders:
        sender.start()
    uids = {receiver.wait_for("BOOKING_CREATED", 5).payload["uid"] for _ in range(20)}
    assert uids == {str(number) for number in range(20)}


def test_a_body_that_is_no_json_is_kept_apart(receiver: RemoteReceiver) -> None:
    send(receiver.url, b"\xff\x00")
    with pytest.raises(NoDeliveryError, match="instead: something else"):
        receiver.wait_for("BOOKING_CREATED", 0.3)


def test_a_receiver_that_dies_ends_the_waiting(process: LocalProcess, receiver: RemoteReceiver) -> None:
    threading.Timer(0.2, process.process.kill).start()
    with pytest.raises(ReceiverGoneError, match="broke"):
        receiver.wait_for("BOOKING_CREATED", 10)


def test_what_came_before_it_died_is_still_there(process: LocalProcess, receiver: RemoteReceiver) -> None:
    send(receiver.url, event("BOOKING_CREATED"))
    time.sleep(0.2)
    process.process.kill()
    process.process.wait()
    assert receiver.wait_for("BOOKING_CREATED", 5).trigger == "BOOKING_CREATED"


def test_closing_ends_the_far_process(process: LocalProcess) -> None:
    receiver = RemoteReceiver(process, bind="127.0.0.1")
    receiver.close()
    assert process.process.returncode == 0
    with pytest.raises(ReceiverGoneError, match="has ended: input closed"):
        receiver.wait_for("BOOKING_CREATED", 5)


def test_an_address_that_is_not_the_hosts(process: LocalProcess) -> None:
    with pytest.raises(ReceiverGoneError, match=r"did not start: cannot listen on 192\.0\.2\.1:0"):
        RemoteReceiver(process, bind="192.0.2.1")
    assert process.process.returncode == 1


def test_a_host_that_says_something_else() -> None:
    shell = LocalProcess("sh", "-c", "read x; echo 'python3: command not found'")
    with pytest.raises(ReceiverGoneError, match="it said: python3: command not found"):
        RemoteReceiver(shell, bind="127.0.0.1")


def test_a_delivery_without_a_body_of_ours_has_no_trigger() -> None:
    for body in (b"", b"[]", b'{"triggerEvent": 1, "payload": []}', b"false"):
        delivery = Delivery({}, body, "2026-11-24T07:00:00Z")
        assert delivery.trigger is None
        assert delivery.payload == {}
