"""Schedules over API v2, version 2024-06-11: hours as `HH:MM` texts, weekdays by their English names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, cast

from pydantic import Field

from deploy.calcom.models import WEEKDAYS, Override, Schedule, ScheduleFields, TimeRange, Weekday
from deploy.calcom.wire import Wire
from deploy.calcom.wire.schedules import in_order


class HoursAnswer(Wire):
    """Hours of some weekdays."""

    days: list[str]
    start: dt.time = Field(alias="startTime")
    end: dt.time = Field(alias="endTime")


class OverrideAnswer(Wire):
    """Hours of one date; from 00:00 to 00:00 means none."""

    date: dt.date
    start: dt.time = Field(alias="startTime")
    end: dt.time = Field(alias="endTime")


class ScheduleAnswer(Wire):
    """A schedule, in lists too."""

    id: int
    name: str
    time_zone: str = Field(alias="timeZone")
    is_default: bool = Field(alias="isDefault")
    availability: list[HoursAnswer]
    overrides: list[OverrideAnswer]

    def schedule(self) -> Schedule:
        """The schedule in calstack's words, hours in order."""
        days: dict[Weekday, list[TimeRange]] = {}
        for hours in self.availability:
            for day in hours.days:
                name = cast(Weekday, day.lower())
                days.setdefault(name, []).append(TimeRange(start=hours.start, end=hours.end))
        dates: dict[dt.date, list[TimeRange]] = {}
        for item in self.overrides:
            ranges = dates.setdefault(item.date, [])
            if item.start != item.end:
                ranges.append(TimeRange(start=item.start, end=item.end))
        return Schedule(
            id=self.id,
            name=self.name,
            time_zone=self.time_zone,
            is_default=self.is_default,
            availability={day: in_order(days[day]) for day in WEEKDAYS if day in days},
            overrides=tuple(Override(date=date, ranges=in_order(dates[date])) for date in sorted(dates)),
        )


def schedule_input(fields: ScheduleFields) -> dict[str, Any]:
    """Body of `PATCH /v2/schedules/ID`, which keeps what it is not given."""
    data: dict[str, Any] = {}
    if "name" in fields.model_fields_set:
        data["name"] = fields.name
    if "time_zone" in fields.model_fields_set:
        data["timeZone"] = fields.time_zone
    if fields.is_default:
        data["isDefault"] = True
    if "availability" in fields.model_fields_set:
        data["availability"] = _hours_input(fields.availability or {})
    if "overrides" in fields.model_fields_set:
        data["overrides"] = [
            {"date": override.date.isoformat(), "startTime": _clock(item.start), "endTime": _clock(item.end)}
            for override in fields.overrides or ()
            for item in override.ranges or (TimeRange(start=dt.time(0), end=dt.time(0)),)
        ]
    return data


def _hours_input(availability: Mapping[Weekday, tuple[TimeRange, ...]]) -> list[dict[str, Any]]:
    # Days of the same hours in one entry, as the web app keeps them.
    days: dict[TimeRange, list[str]] = {}
    for day in WEEKDAYS:
        for hours in availability.get(day, ()):
            days.setdefault(hours, []).append(day.capitalize())
    return [
        {"days": names, "startTime": _clock(hours.start), "endTime": _clock(hours.end)}
        for hours, names in days.items()
    ]


def _clock(time: dt.time) -> str:
    return f"{time:%H:%M}"
