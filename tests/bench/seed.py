"""How fast seeding is, beside what the server gives by itself and beside a naive loop.

    python -m tests.bench.seed [--event-types 1000] [--webhooks 50] [--rounds 3] [--json]

The instance is the stand-in on a real PostgreSQL, on this machine, so that client and server share its
processors. What counts is the comparison, not the seconds: what is compared runs by turns, a ratio is that
of the medians. "Bare" is the same requests from as many threads, without engine: no manifest is read, nothing
is compared, no answer is looked at beyond the id that the next request needs. "Allowed" is what the limit of
an API key leaves to a client that spends each window at once.

`--json` prints `{"event_types", "webhooks", "measured": [{"name", "seconds", "requests", "refused",
"peak_mb"}], "ratios": [{"name", "ratio", "goal"}]}`; seconds are medians, a ratio is our speed as a part of
the other's (1 is as fast), `goal` the least that it should be, or null. The exit code does not judge.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import httpx

from deploy.calcom.channel import Channel
from deploy.calcom.models import EventTypeFields
from deploy.calcom.trpc import superjson
from deploy.calcom.wire import event_types as web_form
from deploy.calcom.wire import webhooks as web_hooks
from deploy.calcom.wire.api import event_types as api_form
from deploy.calcom.wire.api import webhooks as api_hooks
from deploy.seed.apply import apply
from deploy.seed.manifest import load_manifest
from deploy.seed.parallel import WORKERS, each
from deploy.seed.plan import make_plan
from deploy.seed.wanted import Manifest, WantedEventType, WantedWebhook
from tests.bench.instance import KEY, SeedableInstance, seedable_instance

API_VERSION = "2024-06-14"
WINDOW_SECONDS = 30
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Counting(httpx.HTTPTransport):
    """Counts requests and refusals."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0
        self.refused = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        response = super().handle_request(request)
        self.refused += response.status_code == 429
        return response


@dataclass(frozen=True)
class Measured:
    """One way of doing it, once or in the middle of several times."""

    name: str
    seconds: float
    requests: int
    refused: int
    peak_mb: int
    """Most memory of this process so far, the stand-in's not included."""


@dataclass(frozen=True)
class Ratio:
    """Our speed as a part of another's."""

    name: str
    ratio: float
    goal: float | None


@dataclass(frozen=True)
class Results:
    """All that was measured, and what follows from it."""

    measured: list[Measured]
    ratios: list[Ratio]


def manifest_text(event_types: int, webhooks: int) -> str:
    """A manifest of that size, as somebody would write it."""
    lines = ["schedules:"]
    for name in ("Days", "Evenings"):
        lines += [
            f"  - name: {name}",
            "    time_zone: Europe/Berlin",
            "    availability: [{days: [monday, friday], times: [09:00-17:00]}]",
        ]
    lines.append("event_types:")
    for number in range(event_types):
        lines += [
            f"  - slug: type-{number}",
            f"    title: Type {number}",
            "    length_minutes: 30",
            f"    schedule: {'Days' if number % 2 else 'Evenings'}",
            "    description: One of many",
            f"    locations: [{{type: link, link: 'https://meet.example.test/{number}'}}]",
            "    buffer_after_minutes: 10",
            "    booking_limits: {day: 4}",
        ]
    lines.append("webhooks:")
    for number in range(webhooks):
        lines += [
            f"  - url: https://hooks.example.test/{number}",
            "    triggers: [BOOKING_CREATED, BOOKING_CANCELLED]",
            "    active: false",
            "    secret: !secret hook",
        ]
    return "\n".join(lines) + "\n"


# --- ways of doing it


def seed_once(manifest: Manifest, channel: Channel) -> None:
    """What `calstack seed` does with an instance."""
    apply(make_plan(manifest, channel), channel)


def naive(manifest: Manifest, channel: Channel) -> None:
    """What a script does: thing by thing, look whether it is there, then write it all, whatever it holds."""
    ids = {schedule.name: schedule.id for schedule in channel.list_schedules()}
    for schedule in manifest.schedules:
        if schedule.name in ids:
            channel.update_schedule(ids[schedule.name], schedule.fields)
        else:
            ids[schedule.name] = channel.create_schedule(schedule.fields).id
    for event_type in manifest.event_types:
        fields = _with_schedule(event_type, ids)
        there = channel.list_event_types([event_type.slug])
        if there:
            channel.update_event_type(there[0].id, fields)
        else:
            channel.create_event_type(fields)
    for webhook in manifest.webhooks:
        known = [item for item in channel.list_webhooks() if item.url == webhook.url]
        if known:
            channel.update_webhook(known[0], webhook.fields)
        else:
            channel.create_webhook(webhook.fields)


def _with_schedule(event_type: WantedEventType, ids: dict[str, int]) -> EventTypeFields:
    return event_type.fields.model_copy(update={"schedule_id": ids[event_type.schedule or ""]})


