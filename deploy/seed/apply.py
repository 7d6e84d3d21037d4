"""A plan becomes real: schedules first, then the event types that follow them, then webhooks.

Nothing is undone after a failure, since nothing needs to be: what was made stays, and the next run finds what
is half made as a difference and completes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel

from deploy.calcom.channel import Channel
from deploy.calcom.errors import AlreadyExists, CalcomError, NoAnswer
from deploy.calcom.models import EventType, EventTypeFields, Schedule, ScheduleFields, Webhook, WebhookFields
from deploy.errors import CalstackError
from deploy.seed.compare import differing_fields
from deploy.seed.manifest import WantedEventType, WantedSchedule, WantedWebhook
from deploy.seed.plan import Change, Plan

Report = Callable[[str], None]
"""Gets one line for people after each change."""


@dataclass(frozen=True)
class Applied:
    """How many things a run made, changed, and found as declared."""

    created: int
    updated: int
    unchanged: int

    def __str__(self) -> str:
        return f"{self.created} created, {self.updated} updated, {self.unchanged} as declared"


def apply(plan: Plan, channel: Channel, report: Report | None = None) -> Applied:
    """Make the plan's changes in its order; an empty plan sends nothing.

    Raises CalstackError at the first change that fails or that Cal.com did not keep, saying how far it came.
    """
    work = _Work(channel, dict(plan.schedule_ids), dict(plan.event_type_ids))
    counts = {"create": 0, "update": 0}
    for change in plan.changes:
        try:
            work.make(change)
        except CalcomError as error:
            raise _failed(change, error, done=sum(counts.values())) from error
        except _NotKeptError as error:
            raise CalstackError(
                f"Cal.com took the change but does not hold it: {error}",
                where=f"{change.kind} {change.key}",
                fix="look at these fields in the instance, and declare what it can hold",
            ) from error
        counts[change.action] += 1
        if report:
            report(f"{change.kind} {change.key} {change.action}d")
    return Applied(counts["create"], counts["update"], plan.unchanged)


@dataclass
class _Work:
    channel: Channel
    schedule_ids: dict[str, int] = field(default_factory=dict)
    event_type_ids: dict[str, int] = field(default_factory=dict)

    def make(self, change: Change) -> None:
        """Make one change, and see that it was kept."""
        wanted, current = change.wanted, change.current
        if isinstance(wanted, WantedSchedule):
            schedule = self._schedule(wanted, current if isinstance(current, Schedule) else None)
            self.schedule_ids[wanted.name] = schedule.id
        elif isinstance(wanted, WantedEventType):
            event_type = self._event_type(wanted, current if isinstance(current, EventType) else None)
            self.event_type_ids[wanted.slug] = event_type.id
        else:
            self._webhook(wanted, current if isinstance(current, Webhook) else None)

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
            held = self.channel.create_event_type(fields)
        else:
            held = self.channel.update_event_type(current.id, _only_changes(fields, current))
        _see_kept(fields, held)
        return held

    def _webhook(self, wanted: WantedWebhook, current: Webhook | None) -> None:
        if current is None:
            scope = None if wanted.event_type is None else self.event_type_ids[wanted.event_type]
            held = self.channel.create_webhook(wanted.fields, scope)
        else:
            held = self.channel.update_webhook(current, _only_changes(wanted.fields, current))
        _see_kept(wanted.fields, held)


_Fields = TypeVar("_Fields", ScheduleFields, EventTypeFields, WebhookFields)


def _only_changes(fields: _Fields, current: Schedule | EventType | Webhook) -> _Fields:
    values = {name: getattr(fields, name) for name in differing_fields(fields, current)}
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
