"""Webhooks over API v2; of delays it says nothing in lists, and takes none."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from deploy.calcom.models import Webhook, WebhookFields
from deploy.calcom.wire import Wire


class WebhookAnswer(Wire):
    """A webhook, in lists and as the answer to writing."""

    id: str
    event_type_id: int | None = Field(None, alias="eventTypeId")
    url: str = Field(alias="subscriberUrl")
    triggers: tuple[str, ...]
    active: bool
    secret: str | None
    payload_template: str | None = Field(alias="payloadTemplate")

    def webhook(self) -> Webhook:
        """The webhook in calstack's words."""
        return Webhook(**dict(self), time=None, time_unit=None)


WEBHOOK_NAMES = {
    "url": "subscriberUrl",
    "triggers": "triggers",
    "active": "active",
    "secret": "secret",
    "payload_template": "payloadTemplate",
}
"""What API v2 takes of a webhook."""


def webhook_input(fields: WebhookFields) -> dict[str, Any]:
    """Body of a write, which keeps what it is not given."""
    data = {
        theirs: getattr(fields, ours)
        for ours, theirs in WEBHOOK_NAMES.items()
        if ours in fields.model_fields_set
    }
    if "triggers" in data:
        data["triggers"] = list(data["triggers"] or ())
    return data
