"""The manifest of a running instance: one that plans to nothing there, and makes the same elsewhere.

What has Cal.com's own value is left out, so that the file says what is special. A field that a manifest
cannot say as the instance holds it is left out too, and told.
"""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from yaml.emitter import Emitter
from yaml.representer import SafeRepresenter
from yaml.serializer import Serializer

from deploy.calcom.channel import Channel
from deploy.calcom.models import WEEKDAYS, EventType, Schedule, TimeRange, User, Webhook
from deploy.seed.compare import differing_fields
from deploy.seed.key_limits import ApiKey, KeyLimits, of_note
from deploy.seed.model import EventTypeDeclared, ProfileDeclared, ScheduleDeclared, WebhookDeclared
from deploy.seed.parallel import WORKERS, each
from deploy.seed.reading import read_event_types
from deploy.seed.wanted import wanted_event_type, wanted_profile, wanted_schedule, wanted_webhook
from deploy.settings.rate_limits import KeyLimit
from deploy.settings.section import Section
from deploy.settings.yaml_core import STR, CoreSchema
from deploy.settings.yaml_source import ENVIRONMENT_TAG, SECRET_TAG

KeepSecret = Callable[[str, str], str]
"""Keeps a value under the suggested name or another, and returns the name; or where it stands already."""


@dataclass(frozen=True)
class Pulled:
    """The text of the manifest, and what it does not say of the instance."""

    text: str
    left_out: tuple[str, ...]


def pull(
    channel: Channel,
    keep_secret: KeepSecret,
    *,
    spared: tuple[str, ...] = (),
    secret_tag: str = SECRET_TAG,
    key_limits: KeyLimits | None = None,
    workers: int = WORKERS,
) -> Pulled:
    """Read all that the channel's user has and write it as a manifest; only reads.

    `keep_secret` gets each webhook's secret, of which the text has the name alone, behind `secret_tag`
    (`!secret` or `!env`). Names and slugs that begin with one of `spared` are passed over. Limits of
    API keys are read where `key_limits` says how. Raises what the channel, `keep_secret` and `key_limits`
    raise.
    """
    writing = _Writing(keep_secret, secret_tag)
    user, schedules = channel.me(), channel.list_schedules()
    listed = read_event_types(channel, None, _uses_cal_video, workers)
    event_types = [item for item in listed if not item.slug.startswith(spared)]
    scopes: list[int | None] = [None, *(item.id for item in event_types)]
    webhooks = [webhook for group in each(channel.list_webhooks, scopes, workers) for webhook in group]
    profile = writing.profile(user)
    names = writing.schedules([item for item in schedules if not item.name.startswith(spared)])
    slugs = writing.event_types(event_types, names)
    writing.webhooks(webhooks, slugs)
    writing.key_limits(key_limits.read("") if key_limits else ())
    document = {"profile": profile, **writing.sections}
    return Pulled(_text({key: part for key, part in document.items() if part}), tuple(writing.left_out))


