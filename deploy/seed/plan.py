"""What applying a manifest would change on an instance: a pure comparison after a few reads."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from deploy.calcom.channel import Channel
from deploy.calcom.models import EventType, Override, Schedule, TimeRange, User, Webhook
from deploy.seed.compare import differing_fields, untold_fields
from deploy.seed.key_limits import ApiKey, KeyLimits, of_note
from deploy.seed.ledger import WebhookKey
from deploy.seed.parallel import WORKERS, each
from deploy.seed.prune import Kept, Pruning, prunable
from deploy.seed.reading import read_event_types
from deploy.seed.wanted import (
    Kind,
    Manifest,
    WantedEventType,
    WantedKeyLimit,
    WantedProfile,
    WantedSchedule,
    WantedWebhook,
)

HIDDEN = "(secret)"
"""What stands in a plan for the value of a secret."""

Action = Literal["create", "update", "delete"]
Wanted = WantedProfile | WantedSchedule | WantedEventType | WantedWebhook | WantedKeyLimit
Held = User | Schedule | EventType | Webhook | tuple[ApiKey, ...]

_SIGNS = {"create": "+", "update": "~", "delete": "-"}


@dataclass(frozen=True)
class FieldChange:
    """One field, as people read it; `before` is None for things that are created. Secrets are masked."""

    name: str
    before: str | None
    after: str


@dataclass(frozen=True)
class Change:
    """One thing that is not as wanted.

    `current` is what the instance holds, None where it holds nothing; `wanted` is None where it shall go.
    """

    kind: Kind
    key: str
    fields: tuple[FieldChange, ...]
    wanted: Wanted | None = field(repr=False)
    current: Held | None = field(default=None, repr=False)

    @property
    def action(self) -> Action:
        """Whether it is made, changed or removed."""
        if self.wanted is None:
            return "delete"
        return "create" if self.current is None else "update"


@dataclass(frozen=True)
class Plan:
    """All changes for one user, in the order in which they are made, and what the instance holds already.

    `schedule_ids`, `event_type_ids` and `webhook_ids` are of the things that are there, by name, slug, and
    event type with URL. `user` is as the manifest names them, empty for the channel's own.
    """

    changes: tuple[Change, ...]
    unchanged: int
    schedule_ids: Mapping[str, int] = field(default_factory=dict)
    event_type_ids: Mapping[str, int] = field(default_factory=dict)
    webhook_ids: Mapping[WebhookKey, str] = field(default_factory=dict)
    webhook_scopes: frozenset[str | None] | None = None
    """The event types (None: the user) whose webhooks were read; None where all were."""
    kept: tuple[Kept, ...] = ()
    notes: tuple[str, ...] = ()
    """What the plan cannot know."""
    missing: tuple[str, ...] = ()
    """What is declared of things that are not there and that a manifest cannot make."""
    limited_keys: tuple[str, ...] = ()
    """Digests of the API keys whose limits the manifest manages."""
    user: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether the instance holds all that the manifest declares."""
        return not self.changes

    def count(self, action: Action) -> int:
        """How many things are created, updated or deleted."""
        return sum(change.action == action for change in self.changes)

    def render(self) -> str:
        """The plan for people: one line a thing, its fields below it, and a sum."""
        return render_plans([self])

    def to_json(self) -> str:
        """The plan for programs, one document; what `render` says, as data."""
        return json.dumps(plans_document([self]), indent=2, ensure_ascii=False)


def render_plans(plans: Sequence[Plan]) -> str:
    """Several users' plans for people, with one sum."""
    lines: list[str] = []
    for plan in plans:
        inside = "  " if plan.user else ""
        if plan.user and (plan.changes or plan.notes or plan.missing or plan.kept):
            lines.append(f"{plan.user}:")
        for change in plan.changes:
            lines.append(f"{inside}{_SIGNS[change.action]} {change.kind} {change.key}")
            for item in change.fields:
                before = "" if item.before is None else f"{item.before} -> "
                lines.append(f"{inside}    {item.name}: {before}{item.after}")
        lines += [f"{inside}? {note}" for note in (*plan.notes, *plan.missing)]
        lines += [f"{inside}= {kept.kind} {kept.key} stays: {kept.why}" for kept in plan.kept]
    sums = [f"{_total(plans, 'create')} to create", f"{_total(plans, 'update')} to update"]
    if deletes := _total(plans, "delete"):
        sums.append(f"{deletes} to delete")
    return "\n".join([*lines, ", ".join([*sums, f"{sum(plan.unchanged for plan in plans)} as declared"])])


