from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.calcom.models import EventTypeFields, Location, ScheduleFields, WebhookFields
from deploy.seed.apply import apply
from deploy.seed.manifest import load_manifest
from deploy.seed.plan import make_plan
from deploy.seed.pull import Pulled, pull
from deploy.settings.yaml_source import ENVIRONMENT_TAG
from tests.unit.seed.fake_channel import FakeChannel
from tests.unit.seed.manifests import FULL, manifest
from tests.unit.seed.test_event_type_fields import ALL


class Keeper:
    """Keeps secrets by name."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def __call__(self, value: str, suggested: str) -> str:
        self.values[suggested] = value
        return suggested


def seeded(path: Path, text: str) -> FakeChannel:
    channel = FakeChannel()
    apply(make_plan(manifest(path, text), channel), channel)
    return channel


def pulled_back(path: Path, channel: FakeChannel) -> Pulled:
    """Pull, and see that what was pulled plans to nothing."""
    keeper = Keeper()
    pulled = pull(channel, keeper)
    file = path / "pulled.yaml"
    file.write_text(pulled.text)
    loaded = load_manifest(file, keeper.values.__getitem__)
    plan = make_plan(loaded, channel)
    assert plan.is_empty, plan.render()
    return pulled


@pytest.mark.parametrize("text", [FULL, ALL, "schedules: []\n"])
def test_what_was_pulled_plans_to_nothing(tmp_path: Path, text: str) -> None:
    assert pulled_back(tmp_path, seeded(tmp_path, text)).left_out == ()


def test_it_makes_the_same_elsewhere(tmp_path: Path) -> None:
    first = seeded(tmp_path, FULL)
    keeper = Keeper()
    (tmp_path / "pulled.yaml").write_text(pull(first, keeper).text)
    loaded = load_manifest(tmp_path / "pulled.yaml", keeper.values.__getitem__)
    second = FakeChannel()
    apply(make_plan(loaded, second), second)
    assert make_plan(manifest(tmp_path, FULL), second).is_empty


def test_a_secret_is_a_name(tmp_path: Path) -> None:
    channel = seeded(tmp_path, FULL)
    keeper = Keeper()
    text = pull(channel, keeper).text
    assert "secret: !secret webhook_crm_example_test\n" in text
    assert keeper.values == {"webhook_crm_example_test": "s3cret-of-the-crm"}
    assert "s3cret-of-the-crm" not in text
    assert "secret: !env webhook_crm_example_test\n" in pull(channel, keeper, secret_tag=ENVIRONMENT_TAG).text


def test_what_is_as_usual_is_left_out(tmp_path: Path) -> None:
    text = pulled_back(tmp_path, seeded(tmp_path, FULL)).text
    assert "minimum_notice_minutes" not in text
    assert "days: [monday" not in text
    assert "schedule: Mornings" in text


def test_the_smoke_tests_things_are_passed_over() -> None:
    channel = FakeChannel()
    place = (Location(type="attendee_phone"),)
    made = channel.create_event_type(
        EventTypeFields(title="S", slug="calstack-smoke-1", length_minutes=5, locations=place)
    )
    channel.create_webhook(
        WebhookFields(url="https://a.example.test/", triggers=("BOOKING_CREATED",)), made.id
    )
    assert "smoke" not in pull(channel, Keeper(), spared=("calstack-smoke-",)).text


def test_what_a_manifest_cannot_say_is_told(tmp_path: Path) -> None:
    channel = seeded(tmp_path, FULL)
    channel.create_schedule(ScheduleFields(name="Mornings"))
    channel.create_webhook(WebhookFields(url="https://u:p@a.example.test/", triggers=("BOOKING_CREATED",)))
    channel.create_webhook(WebhookFields(url="https://b.example.test/", triggers=("INSTANT_MEETING",)))
    left_out = pulled_back(tmp_path, channel).left_out
    assert left_out[0] == "schedule 'Mornings': a second one of this name"
    assert "carries a user or password in clear" in left_out[1]
    assert "INSTANT_MEETING is not a trigger" in left_out[2]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60),
    title=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20),
)
def test_any_text_comes_back(tmp_path: Path, text: str, title: str) -> None:
    channel = FakeChannel()
    place = (Location(type="attendee_phone"),)
    channel.create_event_type(
        EventTypeFields(title=title, slug="a", length_minutes=5, locations=place, description=text)
    )
    pulled_back(tmp_path, channel)
