from __future__ import annotations

from pathlib import Path

import pytest

from deploy.errors import CalstackError
from deploy.seed.apply import apply
from deploy.seed.plan import make_plan
from tests.unit.seed.fake_channel import FakeChannel
from tests.unit.seed.manifests import FULL, manifest


def run(tmp_path: Path, channel: FakeChannel, text: str = FULL) -> str:
    return str(apply(make_plan(manifest(tmp_path, text), channel, workers=1), channel, workers=1))


def test_first_run_makes_all_in_order(tmp_path: Path) -> None:
    channel = FakeChannel()
    lines: list[str] = []
    applied = apply(make_plan(manifest(tmp_path), channel), channel, lines.append, workers=1)
    assert str(applied) == "6 created, 0 updated, 0 as declared"
    assert channel.writes == [
        "create schedule Working hours",
        "create schedule Mornings",
        "create event type intro",
        "create event type consultation",
        "create webhook https://crm.example.test/hook",
        "create webhook https://crm.example.test/hook",
    ]
    assert lines[0] == "schedule 'Working hours' created"
    assert len(lines) == 6


def test_references_become_the_ids_of_the_instance(tmp_path: Path) -> None:
    channel = FakeChannel()
    run(tmp_path, channel)
    mornings = next(item.id for item in channel.schedules.values() if item.name == "Mornings")
    consultation = next(item for item in channel.event_types.values() if item.slug == "consultation")
    assert consultation.schedule_id == mornings
    assert {item.event_type_id for item in channel.webhooks.values()} == {None, consultation.id}


def test_second_run_sends_only_reads(tmp_path: Path) -> None:
    channel = FakeChannel()
    run(tmp_path, channel)
    channel.writes.clear()
    channel.reads.clear()
    assert run(tmp_path, channel) == "0 created, 0 updated, 6 as declared"
    assert channel.writes == []
    assert channel.reads == [
        *("schedules", "event type ids", "event type", "event type"),
        *("webhooks", "webhooks"),
    ]


def test_only_what_changed_is_sent(tmp_path: Path) -> None:
    channel = FakeChannel()
    run(tmp_path, channel)
    channel.writes.clear()
    assert run(tmp_path, channel, FULL.replace("Main street 1", "Main street 2")) == (
        "0 created, 1 updated, 5 as declared"
    )
    assert channel.writes == ["update event type consultation: locations"]


def test_a_bare_event_type_of_a_broken_run_is_completed_by_the_next(tmp_path: Path) -> None:
    channel = FakeChannel()
    channel.break_at = "create event type consultation"
    with pytest.raises(CalstackError, match="the connection broke; 3 changes before it are made") as caught:
        run(tmp_path, channel)
    assert caught.value.where == "event type consultation"
    assert caught.value.fix == "run it again: it goes on where it stopped, and completes what is half made"
    assert next(item for item in channel.event_types.values() if item.slug == "consultation").locations == ()

    assert run(tmp_path, channel) == "2 created, 1 updated, 3 as declared"
    consultation = next(item for item in channel.event_types.values() if item.slug == "consultation")
    assert (consultation.locations[0].address, consultation.buffer_after_minutes) == ("Main street 1", 15)


def test_a_bare_schedule_of_a_broken_run_is_completed_by_the_next(tmp_path: Path) -> None:
    channel = FakeChannel()
    channel.break_at = "create schedule Working hours"
    with pytest.raises(CalstackError):
        run(tmp_path, channel)
    run(tmp_path, channel)
    assert [item.time_zone for item in channel.schedules.values()] == ["Europe/Berlin", "UTC"]


def test_a_change_that_is_not_kept_is_no_success(tmp_path: Path) -> None:
    channel = FakeChannel()
    channel.forgets = {"buffer_after_minutes"}
    with pytest.raises(CalstackError, match="does not hold it: buffer_after_minutes") as caught:
        run(tmp_path, channel)
    assert caught.value.where == "event type consultation"


def test_somebody_was_quicker(tmp_path: Path) -> None:
    channel = FakeChannel()
    plan = make_plan(manifest(tmp_path), channel)
    run(tmp_path, channel)
    with pytest.raises(CalstackError) as caught:
        apply(plan, channel)
    assert caught.value.fix == "somebody made it since the plan was drawn: run it again"


PROFILE = """\
profile:
  time_zone: Europe/Berlin
  week_start: monday
  theme: dark
  brand_color: '#AA0000'
  hide_branding: true
"""


def test_the_profile_is_set_first_and_then_left_alone(tmp_path: Path) -> None:
    channel = FakeChannel()
    run(tmp_path, channel, PROFILE + FULL)
    assert channel.writes[0] == ("update profile: brand_color, hide_branding, theme, time_zone, week_start")
    assert (channel.user.week_start, channel.user.brand_color) == ("Monday", "#aa0000")
    channel.writes.clear()
    run(tmp_path, channel, PROFILE + FULL)
    assert channel.writes == []


def test_several_at_once_make_the_same(tmp_path: Path) -> None:
    channel = FakeChannel()
    one = "  - {slug: t-N, title: T, length_minutes: 15, locations: [{type: attendee_phone}]}\n"
    text = "event_types:\n" + "".join(one.replace("N", str(number)) for number in range(100))
    apply(make_plan(manifest(tmp_path, text), channel, workers=8), channel, workers=8)
    assert len(channel.event_types) == 100
    assert make_plan(manifest(tmp_path, text), channel, workers=8).is_empty


def test_a_failure_among_several_says_where_and_begins_nothing_new(tmp_path: Path) -> None:
    channel = FakeChannel()
    channel.break_at = "create event type t-3"
    one = "  - {slug: t-N, title: T, length_minutes: 15, locations: [{type: attendee_phone}]}\n"
    text = "event_types:\n" + "".join(one.replace("N", str(number)) for number in range(100))
    with pytest.raises(CalstackError) as caught:
        apply(make_plan(manifest(tmp_path, text), channel), channel, workers=4)
    assert caught.value.where == "event type t-3"
    apply(make_plan(manifest(tmp_path, text), channel), channel, workers=4)
    assert make_plan(manifest(tmp_path, text), channel).is_empty
