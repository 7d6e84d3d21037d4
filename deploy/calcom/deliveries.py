"""What a webhook sends, in each of the shapes that a body has (FACTS §5).

Without a template a body is `{"triggerEvent", "createdAt", "payload"}`, but MEETING_STARTED and MEETING_ENDED
put the booking itself beside the trigger. With a template it is whatever the template says, form-encoded
where that is no JSON. Whether a body is genuine is another question: `deploy.calcom.signatures`.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class WebhookDelivery:
    """What a body says; `trigger` is None, and `payload` all that there is, where a template made it."""

    trigger: str | None
    created_at: dt.datetime | None
    payload: dict[str, Any] = field(default_factory=dict)

    @property
    def booking_uid(self) -> str | None:
        """Of which booking it tells."""
        uid = self.payload.get("uid")
        return uid if isinstance(uid, str) else None

    @property
    def metadata(self) -> dict[str, Any]:
        """What was given along with the booking; not told when it is cancelled."""
        metadata = self.payload.get("metadata")
        return metadata if isinstance(metadata, dict) else {}


def read_delivery(body: bytes) -> WebhookDelivery:
    """Read a body, after its signature was checked over the same bytes.

    Raises ValueError where it is no JSON object, as a template's may be.
    """
    data = json.loads(body)
    if not isinstance(data, dict):
        raise ValueError("the body is no JSON object; a payload template made it")
    trigger = data.get("triggerEvent")
    if not isinstance(trigger, str):
        return WebhookDelivery(None, None, data)
    payload = data.get("payload")
    if not isinstance(payload, dict):
        payload = {name: value for name, value in data.items() if name != "triggerEvent"}
    return WebhookDelivery(trigger, _moment(data.get("createdAt")), payload)


def _moment(text: Any) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
