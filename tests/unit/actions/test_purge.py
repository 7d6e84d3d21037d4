"""Which bookings a purge takes, and which it leaves."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
from dataclasses import replace
from typing import Any, cast

import pytest

from deploy.actions.booking_origins import BookingRequest, Origins, parse_log
from deploy.actions.instance import Instance
from deploy.actions.purge import FoundBooking, Wanted, purge, sort_out, wanted
from deploy.errors import CalstackError, InputError
from deploy.remote import Remote

NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
MADE = dt.datetime(2026, 11, 24, 11, 0, 0, 500_000, tzinfo=dt.UTC)
BOOKING = FoundBooking(
    uid="u1", created=MADE, start="2026-12-01T09:00", status="accepted", host="ada", event_type="intro",
    paid=False, email="bot@spam.example", name="Bot", seats=0, calendar_entries=0,
)  # fmt: skip
NOTHING = Origins([], None)


def of(**more: Any) -> Wanted:
    return Wanted(NOW - dt.timedelta(hours=2), NOW, **more)


def request(client: str, after: float = -0.5, lasted: float = 1) -> BookingRequest:
    began = MADE + dt.timedelta(seconds=after)
    return BookingRequest(began, began + dt.timedelta(seconds=lasted), client)


@pytest.mark.parametrize(
    ("email", "fits"),
    [
        ("bot@spam.example", True),
        ("bot@mail.spam.example", True),
        ("bot@nospam.example", False),
        ("spam.example@real.example", False),
        ("bot@spam.example.real.example", False),
        ("one@other.example", True),
        ("two@other.example", False),
        ("", False),
    ],
)
def test_a_domain_is_the_whole_of_it_and_an_address_too(email: str, fits: bool) -> None:
    which = of(domains=["spam.example"], emails=["one@other.example"])
    result = sort_out([replace(BOOKING, email=email)], which, NOTHING)
    assert (len(result.found), result.others) == ((1, 0) if fits else (0, 1))


NETWORK = ipaddress.ip_network("192.0.2.0/24")


@pytest.mark.parametrize(
    ("requests", "found", "left", "others"),
    [
        ([request("192.0.2.7")], 1, 0, 0),
        ([request("192.0.2.7"), request("192.0.2.8")], 1, 0, 0),
        ([request("198.51.100.1")], 0, 0, 1),
        ([request("192.0.2.7"), request("198.51.100.1")], 0, 1, 0),
        ([request("192.0.2.7", after=0.1)], 0, 0, 1),
        ([request("192.0.2.7", after=-5)], 0, 0, 1),
        ([request("2001:db8::1")], 0, 0, 1),
        ([], 0, 0, 1),
    ],
)
def test_an_address_takes_only_what_nobody_else_can_have_made(
    requests: list[BookingRequest], found: int, left: int, others: int
) -> None:
    result = sort_out([BOOKING], of(networks=[NETWORK]), Origins(requests, MADE - dt.timedelta(hours=3)))
    assert (len(result.found), len(result.left), result.others) == (found, left, others)
    assert result.notes == []


@pytest.mark.parametrize(("more", "why"), [({"paid": True}, "paid"), ({"seats": 2}, "seats")])
def test_what_concerns_others_stays(more: dict[str, Any], why: str) -> None:
    result = sort_out([replace(BOOKING, **more)], of(domains=["spam.example"]), NOTHING)
    assert (len(result.found), len(result.left)) == (0, 1)
    assert why in result.left[0][1]


def test_a_log_that_is_too_short_is_told_of() -> None:
    short = Origins([], MADE)
    assert "reaches back to 2026-11-24 11:00" in sort_out([], of(networks=[NETWORK]), short).notes[0]
    assert sort_out([], of(domains=["spam.example"]), NOTHING).notes == []


def test_calendars_are_not_cleared() -> None:
    result = sort_out([replace(BOOKING, calendar_entries=1)], of(domains=["spam.example"]), NOTHING)
    assert "calendar" in result.notes[0]


def test_a_name_cannot_write_into_the_terminal() -> None:
    result = sort_out([replace(BOOKING, name="\x1b[2Jx\nstays")], of(domains=["spam.example"]), NOTHING)
    assert "?[2Jx?stays" in result.plan()


@pytest.mark.parametrize(
    ("since", "moment"),
    [
        ("2026-11-24", dt.datetime(2026, 11, 24, tzinfo=dt.UTC)),
        ("2026-11-24T09:30", dt.datetime(2026, 11, 24, 9, 30, tzinfo=dt.UTC)),
        ("2026-11-24T09:30+02:00", dt.datetime(2026, 11, 24, 7, 30, tzinfo=dt.UTC)),
        ("12h", NOW - dt.timedelta(hours=12)),
        ("3d", NOW - dt.timedelta(days=3)),
    ],
)
def test_times_are_read_as_they_are_written(since: str, moment: dt.datetime) -> None:
    assert wanted(since, None, [], ["X@Y.example"], ["@Spam.Example"], NOW).since == moment


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("yesterday", None, [], ["a@b.example"], [], NOW), "no time"),
        (("2h", "3h", [], ["a@b.example"], [], NOW), "no time between"),
        (("2h", None, ["10.0.0.1/8"], [], [], NOW), "--address"),
        (("2h", None, [], [], [], NOW), "whose"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        wanted(*options)


def line(**more: Any) -> str:
    told = {
        "time": "2026-11-24T11:00:00Z", "client": "192.0.2.7", "method": "POST", "path": "/api/book/event",
        "status": 200, "ms": 800,
    }  # fmt: skip
    return json.dumps(told | more)


def test_the_log_tells_who_booked_when() -> None:
    lines = [
        line(path="/", method="GET", time="2026-11-24T08:00:00Z"),
        line(),
        line(path="/api/v2/bookings", status=201, client="2001:db8::1"),
        line(path="/v2/bookings", status=201),
        line(path="/api/book/recurring-event"),
        line(status=409),
        line(method="GET"),
        line(path="/api/v2/bookings/uid/cancel"),
        line(path="/ada/api/book/event"),
        "no JSON",
        '{"time": 3}',
    ]
    origins = parse_log(lines)
    assert origins.reach_back_to == dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)
    assert [request.client for request in origins.requests] == [
        "192.0.2.7", "2001:db8::1", "192.0.2.7", "192.0.2.7",
    ]  # fmt: skip
    assert origins.clients_at(MADE) == {"192.0.2.7", "2001:db8::1"}
    assert origins.clients_at(MADE + dt.timedelta(seconds=2)) == set()


def test_no_log_reaches_nowhere() -> None:
    assert parse_log([]) == Origins([], None)


class FakeDatabase:
    """A `Remote` whose database holds one bot's booking, which may have been taken away meanwhile."""

    def __init__(self, *, still_there: bool) -> None:
        self.asked: list[str] = []
        self._still_there = still_there

    def sql(self, query: str) -> list[list[str]]:
        self.asked.append(query)
        if query.lstrip().startswith("delete"):
            return [["u1"]] if self._still_there else []
        row = ["u1", "2026-11-24T11:00:00.500", "2026-12-01T09:00", "accepted", "ada", "intro", "f"]
        return [[*row, "bot@spam.example", "Bot", "0", "0"]]


def instance(database: FakeDatabase) -> Instance:
    nothing = cast("Any", None)
    return Instance("cal1", nothing, nothing, nothing, cast("Remote", database))


@pytest.mark.parametrize(
    ("confirm", "removed", "queries"), [(None, None, 1), (lambda _: False, 0, 1), (lambda _: True, 1, 2)]
)
def test_only_what_was_confirmed_goes(confirm: Any, removed: int | None, queries: int) -> None:
    database = FakeDatabase(still_there=True)
    result = purge(instance(database), of(domains=["spam.example"]), confirm)
    assert result.removed == removed
    assert len(database.asked) == queries
    assert [item.uid for item in result.found] == ["u1"]


def test_what_changed_between_plan_and_deed_is_told() -> None:
    with pytest.raises(CalstackError, match="0 of 1"):
        purge(instance(FakeDatabase(still_there=False)), of(domains=["spam.example"]), lambda _: True)