@dataclass
class _Writing:
    keep_secret: KeepSecret
    secret_tag: str
    sections: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"schedules": [], "event_types": [], "webhooks": [], "api_key_limits": []}
    )
    left_out: list[str] = field(default_factory=list)
    _secrets: dict[str, str] = field(default_factory=dict)

    def profile(self, user: User) -> dict[str, Any]:
        """The user's own settings, as far as the channel tells them."""
        entry: dict[str, Any] = {}
        for name in ProfileDeclared.model_fields:
            value = getattr(user, name)
            if value is None or value == ProfileDeclared.model_fields[name].default:
                continue
            entry[name] = value.lower() if name == "week_start" else _plain(value)
        return self._sayable(
            entry, ProfileDeclared, lambda told: wanted_profile([told]).fields, user, "profile"
        )

    def schedules(self, schedules: Sequence[Schedule]) -> dict[int, str]:
        """All schedules; names by id of those that a manifest can name."""
        names: dict[int, str] = {}
        for schedule in sorted(schedules, key=lambda item: item.id):
            label = f"schedule {schedule.name!r}"
            if schedule.name in names.values():
                self.left_out.append(f"{label}: a second one of this name")
                continue
            entry = self._sayable(
                _schedule(schedule),
                ScheduleDeclared,
                lambda told: wanted_schedule(told).fields,
                schedule,
                label,
            )
            if entry:
                names[schedule.id] = schedule.name
                self.sections["schedules"].append(entry)
        return names

    def event_types(self, event_types: Sequence[EventType], schedules: dict[int, str]) -> dict[int, str]:
        """All event types; slugs by id of those that a manifest can name."""
        slugs: dict[int, str] = {}
        for event_type in sorted(event_types, key=lambda item: item.id):
            entry = self._sayable(
                _event_type(event_type),
                EventTypeDeclared,
                lambda told: wanted_event_type(told).fields,
                event_type,
                f"event type {event_type.slug}",
            )
            if entry:
                slugs[event_type.id] = event_type.slug
                if event_type.schedule_id in schedules:
                    entry["schedule"] = schedules[event_type.schedule_id]
                self.sections["event_types"].append(entry)
        return slugs

    def webhooks(self, webhooks: Sequence[Webhook], slugs: dict[int, str]) -> None:
        """All webhooks, those of event types that are said included."""
        seen: set[tuple[int | None, str]] = set()
        for webhook in webhooks:
            label = f"webhook {webhook.url}"
            if webhook.event_type_id is not None and webhook.event_type_id not in slugs:
                self.left_out.append(f"{label}: its event type is left out")
                continue
            if (webhook.event_type_id, webhook.url) in seen:
                self.left_out.append(f"{label}: a second one of this URL")
                continue
            seen.add((webhook.event_type_id, webhook.url))
            entry: dict[str, Any] = {"url": webhook.url}
            if webhook.event_type_id is not None:
                entry["event_type"] = slugs[webhook.event_type_id]
            entry["triggers"] = list(webhook.triggers)
            for name in ("payload_template", "time", "time_unit"):
                if getattr(webhook, name) is not None:
                    entry[name] = getattr(webhook, name)
            if not webhook.active:
                entry["active"] = False
            said = self._sayable(
                entry, WebhookDeclared, lambda told: wanted_webhook(told, None).fields, webhook, label
            )
            if said and webhook.secret:
                said["secret"] = _Reference(self.secret_tag, self._secret(webhook.url, webhook.secret))
            if said:
                self.sections["webhooks"].append(said)

    def key_limits(self, keys: Sequence[ApiKey]) -> None:
        """The limits of API keys, by the keys' notes."""
        for note in dict.fromkeys(key.note for key in keys if key.allowances):
            label = f"API key limit {note}".rstrip()
            held = {key.allowances for key in of_note(keys, note)}
            if len(held) > 1 or len(next(iter(held))) > 1:
                self.left_out.append(f"{label}: there are several")
                continue
            (only,) = next(iter(held))
            entry: dict[str, Any] = {"note": note, "limit": only.limit}
            for name in ("window_seconds", "block_seconds"):
                if getattr(only, name) != KeyLimit.model_fields[name].default:
                    entry[name] = getattr(only, name)
            try:
                KeyLimit.model_validate(entry)
            except ValidationError as error:
                self.left_out.append(f"{label}: {error.errors()[0]['msg']}")
            else:
                self.sections["api_key_limits"].append(entry)

    def _secret(self, url: str, value: str) -> str:
        if value not in self._secrets:
            host = re.sub(r"[^a-z0-9]+", "_", (urlsplit(url).hostname or "").lower()).strip("_")
            suggested = f"webhook_{host}"[:50].rstrip("_")
            taken = set(self._secrets.values())
            number, name = 2, suggested
            while name in taken:
                number, name = number + 1, f"{suggested}_{number}"
            self._secrets[value] = self.keep_secret(value, name)
        return self._secrets[value]

    def _sayable(
        self,
        entry: dict[str, Any],
        model: type[Section],
        wanted: Callable[[Any], BaseModel],
        current: BaseModel,
        label: str,
    ) -> dict[str, Any]:
        """The entry without what a manifest cannot say as it is; empty where nothing useful is left."""
        said = dict(entry)
        while said:
            try:
                fields = wanted(model.model_validate(said))
            except ValidationError as error:
                found = error.errors()[0]
                name, why = str(found["loc"][0]) if found["loc"] else "", found["msg"]
            else:
                differing = differing_fields(fields, current)
                if not differing:
                    return said
                name, why = differing[0], "a manifest says it in another way"
            missing = name not in said or model.model_fields[name].is_required()
            self.left_out.append(f"{label}: {why}" if missing else f"{label}, {name}: {why}")
            if missing:
                return {}
            del said[name]
        return {}