def plans_document(plans: Sequence[Plan]) -> dict[str, Any]:
    """Several users' plans for programs; docs/seed.md describes it."""
    return {
        "changes": [
            {
                "user": plan.user or None,
                "kind": _word(change.kind),
                "action": change.action,
                "key": change.key,
                "fields": [
                    {"name": item.name, "before": item.before, "after": item.after} for item in change.fields
                ],
            }
            for plan in plans
            for change in plan.changes
        ],
        "kept": [
            {
                "user": plan.user or None,
                "kind": _word(kept.kind),
                "key": kept.key,
                "why": kept.why,
            }
            for plan in plans
            for kept in plan.kept
        ],
        "notes": [note for plan in plans for note in (*plan.notes, *plan.missing)],
        "create": _total(plans, "create"),
        "update": _total(plans, "update"),
        "delete": _total(plans, "delete"),
        "unchanged": sum(plan.unchanged for plan in plans),
    }


def _word(kind: Kind) -> str:
    return kind.replace(" ", "_").lower()


def _total(plans: Sequence[Plan], action: Action) -> int:
    return sum(plan.count(action) for plan in plans)


def make_plan(
    manifest: Manifest,
    channel: Channel,
    *,
    user: str = "",
    pruning: Pruning | None = None,
    key_limits: KeyLimits | None = None,
    workers: int = WORKERS,
) -> Plan:
    """Compare the manifest with what the channel's user has; only reads.

    Without `pruning` only what the manifest names is read. With it, what it does not name, of the kinds that
    it names, is to be deleted, as far as `deploy.seed.prune` allows. Limits of API keys are looked at where
    `key_limits` says how. Raises what the channel (`deploy.calcom.errors.CalcomError`) and `key_limits`
    raise.
    """
    reading = _Reading(manifest, channel, pruning, workers)
    schedules = reading.schedules()
    event_types = reading.event_types()
    webhooks = reading.webhooks(event_types)
    keys = key_limits.read(user) if key_limits and "API key limit" in manifest.kinds else ()
    schedules_by_name, event_types_by_slug = _first_by(schedules, "name"), _first_by(event_types, "slug")
    webhooks_by_key = _webhooks_by_key(webhooks, event_types)
    schedule_names = {schedule.id: name for name, schedule in schedules_by_name.items()}
    changes: list[Change | None] = []
    if manifest.profile is not None:
        changes.append(_profile_change(manifest.profile, channel.me()))
    changes += [_schedule_change(wanted, schedules_by_name.get(wanted.name)) for wanted in manifest.schedules]
    changes += [
        _event_type_change(wanted, event_types_by_slug.get(wanted.slug), schedule_names)
        for wanted in manifest.event_types
    ]
    changes += [
        _webhook_change(wanted, webhooks_by_key.get((wanted.event_type, wanted.url)))
        for wanted in manifest.webhooks
    ]
    known = [limit for limit in manifest.key_limits if of_note(keys, limit.note)]
    changes += [_key_limit_change(wanted, of_note(keys, wanted.note)) for wanted in known]
    found = [change for change in changes if change is not None]
    unchanged = len(changes) - len(found)
    webhook_ids = {key: webhook.id for key, webhook in webhooks_by_key.items()}
    kept: tuple[Kept, ...] = ()
    if pruning is not None:
        made = pruning.made.settled(user, webhook_ids).ids
        surplus = prunable(manifest, schedules, event_types, webhooks, keys, made, pruning.spared)
        found += [Change(item.kind, item.key, (), None, item.thing) for item in surplus.deletions]
        kept = surplus.kept
    return Plan(
        tuple(found),
        unchanged,
        {name: schedule.id for name, schedule in schedules_by_name.items()},
        {slug: event_type.id for slug, event_type in event_types_by_slug.items()},
        webhook_ids,
        None if pruning else frozenset(wanted.event_type for wanted in manifest.webhooks),
        kept,
        tuple(_notes(manifest, event_types_by_slug)),
        tuple(
            f"API key limit {wanted.note}: {user or 'the administrator'} has no API key of this note"
            for wanted in manifest.key_limits
            if wanted not in known
        ),
        tuple(key.digest for key in keys if key.made or any(key.note == limit.note for limit in known)),
        user,
    )


