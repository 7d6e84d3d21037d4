from __future__ import annotations

import datetime as dt

import httpx
import pytest

from deploy.smoke.skew import InstanceClock

NOW = dt.datetime(2026, 11, 24, 7, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Tue, 24 Nov 2026 07:00:00 GMT", 0),
        ("Tue, 24 Nov 2026 07:01:00 GMT", 60),
        ("Tue, 24 Nov 2026 06:00:00 GMT", -3600),
        ("yesterday", None),
        ("", None),
    ],
)
def test_the_header_tells_the_difference(date: str, seconds: int | None) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers={"date": date}))
    http = httpx.Client(base_url="https://cal.example.test", transport=transport)
    clock = InstanceClock(http, lambda: NOW)
    assert clock.ahead() is None
    http.get("/")
    ahead = clock.ahead()
    assert (None if ahead is None else ahead.total_seconds()) == seconds
