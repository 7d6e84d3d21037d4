"""How fast seeding is: 1,000 event types and 50 webhooks, ours beside a naive loop and the server itself.

    python -m tests.bench.seed [--event-types 1000] [--webhooks 50] [--json]

The instance is the stand-in on a real PostgreSQL, on this machine, so the client and the server share its
processors; what counts is the comparison, not the seconds.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from deploy.calcom.channel import Channel
from deploy.seed.apply import apply
from deploy.seed.manifest import load_manifest
from deploy.seed.parallel import WORKERS, each
from deploy.seed.plan import make_plan
from deploy.seed.wanted import Manifest
from tests.bench.instance import SeedableInstance, seedable_instance


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
    """One way of doing it."""

    name: str
    seconds: float
    requests: int
    refused: int
    peak_mb: int
    """Most memory of this process so far, the stand-in's not included."""


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
        fields = event_type.fields.model_copy(update={"schedule_id": ids[event_type.schedule or ""]})
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


def measure(
    name: str, instance: SeedableInstance, work: Callable[[Channel], None], *, api: bool = False
) -> Measured:
    """Time one way; the connection is made anew for each."""
    transport = Counting()
    opened: AbstractContextManager[Channel] = (
        instance.api_channel(transport) if api else instance.channel(transport)
    )
    with opened as channel:
        started = time.monotonic()
        work(channel)
        seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Measured(name, seconds, transport.requests, transport.refused, peak)


def bare_reads(instance: SeedableInstance, event_types: int) -> Measured:
    """The server's own speed: the reads of a second run, without looking at any answer."""
    ids = [row[0] for row in instance.rows('select id from "EventType" order by id')][:event_types]
    transport = Counting()
    with httpx.Client(base_url=instance.url, transport=transport) as http:

        def read(event_type_id: Any) -> int:
            given = json.dumps({"json": {"id": event_type_id}})
            answer = http.get(
                "/api/trpc/eventTypes/get", params={"input": given}, headers={"cookie": instance.session}
            )
            return answer.status_code

        started = time.monotonic()
        statuses = each(read, ids, WORKERS)
        seconds = time.monotonic() - started
    assert set(statuses) <= {200}, statuses
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Measured("the server, bare reads", seconds, transport.requests, transport.refused, peak)


def bench(event_types: int, webhooks: int) -> list[Measured]:
    """All ways, each on an emptied instance where it begins with nothing."""
    with tempfile.TemporaryDirectory() as folder, seedable_instance(with_api=True) as instance:
        file = Path(folder) / "seed.yaml"
        file.write_text(manifest_text(event_types, webhooks))

        def ours(channel: Channel) -> None:
            seed_once(load_manifest(file, lambda name: f"value-of-{name}"), channel)

        manifest = load_manifest(file, lambda name: f"value-of-{name}")
        measured = [
            measure("ours, first run", instance, ours),
            measure("ours, second run", instance, ours),
            bare_reads(instance, event_types),
        ]
        instance.empty()
        measured += [
            measure("naive loop, first run", instance, lambda channel: naive(manifest, channel)),
            measure("naive loop, second run", instance, lambda channel: naive(manifest, channel)),
        ]
        instance.empty()
        measured += [
            measure("ours over API v2, first", instance, ours, api=True),
            measure("ours over API v2, second", instance, ours, api=True),
        ]
    return measured


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.seed", description=__doc__)
    parser.add_argument("--event-types", type=int, default=1000)
    parser.add_argument("--webhooks", type=int, default=50)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    measured = bench(options.event_types, options.webhooks)
    if options.json:
        print(json.dumps([asdict(item) for item in measured], indent=2))
        return 0
    print(
        f"{options.event_types} event types, {options.webhooks} webhooks; over web, if nothing else is said"
    )
    print(f"{'':26}{'seconds':>9}{'requests':>10}{'refused':>9}{'peak MB':>9}")
    for item in measured:
        print(f"{item.name:26}{item.seconds:9.1f}{item.requests:10}{item.refused:9}{item.peak_mb:9}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