def _notes(manifest: Manifest, event_types: Mapping[str, EventType]) -> Iterator[str]:
    for wanted in manifest.event_types:
        current = event_types.get(wanted.slug)
        for name in untold_fields(wanted.fields, current) if current else ():
            yield f"event type {wanted.slug}: {name} goes with other changes; this channel does not tell it"


# --- what is there


@dataclass(frozen=True)
class _Reading:
    manifest: Manifest
    channel: Channel
    pruning: Pruning | None
    workers: int

    def schedules(self) -> tuple[Schedule, ...]:
        """Those of the manifest; all where some may have to go."""
        if self.pruning and "schedule" in self.manifest.kinds:
            return self.channel.list_schedules()
        names = {wanted.name for wanted in self.manifest.schedules}
        return self.channel.list_schedules(names) if names else ()

    def event_types(self) -> tuple[EventType, ...]:
        """The same; what follows a schedule matters too where that may go."""
        switched = {item.slug for item in self.manifest.event_types if item.fields.cal_video is not None}
        slugs: list[str] | None = [wanted.slug for wanted in self.manifest.event_types]
        if self.pruning and self.manifest.kinds & {"event type", "schedule", "webhook"}:
            slugs = None
        return read_event_types(self.channel, slugs, lambda item: item.slug in switched, self.workers)

    def webhooks(self, event_types: Sequence[EventType]) -> tuple[Webhook, ...]:
        """Of the user, and of the event types that are there, as far as they matter."""
        wanted = {webhook.event_type for webhook in self.manifest.webhooks}
        scopes: list[int | None] = [None] if None in wanted else []
        scopes += [event_type.id for event_type in event_types if event_type.slug in wanted]
        if self.pruning and self.manifest.kinds & {"event type", "webhook"}:
            scopes = [None, *(event_type.id for event_type in event_types)]
        groups = each(self.channel.list_webhooks, scopes, self.workers)
        return tuple(webhook for group in groups for webhook in group)


_Thing = TypeVar("_Thing", Schedule, EventType)


def _first_by(things: Iterable[_Thing], key: str) -> dict[str, _Thing]:
    # Schedules of one name: the oldest is the one that is managed, run after run.
    found: dict[str, _Thing] = {}
    for thing in sorted(things, key=lambda item: item.id):
        found.setdefault(getattr(thing, key), thing)
    return found


def _webhooks_by_key(
    webhooks: Iterable[Webhook], event_types: Iterable[EventType]
) -> dict[WebhookKey, Webhook]:
    slugs = {event_type.id: event_type.slug for event_type in event_types}
    found: dict[WebhookKey, Webhook] = {}
    for webhook in webhooks:
        slug = None if webhook.event_type_id is None else slugs[webhook.event_type_id]
        found.setdefault((slug, webhook.url), webhook)
    return found


# --- what differs


def _profile_change(wanted: WantedProfile, current: User) -> Change | None:
    fields = _field_changes(wanted.fields, current)
    return Change("profile", current.username or current.email, fields, wanted, current) if fields else None


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


def _key_limit_change(wanted: WantedKeyLimit, keys: Sequence[ApiKey]) -> Change | None:
    held = [allowance for key in keys for allowance in key.allowances]
    bare = any(not key.allowances for key in keys)
    fields = []
    for name in ("limit", "window_seconds", "block_seconds"):
        after = getattr(wanted.allowance, name)
        there = {getattr(allowance, name) for allowance in held}
        if bare or there != {after}:
            before = ", ".join([*map(str, sorted(there)), *(["none"] if bare else [])])
            fields.append(FieldChange(name, before if held else None, str(after)))
    if not fields:
        return None
    return Change("API key limit", wanted.note, tuple(fields), wanted, tuple(keys) if held else None)


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