def _schedule(schedule: Schedule) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": schedule.name, "time_zone": schedule.time_zone}
    if schedule.is_default:
        entry["default"] = True
    by_hours: dict[tuple[TimeRange, ...], list[str]] = {}
    # Monday first, as people say it; Cal.com's week begins with Sunday.
    for day in (*WEEKDAYS[1:], WEEKDAYS[0]):
        if ranges := schedule.availability.get(day):
            by_hours.setdefault(ranges, []).append(day)
    entry["availability"] = [{"days": days, "times": _times(ranges)} for ranges, days in by_hours.items()]
    if schedule.overrides:
        entry["overrides"] = [
            {"date": override.date, "times": _times(override.ranges)} for override in schedule.overrides
        ]
    return entry


def _times(ranges: Sequence[TimeRange]) -> list[str]:
    return [str(item) for item in ranges]


def _event_type(event_type: EventType) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    for name, declared in EventTypeDeclared.model_fields.items():
        if name == "schedule":
            continue
        value = getattr(event_type, name)
        default = None if declared.is_required() else declared.default
        if name == "locations":
            entry[name] = [_location(item.model_dump(exclude_none=True)) for item in value]
        elif value not in (None, default, (), ""):
            entry[name] = _plain(value)
    return entry


def _uses_cal_video(event_type: EventType) -> bool:
    return any(location.integration == "cal-video" for location in event_type.locations)


def _location(values: dict[str, Any]) -> dict[str, Any]:
    shown = values.pop("public", False)
    if not shown and values["type"] in ("address", "link", "phone"):
        values["public"] = False
    return values


def _plain(value: Any) -> Any:
    """A value of the models as a manifest writes it, without what its fields leave out anyway."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return {name: _plain(item) for name, item in value if item != fields[name].default}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


# --- the text


@dataclass(frozen=True)
class _Reference:
    tag: str
    name: str


class _Writer(CoreSchema, Emitter, Serializer, SafeRepresenter):
    """Writes mappings in the order of their keys' making, entries of lists indented, long texts as blocks."""

    def __init__(self, out: io.StringIO) -> None:
        Emitter.__init__(self, out, width=100, allow_unicode=True)
        Serializer.__init__(self)
        SafeRepresenter.__init__(self, default_flow_style=False, sort_keys=False)

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - PyYAML's
        """PyYAML would put a list's entries below the first letter of its key."""
        super().increase_indent(flow, False)

    def choose_scalar_style(self) -> str:
        """Names behind a tag need no quotes, which PyYAML would put there."""
        tag = getattr(self.event, "tag", None)
        return "" if tag in (SECRET_TAG, ENVIRONMENT_TAG) else super().choose_scalar_style()

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's
        """Whatever stands there twice is written twice."""
        return True

    def text(self, value: str) -> Any:
        """The scalar in the form that people read best, among those that carry it."""
        lines = value.split("\n")
        style = None
        if not all(line.isprintable() for line in lines):
            style = '"'  # the one form that carries every character
        elif len(lines) > 1 and all(line == line.rstrip() for line in lines):
            style = "|"
        return self.represent_scalar(STR, value, style)

    def date(self, value: dt.date) -> Any:
        """The scalar, which is text in YAML 1.2."""
        return self.represent_scalar(STR, value.isoformat())

    def reference(self, value: _Reference) -> Any:
        """The tagged scalar."""
        return self.represent_scalar(value.tag, value.name)


_Writer.add_representer(str, _Writer.text)
_Writer.add_representer(dt.date, _Writer.date)
_Writer.add_representer(_Reference, _Writer.reference)


def _text(document: dict[str, Any]) -> str:
    if not document:
        return "# The instance holds nothing that a manifest can say.\n{}\n"
    out = io.StringIO()
    writer = _Writer(out)
    writer.open()
    writer.represent(document)
    writer.close()
    return out.getvalue()
