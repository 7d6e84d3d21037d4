"""What an instance shall hold, in the channel's words: the manifest after all checks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from deploy.calcom import models
from deploy.seed.key_limits import Allowance
from deploy.seed.model import (
    DateOverride,
    DayHours,
    EventTypeDeclared,
    LocationDeclared,
    ProfileDeclared,
    ScheduleDeclared,
    WebhookDeclared,
)

Kind = Literal["profile", "schedule", "event type", "webhook", "API key limit"]


@dataclass(frozen=True)
class WantedProfile:
    """A user's own settings as they shall be."""

    fields: models.ProfileFields


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
class WantedKeyLimit:
    """The limit that a user's API keys of this note shall have; `where` says in which file and line."""

    note: str
    allowance: Allowance
    where: str


@dataclass(frozen=True)
class Manifest:
    """All that an instance shall hold for one user; valid, with secrets in it.

    `kinds` are those that the manifest names at all, be it by an empty list. `users` has what others than the
    channel's own user shall have, by their e-mail address or user name.
    """

    schedules: tuple[WantedSchedule, ...] = ()
    event_types: tuple[WantedEventType, ...] = ()
    webhooks: tuple[WantedWebhook, ...] = ()
    kinds: frozenset[Kind] = frozenset()
    profile: WantedProfile | None = None
    users: Mapping[str, Manifest] = field(default_factory=lambda: MappingProxyType({}))
    key_limits: tuple[WantedKeyLimit, ...] = ()

    @property
    def all_key_limits(self) -> tuple[WantedKeyLimit, ...]:
        """Those of every user."""
        return (*self.key_limits, *(limit for theirs in self.users.values() for limit in theirs.key_limits))


def wanted_profile(declared: Iterable[ProfileDeclared]) -> WantedProfile:
    """The settings in the channel's words; several declarations count as one."""
    values: dict[str, Any] = {}
    for part in declared:
        values.update((name, getattr(part, name)) for name in part.model_fields_set)
    if values.get("week_start"):
        values["week_start"] = values["week_start"].capitalize()  # as Cal.com keeps it (FACTS §16)
    if values.get("booker_layouts"):
        values["booker_layouts"] = models.BookerLayouts(**values["booker_layouts"].model_dump())
    return WantedProfile(models.ProfileFields(**values))


def wanted_schedule(declared: ScheduleDeclared) -> WantedSchedule:
    """The schedule in the channel's words."""
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
    "active_bookings_limit": models.ActiveBookingsLimit,
    "booker_layouts": models.BookerLayouts,
    "confirmation_threshold": models.NoticeThreshold,
    "recurrence": models.Recurrence,
    "destination_calendar": models.DestinationCalendar,
    "cal_video": models.CalVideoSettings,
}


def wanted_event_type(declared: EventTypeDeclared) -> WantedEventType:
    """The event type in the channel's words; its schedule stays a name until its id is known."""
    values: dict[str, Any] = {}
    for name in declared.model_fields_set - {"schedule", "locations", "booking_fields"}:
        value = getattr(declared, name)
        nested = _NESTED.get(name)
        values[name] = nested(**value.model_dump()) if nested and value is not None else value
    if "booking_fields" in declared.model_fields_set:
        questions = (models.BookingField(**field.model_dump()) for field in declared.booking_fields or ())
        values["booking_fields"] = models.plain_booking_fields(tuple(questions))
    if values.get("length_options") is not None:
        values["length_options"] = tuple(sorted(set(values["length_options"])))
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


def wanted_webhook(declared: WebhookDeclared, secret: str | None) -> WantedWebhook:
    """The webhook in the channel's words; `secret` is its value, None where the manifest names none."""
    values: dict[str, Any] = {
        name: getattr(declared, name)
        for name in ("url", "active", "payload_template", "time", "time_unit")
        if name in declared.model_fields_set
    }
    values["triggers"] = tuple(declared.triggers)
    if secret is not None:
        values["secret"] = secret
    return WantedWebhook(declared.url, declared.event_type, models.WebhookFields(**values))
