"""Seeding a stand-in on a real PostgreSQL: killed runs, every field, and the way back to a manifest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from deploy.actions.seed_ledger import DatabaseLedger
from deploy.calcom.models import WebhookFields
from deploy.errors import CalstackError
from deploy.remote import Remote
from deploy.seed.apply import apply
from deploy.seed.manifest import load_manifest
from deploy.seed.plan import make_plan
from deploy.seed.prune import Pruning
from deploy.seed.wanted import Manifest
from tests.bench.instance import EMAIL, KEY, PASSWORD, SeedableInstance, seedable_instance
from tests.bench.seed import manifest_text
from tests.database_remote import DatabaseRemote

pytestmark = pytest.mark.docker

REPOSITORY = Path(__file__).resolve().parents[2]
SECRET = "value-of-the-hook"

SMALL = """\
schedules:
  - name: Days
    time_zone: Europe/Berlin
    default: true
    availability:
      - days: [monday, friday]
        times: [09:00-12:30, 13:30-17:00]
    overrides:
      - {date: 2027-12-24, times: [10:00-12:00]}
      - {date: 2027-12-25, times: []}
event_types:
  - slug: intro
    title: Intro
    length_minutes: 15
    schedule: Days
    locations: [{type: link, link: 'https://meet.example.test/'}]
    buffer_after_minutes: 10
webhooks:
  - url: https://hooks.example.test/user
    triggers: [BOOKING_CREATED, BOOKING_CANCELLED]
    active: false
    secret: !env HOOK
  - url: https://hooks.example.test/intro
    event_type: intro
    triggers: [MEETING_ENDED]
    active: false
