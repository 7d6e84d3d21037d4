"""Schedules: hours by weekday and by date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from deploy.calcom.models import WEEKDAYS, Override, Schedule, ScheduleFields, TimeRange, Weekday
from deploy.calcom.wire import Wire


class ScheduleListed(Wire):
    """One entry of `availability/list`."""

    id: int
    name: str


class ScheduleList(Wire):
    """`availability/list`."""

    schedules: list[ScheduleListed]


class ScheduleCreated(Wire):
    """`availability/schedule.create`."""

    schedule: ScheduleListed


class ScheduleUpdated(Wire):
    """`availability/schedule.update`; `availability` is missing where nothing but the default was changed."""

    availability: list[Any]


class AvailabilityRow(Wire):
    """Hours: of weekdays (0 is Sunday), or of one date."""

    days: list[int]
    start_time: dt.datetime = Field(alias="startTime")
    end_time: dt.datetime = Field(alias="endTime")
    date: dt.datetime | None

    def range(self) -> TimeRange:
        """The hours; they travel as UTC times of a meaningless day (FACTS §14)."""
        return TimeRange(start=self.start_time.time(), end=self.end_time.time())


class ScheduleAnswer(Wire):
    """`availability/schedule.get`."""

    id: int
    name: str
    time_zone: str = Field(alias="timeZone")
    is_default: bool = Field(alias="isDefault")
    rows: list[AvailabilityRow] = Field(alias="schedule")

    def schedule(self) -> Schedule:
        """The schedule in calstack's words, hours in order."""
        days: dict[Weekday, list[TimeRange]] = {}
        dates: dict[dt.date, list[TimeRange]] = {}
        for row in self.rows:
            if row.date is not None:
                dates.setdefault(row.date.date(), []).append(row.range())
            for day in row.days if row.date is None else ():
                days.setdefault(WEEKDAYS[day], []).append(row.range())
        return Schedule(
            id=self.id,
            name=self.name,
            time_zone=self.time_zone,
            is_default=self.is_default,
            availability={day: in_order(days[day]) for day in WEEKDAYS if day in days},
            overrides=tuple(
                Override(date=date, ranges=_without_empty(dates[date])) for date in sorted(dates)
            ),
        )


def in_order(ranges: list[TimeRange] | tuple[TimeRange, ...]) -> tuple[TimeRange, ...]:
    """Ranges by their start, which is how they are compared."""
    return tuple(sorted(ranges, key=lambda item: (item.start, item.end)))


def _without_empty(ranges: list[TimeRange]) -> tuple[TimeRange, ...]:
    # A date without hours is kept as one range from 00:00 to 00:00.
    return in_order([item for item in ranges if item.start != item.end])


_SOME_DAY = dt.date(1970, 1, 1)


def schedule_input(current: Schedule, fields: ScheduleFields) -> dict[str, Any]:
    """Input of `availability/schedule.update`, which replaces all hours and all overrides.

    So what `fields` does not name is taken from `current`. The name always goes along: without one the
    procedure answers 200 and changes nothing but the default (FACTS §14).
    """
    wanted = {**dict(current), **{name: getattr(fields, name) for name in fields.model_fields_set}}
    availability: Mapping[Weekday, tuple[TimeRange, ...]] = wanted["availability"]
    data: dict[str, Any] = {
        "scheduleId": current.id,
        "name": wanted["name"],
        "timeZone": wanted["time_zone"],
        "schedule": [[_hours(_SOME_DAY, item) for item in availability.get(day, ())] for day in WEEKDAYS],
        "dateOverrides": [
            _hours(override.date, item)
            for override in wanted["overrides"]
            for item in override.ranges or (TimeRange(start=dt.time(0), end=dt.time(0)),)
        ],
    }
    if fields.is_default:
        data["isDefault"] = True
    return data


def _hours(day: dt.date, hours: TimeRange) -> dict[str, dt.datetime]:
    return {
        "start": dt.datetime.combine(day, hours.start, dt.UTC),
        "end": dt.datetime.combine(day, hours.end, dt.UTC),
    }
