"""Requests arrive, once, while the app comes, goes, and the proxy is reloaded."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from docker.models.containers import Container

from deploy.lab import inside
from deploy.roles import proxy
from tests.lab.certificates import self_signed
from tests.lab.entrance import Entrance, read_answer, until_served
from tests.unit.roles.hosts import DOMAIN, host_context

pytestmark = pytest.mark.docker


class Load:
    """Posts without a pause, each over a connection of its own, and what became of each."""

    def __init__(self, entrance: Entrance, workers: int = 4) -> None:
        self.statuses: dict[str, int] = {}
        self._entrance = entrance
        self._done = threading.Event()
        self._between = [threading.Lock() for _ in range(workers)]
        self._threads = [threading.Thread(target=self._post, args=(worker,)) for worker in range(workers)]

    def _post(self, worker: int) -> None:
        number = 0
        while not self._done.is_set():
            target = f"/api/book/event?worker={worker}&number={number}"
            with self._between[worker]:
                try:
                    self.statuses[target] = self._entrance.ask(target, method="POST", body=b"{}").status
                except (OSError, AssertionError):
                    self.statuses[target] = 0
            number += 1

    @contextmanager
    def no_request_on_its_way(self) -> Iterator[None]:
        """What a killed app is working on is lost, and never repeated; that is not what is looked at here."""
        with ExitStack() as held:
            for lock in self._between:
                held.enter_context(lock)
            yield

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def failed(self) -> dict[str, int]:
        return {target: status for target, status in self.statuses.items() if status != 200}


def test_a_slow_answer_is_waited_for(entrance: Entrance) -> None:
    assert entrance.ask("/api/x?sleep=4", method="POST", body=b"{}").status == 200


def test_of_a_crowd_s_posts_each_arrives_once(entrance: Entrance) -> None:
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


def test_nothing_fails_and_each_post_arrives_once_while_the_app_restarts(entrance: Entrance) -> None:
    with Load(entrance) as load:
        time.sleep(1)
        with load.no_request_on_its_way():
            before = dict(load.statuses)
            entrance.app.stop(timeout=0)
        time.sleep(8)
        entrance.app.start()
        time.sleep(3)
    assert load.failed() == {}
    assert len(load.statuses) > len(before) > 20
    arrived = sorted(str(request["target"]) for request in entrance.seen_by_app())
    assert arrived == sorted(set(load.statuses) - set(before))


def test_requests_wait_for_an_app_that_was_away_before_they_came(entrance: Entrance) -> None:
    entrance.app.stop(timeout=0)
    # Longer than it takes the proxy to give the app up.
    time.sleep(12)
    later = threading.Timer(4, entrance.app.start)
    later.start()
    start = time.monotonic()
    assert entrance.ask("/ada").status == 200
    assert 3 < time.monotonic() - start < 10
    later.join()
    until_served(entrance)


def test_an_app_that_stays_away_is_told_of_in_words(entrance: Entrance) -> None:
    entrance.app.stop(timeout=0)
    try:
        start = time.monotonic()
        page = entrance.ask("/ada/intro")
        assert 10 < time.monotonic() - start < 20
        answer = entrance.ask("/api/x", method="POST", body=b"{}")
    finally:
        entrance.app.start()
        until_served(entrance)
    for refusal in (page, answer):
        assert refusal.status == 503
        assert int(refusal.headers["retry-after"]) > 0
        assert "HAProxy" not in refusal.body.decode()
    assert page.headers["content-type"].startswith("text/plain")
    assert "try again" in page.body.decode()
    assert answer.headers["content-type"] == "application/json"
    assert "try again" in json.loads(answer.body)["message"]


def test_the_app_s_own_503_keeps_its_form(entrance: Entrance) -> None:
    answer = entrance.ask("/api/x?status=503&answer-content-type=text/x-of-the-app")
    assert (answer.status, answer.headers["content-type"]) == (503, "text/x-of-the-app")


def test_an_app_without_its_database_gets_no_requests(entrance: Entrance) -> None:
    said_by(entrance.app, "/x?login=500")
    try:
        with entrance.another_app() as other:
            time.sleep(11)
            before = said_by(entrance.app, "/seen")
            assert {entrance.ask("/ada").status for _ in range(20)} == {200}
            assert said_by(entrance.app, "/seen") == before
            assert len(said_by(other, "/seen")) >= 20
    finally:
        said_by(entrance.app, "/x?login=200")
        until_served(entrance)


def said_by(app: Container, target: str) -> Any:
    """What one app answers when it is asked directly."""
    exit_code, output = inside.run(app, "curl", "-s", f"http://127.0.0.1:3000{target}")
    assert exit_code == 0
    return json.loads(output)


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


def test_reloads_lose_no_connection(entrance: Entrance) -> None:
    with Load(entrance) as load:
        for _ in range(4):
            time.sleep(1)
            entrance.proxy.kill(signal="SIGUSR2")
        time.sleep(1)
    assert load.failed() == {}
    assert len(load.statuses) > 20
