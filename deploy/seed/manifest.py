"""`seed.yaml` becomes a manifest, or one error that lists all that is wrong with it, before any request."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from deploy.calcom import models
from deploy.errors import CalstackError, InputError, Problem
from deploy.seed.model import (
    DateOverride,
    DayHours,
    EventTypeDeclared,
    LocationDeclared,
    ManifestFile,
    ScheduleDeclared,
    WebhookDeclared,
)
from deploy.settings.plain_words import dotted, findings
from deploy.settings.rules import nearest
from deploy.settings.yaml_source import Located, place, plain, read

Resolver = Callable[[str], str]
"""Gives the value of a secret by its name; raises KeyError or CalstackError where there is none."""


@dataclass(frozen=True)
class WantedSchedule:
    """A schedule as it shall be."""

    name: str
    fields: models.ScheduleFields


@dataclass(frozen=True)
class WantedEventType:
    """An event type as it shall be; `schedule` is a name, or None where `manages_schedule` means none."""

    slug: str
    fields: models.EventTypeFields
    schedule: str | None
    manages_schedule: bool


@dataclass(frozen=True)
class WantedWebhook:
    """A webhook as it shall be; `event_type` is a slug, None for one of the user's."""

    url: str
    event_type: str | None
    fields: models.WebhookFields = field(repr=False)


@dataclass(frozen=True)
class Manifest:
    """All that an instance shall hold for one user; valid, with secrets in it."""

    schedules: tuple[WantedSchedule, ...] = ()
    event_types: tuple[WantedEventType, ...] = ()
    webhooks: tuple[WantedWebhook, ...] = ()


def load_manifest(paths: Path | Sequence[Path], resolve: Resolver) -> Manifest:
    """The manifest in these files, which count as one; `resolve` gives the values of `!secret NAME`.

    Raises InputError alone, with every problem of every file at once.
    """
    reading = _Reading(resolve)
    for path in [paths] if isinstance(paths, Path) else paths:
        reading.file(path)
    reading.check_names()
    reading.check_references()
    webhooks = tuple(reading.webhook(entry) for entry in reading.webhooks if entry.declared is not None)
    reading.finish()
    return Manifest(
        tuple(_schedule(entry.declared) for entry in reading.schedules),
        tuple(_event_type(entry.declared) for entry in reading.event_types),
        webhooks,
    )


# --- reading and checking


@dataclass(frozen=True)
class _Entry:
    """A declaration and where it stands; `declared` is None where it is not sound."""

    declared: Any
    located: Located
    path: str

    def given(self, key: str) -> Any:
        """The plain value of a key as it is written, sound or not; other entries may refer to it."""
        found = self.located.value.get(key) if isinstance(self.located.value, dict) else None
        return found.value if found and isinstance(found.value, str | bool) else None


@dataclass
class _Reading:
    resolve: Resolver
    problems: list[Problem] = field(default_factory=list)
    schedules: list[_Entry] = field(default_factory=list)
    event_types: list[_Entry] = field(default_factory=list)
    webhooks: list[_Entry] = field(default_factory=list)

    def file(self, path: Path) -> None:
        """Read one file and keep its declarations and its problems."""
        content, problems = read(path, path)
        self.problems.extend(problems)
        if content is None:
            return
        if not isinstance(content.value, dict):
            self.say(
                content, "", "is not a mapping", f"begin with one of {', '.join(ManifestFile.model_fields)}:"
            )
            return
        try:
            ManifestFile.model_validate(plain(content))
        except ValidationError as error:
            for finding in findings(error, ManifestFile):
                self.say(place(content, finding.path)[0], dotted(finding.path), finding.what, finding.fix)
        self.schedules.extend(_entries(content, "schedules", ScheduleDeclared))
        self.event_types.extend(_entries(content, "event_types", EventTypeDeclared))
        self.webhooks.extend(_entries(content, "webhooks", WebhookDeclared))

    def check_names(self) -> None:
        """Names, slugs and URLs are what things are found again by, so each stands for one thing."""
        self._once(self.schedules, ("name",))
        self._once(self.event_types, ("slug",))
        self._once(self.webhooks, ("url", "event_type"))
        defaults = [entry for entry in self.schedules if entry.given("default") is True]
        for entry in defaults[1:]:
            first = defaults[0].given("name")
            self._say_at(entry, "default", f"{first!r} is the default already", "keep one default schedule")

    def check_references(self) -> None:
        """Every schedule and event type that is named must be declared."""
        self._known(self.event_types, "schedule", [entry.given("name") for entry in self.schedules])
        self._known(self.webhooks, "event_type", [entry.given("slug") for entry in self.event_types])

    def webhook(self, entry: _Entry) -> WantedWebhook:
        """The webhook with its secret, which is a problem where it cannot be had."""
        declared: WebhookDeclared = entry.declared
        values: dict[str, Any] = {
            name: getattr(declared, name)
            for name in ("url", "active", "payload_template", "time", "time_unit")
            if name in declared.model_fields_set
        }
        values["triggers"] = tuple(declared.triggers)
        if declared.secret is not None:
            try:
                values["secret"] = self.resolve(declared.secret.secret)
            except (KeyError, CalstackError) as error:
                why = error.what if isinstance(error, CalstackError) else "there is none of this name"
                self._say_at(entry, "secret", f"the secret {declared.secret.secret} is not to be had: {why}")
        return WantedWebhook(declared.url, declared.event_type, models.WebhookFields(**values))

    def say(self, where: Located, key: str, what: str, fix: str | None = None) -> None:
        """Keep a problem."""
        self.problems.append(Problem(where.file, where.line, key, what, fix))

    def finish(self) -> None:
        """Raises InputError where there is any problem."""
        if not self.problems:
            return
        ordered = sorted(self.problems, key=lambda problem: (str(problem.file), problem.line or 0))
        count = len(ordered)
        raise InputError(
            f"the seed manifest has {count} problem{'s' if count > 1 else ''}; nothing was sent",
            problems=tuple(ordered),
        )

    def _say_at(self, entry: _Entry, key: str, what: str, fix: str | None = None) -> None:
        self.say(place(entry.located, (key,))[0], f"{entry.path}.{key}", what, fix)

    def _once(self, entries: list[_Entry], keys: tuple[str, ...]) -> None:
        first: dict[tuple[Any, ...], _Entry] = {}
        for entry in entries:
            natural_key = tuple(entry.given(key) for key in keys)
            if natural_key[0] is None:
                continue
            before = first.setdefault(natural_key, entry)
            if before is not entry:
                where = f"{before.located.file}:{place(before.located, keys[:1])[0].line}"
                self._say_at(entry, keys[0], f"stands there twice, first in {where}", "keep one of them")

    def _known(self, entries: list[_Entry], key: str, declared: list[Any]) -> None:
        names = [name for name in declared if isinstance(name, str)]
        for entry in entries:
            name = entry.given(key)
            if not isinstance(name, str) or name in names:
                continue
            meant = nearest(name, names)
            others = f"declare it, or use one of: {', '.join(names)}" if names else "declare it"
            what = f"there is no {key.replace('_', ' ')} {name!r} in the manifest"
            self._say_at(entry, key, what, f"did you mean {meant}?" if meant else others)


