"""What an instance holds beyond the manifest, and which of it may go.

Only kinds that the manifest names are looked at, be it by an empty list. Never taken are the default schedule
and the last one, a schedule that an event type follows, what belongs to the smoke test, a webhook that
calstack did not make, an event type that carries one, since the webhook would go with it, and a limit of an
API key that no manifest made.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from deploy.calcom.models import EventType, Schedule, Webhook
from deploy.seed.key_limits import ApiKey, of_note
from deploy.seed.ledger import Made
from deploy.seed.wanted import Kind, Manifest


@dataclass(frozen=True)
class Pruning:
    """`made` says which webhooks are ours; names and slugs that begin with one of `spared` stay."""

    made: Made
    spared: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deletion:
    """Something that goes."""

    kind: Kind
    key: str
    thing: Schedule | EventType | Webhook | tuple[ApiKey, ...] = field(repr=False)


@dataclass(frozen=True)
class Kept:
    """Something that the manifest does not name and that stays all the same."""

    kind: Kind
    key: str
    why: str


@dataclass(frozen=True)
class Surplus:
    """What is there beyond the manifest; deletions in the order in which they are made."""

    deletions: tuple[Deletion, ...]
    kept: tuple[Kept, ...]


def prunable(
    manifest: Manifest,
    schedules: Sequence[Schedule],
    event_types: Sequence[EventType],
    webhooks: Sequence[Webhook],
    keys: Sequence[ApiKey],
    made_webhooks: Collection[str],
    spared: tuple[str, ...],
) -> Surplus:
    """What goes and what stays; the things are all that the user has of the manifest's kinds."""
    kept: list[Kept] = []
    goes_types = _event_types(manifest, event_types, webhooks, made_webhooks, spared, kept)
    staying = [item for item in event_types if item not in goes_types and not item.slug.startswith(spared)]
    goes_webhooks = _webhooks(manifest, staying, webhooks, made_webhooks, kept)
    stays_with = [item for item in event_types if item not in goes_types]
    goes_schedules = _schedules(manifest, schedules, stays_with, spared, kept)
    goes_limits = _key_limits(manifest, keys, kept)
    slugs = {event_type.id: event_type.slug for event_type in event_types}
    deletions = [
        *(Deletion("webhook", webhook_name(webhook, slugs), webhook) for webhook in goes_webhooks),
        *(Deletion("event type", event_type.slug, event_type) for event_type in goes_types),
        *(Deletion("schedule", repr(schedule.name), schedule) for schedule in goes_schedules),
        *(Deletion("API key limit", note, of_note(keys, note)) for note in goes_limits),
    ]
    return Surplus(tuple(deletions), tuple(kept))


def webhook_name(webhook: Webhook, slugs: dict[int, str]) -> str:
    """How plans name a webhook."""
    return (
        webhook.url if webhook.event_type_id is None else f"{webhook.url} of {slugs[webhook.event_type_id]}"
    )


def _event_types(
    manifest: Manifest,
    event_types: Sequence[EventType],
    webhooks: Sequence[Webhook],
    made: Collection[str],
    spared: tuple[str, ...],
    kept: list[Kept],
) -> list[EventType]:
    if "event type" not in manifest.kinds:
        return []
    wanted = {item.slug for item in manifest.event_types}
    foreign = {item.event_type_id: item.url for item in webhooks if item.id not in made}
    goes = []
    for event_type in event_types:
        if event_type.slug in wanted or event_type.slug.startswith(spared):
            continue
        if event_type.id in foreign:
            why = f"its webhook {foreign[event_type.id]} was not made by calstack and would go with it"
            kept.append(Kept("event type", event_type.slug, why))
        else:
            goes.append(event_type)
    return goes


def _webhooks(
    manifest: Manifest,
    staying: Sequence[EventType],
    webhooks: Sequence[Webhook],
    made: Collection[str],
    kept: list[Kept],
) -> list[Webhook]:
    if "webhook" not in manifest.kinds:
        return []
    slugs = {event_type.id: event_type.slug for event_type in staying}
    wanted = {(item.event_type, item.url) for item in manifest.webhooks}
    goes = []
    for webhook in webhooks:
        if webhook.event_type_id is not None and webhook.event_type_id not in slugs:
            continue  # goes with its event type, or is the smoke test's
        slug = None if webhook.event_type_id is None else slugs[webhook.event_type_id]
        if (slug, webhook.url) in wanted:
            continue
        if webhook.id in made:
            goes.append(webhook)
        else:
            kept.append(Kept("webhook", webhook_name(webhook, slugs), "it was not made by calstack"))
    return goes


def _schedules(
    manifest: Manifest,
    schedules: Sequence[Schedule],
    staying: Sequence[EventType],
    spared: tuple[str, ...],
    kept: list[Kept],
) -> list[Schedule]:
    if "schedule" not in manifest.kinds:
        return []
    managed: dict[str, int] = {}
    for schedule in sorted(schedules, key=lambda item: item.id):
        managed.setdefault(schedule.name, schedule.id)
    wanted = {managed[item.name] for item in manifest.schedules if item.name in managed}
    moves_default = any(item.fields.is_default for item in manifest.schedules)
    elsewhere = {item.slug for item in manifest.event_types if item.manages_schedule}
    followed = {item.schedule_id: item.slug for item in staying if item.slug not in elsewhere}
    goes = []
    for schedule in schedules:
        if schedule.id in wanted or schedule.name.startswith(spared):
            continue
        why = None
        if schedule.is_default and not moves_default:
            why = "it is the default one"
        elif schedule.id in followed:
            why = f"the event type {followed[schedule.id]} follows it"
        if why is None:
            goes.append(schedule)
        else:
            kept.append(Kept("schedule", repr(schedule.name), why))
    if goes and len(goes) == len(schedules) and not manifest.schedules:
        last = goes.pop(0)
        kept.append(Kept("schedule", repr(last.name), "it is the last one"))
    return goes


def _key_limits(manifest: Manifest, keys: Sequence[ApiKey], kept: list[Kept]) -> list[str]:
    """Notes of the keys whose limit goes."""
    wanted = {limit.note for limit in manifest.key_limits}
    limited = [key for key in keys if key.allowances and key.note not in wanted]
    goes = dict.fromkeys(key.note for key in limited if key.made)
    others = dict.fromkeys(key.note for key in limited if not key.made and key.note not in goes)
    kept += [Kept("API key limit", note, "it was not made by a manifest") for note in others]
    return list(goes)
