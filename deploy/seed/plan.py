"""What applying a manifest would change on an instance: a pure comparison after a few reads."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from deploy.calcom.channel import Channel
from deploy.calcom.models import EventType, Override, Schedule, TimeRange, Webhook
from deploy.seed.compare import differing_fields
from deploy.seed.manifest import Manifest, WantedEventType, WantedSchedule, WantedWebhook

HIDDEN = "(secret)"
"""What stands in a plan for the value of a secret."""

Kind = Literal["schedule", "event type", "webhook"]
Action = Literal["create", "update"]


@dataclass(frozen=True)
class FieldChange:
    """One field, as people read it; `before` is None for things that are created. Secrets are masked."""

    name: str
    before: str | None
    after: str


@dataclass(frozen=True)
class Change:
    """One thing that is not as wanted; `current` is what the instance holds, None where it holds nothing."""

    kind: Kind
    key: str
    fields: tuple[FieldChange, ...]
    wanted: WantedSchedule | WantedEventType | WantedWebhook = field(repr=False)
    current: Schedule | EventType | Webhook | None = field(default=None, repr=False)

    @property
    def action(self) -> Action:
        """Whether it is made or changed."""
        return "create" if self.current is None else "update"


@dataclass(frozen=True)
class Plan:
    """All changes, in the order in which they are made, and what the instance holds already.

    `schedule_ids` and `event_type_ids` are of the things that are there, by name and slug.
    """

    changes: tuple[Change, ...]
    unchanged: int
    schedule_ids: Mapping[str, int] = field(default_factory=dict)
    event_type_ids: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether the instance holds all that the manifest declares."""
        return not self.changes

    def count(self, action: Action) -> int:
        """How many things are created, or updated."""
        return sum(change.action == action for change in self.changes)

    def render(self) -> str:
        """The plan for people: one line a thing, its fields below it, and a sum."""
        lines: list[str] = []
        for change in self.changes:
            lines.append(f"{'+' if change.action == 'create' else '~'} {change.kind} {change.key}")
            for item in change.fields:
                before = "" if item.before is None else f"{item.before} -> "
                lines.append(f"    {item.name}: {before}{item.after}")
        creates, updates = self.count("create"), self.count("update")
        lines.append(f"{creates} to create, {updates} to update, {self.unchanged} as declared")
        return "\n".join(lines)

    def to_json(self) -> str:
        """The plan for programs, one document; what `render` says, as data."""
        return json.dumps(
            {
                "changes": [
                    {
                        "kind": change.kind.replace(" ", "_"),
                        "action": change.action,
                        "key": change.key,
                        "fields": [
                            {"name": item.name, "before": item.before, "after": item.after}
                            for item in change.fields
                        ],
                    }
                    for change in self.changes
                ],
                "create": self.count("create"),
                "update": self.count("update"),
                "unchanged": self.unchanged,
            },
            indent=2,
            ensure_ascii=False,
        )


def make_plan(manifest: Manifest, channel: Channel) -> Plan:
    """Compare the manifest with what the channel's user has; only reads, and only of what the manifest names.

    Raises what the channel raises (`deploy.calcom.errors.CalcomError`).
    """
    schedules = _schedules(manifest, channel)
    event_types = _event_types(manifest, channel)
    schedule_ids = {name: schedule.id for name, schedule in schedules.items()}
    schedule_names = {schedule.id: name for name, schedule in schedules.items()}
    changes: list[Change | None] = [
        _schedule_change(wanted, schedules.get(wanted.name)) for wanted in manifest.schedules
    ]
    changes += [
        _event_type_change(wanted, event_types.get(wanted.slug), schedule_names)
        for wanted in manifest.event_types
    ]
    webhooks = _webhooks(manifest, channel, event_types)
    changes += [
        _webhook_change(wanted, webhooks.get((wanted.event_type, wanted.url))) for wanted in manifest.webhooks
    ]
    found = tuple(change for change in changes if change is not None)
    return Plan(
        found,
        len(changes) - len(found),
        schedule_ids,
        {slug: event_type.id for slug, event_type in event_types.items()},
    )


