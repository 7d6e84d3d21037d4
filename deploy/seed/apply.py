"""A plan becomes real: profile, schedules, the event types that follow them, webhooks, limits of API keys,
then removals.

Nothing is undone after a failure, since nothing needs to be: what was made stays, and the next run finds what
is half made as a difference and completes it. Within one kind nothing depends on another, so several are made
at once; schedules are not, since making one the default changes another, nor are the few limits of API keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypeVar

from pydantic import BaseModel

from deploy.calcom.channel import Channel
from deploy.calcom.errors import AlreadyExists, CalcomError, NoAnswer, NotFound
from deploy.calcom.models import (
    EventType,
    EventTypeFields,
    ProfileFields,
    Schedule,
    ScheduleFields,
    User,
    Webhook,
    WebhookFields,
)
from deploy.errors import CalstackError
from deploy.seed.compare import differing_fields, untold_fields
from deploy.seed.key_limits import KeyLimits
from deploy.seed.ledger import Intent, Ledger, Made, WebhookKey
from deploy.seed.parallel import WORKERS, each
from deploy.seed.plan import Change, Held, Plan
from deploy.seed.wanted import (
    WantedEventType,
    WantedKeyLimit,
    WantedProfile,
    WantedSchedule,
    WantedWebhook,
)

_ONE_BY_ONE = ("schedule", "API key limit")

Report = Callable[[str], None]
"""Gets one line for people after each change."""


@dataclass(frozen=True)
class Applied:
    """How many things a run made, changed, removed, and found as declared."""

    created: int
    updated: int
    unchanged: int
    deleted: int = 0

    def __str__(self) -> str:
        deleted = f", {self.deleted} deleted" if self.deleted else ""
        return f"{self.created} created, {self.updated} updated{deleted}, {self.unchanged} as declared"

    def __add__(self, other: Applied) -> Applied:
        return Applied(
            self.created + other.created,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.deleted + other.deleted,
        )


def apply(
    plan: Plan,
    channel: Channel,
    report: Report | None = None,
    *,
    ledger: Ledger | None = None,
    key_limits: KeyLimits | None = None,
    workers: int = WORKERS,
) -> Applied:
    """Make the plan's changes; an empty plan sends nothing. Webhooks that are made are noted in the ledger.

    `key_limits` is what the plan was made with. The API's copies of the limits that the manifest manages are
    dropped for an empty plan too, since a run that was killed may have left some. Raises CalstackError at a
    change that fails or that Cal.com did not keep, saying how far it came; what was under way beside it is
    finished first.
    """
    work = _Work(channel, plan.user, key_limits, dict(plan.schedule_ids), dict(plan.event_type_ids))

    def make(change: Change) -> None:
        try:
            work.make(change)
        except CalcomError as error:
            raise _failed(change, error, done=len(work.done)) from error
        except _NotKeptError as error:
            raise CalstackError(
                f"Cal.com took the change but does not hold it: {error}",
                where=f"{change.kind} {change.key}",
                fix="look at these fields in the instance, and declare what it can hold",
            ) from error
        work.done.append(change)
        if report:
            report(f"{change.kind} {change.key} {change.action}d")

    with _noted(plan, work, ledger), _effective(plan, key_limits):
        for stage in _stages(plan.changes):
            each(make, stage, 1 if stage[0].kind in _ONE_BY_ONE else workers)
    return Applied(plan.count("create"), plan.count("update"), plan.unchanged, plan.count("delete"))


def _stages(changes: Sequence[Change]) -> Iterator[list[Change]]:
    for _, stage in groupby(changes, key=lambda change: (change.action == "delete", change.kind)):
        yield list(stage)


@contextmanager
def _noted(plan: Plan, work: _Work, ledger: Ledger | None) -> Iterator[None]:
    """Keep the ledger: what is about to be made before, what was made and removed afterwards."""
    touched = [change for change in plan.changes if change.kind == "webhook" and change.action != "update"]
    removed = [change for change in plan.changes if change.kind == "event type" and change.action == "delete"]
    if ledger is None or not (touched or removed):
        yield
        return
    before = ledger.read().settled(plan.user, plan.webhook_ids, plan.webhook_scopes)
    intents = [
        Intent(plan.user, change.wanted.event_type, change.wanted.url)
        for change in touched
        if isinstance(change.wanted, WantedWebhook)
    ]
    if intents:
        ledger.write(before.about_to(intents))
    try:
        yield
    finally:
        # An intent whose answer was lost stays one; the next run sees what became of it.
        unknown = [item for item in intents if (item.event_type, item.url) not in work.created_webhooks]
        made = Made(before.ids | frozenset(work.created_webhooks.values()), before.intents)
        ledger.write(made.about_to(unknown).without(work.deleted_webhooks))


@contextmanager
def _effective(plan: Plan, key_limits: KeyLimits | None) -> Iterator[None]:
    try:
        yield
    finally:
        if key_limits and plan.limited_keys:
            key_limits.take_effect(plan.limited_keys)


@dataclass
class _Work:
    channel: Channel
    user: str
    key_limits: KeyLimits | None
    schedule_ids: dict[str, int] = field(default_factory=dict)
    event_type_ids: dict[str, int] = field(default_factory=dict)
    done: list[Change] = field(default_factory=list)
    created_webhooks: dict[WebhookKey, str] = field(default_factory=dict)
    deleted_webhooks: list[str] = field(default_factory=list)

    def make(self, change: Change) -> None:
        """Make one change, and see that it was kept."""
        wanted, current = change.wanted, change.current
        if wanted is None:
            self._remove(change.key, current)
        elif isinstance(wanted, WantedProfile):
            self._profile(wanted, current if isinstance(current, User) else None)
        elif isinstance(wanted, WantedSchedule):
            schedule = self._schedule(wanted, current if isinstance(current, Schedule) else None)
            self.schedule_ids[wanted.name] = schedule.id
        elif isinstance(wanted, WantedEventType):
            event_type = self._event_type(wanted, current if isinstance(current, EventType) else None)
            self.event_type_ids[wanted.slug] = event_type.id
        elif isinstance(wanted, WantedKeyLimit):
            self._limits().write(self.user, wanted.note, wanted.allowance)
        else:
            self._webhook(wanted, current if isinstance(current, Webhook) else None)

    def _limits(self) -> KeyLimits:
        assert self.key_limits is not None  # noqa: S101 - the plan was made with it
        return self.key_limits

    def _remove(self, key: str, current: Held | None) -> None:
        try:
            if isinstance(current, Webhook):
                self.channel.delete_webhook(current)
                self.deleted_webhooks.append(current.id)
            elif isinstance(current, EventType):
                self.channel.delete_event_type(current.id)
            elif isinstance(current, Schedule):
                self.channel.delete_schedule(current.id)
            elif isinstance(current, tuple):
                self._limits().remove(self.user, key)
        except NotFound:
            pass  # somebody was quicker

    def _profile(self, wanted: WantedProfile, current: User | None) -> None:
        fields = wanted.fields if current is None else _only_changes(wanted.fields, current)
        self.channel.update_profile(fields)
        _see_kept(wanted.fields, self.channel.me())

    def _schedule(self, wanted: WantedSchedule, current: Schedule | None) -> Schedule:
        if current is None:
            held = self.channel.create_schedule(wanted.fields)
        else:
            held = self.channel.update_schedule(current.id, _only_changes(wanted.fields, current))
        _see_kept(wanted.fields, held)
        return held

    def _event_type(self, wanted: WantedEventType, current: EventType | None) -> EventType:
        fields = wanted.fields
        if wanted.manages_schedule:
            schedule_id = self.schedule_ids[wanted.schedule] if wanted.schedule is not None else None
            fields = fields.model_copy(update={"schedule_id": schedule_id})
        if current is None:
            held = self.channel.create_event_type(_unusual(fields))
        else:
            held = self.channel.update_event_type(current.id, _only_changes(fields, current))
        _see_kept(fields, held)
        return held

    def _webhook(self, wanted: WantedWebhook, current: Webhook | None) -> None:
        if current is None:
            scope = None if wanted.event_type is None else self.event_type_ids[wanted.event_type]
            held = self.channel.create_webhook(wanted.fields, scope)
            self.created_webhooks[wanted.event_type, wanted.url] = held.id
        else:
            held = self.channel.update_webhook(current, _only_changes(wanted.fields, current))
        _see_kept(wanted.fields, held)


_Fields = TypeVar("_Fields", ProfileFields, ScheduleFields, EventTypeFields, WebhookFields)


def _unusual(fields: EventTypeFields) -> EventTypeFields:
    """The fields for a new event type, which has the usual questions anyway."""
    if fields.booking_fields != ():
        return fields
    names = fields.model_fields_set - {"booking_fields"}
    return EventTypeFields(**{name: getattr(fields, name) for name in names})


def _only_changes(fields: _Fields, current: User | Schedule | EventType | Webhook) -> _Fields:
    # What cannot be compared goes along with what differs.
    names = [*differing_fields(fields, current), *untold_fields(fields, current)]
    values = {name: getattr(fields, name) for name in names}
    return type(fields)(**values)


class _NotKeptError(Exception):
    """What was written is not what was then read; names the fields."""


def _see_kept(fields: BaseModel, held: BaseModel) -> None:
    # Cal.com drops or changes some values without a word; a run that says "done" must not.
    lost = differing_fields(fields, held)
    if lost:
        raise _NotKeptError(", ".join(lost))


def _failed(change: Change, error: CalcomError, *, done: int) -> CalstackError:
    before = f"; {done} change{'s' if done != 1 else ''} before it {'are' if done != 1 else 'is'} made"
    fix = error.fix or "run it again when the cause is gone; it goes on where it stopped"
    if isinstance(error, AlreadyExists):
        fix = "somebody made it since the plan was drawn: run it again"
    elif isinstance(error, NoAnswer):
        fix = "run it again: it goes on where it stopped, and completes what is half made"
    return CalstackError(
        f"{error.what}{before if done else ''}", where=f"{change.kind} {change.key}", fix=fix
    )
