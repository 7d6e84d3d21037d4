from __future__ import annotations

from pathlib import Path

import pytest

from deploy.calcom.models import EventTypeFields, Location, ScheduleFields, WebhookFields
from deploy.errors import CalstackError
from deploy.seed.apply import apply
from deploy.seed.ledger import Intent, Made
from deploy.seed.plan import Plan, make_plan
from deploy.seed.prune import Pruning
from tests.unit.seed.fake_channel import FakeChannel
from tests.unit.seed.manifests import FULL, manifest

SMOKE = ("calstack-smoke-",)
N8N = WebhookFields(url="https://n8n.example.test/webhook/1", triggers=("BOOKING_CREATED",))
NOTHING = "schedules: []\nevent_types: []\nwebhooks: []\n"


class MemoryLedger:
    """Keeps the note as text, as a real one does."""

    def __init__(self) -> None:
        self.text = ""
        self.writes = 0

    def read(self) -> Made:
        return Made.from_text(self.text)

    def write(self, made: Made) -> None:
        self.writes += 1
        self.text = made.to_text()


@pytest.fixture
def channel() -> FakeChannel:
    return FakeChannel()


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


def seed(
    path: Path, channel: FakeChannel, ledger: MemoryLedger, text: str = FULL, *, prune: bool = False
) -> Plan:
    pruning = Pruning(ledger.read(), SMOKE) if prune else None
    plan = make_plan(manifest(path, text), channel, pruning=pruning, workers=1)
    apply(plan, channel, ledger=ledger, workers=1)
    return plan


def add_event_type(channel: FakeChannel, slug: str) -> int:
    place = (Location(type="attendee_phone"),)
    fields = EventTypeFields(title=slug, slug=slug, length_minutes=5, locations=place)
    return channel.create_event_type(fields).id


def kept(plan: Plan) -> dict[str, str]:
    return {item.key: item.why for item in plan.kept}


def test_what_the_manifest_no_longer_names_goes(
    tmp_path: Path, channel: FakeChannel, ledger: MemoryLedger
) -> None:
    seed(tmp_path, channel, ledger)
    plan = seed(tmp_path, channel, ledger, NOTHING, prune=True)
    assert [(change.action, change.key) for change in plan.changes] == [
        ("delete", "https://crm.example.test/hook"),
        ("delete", "intro"),
        ("delete", "consultation"),
        ("delete", "'Mornings'"),
    ]
    assert [item.name for item in channel.schedules.values()] == ["Working hours"]
    assert (channel.event_types, ledger.read().intents) == ({}, frozenset())


def test_nothing_goes_without_asking(tmp_path: Path, channel: FakeChannel, ledger: MemoryLedger) -> None:
    seed(tmp_path, channel, ledger)
    assert seed(tmp_path, channel, ledger, NOTHING).is_empty


def test_only_kinds_that_the_manifest_names(
    tmp_path: Path, channel: FakeChannel, ledger: MemoryLedger
) -> None:
    seed(tmp_path, channel, ledger)
    plan = seed(tmp_path, channel, ledger, "webhooks: []\n", prune=True)
    assert {change.kind for change in plan.changes} == {"webhook"}
    assert len(channel.event_types) == 2


def test_a_webhook_that_somebody_else_made_stays(
    tmp_path: Path, channel: FakeChannel, ledger: MemoryLedger
) -> None:
    seed(tmp_path, channel, ledger)
    channel.create_webhook(N8N)
    plan = seed(tmp_path, channel, ledger, "webhooks: []\n", prune=True)
    assert kept(plan) == {N8N.url: "it was not made by calstack"}
    assert [item.url for item in channel.webhooks.values()] == [N8N.url]


def test_an_event_type_with_a_foreign_webhook_stays(
    tmp_path: Path, channel: FakeChannel, ledger: MemoryLedger
) -> None:
    seed(tmp_path, channel, ledger)
    intro = next(item.id for item in channel.event_types.values() if item.slug == "intro")
    channel.create_webhook(N8N, intro)
    plan = seed(tmp_path, channel, ledger, NOTHING, prune=True)
    assert "would go with it" in kept(plan)["intro"]
    assert [item.slug for item in channel.event_types.values()] == ["intro"]
    assert [item.url for item in channel.webhooks.values()] == [N8N.url]


def test_the_smoke_tests_things_stay(tmp_path: Path, channel: FakeChannel, ledger: MemoryLedger) -> None:
    seed(tmp_path, channel, ledger)
    smoke = add_event_type(channel, "calstack-smoke-1")
    channel.create_webhook(N8N, smoke)
    plan = seed(tmp_path, channel, ledger, FULL, prune=True)
    assert (plan.is_empty, plan.kept) == (True, ())


def test_a_schedule_that_is_followed_stays(
    tmp_path: Path, channel: FakeChannel, ledger: MemoryLedger
) -> None:
    seed(tmp_path, channel, ledger)
    plan = seed(tmp_path, channel, ledger, "schedules: []\n", prune=True)
    assert kept(plan) == {
        "'Working hours'": "it is the default one",
        "'Mornings'": "the event type consultation follows it",
    }


def test_the_twin_of_a_schedule_goes(tmp_path: Path, channel: FakeChannel, ledger: MemoryLedger) -> None:
    seed(tmp_path, channel, ledger)
    twin = channel.create_schedule(ScheduleFields(name="Mornings"))
    plan = seed(tmp_path, channel, ledger, FULL, prune=True)
    assert [change.key for change in plan.changes] == ["'Mornings'"]
    assert twin.id not in channel.schedules


def test_a_webhook_of_a_run_that_was_killed_is_ours(
    tmp_path: Path, channel: FakeChannel, ledger: MemoryLedger
) -> None:
    """What it was about to make was noted; the next run finds what became of it."""
    channel.break_at = "create webhook https://crm.example.test/hook"
    with pytest.raises(CalstackError):
        seed(tmp_path, channel, ledger)
    assert Intent("", None, "https://crm.example.test/hook") in ledger.read().intents
    seed(tmp_path, channel, ledger)
    assert ledger.read() == Made(frozenset(channel.webhooks))


def test_a_run_that_makes_no_webhook_leaves_the_note_alone(
    tmp_path: Path, channel: FakeChannel, ledger: MemoryLedger
) -> None:
    seed(tmp_path, channel, ledger)
    ledger.writes = 0
    seed(tmp_path, channel, ledger, FULL.replace("title: Intro", "title: Other"))
    assert ledger.writes == 0


@pytest.mark.parametrize("text", [None, "", "a comment of somebody's", "[]", '{"calstack_made": 3}'])
def test_a_note_that_is_not_ours_makes_nothing_ours(text: str | None) -> None:
    assert Made.from_text(text) == Made()


def test_the_note_survives_being_written() -> None:
    made = Made(frozenset({"a", "b"}), frozenset({Intent("", None, "u"), Intent("ada", "intro", "v")}))
    assert Made.from_text(made.to_text()) == made
