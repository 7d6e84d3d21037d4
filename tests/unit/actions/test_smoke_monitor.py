from __future__ import annotations

import datetime as dt
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.actions.smoke_monitor import Monitor, monitor_of, refuse_unwatched
from deploy.errors import CalstackError, InputError
from deploy.settings.load import load_inventory
from deploy.settings.section import SecretReference
from deploy.smoke.faults import Fault
from deploy.smoke.report import SmokeReport

FAULT = Fault("no-slots", "look for free slots", "none", "the host is away", "look at the calendar")


@dataclass
class FakeMonitor:
    """Keeps the path and the body of each ping."""

    status: int = 200
    pings: list[tuple[str, str]] = field(default_factory=list)
    address: str = ""

    @contextmanager
    def listening(self) -> Iterator[FakeMonitor]:
        monitor = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                monitor.pings.append((self.path, body.decode()))
                self.send_response(monitor.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.address = f"http://127.0.0.1:{server.server_port}/key/calcom-{{job}}"
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield self
            server.shutdown()


@pytest.fixture
def monitor() -> Iterator[FakeMonitor]:
    with FakeMonitor().listening() as listening:
        yield listening


def report(fault: Fault | None = None) -> SmokeReport:
    return SmokeReport(
        started=dt.datetime(2026, 11, 24, tzinfo=dt.UTC),
        seconds=2.5,
        event_type="calstack-smoke-x",
        steps=(),
        fault=fault,
        left_behind=(),
        cancelled_bookings_removed=2,
        cancelled_bookings_left=0,
    )


def test_start_and_success_are_told(monitor: FakeMonitor) -> None:
    told: list[str] = []
    assert Monitor(monitor.address).watch(report, told.append).passed
    assert monitor.pings == [
        ("/key/calcom-smoke/start", ""),
        ("/key/calcom-smoke", "passed in 2.5 s"),
    ]
    assert told == []


def test_a_failure_is_told_with_its_report(monitor: FakeMonitor) -> None:
    Monitor(monitor.address).watch(lambda: report(FAULT), print)
    path, body = monitor.pings[-1]
    assert path == "/key/calcom-smoke/fail"
    assert "look at the calendar" in body


def test_a_test_that_could_not_run_is_told_as_a_failure(monitor: FakeMonitor) -> None:
    def broken() -> SmokeReport:
        raise CalstackError("the password is refused")

    with pytest.raises(CalstackError):
        Monitor(monitor.address).watch(broken, print)
    assert monitor.pings[-1] == ("/key/calcom-smoke/fail", "the password is refused")


def test_a_monitor_that_fails_stops_nothing_and_its_address_is_nowhere(monitor: FakeMonitor) -> None:
    monitor.status = 500
    told: list[str] = []
    watching = Monitor(monitor.address)
    assert watching.watch(report, told.append).passed
    assert told == ["the monitor was not told: the ping service answered 500"] * 2
    assert monitor.address not in repr(watching) + "".join(told)


def test_hosts_without_a_monitor_are_refused_before_anything_is_touched() -> None:
    inventory = load_inventory("lab")
    names = list(inventory.hosts)
    refuse_unwatched(inventory, names, "https://monitor.example.test/x")
    with pytest.raises(InputError) as refused:
        refuse_unwatched(inventory, names, None)
    assert "jobs.ping_url" in str(refused.value)


@pytest.mark.parametrize(
    ("given", "address"), [(None, "https://m.example.test/kept"), ("https://m.example.test/g", "given")]
)
def test_the_address_is_the_given_one_or_that_of_the_jobs(given: str | None, address: str) -> None:
    instance: Any = SimpleNamespace(
        name="cal1",
        settings=SimpleNamespace(jobs=SimpleNamespace(ping_url=SecretReference(secret="monitor"))),
        secrets=SimpleNamespace(resolve={"monitor": "https://m.example.test/kept"}.__getitem__),
    )
    assert monitor_of(instance, given).address == (given if address == "given" else address)