"""

VARIANTS = {
    "lengths": "length_options: [15, 30, 60]",
    "description": 'description: "Two lines\\n\\n**bold** and a <b>tag</b>"',
    "hidden": "hidden: true",
    "disable-guests": "disable_guests: true",
    "slot-interval": "slot_interval_minutes: 20",
    "notice": "minimum_notice_minutes: 60",
    "schedule": "schedule: Days",
    "no-schedule": "schedule: null",
    "limits-count": "booking_limits: {day: 2, week: 5}",
    "limits-disabled": "booking_limits: null",
    "limits-duration": "duration_limits: {month: 300}",
    "active-limit": "active_bookings_limit: {maximum: 2, offer_reschedule: true}",
    "first-slot-only": "only_first_slot: true",
    "window-business": "booking_window: {type: business_days, days: 30, rolling: true}",
    "window-calendar": "booking_window: {type: calendar_days, days: 30}",
    "window-range": "booking_window: {type: range, start: 2027-01-01, end: 2027-02-01}",
    "window-disabled": "booking_window: null",
    "buffers": "{buffer_before_minutes: 5, buffer_after_minutes: 10}",
    "offset": "offset_start_minutes: 5",
    "layouts": "booker_layouts: {default: week, enabled: [month, week]}",
    "confirm-always": "{requires_confirmation: true, unconfirmed_blocks_slot: true}",
    "confirm-time": "{requires_confirmation: true, confirmation_threshold: {count: 3, unit: hours}}",
    "recurrence": "recurrence: {frequency: weekly, occurrences: 4}",
    "verify-email": "requires_email_verification: true",
    "lock-zone": "lock_time_zone: true",
    "color": "color: {light: '#AA2233', dark: '#445566'}",
    "seats": "seats: {per_slot: 4, show_attendees: true}",
    "custom-name": "custom_name: '{Event type title} with {Scheduler}'",
    "redirect": "success_redirect_url: 'https://thanks.example.test/'",
    "video-settings": "cal_video: {enable_automatic_recording: true}",
    "auth-needed": "requires_authentication: true",
    "private": "{hide_calendar_notes: true, hide_calendar_event_details: true, hide_organizer_email: true}",
    "loc-address": "locations: [{type: address, address: 'Main street 1', public: false}]",
    "loc-phone": "locations: [{type: phone, phone: '+4930901820'}]",
    "loc-attendee": "locations: [{type: attendee_phone}, {type: attendee_address}, {type: attendee_defined}]",
    "loc-cal-video": "locations: [{type: integration, integration: cal-video}]",
    "fields-system": "booking_fields: [{slug: notes, required: true, label: What is it about?}]",
    "fields-text": "booking_fields: [{slug: company, type: text, label: Company, placeholder: Yours}]",
    "fields-choice": "booking_fields: [{slug: size, type: select, label: Size, options: [S, M]}]",
    "fields-phone": (
        "booking_fields: [{slug: email, required: false},"
        " {slug: attendeePhoneNumber, required: true, hidden: false}]"
    ),
    "fields-usual": "booking_fields: null",
}
"""A line of a manifest, or several in braces, for each way in which an event type can differ."""


class Dying(httpx.HTTPTransport):
    """Passes so many requests, then loses the answer to one, and lets none through after it."""

    def __init__(self, survives: int) -> None:
        super().__init__()
        self.survives = survives
        self.requests = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        if self.requests > self.survives + 1:
            raise httpx.ConnectError("gone", request=request)
        response = super().handle_request(request)
        if self.requests == self.survives + 1:
            response.read()
            response.close()
            raise httpx.ReadError("gone", request=request)
        return response


@pytest.fixture(scope="module")
def running() -> Iterator[SeedableInstance]:
    with seedable_instance(with_api=True) as instance:
        yield instance


@pytest.fixture
def instance(running: SeedableInstance) -> SeedableInstance:
    running.empty()
    return running


def manifest(path: Path, text: str) -> Manifest:
    (path / "seed.yaml").write_text(text)
    return load_manifest(path / "seed.yaml", lambda name: f"value-of-{name}", {"HOOK": SECRET})


def seed(instance: SeedableInstance, wanted: Manifest) -> str:
    with instance.channel() as channel:
        return str(apply(make_plan(wanted, channel), channel))


def held(instance: SeedableInstance) -> list[list[tuple[object, ...]]]:
    """What the tables say, without what each run makes up: ids and times."""
    return [
        instance.rows(query)
        for query in (
            'select name, "timeZone" from "Schedule" order by name',
            'select a.days, a."startTime", a."endTime", a.date from "Availability" a order by 4, 2, 3',
            'select slug, title, length, locations, "afterEventBuffer" from "EventType" order by slug',
            'select "subscriberUrl", "eventTriggers", active, secret from "Webhook" order by 1',
        )
    ]


def variants_text() -> str:
    lines = ["schedules: [{name: Days, time_zone: UTC}]", "event_types:"]
    for slug, said in VARIANTS.items():
        lines += [f"  - slug: {slug}", "    title: One way", "    length_minutes: 30"]
        if not said.startswith("locations:"):
            lines.append("    locations: [{type: link, link: 'https://meet.example.test/'}]")
        pairs = said[1:-1].split(", ") if said.startswith("{") and "count" not in said else [said]
        if said.startswith("{requires_confirmation: true, confirmation"):
            pairs = ["requires_confirmation: true", "confirmation_threshold: {count: 3, unit: hours}"]
        lines += [f"    {pair}" for pair in pairs]
    return "\n".join(lines) + "\n"


def calstack(instance: SeedableInstance, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "deploy.cli", *arguments, "--url", instance.url, "--email", EMAIL]


def environment() -> dict[str, str]:
    return {**os.environ, "CALSTACK_PASSWORD": PASSWORD, "HOOK": SECRET}


def run(instance: SeedableInstance, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        calstack(instance, *arguments),
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_a_run_that_dies_at_any_request_is_completed_by_the_next(
    instance: SeedableInstance, tmp_path: Path
) -> None:
    wanted = manifest(tmp_path, SMALL)
    seed(instance, wanted)
    whole = held(instance)
    survives, died = 0, True
    while died:
        died = False
        instance.empty()
        with instance.channel(Dying(survives)) as channel:
            try:
                apply(make_plan(wanted, channel, workers=1), channel, workers=1)
            except CalstackError:
                died = True
        seed(instance, wanted)
        assert held(instance) == whole, f"after {survives} requests"
        with instance.channel() as channel:
            assert make_plan(wanted, channel).is_empty
        survives += 1
    assert survives > 12


def test_a_killed_run_is_completed_by_the_next(instance: SeedableInstance, tmp_path: Path) -> None:
    file = tmp_path / "seed.yaml"
    file.write_text(manifest_text(200, 10).replace("!secret hook", "!env HOOK"))
    for wait in (0.3, 0.6):
        process = subprocess.Popen(
            calstack(instance, "seed", "--file", str(file)), cwd=REPOSITORY, env=environment()
        )
        counted = len(instance.rows('select 1 from "EventType"'))
        end = time.monotonic() + 60
        while len(instance.rows('select 1 from "EventType"')) < counted + 20 and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(wait / 10)
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=30) == -signal.SIGKILL
    assert 20 < len(instance.rows('select 1 from "EventType"')) < 200
    done = run(instance, "seed", "--file", str(file))
    assert done.returncode == 0, done.stderr
    assert instance.rows('select count(*) from "EventType" where locations is not null') == [(200,)]
    planned = run(instance, "seed", "--file", str(file), "--plan")
    assert "0 to create, 0 to update, 212 as declared" in planned.stderr


def test_no_field_differs_for_ever(instance: SeedableInstance, tmp_path: Path) -> None:
    wanted = manifest(tmp_path, variants_text())
    seed(instance, wanted)
    with instance.channel() as channel:
        plan = make_plan(wanted, channel)
        assert plan.is_empty, plan.render()
    query = """select slug from "EventType" where "bookingRequiresAuthentication" order by slug"""
    assert instance.rows(query) == [("auth-needed",)]


def event_type_rows(instance: SeedableInstance) -> dict[object, dict[str, Any]]:
    """The rows in every column but what differs from row to row; what means the same is the same."""
    made_up = {"id", "slug", "scheduleId", "createdAt", "updatedAt"}
    with psycopg.connect(instance.database_url, row_factory=dict_row) as connection:
        rows = connection.execute('select * from "EventType"').fetchall()
    return {
        row["slug"]: {
            **{name: value for name, value in row.items() if name not in made_up},
            "has schedule": row["scheduleId"] is not None,
            "metadata": row["metadata"] or {},
        }
        for row in rows
    }


def test_both_channels_make_the_same_rows(instance: SeedableInstance, tmp_path: Path) -> None:
    everything = manifest(tmp_path, variants_text())
    said = tuple(item for item in everything.event_types if item.slug != "fields-phone")
    wanted = replace(everything, event_types=said)
    seed(instance, wanted)
    over_web = event_type_rows(instance)
    instance.empty()
    with instance.api_channel() as channel:
        apply(make_plan(wanted, channel), channel)
        assert make_plan(wanted, channel).is_empty
    over_api = event_type_rows(instance)
    usual = over_api["hidden"]["bookingFields"]
    for slug, row in over_web.items():
        # An event type of the web app's has no questions in its row until somebody changes one (FACTS §15).
        row["bookingFields"] = row["bookingFields"] or usual
        assert row == over_api[slug], slug
    # What one channel made is as declared for the other.
    with instance.channel() as channel:
        assert make_plan(wanted, channel).is_empty


def test_over_the_api_what_it_cannot_do_is_told_before_anything_is_sent(
    instance: SeedableInstance, tmp_path: Path
) -> None:
    file = tmp_path / "seed.yaml"
    hidden = (
        "    booking_fields: [{slug: email, required: false}, {slug: attendeePhoneNumber, required: true,"
    )
    text = SMALL.replace("webhooks:", f"{hidden} hidden: false}}]\nwebhooks:")
    file.write_text("profile: {theme: dark, time_zone: UTC}\n" + text)
    refused = subprocess.run(
        [*calstack(instance, "seed", "--file", str(file)), "--api-url", instance.api_url],
        cwd=REPOSITORY,
        env={**environment(), "CALSTACK_API_KEY": f"cal_{KEY}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 2, refused.stderr
    assert "profile: theme cannot be set" in refused.stderr
    assert "event type intro: the question email cannot be hidden or optional" in refused.stderr
    assert "time_zone" not in refused.stderr
    assert instance.rows('select 1 from "EventType"') == []


def test_the_profile_is_set_and_stays(instance: SeedableInstance, tmp_path: Path) -> None:
    text = (
        "profile: {name: Ada Lovelace, bio: Hello, time_zone: Europe/Berlin, week_start: monday,"
        " time_format: 24, theme: dark, brand_color: '#AA0000', dark_brand_color: '#bb0000',"
        " hide_branding: true, locale: de, booker_layouts: {default: week, enabled: [week, month]}}\n"
    )
    wanted = manifest(tmp_path, text)
    seed(instance, wanted)
    with instance.channel() as channel:
        assert make_plan(wanted, channel).is_empty
    rows = instance.rows('select "timeZone", "weekStart", theme, "brandColor", "hideBranding" from users')
    assert rows == [("Europe/Berlin", "Monday", "dark", "#aa0000", True)]


def test_what_was_pulled_plans_to_nothing(
    instance: SeedableInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALSTACK_WEBHOOK_HOOKS_EXAMPLE_TEST", SECRET)
    for text in (SMALL, variants_text()):
        seed(instance, manifest(tmp_path, text))
    pulled = run(instance, "seed", "pull")
    assert pulled.returncode == 0, pulled.stderr
    assert "left out" not in pulled.stderr
    assert "secret: !env CALSTACK_WEBHOOK_HOOKS_EXAMPLE_TEST\n" in pulled.stdout
    assert SECRET not in pulled.stdout + pulled.stderr
    (tmp_path / "pulled.yaml").write_text(pulled.stdout)
    planned = run(instance, "seed", "--file", str(tmp_path / "pulled.yaml"), "--plan", "--json")
    assert planned.returncode == 0, planned.stderr
    assert '"changes": []' in planned.stdout


def test_pruning_takes_what_calstack_made_and_leaves_what_others_did(
    instance: SeedableInstance, tmp_path: Path
) -> None:
    ledger = DatabaseLedger(cast(Remote, DatabaseRemote(instance.database_url)))
    wanted = manifest(tmp_path, SMALL.replace("/user", "/it's|odd"))
    with instance.channel() as channel:
        apply(make_plan(wanted, channel), channel, ledger=ledger)
        channel.create_webhook(
            WebhookFields(url="https://n8n.example.test/webhook", triggers=("BOOKING_CREATED",))
        )
        nothing = manifest(tmp_path, "event_types: []\nwebhooks: []\n")
        plan = make_plan(nothing, channel, pruning=Pruning(ledger.read()))
        assert [(item.action, item.key) for item in plan.changes] == [
            ("delete", "https://hooks.example.test/it's|odd"),
            ("delete", "intro"),
        ]
        assert [item.why for item in plan.kept] == ["it was not made by calstack"]
        apply(plan, channel, ledger=ledger)
    assert instance.rows('select "subscriberUrl" from "Webhook"') == [("https://n8n.example.test/webhook",)]


def test_somebody_elses_instance_takes_one_user(instance: SeedableInstance, tmp_path: Path) -> None:
    (tmp_path / "seed.yaml").write_text("users: [{user: ada, event_types: []}]\n")
    refused = run(instance, "seed", "--file", str(tmp_path / "seed.yaml"))
    assert refused.returncode == 2
    assert "only on instances that calstack deployed" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_wrong_password_is_told(instance: SeedableInstance, tmp_path: Path) -> None:
    (tmp_path / "seed.yaml").write_text(SMALL)
    done: Any = subprocess.run(
        calstack(instance, "seed", "--file", str(tmp_path / "seed.yaml")),
        cwd=REPOSITORY,
        env={**environment(), "CALSTACK_PASSWORD": "wrong"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "password are wrong" in done.stderr
    assert "Traceback" not in done.stderr
