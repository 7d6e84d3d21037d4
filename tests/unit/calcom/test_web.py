"""What the web channel does where Cal.com has its ways and no recording was published."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from deploy.calcom import errors
from deploy.calcom.http import RetryPolicy
from deploy.calcom.models import EventTypeFields, Location, ScheduleFields, WebhookFields
from deploy.calcom.web import WebChannel
from tests.unit.calcom.bare import bare_webhook


class Instance:
    """Answers procedures by name; keeps what they were sent."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {name.replace("__", "/"): answer for name, answer in answers.items()}
        self.sent: list[tuple[str, Any]] = []

    def channel(self) -> WebChannel:
        http = httpx.Client(base_url="https://cal.example.test", transport=httpx.MockTransport(self))
        return WebChannel(http, "x=y", policy=RetryPolicy(attempts=1))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        procedure = request.url.path.removeprefix("/api/trpc/")
        text = request.content or request.url.params["input"]
        self.sent.append((procedure, json.loads(text)["json"]))
        answer = self.answers[procedure]
        if isinstance(answer, tuple):
            status, message = answer
            return httpx.Response(status, json={"error": {"json": {"message": message, "data": {}}}})
        return httpx.Response(200, json={"result": {"data": {"json": answer}}})


def webhook_answer(**changes: Any) -> dict[str, Any]:
    answer = {
        "id": "w1",
        "userId": None,
        "teamId": None,
        "eventTypeId": 5,
        "subscriberUrl": "https://crm.example.test/",
        "payloadTemplate": None,
        "active": True,
        "eventTriggers": ["BOOKING_CREATED"],
        "secret": None,
        "platform": False,
        "time": None,
        "timeUnit": None,
    }
    return {**answer, **changes}


OF_EVENT_TYPE = bare_webhook("w1", "https://crm.example.test/", 5, triggers=("BOOKING_CREATED",))
FIELDS = EventTypeFields(
    title="Intro", slug="intro", length_minutes=15, locations=(Location(type="attendee_phone"),)
)


def test_a_taken_slug_is_told_apart_from_other_refusals() -> None:
    taken = Instance(
        eventTypesHeavy__create=(400, "BAD_REQUEST"), eventTypes__list=[{"id": 1, "slug": "intro"}]
    )
    with pytest.raises(errors.AlreadyExists, match="'intro' is there already"):
        taken.channel().create_event_type(FIELDS)
    refused = Instance(eventTypesHeavy__create=(400, "BAD_REQUEST"), eventTypes__list=[])
    with pytest.raises(errors.InvalidInput):
        refused.channel().create_event_type(FIELDS)


def test_a_500_without_the_url_being_there_is_a_500() -> None:
    instance = Instance(webhook__create=(500, "Failed to create webhook"), webhook__list=[])
    with pytest.raises(errors.ServerFailed):
        instance.channel().create_webhook(WebhookFields(url="https://x.test/", triggers=("BOOKING_CREATED",)))


def test_an_unknown_schedule_is_not_found_although_the_server_says_500() -> None:
    instance = Instance(**{"availability/schedule.get": (500, "Unauthorized")})
    with pytest.raises(errors.NotFound):
        instance.channel().update_schedule(9, ScheduleFields(name="Office"))


def test_an_event_types_webhook_is_changed_and_removed_with_its_event_type() -> None:
    instance = Instance(webhook__edit=webhook_answer(active=False), webhook__delete={"id": "w1"})
    channel = instance.channel()
    assert channel.update_webhook(OF_EVENT_TYPE, WebhookFields(active=False)).active is False
    channel.delete_webhook(OF_EVENT_TYPE)
    assert [data["eventTypeId"] for _, data in instance.sent] == [5, 5]
    edit = instance.sent[0][1]
    assert edit["subscriberUrl"] == "https://crm.example.test/"
    assert edit["eventTriggers"] == ["BOOKING_CREATED"]
    assert edit["active"] is False


def test_webhooks_of_others_are_left_out() -> None:
    instance = Instance(
        webhook__list=[
            webhook_answer(id="mine", userId=1, eventTypeId=None),
            webhook_answer(id="team", teamId=4, eventTypeId=None),
            webhook_answer(id="all", platform=True, eventTypeId=None),
            webhook_answer(id="other"),
        ]
    )
    assert [item.id for item in instance.channel().list_webhooks()] == ["mine"]


def test_a_delay_in_the_databases_spelling() -> None:
    instance = Instance(webhook__list=[webhook_answer(time=5, timeUnit="minute")])
    (webhook,) = instance.channel().list_webhooks(5)
    assert (webhook.time, webhook.time_unit) == (5, "MINUTE")


@pytest.mark.parametrize(
    "fields",
    [EventTypeFields(title="A", slug="a", length_minutes=5), EventTypeFields(locations=FIELDS.locations)],
)
def test_an_event_type_is_never_made_without_its_location(fields: EventTypeFields) -> None:
    with pytest.raises(ValueError, match="an event type needs"):
        Instance().channel().create_event_type(fields)


def test_secrets_stay_out_of_representations() -> None:
    fields = WebhookFields(url="https://x.test/", secret="s3cret")
    assert "s3cret" not in repr(fields)
    assert "s3cret" not in repr(OF_EVENT_TYPE.model_copy(update={"secret": "s3cret"}))
