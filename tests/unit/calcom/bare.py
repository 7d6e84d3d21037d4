"""Things of an instance as they are where nothing is said of them, for doubles of one."""

from __future__ import annotations

from typing import Any

from deploy.calcom.models import EventType, EventTypeFields, Webhook


def bare_event_type(number: int, fields: EventTypeFields, **otherwise: Any) -> EventType:
    """The event type that Cal.com makes of title, slug, length, description and visibility alone."""
    assert fields.title
    assert fields.slug
    values: dict[str, Any] = {
        "id": number,
        "title": fields.title,
        "slug": fields.slug,
        "length_minutes": fields.length_minutes or 30,
        "description": fields.description,
        "hidden": bool(fields.hidden),
        "locations": (),
        "buffer_before_minutes": 0,
        "buffer_after_minutes": 0,
        "offset_start_minutes": 0,
        "minimum_notice_minutes": 120,
        "only_first_slot": False,
        "requires_confirmation": False,
        "requires_email_verification": False,
        "lock_time_zone": False,
    }
    missing = {name: None for name, field in EventType.model_fields.items() if field.is_required()}
    return EventType(**{**missing, **values, **otherwise})


def bare_webhook(number: str, url: str, event_type_id: int | None, **otherwise: Any) -> Webhook:
    """A webhook that is active, sends nothing and signs nothing."""
    values: dict[str, Any] = {"triggers": (), "active": True}
    missing = dict.fromkeys(Webhook.model_fields)
    return Webhook(
        **{**missing, "id": number, "url": url, "event_type_id": event_type_id, **values, **otherwise}
    )
