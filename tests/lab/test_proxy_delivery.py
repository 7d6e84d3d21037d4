"""Requests arrive, once, while the app comes, goes, and the proxy is reloaded."""

from __future__ import annotations

import json
import threading
import time

import pytest

from deploy.roles import proxy
from tests.lab.certificates import self_signed
from tests.lab.entrance import Entrance, read_answer, until_served
from tests.unit.roles.hosts import DOMAIN, host_context

pytestmark = pytest.mark.docker


def test_a_slow_answer_is_waited_for(entrance: Entrance) -> None:
    assert entrance.ask("/api/x?sleep=4", method="POST", body=b"{}").status == 200


def test_a_crowd_is_not_limited_and_each_post_arrives_once(entrance: Entrance) -> None:
    before = len(entrance.seen_by_app())
    with entrance.connect(443) as connection:
        for number in range(200):
            head = f"POST /api/book/event?n={number} HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 2\r\n\r\n"
            connection.sendall(head.encode() + b"{}")
            assert read_answer(connection).status == 200
    targets = [request["target"] for request in entrance.seen_by_app()[before:]]
    assert sorted(targets) == sorted(f"/api/book/event?n={number}" for number in range(200))


def test_replicas_come_and_go_without_a_lost_request(entrance: Entrance) -> None:
    statuses: list[int] = []
    done = threading.Event()
    # What a killed app was working on is lost, which draining is for; the requests after it must not be.
    in_flight = threading.Lock()

    def keep_asking() -> None:
        while not done.is_set():
            with in_flight:
                statuses.append(entrance.ask("/ada").status)
            time.sleep(0.01)

    asking = threading.Thread(target=keep_asking)
    asking.start()
    with entrance.another_app() as second:
        time.sleep(3)
        with in_flight:
            entrance.app.kill()
        time.sleep(3)
        entrance.app.start()
        time.sleep(3)
        with in_flight:
            second.kill()
    time.sleep(3)
    done.set()
    asking.join()
    assert len(statuses) > 100
    assert set(statuses) == {200}


def test_a_post_waits_for_an_app_that_restarts_and_arrives_once(entrance: Entrance) -> None:
    entrance.app.stop(timeout=0)
    later = threading.Timer(3, entrance.app.start)
    later.start()
    start = time.monotonic()
    answer = entrance.ask("/api/book/event", method="POST", body=b"{}")
    waited = time.monotonic() - start
    later.join()
    assert answer.status == 200
    assert 2.5 < waited < 8
    assert [request["target"] for request in entrance.seen_by_app()] == ["/api/book/event"]


def test_an_app_that_stays_away_is_told_of_in_words(entrance: Entrance) -> None:
    entrance.app.stop(timeout=0)
    try:
        start = time.monotonic()
        page = entrance.ask("/ada/intro")
        assert page.status == 503
        assert time.monotonic() - start < 20
        deadline = time.monotonic() + 30
        while (
            "json"
            not in (answer := entrance.ask("/api/x", method="POST", body=b"{}")).headers["content-type"]
        ):
            assert time.monotonic() < deadline, "the app is not found to be down"
        assert answer.status == 503
        assert "try again" in json.loads(answer.body)["message"]
        assert int(answer.headers["retry-after"]) > 0
        assert "HAProxy" not in page.body.decode()
    finally:
        entrance.app.start()
        until_served(entrance)


def test_a_reload_loses_no_request_and_its_digest_can_be_asked(entrance: Entrance) -> None:
    host = host_context(certificate=self_signed(DOMAIN))
    assert entrance.inner("/calstack/config-digest").status == 200
    assert proxy.config_digest(host) != entrance.inner("/calstack/config-digest").body.decode()
    with entrance.connect(443) as connection:
        for number in range(40):
            if number == 10:
                entrance.proxy.kill(signal="SIGUSR2")
            connection.sendall(f"GET /ada HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode())
            answer = read_answer(connection)
            assert answer.status == 200
            if answer.headers.get("connection") == "close":
                break
            time.sleep(0.05)
    assert entrance.ask("/ada").status == 200
