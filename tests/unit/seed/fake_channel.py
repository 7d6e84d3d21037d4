"""An instance in memory that behaves as Cal.com does where seeding meets it, and counts what it is asked."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Collection, Sequence
from typing import Any

from deploy.calcom.errors import AlreadyExists, NoAnswer, NotFound
from deploy.calcom.models import (
    Booking,
    EventType,
    EventTypeFields,
    PeriodLimits,
    ProfileFields,
    Schedule,
    ScheduleFields,
    TimeRange,
    User,
    Webhook,
    WebhookFields,
)
from tests.unit.calcom.bare import bare_event_type, bare_webhook

OFFICE = (TimeRange(start=dt.time(9), end=dt.time(17)),)


class FakeChannel:
    """Things get Cal.com's own values first, then what is sent; `break_at` loses the answer of one call."""

    name = "fake"

    def __init__(self) -> None:
        self.user = User(
            id=1,
            username="admin",
            email="admin@example.test",
            name="Ada",
            time_zone="Europe/London",
            completed_onboarding=True,
            default_schedule_id=None,
            week_start="Sunday",
            hide_branding=False,
        )
        self.schedules: dict[int, Schedule] = {}
        self.event_types: dict[int, EventType] = {}
        self.webhooks: dict[str, Webhook] = {}
        self.reads: list[str] = []
        self.writes: list[str] = []
        self.break_at: str | None = None
        self.forgets: set[str] = set()
        self._ids = itertools.count(1)

    def me(self) -> User:
        self.reads.append("me")
        return self.user

    def update_profile(self, fields: ProfileFields) -> None:
        self.writes.append(f"update profile: {', '.join(sorted(fields.model_fields_set))}")
        self.user = self.user.model_copy(update=self._values(fields))

    # --- schedules

    def list_schedules(self, names: Collection[str] | None = None) -> tuple[Schedule, ...]:
        self.reads.append("schedules")
        return tuple(item for item in self.schedules.values() if names is None or item.name in names)

    def create_schedule(self, fields: ScheduleFields) -> Schedule:
        self.writes.append(f"create schedule {fields.name}")
        days = ("monday", "tuesday", "wednesday", "thursday", "friday")
        made = Schedule(
            id=self._next(),
            name=fields.name or "",
            time_zone="Europe/London",
            is_default=not self.schedules,
            availability=dict.fromkeys(days, OFFICE),  # type: ignore[arg-type]
            overrides=(),
        )
        self.schedules[made.id] = made
        self._may_break(f"create schedule {fields.name}")
        return self._set_schedule(made.id, fields)

    def update_schedule(self, schedule_id: int, fields: ScheduleFields) -> Schedule:
        self.writes.append(f"update schedule {schedule_id}")
        return self._set_schedule(schedule_id, fields)

    def delete_schedule(self, schedule_id: int) -> None:
        del self.schedules[schedule_id]

    def _set_schedule(self, schedule_id: int, fields: ScheduleFields) -> Schedule:
        if fields.is_default:
            for other in self.schedules.values():
                self.schedules[other.id] = other.model_copy(update={"is_default": other.id == schedule_id})
        held = self.schedules[schedule_id].model_copy(update=self._values(fields))
        self.schedules[schedule_id] = held
        return held

    # --- event types

    def list_event_types(self, slugs: Collection[str] | None = None) -> tuple[EventType, ...]:
        self.reads.append("event types")
        return tuple(item for item in self.event_types.values() if slugs is None or item.slug in slugs)

    def event_type_ids(self, slugs: Collection[str] | None = None) -> tuple[int, ...]:
        self.reads.append("event type ids")
        return tuple(key for key, item in self.event_types.items() if slugs is None or item.slug in slugs)

    def get_event_type(self, event_type_id: int) -> EventType:
        self.reads.append("event type")
        if event_type_id not in self.event_types:
            raise NotFound("no such event type", status=404)
        return self.event_types[event_type_id]

    def create_event_type(self, fields: EventTypeFields) -> EventType:
        self.writes.append(f"create event type {fields.slug}")
        there = list(self.event_types.values())  # others may be made in the meantime, by other threads
        if any(item.slug == fields.slug for item in there):
            raise AlreadyExists("slug taken", status=400)
        bare = bare_event_type(self._next(), fields)
        self.event_types[bare.id] = bare
        self._may_break(f"create event type {fields.slug}")
        return self._set_event_type(bare.id, fields)

    def update_event_type(self, event_type_id: int, fields: EventTypeFields) -> EventType:
        named = ", ".join(sorted(fields.model_fields_set))
        self.writes.append(f"update event type {self.event_types[event_type_id].slug}: {named}")
        return self._set_event_type(event_type_id, fields)

    def delete_event_type(self, event_type_id: int) -> None:
        del self.event_types[event_type_id]
        self.webhooks = {
            key: item for key, item in self.webhooks.items() if item.event_type_id != event_type_id
        }

    def _set_event_type(self, event_type_id: int, fields: EventTypeFields) -> EventType:
        values = self._values(fields)
        if values.get("booking_limits") is None and "booking_limits" in values:
            values["booking_limits"] = PeriodLimits()
        held = self.event_types[event_type_id].model_copy(update=values)
        self.event_types[event_type_id] = held
        return held

    # --- webhooks

    def list_webhooks(self, event_type_id: int | None = None) -> tuple[Webhook, ...]:
        self.reads.append("webhooks")
        return tuple(item for item in self.webhooks.values() if item.event_type_id == event_type_id)

    def create_webhook(self, fields: WebhookFields, event_type_id: int | None = None) -> Webhook:
        self.writes.append(f"create webhook {fields.url}")
        blank = bare_webhook(str(self._next()), fields.url or "", event_type_id)
        held = self._set_webhook(blank, fields)
        self._may_break(f"create webhook {fields.url}")
        return held

    def update_webhook(self, webhook: Webhook, fields: WebhookFields) -> Webhook:
        self.writes.append(f"update webhook {webhook.url}")
        return self._set_webhook(webhook, fields)

    def delete_webhook(self, webhook: Webhook) -> None:
        del self.webhooks[webhook.id]

    def _set_webhook(self, webhook: Webhook, fields: WebhookFields) -> Webhook:
        values = self._values(fields)
        if "triggers" in values:
            values["triggers"] = tuple(sorted(values["triggers"]))
        held = webhook.model_copy(update=values)
        self.webhooks[held.id] = held
        return held

    def list_bookings(
        self,
        statuses: Sequence[str],
        *,
        attendee_email: str | None = None,
        after: dt.datetime | None = None,
    ) -> tuple[Booking, ...]:
        raise NotImplementedError

    # --- how it behaves

    def _values(self, fields: Any) -> dict[str, Any]:
        return {name: getattr(fields, name) for name in fields.model_fields_set - self.forgets}

    def _next(self) -> int:
        return next(self._ids)

    def _may_break(self, call: str) -> None:
        if self.break_at == call:
            self.break_at = None
            raise NoAnswer("the connection broke", maybe_done=True)
