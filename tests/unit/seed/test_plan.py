from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.calcom.models import Color, Override, PeriodLimits
from deploy.seed.apply import apply
from deploy.seed.plan import Plan, make_plan
from tests.unit.seed.fake_channel import FakeChannel
from tests.unit.seed.manifests import FULL, SECRETS, manifest


@pytest.fixture
def seeded(tmp_path: Path) -> FakeChannel:
    """An instance that holds the full manifest."""
    channel = FakeChannel()
    apply(make_plan(manifest(tmp_path), channel), channel)
    return channel


def plan_of(tmp_path: Path, channel: FakeChannel, text: str = FULL) -> Plan:
    return make_plan(manifest(tmp_path, text), channel)


def changes(plan: Plan) -> list[tuple[str, str, list[tuple[str, str | None, str]]]]:
    return [
        (item.action, f"{item.kind} {item.key}", [(f.name, f.before, f.after) for f in item.fields])
        for item in plan.changes
    ]


class TestEmptyInstance:
    def test_all_is_created_in_order(self, tmp_path: Path) -> None:
        plan = plan_of(tmp_path, FakeChannel())
        assert [(item.action, item.kind, item.key) for item in plan.changes] == [
            ("create", "schedule", "'Working hours'"),
            ("create", "schedule", "'Mornings'"),
            ("create", "event type", "intro"),
            ("create", "event type", "consultation"),
            ("create", "webhook", "https://crm.example.test/hook"),
            ("create", "webhook", "https://crm.example.test/hook of consultation"),
        ]
        assert plan.unchanged == 0

    def test_it_only_reads(self, tmp_path: Path) -> None:
        channel = FakeChannel()
        plan_of(tmp_path, channel)
        assert channel.writes == []

    def test_nothing_is_read_for_what_is_not_declared(self, tmp_path: Path) -> None:
        channel = FakeChannel()
        plan_of(tmp_path, channel, "schedules: []\n")
        assert channel.reads == []


class TestSeededInstance:
    def test_there_is_nothing_to_do(self, tmp_path: Path, seeded: FakeChannel) -> None:
        plan = plan_of(tmp_path, seeded)
        assert changes(plan) == []
        assert (plan.is_empty, plan.unchanged) == (True, 6)

    def test_a_changed_field_is_shown_as_before_and_after(self, tmp_path: Path, seeded: FakeChannel) -> None:
        plan = plan_of(tmp_path, seeded, FULL.replace("length_minutes: 15", "length_minutes: 20"))
        assert changes(plan) == [("update", "event type intro", [("length_minutes", "15", "20")])]

    def test_another_schedule(self, tmp_path: Path, seeded: FakeChannel) -> None:
        plan = plan_of(tmp_path, seeded, FULL.replace("schedule: Mornings", "schedule: Working hours"))
        assert changes(plan) == [
            ("update", "event type consultation", [("schedule", "Mornings", "Working hours")])
        ]

    def test_a_day_off_that_somebody_took_away(self, tmp_path: Path, seeded: FakeChannel) -> None:
        schedule = next(item for item in seeded.schedules.values() if item.name == "Working hours")
        seeded.schedules[schedule.id] = schedule.model_copy(update={"overrides": schedule.overrides[:1]})
        ((_, _, ((name, before, after),)),) = changes(plan_of(tmp_path, seeded))
        assert (name, before) == ("overrides", "2026-12-24: 10:00-12:00")
        assert after == "2026-12-24: 10:00-12:00, 2026-12-25: away"

    def test_what_the_manifest_does_not_name_may_differ(self, tmp_path: Path, seeded: FakeChannel) -> None:
        for item in list(seeded.event_types.values()):
            update = {"hidden": True, "minimum_notice_minutes": 7, "slot_interval_minutes": 5}
            seeded.event_types[item.id] = item.model_copy(update=update)
        assert plan_of(tmp_path, seeded).is_empty

    def test_what_the_server_says_in_another_way_is_no_difference(
        self, tmp_path: Path, seeded: FakeChannel
    ) -> None:
        event_type = next(item for item in seeded.event_types.values() if item.slug == "consultation")
        update = {
            "booking_limits": PeriodLimits(),
            "description": "An hour.\n",
            "color": Color(light="#1d4ed8", dark="#93C5FD"),
        }
        seeded.event_types[event_type.id] = event_type.model_copy(update=update)
        schedule = next(item for item in seeded.schedules.values() if item.name == "Working hours")
        turned: tuple[Override, ...] = tuple(reversed(schedule.overrides))
        hours = {**schedule.availability, "sunday": ()}
        seeded.schedules[schedule.id] = schedule.model_copy(
            update={"overrides": turned, "availability": hours}
        )
        for webhook in list(seeded.webhooks.values()):
            turned_triggers = tuple(reversed(webhook.triggers))
            seeded.webhooks[webhook.id] = webhook.model_copy(update={"triggers": turned_triggers})
        assert changes(plan_of(tmp_path, seeded)) == []

    def test_a_second_schedule_of_one_name_disturbs_nobody(self, tmp_path: Path, seeded: FakeChannel) -> None:
        schedule = next(item for item in seeded.schedules.values() if item.name == "Mornings")
        seeded.schedules[99] = schedule.model_copy(update={"id": 99, "time_zone": "Asia/Tokyo"})
        assert plan_of(tmp_path, seeded).is_empty

    def test_the_default_that_moved_away_is_taken_back(self, tmp_path: Path, seeded: FakeChannel) -> None:
        for item in list(seeded.schedules.values()):
            update = {"is_default": item.name == "Mornings"}
            seeded.schedules[item.id] = item.model_copy(update=update)
        assert changes(plan_of(tmp_path, seeded)) == [
            ("update", "schedule 'Working hours'", [("is_default", "no", "yes")])
        ]


class TestForPeopleAndPrograms:
    def test_a_new_secret_is_a_change_and_stays_hidden(self, tmp_path: Path, seeded: FakeChannel) -> None:
        for webhook in list(seeded.webhooks.values()):
            seeded.webhooks[webhook.id] = webhook.model_copy(update={"secret": "the-old-one"})
        plan = plan_of(tmp_path, seeded)
        text = plan.render()
        assert "    secret: (secret) -> (secret)" in text
        for shown in (text, plan.to_json(), repr(plan)):
            assert SECRETS["crm"] not in shown
            assert "the-old-one" not in shown

    def test_rendered(self, tmp_path: Path, seeded: FakeChannel) -> None:
        text = FULL.replace("length_minutes: 15", "length_minutes: 20") + (
            "  - {url: 'https://new.example.test/', triggers: [BOOKING_CREATED], active: false}\n"
        )
        assert plan_of(tmp_path, seeded, text).render() == (
            "~ event type intro\n"
            "    length_minutes: 15 -> 20\n"
            "+ webhook https://new.example.test/\n"
            "    url: https://new.example.test/\n"
            "    triggers: BOOKING_CREATED\n"
            "    active: no\n"
            "1 to create, 1 to update, 5 as declared"
        )

    def test_json(self, tmp_path: Path, seeded: FakeChannel) -> None:
        plan = plan_of(tmp_path, seeded, FULL.replace("length_minutes: 15", "length_minutes: 20"))
        assert json.loads(plan.to_json()) == {
            "changes": [
                {
                    "user": None,
                    "kind": "event_type",
                    "action": "update",
                    "key": "intro",
                    "fields": [{"name": "length_minutes", "before": "15", "after": "20"}],
                }
            ],
            "kept": [],
            "notes": [],
            "create": 0,
            "update": 1,
            "delete": 0,
            "unchanged": 5,
        }
