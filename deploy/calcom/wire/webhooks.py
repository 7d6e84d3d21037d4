"""Webhooks."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from deploy.calcom.models import Webhook, WebhookFields
from deploy.calcom.wire import Wire


class WebhookAnswer(Wire):
    """A webhook, in lists and as the answer to creating and editing one."""

    id: str
    event_type_id: int | None = Field(alias="eventTypeId")
    url: str = Field(alias="subscriberUrl")
    triggers: tuple[str, ...] = Field(alias="eventTriggers")
    active: bool
    secret: str | None
    payload_template: str | None = Field(alias="payloadTemplate")
    time: int | None = None
    time_unit: str | None = Field(None, alias="timeUnit")
    user_id: int | None = Field(alias="userId")
    platform: bool = False
    team_id: int | None = Field(None, alias="teamId")

    def webhook(self) -> Webhook:
        """The webhook in calstack's words."""
        unit = self.time_unit.upper() if self.time_unit else None
        return Webhook.model_validate(
            {
                **{name: getattr(self, name) for name in Webhook.model_fields},
                "time_unit": unit,
            }
        )


_WEBHOOK_NAMES = {
    "url": "subscriberUrl",
    "triggers": "eventTriggers",
    "active": "active",
    "payload_template": "payloadTemplate",
    "secret": "secret",
    "time": "time",
    "time_unit": "timeUnit",
}


def webhook_input(fields: WebhookFields, current: Webhook | None) -> dict[str, Any]:
    """Input of `webhook/create` and `webhook/edit`; what `fields` does not name is taken from `current`.

    Both want the URL, the triggers, the switch and the template each time; the delay goes along only where
    there is one.
    """
    values: dict[str, Any] = dict(current) if current else {"active": True, "payload_template": None}
    values.update({name: getattr(fields, name) for name in fields.model_fields_set})
    data = {theirs: values.get(ours) for ours, theirs in _WEBHOOK_NAMES.items() if ours in values}
    data["eventTriggers"] = list(values.get("triggers") or ())
    if data.get("time") is None:
        data.pop("time", None)
        data.pop("timeUnit", None)
    return data
