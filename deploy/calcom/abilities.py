"""What a channel cannot do, known before anything is sent.

Over the web channel everything can be written. API v2 has no way to some of it (FACTS §5, §16): the look of
the pages, onboarding, a webhook's delay, days away. Nor can it empty an event type's lists of locations and
lengths, since it refuses empty ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from deploy.calcom.models import EventTypeFields, ProfileFields, WebhookFields
from deploy.calcom.wire.api.users import PROFILE_NAMES
from deploy.calcom.wire.api.webhooks import WEBHOOK_NAMES

_WRITABLE_OVER_API: Mapping[type[ProfileFields] | type[WebhookFields], frozenset[str]] = MappingProxyType(
    {ProfileFields: frozenset(PROFILE_NAMES), WebhookFields: frozenset(WEBHOOK_NAMES)}
)


def cannot_write(
    channel_name: str, fields: EventTypeFields | ProfileFields | WebhookFields
) -> tuple[str, ...]:
    """Names of the set fields that the channel (`web` or `api`) has no way to write, in the model's order.

    A webhook's delay that is None is what API v2 makes anyway, so it is no obstacle.
    """
    if channel_name != "api":
        return ()
    if isinstance(fields, EventTypeFields):
        return tuple(
            name
            for name in ("locations", "length_options")
            if name in fields.model_fields_set and not getattr(fields, name)
        )
    writable = _WRITABLE_OVER_API[type(fields)]
    return tuple(
        name
        for name in type(fields).model_fields
        if name in fields.model_fields_set
        and name not in writable
        and not (isinstance(fields, WebhookFields) and getattr(fields, name) is None)
    )