@dataclass(frozen=True)
class BareWeb:
    """The requests of the web channel and nothing else."""

    http: httpx.Client
    session: str

    def reads(self, ids: Sequence[int]) -> None:
        """One read for each event type."""
        each(self._read, ids, WORKERS)

    def creations(self, manifest: Manifest, schedule_ids: dict[str, int]) -> None:
        """What it takes to make an event type (made bare, filled, read back) and a webhook."""

        def event_type(wanted: WantedEventType) -> None:
            fields = _with_schedule(wanted, schedule_ids)
            given = [name for name in web_form.CREATE_NAMES if name in fields.model_fields_set]
            bare = EventTypeFields(**{name: getattr(fields, name) for name in given})
            made = self._post("eventTypesHeavy/create", web_form.event_type_input(bare))
            event_type_id = made["result"]["data"]["json"]["eventType"]["id"]
            self._post("eventTypesHeavy/update", {"id": event_type_id, **web_form.event_type_input(fields)})
            self._read(event_type_id)

        def webhook(wanted: WantedWebhook) -> None:
            self._post("webhook/create", web_hooks.webhook_input(wanted.fields, None))

        each(event_type, manifest.event_types, WORKERS)
        each(webhook, manifest.webhooks, WORKERS)

    def _read(self, event_type_id: int) -> None:
        given = json.dumps({"json": {"id": event_type_id}})
        answer = self.http.get(
            "/api/trpc/eventTypes/get", params={"input": given}, headers={"cookie": self.session}
        )
        assert answer.status_code == 200, answer.text

    def _post(self, procedure: str, data: dict[str, Any]) -> Any:
        answer = self.http.post(
            f"/api/trpc/{procedure}", json=superjson(data), headers={"cookie": self.session}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()


@dataclass(frozen=True)
class BareApi:
    """The requests of API v2 and nothing else."""

    http: httpx.Client

    def creations(self, manifest: Manifest, schedule_ids: dict[str, int]) -> None:
        """One request for each event type and each webhook."""

        def event_type(wanted: WantedEventType) -> None:
            self._post("/v2/event-types", api_form.event_type_input(_with_schedule(wanted, schedule_ids)))

        def webhook(wanted: WantedWebhook) -> None:
            self._post("/v2/webhooks", api_hooks.webhook_input(wanted.fields))

        each(event_type, manifest.event_types, WORKERS)
        each(webhook, manifest.webhooks, WORKERS)

    def _post(self, path: str, body: dict[str, Any]) -> None:
        headers = {"authorization": f"Bearer cal_{KEY}", "cal-api-version": API_VERSION}
        answer = self.http.post(path, json=body, headers=headers)
        assert answer.status_code == 201, answer.text


# --- measuring


def measure(
    name: str, instance: SeedableInstance, work: Callable[[Channel], None], *, api: bool = False
) -> Measured:
    """Time one way; the connection is made anew for each."""
    transport = Counting()
    opened: AbstractContextManager[Channel] = (
        instance.api_channel(transport) if api else instance.channel(transport)
    )
    with opened as channel:
        return _timed(name, transport, lambda: work(channel))


def measure_bare(
    name: str, instance: SeedableInstance, work: Callable[[httpx.Client], None], *, api: bool = False
) -> Measured:
    """The same for requests without a channel."""
    transport = Counting()
    url = instance.api_url if api else instance.url
    with httpx.Client(base_url=url, transport=transport, timeout=60) as http:
        return _timed(name, transport, lambda: work(http))


def _timed(name: str, transport: Counting, work: Callable[[], None]) -> Measured:
    started = time.monotonic()
    work()
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Measured(name, seconds, transport.requests, transport.refused, peak)


def _middle(times: Sequence[Measured]) -> Measured:
    """Of several times the median, with the most of all else."""
    return Measured(
        times[0].name,
        statistics.median(item.seconds for item in times),
        max(item.requests for item in times),
        sum(item.refused for item in times),
        max(item.peak_mb for item in times),
    )


@dataclass(frozen=True)
class Bench:
    """An instance and what it is seeded with."""

    instance: SeedableInstance
    file: Path
    manifest: Manifest
    rounds: int

    def ours(self, channel: Channel) -> None:
        """All that a run does, from the text of the manifest on."""
        seed_once(load_manifest(self.file, _secret), channel)

    def first_runs(self, *, api: bool) -> tuple[Measured, Measured]:
        """Ours and bare, by turns, each on an emptied instance; it is left as ours filled it."""
        over = "API v2" if api else "web"
        ours, bare = [], []
        for _ in range(self.rounds):
            ids = self._emptied()
            bare.append(
                measure_bare(
                    f"{over}, first run: bare",
                    self.instance,
                    lambda http, ids=ids: self._bare(http, api).creations(self.manifest, ids),  # type: ignore[misc]
                    api=api,
                )
            )
            self.instance.empty()
            ours.append(measure(f"{over}, first run: ours", self.instance, self.ours, api=api))
        return _middle(ours), _middle(bare)

    def second_runs(self) -> tuple[Measured, Measured]:
        """Ours over web and bare reads, by turns."""
        ids = [int(str(row[0])) for row in self.instance.rows('select id from "EventType" order by id')]
        ours, bare = [], []
        for _ in range(self.rounds):
            bare.append(
                measure_bare(
                    "web, second run: bare",
                    self.instance,
                    lambda http: BareWeb(http, self.instance.session).reads(ids),
                )
            )
            ours.append(measure("web, second run: ours", self.instance, self.ours))
        return _middle(ours), _middle(bare)

    def paced(self, calls: int, window_seconds: int, bare: Measured) -> tuple[Measured, float]:
        """Ours over an API whose key may do so many calls in a window, and the least that it can take.

        That is all windows but the last, and what is left for it at the speed of the server.
        """
        self.instance.empty()
        name = f"API v2, {calls} calls in {window_seconds} s: ours"
        with self.instance.limited(calls, window_seconds):
            ours = measure(name, self.instance, self.ours, api=True)
        whole = (ours.requests - 1) // calls
        last = (ours.requests - whole * calls) * bare.seconds / bare.requests
        return ours, whole * window_seconds + last

    def naive_runs(self) -> list[Measured]:
        """The loop on an emptied instance, and once more."""
        self.instance.empty()
        return [
            measure(
                f"web, {which} run: naive loop", self.instance, lambda channel: naive(self.manifest, channel)
            )
            for which in ("first", "second")
        ]

    def _bare(self, http: httpx.Client, api: bool) -> BareApi | BareWeb:
        return BareApi(http) if api else BareWeb(http, self.instance.session)

    def _emptied(self) -> dict[str, int]:
        """The ids of the two schedules, all else gone."""
        self.instance.empty()
        with self.instance.channel() as channel:
            return {item.name: channel.create_schedule(item.fields).id for item in self.manifest.schedules}


def _secret(name: str) -> str:
    return f"value-of-{name}"


def bench(event_types: int, webhooks: int, rounds: int) -> Results:
    """All ways, each on an emptied instance where it begins with nothing."""
    with tempfile.TemporaryDirectory() as folder, seedable_instance(with_api=True) as instance:
        file = Path(folder) / "seed.yaml"
        file.write_text(manifest_text(event_types, webhooks))
        run = Bench(instance, file, load_manifest(file, _secret), rounds)
        web_first, web_first_bare = run.first_runs(api=False)
        web_second, web_second_bare = run.second_runs()
        api_first, api_first_bare = run.first_runs(api=True)
        api_second = _middle(
            [measure("API v2, second run: ours", instance, run.ours, api=True) for _ in range(rounds)]
        )
        # Two whole windows and a half, whatever the size.
        calls = max(1, api_first.requests * 2 // 5)
        paced, least = run.paced(calls, WINDOW_SECONDS, api_first_bare)
        loop = run.naive_runs()
    measured = [
        *(web_first, web_first_bare, loop[0], web_second, web_second_bare, loop[1]),
        *(api_first, api_first_bare, api_second, paced),
    ]
    return Results(
        measured,
        [
            Ratio("web, first run, of what the server gives", _speed(web_first, web_first_bare), 0.9),
            Ratio("web, second run, of what the server gives", _speed(web_second, web_second_bare), 0.9),
            Ratio("API v2, first run, of what the server gives", _speed(api_first, api_first_bare), None),
            Ratio("API v2, first run, of what the key is allowed", least / paced.seconds, 0.9),
            Ratio("web, first run, of the naive loop", loop[0].seconds / web_first.seconds, None),
            Ratio("web, second run, of the naive loop", loop[1].seconds / web_second.seconds, None),
        ],
    )


def _speed(ours: Measured, bare: Measured) -> float:
    return bare.seconds / ours.seconds


def _end_cleanly(number: int, _frame: FrameType | None) -> None:
    """Leave by the exits, which remove what was started; a second signal does not disturb that."""
    for each_signal in _SIGNALS:
        signal.signal(each_signal, signal.SIG_IGN)
    sys.exit(128 + number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.seed", description=__doc__)
    parser.add_argument("--event-types", type=int, default=1000)
    parser.add_argument("--webhooks", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3, help="how often what is compared runs by turns")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    for each_signal in _SIGNALS:
        signal.signal(each_signal, _end_cleanly)
    results = bench(options.event_types, options.webhooks, options.rounds)
    if options.json:
        sizes = {"event_types": options.event_types, "webhooks": options.webhooks}
        print(json.dumps({**sizes, **asdict(results)}, indent=2))
        return 0
    print(
        f"{options.event_types} event types, {options.webhooks} webhooks; medians of {options.rounds} rounds"
    )
    print(f"{'':40}{'seconds':>9}{'requests':>10}{'refused':>9}{'peak MB':>9}")
    for item in results.measured:
        print(f"{item.name:40}{item.seconds:9.2f}{item.requests:10}{item.refused:9}{item.peak_mb:9}")
    print()
    for ratio in results.ratios:
        goal = "" if ratio.goal is None else f"   (goal: {ratio.goal:.2f})"
        print(f"{ratio.name:49}{ratio.ratio:9.2f}{goal}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