# --- what is there


def _schedules(manifest: Manifest, channel: Channel) -> dict[str, Schedule]:
    names = {wanted.name for wanted in manifest.schedules}
    return _first_by(channel.list_schedules(names), "name") if names else {}


def _event_types(manifest: Manifest, channel: Channel) -> dict[str, EventType]:
    slugs = {wanted.slug for wanted in manifest.event_types}
    return _first_by(channel.list_event_types(slugs), "slug") if slugs else {}


def _webhooks(
    manifest: Manifest, channel: Channel, event_types: Mapping[str, EventType]
) -> dict[tuple[str | None, str], Webhook]:
    found: dict[tuple[str | None, str], Webhook] = {}
    for scope in sorted({wanted.event_type for wanted in manifest.webhooks}, key=lambda slug: slug or ""):
        if scope is not None and scope not in event_types:
            continue
        listed = channel.list_webhooks(event_types[scope].id if scope is not None else None)
        for webhook in listed:
            found.setdefault((scope, webhook.url), webhook)
    return found


_Thing = TypeVar("_Thing", Schedule, EventType)


def _first_by(things: Iterable[_Thing], key: str) -> dict[str, _Thing]:
    # Schedules of one name: the oldest is the one that is managed, run after run.
    found: dict[str, _Thing] = {}
    for thing in sorted(things, key=lambda item: item.id):
        found.setdefault(getattr(thing, key), thing)
    return found


# --- what differs


def _schedule_change(wanted: WantedSchedule, current: Schedule | None) -> Change | None:
    fields = _field_changes(wanted.fields, current)
    if current is not None and not fields:
        return None
    return Change("schedule", repr(wanted.name), fields, wanted, current)


def _event_type_change(
    wanted: WantedEventType, current: EventType | None, schedule_names: Mapping[int, str]
) -> Change | None:
    fields = list(_field_changes(wanted.fields, current))
    if wanted.manages_schedule:
        before = current.schedule_id if current else None
        held = None if before is None else schedule_names.get(before, f"schedule {before}")
        if current is None or held != wanted.schedule:
            shown = None if current is None else held or "the default one"
            fields.append(FieldChange("schedule", shown, wanted.schedule or "the default one"))
    if current is not None and not fields:
        return None
    return Change("event type", wanted.slug, tuple(fields), wanted, current)


def _webhook_change(wanted: WantedWebhook, current: Webhook | None) -> Change | None:
    fields = _field_changes(wanted.fields, current)
    if current is not None and not fields:
        return None
    scope = f" of {wanted.event_type}" if wanted.event_type is not None else ""
    return Change("webhook", f"{wanted.url}{scope}", fields, wanted, current)


def _field_changes(wanted: BaseModel, current: BaseModel | None) -> tuple[FieldChange, ...]:
    if current is None:
        names = [name for name in type(wanted).model_fields if name in wanted.model_fields_set]
        return tuple(FieldChange(name, None, _shown(name, getattr(wanted, name))) for name in names)
    return tuple(
        FieldChange(name, _shown(name, getattr(current, name)), _shown(name, getattr(wanted, name)))
        for name in differing_fields(wanted, current)
    )


# --- as people read it


def _shown(name: str, value: Any) -> str:
    if name == "secret":
        return HIDDEN if value else "none"
    return _plain_text(value)


def _plain_text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        line = json.dumps(value, ensure_ascii=False) if "\n" in value or value != value.strip() else value
        return line if len(line) <= 100 else f"{line[:97]}..."
    if isinstance(value, Override):
        return f"{value.date}: {_plain_text(value.ranges) if value.ranges else 'away'}"
    if isinstance(value, dt.date | TimeRange | int):
        return str(value)
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        told = ((name, item) for name, item in value if item != fields[name].default)
        return " ".join(f"{name}={_plain_text(item)}" for name, item in told)
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_plain_text(item)}" for key, item in value.items()) or "none"
    return ", ".join(_plain_text(item) for item in value) or "none"