def _entries(content: Located, section: str, model: type[Any]) -> Iterator[_Entry]:
    listed = content.value.get(section) if isinstance(content.value, dict) else None
    for position, located in enumerate(listed.value if listed and isinstance(listed.value, list) else ()):
        try:
            declared = model.model_validate(plain(located))
        except ValidationError:
            declared = None  # told with the whole file
        yield _Entry(declared, located, f"{section}[{position}]")


# --- from the manifest's words to the channel's


def _schedule(declared: ScheduleDeclared) -> WantedSchedule:
    values: dict[str, Any] = {"name": declared.name, "time_zone": declared.time_zone}
    if declared.default:
        values["is_default"] = True
    if declared.availability is not None:
        values["availability"] = _availability(declared.availability)
    if declared.overrides is not None:
        values["overrides"] = _overrides(declared.overrides)
    return WantedSchedule(declared.name, models.ScheduleFields(**values))


def _availability(hours: list[DayHours]) -> dict[models.Weekday, tuple[models.TimeRange, ...]]:
    texts: dict[models.Weekday, list[str]] = {}
    for entry in hours:
        for day in entry.days:
            texts.setdefault(day, []).extend(entry.times)
    return {day: _ranges(texts[day]) for day in models.WEEKDAYS if texts.get(day)}


def _overrides(overrides: list[DateOverride]) -> tuple[models.Override, ...]:
    ordered = sorted(overrides, key=lambda override: override.date)
    return tuple(models.Override(date=item.date, ranges=_ranges(item.times)) for item in ordered)


def _ranges(texts: list[str]) -> tuple[models.TimeRange, ...]:
    halves = (text.split("-") for text in sorted(texts))
    return tuple(
        models.TimeRange(start=dt.time.fromisoformat(start), end=dt.time.fromisoformat(end))
        for start, end in halves
    )


_NESTED: dict[str, type[models.Model]] = {
    "booking_limits": models.PeriodLimits,
    "duration_limits": models.PeriodLimits,
    "booking_window": models.BookingWindow,
    "color": models.Color,
    "seats": models.Seats,
}


def _event_type(declared: EventTypeDeclared) -> WantedEventType:
    values: dict[str, Any] = {}
    for name in declared.model_fields_set - {"schedule", "locations"}:
        value = getattr(declared, name)
        nested = _NESTED.get(name)
        values[name] = nested(**value.model_dump()) if nested and value is not None else value
    values["locations"] = tuple(_location(location) for location in declared.locations)
    return WantedEventType(
        declared.slug,
        models.EventTypeFields(**values),
        declared.schedule,
        "schedule" in declared.model_fields_set,
    )


def _location(declared: LocationDeclared) -> models.Location:
    values = declared.model_dump()
    if declared.type not in ("address", "link", "phone"):
        values["public"] = False  # only the host's own places can be shown beforehand
    return models.Location(**values)
