from __future__ import annotations

import httpx
import pytest

from deploy.calcom import errors
from deploy.calcom.setup import create_first_admin, version, wait_ready


def client_of(*answers: httpx.Response | Exception) -> httpx.Client:
    left = list(answers)

    def answer(_: httpx.Request) -> httpx.Response:
        now = left.pop(0)
        if isinstance(now, Exception):
            raise now
        return now

    return httpx.Client(base_url="http://127.0.0.1:8080", transport=httpx.MockTransport(answer))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_ready_after_a_while() -> None:
    clock = Clock()
    http = client_of(
        httpx.ConnectError("refused"),
        httpx.Response(503, text="starting"),
        httpx.Response(429, headers={"retry-after": "1"}),
        httpx.Response(200, json={"version": "6.2.0"}),
    )
    assert wait_ready(http, seconds=10, clock=clock, sleep=clock.sleep) == "6.2.0"
    assert clock.now == 3


def test_never_ready_says_why() -> None:
    clock = Clock()
    http = client_of(*[httpx.ConnectError("refused")] * 20)
    with pytest.raises(errors.NotReady, match=r"not ready after 5 seconds; last: .* cannot be reached"):
        wait_ready(http, seconds=5, clock=clock, sleep=clock.sleep)
    assert clock.now <= 5


def test_version_of_something_else() -> None:
    with pytest.raises(errors.UnexpectedShape):
        version(client_of(httpx.Response(200, text="<html>")))


def test_another_400_than_no_setup_needed() -> None:
    http = client_of(httpx.Response(400, json={"message": "Bad Request (Invalid JSON)"}))
    with pytest.raises(errors.Refused) as caught:
        create_first_admin(http, username="a", full_name="Ada", email="a@example.test", password="p")
    assert not isinstance(caught.value, errors.AlreadySetUp)


def test_a_lost_answer_is_not_sent_again() -> None:
    http = client_of(httpx.ReadTimeout("late"))
    with pytest.raises(errors.NoAnswer) as caught:
        create_first_admin(http, username="a", full_name="Ada", email="a@example.test", password="p")
    assert caught.value.maybe_done
