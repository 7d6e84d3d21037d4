"""Free slots from working hours and busy times: arithmetic alone, no database.

All instants are aware and in UTC; only the hours of a schedule are wall time of its zone, and the days
by which slots are grouped are those of the guest's zone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from .schedules import Range, WorkingHours

# Slots start at multiples of the largest of these that divides the distance between them.
ROUND_MINUTES = (60, 30, 20, 15, 10, 5)


@dataclass(frozen=True)
class Interval:
    """A stretch of time, its end not included."""

    start: datetime
    end: datetime

    def overlaps(self, other: Interval) -> bool:
        """Whether the two share a moment."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class SlotRules:
    """What an event type says about its slots, in minutes."""

    length: int
    interval: int | None = None
    minimum_notice: int = 0
    offset_start: int = 0

    @property
    def step(self) -> int:
        """The distance between the starts of two slots."""
        return self.interval or self.length


def end_of(day: date, moment: time, zone: ZoneInfo) -> datetime:
    """The instant at which a stretch of hours ends; 23:59 is the end of the day."""
    if moment >= time(23, 59):
        return datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    return datetime.combine(day, moment, zone).astimezone(UTC)


def open_intervals(hours: WorkingHours, window: Interval) -> list[Interval]:
    """The working hours inside a window, as instants, in order, touching ones joined."""
    zone = ZoneInfo(hours.time_zone)
    found: list[Interval] = []
    day = window.start.astimezone(zone).date() - timedelta(days=1)
    last = window.end.astimezone(zone).date() + timedelta(days=1)
    while day <= last:
        for stretch in stretches_on(hours, day):
            start = datetime.combine(day, stretch.start, zone).astimezone(UTC)
            end = end_of(day, stretch.end, zone)
            start, end = max(start, window.start), min(end, window.end)
            if start < end:
                found.append(Interval(start, end))
        day += timedelta(days=1)
    return joined(found)


def stretches_on(hours: WorkingHours, day: date) -> Iterator[Range]:
    """The hours of one day: its overrides if it has any (an empty one closes the day), else the weekday's."""
    if day in hours.overrides:
        yield from (stretch for stretch in hours.overrides[day] if stretch.start != stretch.end)
    else:
        yield from hours.weekly.get(day.isoweekday() % 7, [])


def joined(intervals: Iterable[Interval]) -> list[Interval]:
    """Intervals in order, those that touch or overlap made one."""
    result: list[Interval] = []
    for interval in sorted(intervals, key=lambda each: each.start):
        if result and interval.start <= result[-1].end:
            result[-1] = Interval(result[-1].start, max(result[-1].end, interval.end))
        else:
            result.append(interval)
    return result


def without(intervals: Sequence[Interval], busy: Iterable[Interval]) -> list[Interval]:
    """What is left of intervals when busy times are taken out."""
    left = list(intervals)
    for taken in joined(busy):
        rest: list[Interval] = []
        for interval in left:
            if not interval.overlaps(taken):
                rest.append(interval)
                continue
            if interval.start < taken.start:
                rest.append(Interval(interval.start, taken.start))
            if taken.end < interval.end:
                rest.append(Interval(taken.end, interval.end))
        left = rest
    return left


def rounded_up(moment: datetime, step: int) -> datetime:
    """The next start that slots of this distance may have: full hours, half hours … after the hour."""
    minutes = next((each for each in ROUND_MINUTES if step % each == 0), 1)
    hour = moment.replace(minute=0, second=0, microsecond=0)
    after = (moment - hour).total_seconds() / 60
    return hour + timedelta(minutes=math.ceil(after / minutes) * minutes)


def starts_in(interval: Interval, rules: SlotRules, now: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The starts of the slots that fit into one free interval."""
    earliest = max(interval.start, now + timedelta(minutes=rules.minimum_notice))
    # Full hours are those of the guest's zone: half-hour zones have theirs between ours.
    start = rounded_up(earliest.astimezone(zone), rules.step).astimezone(UTC)
    start += timedelta(minutes=rules.offset_start)
    while start + timedelta(minutes=rules.length) <= interval.end:
        yield start
        start += timedelta(minutes=rules.step + rules.offset_start)


def free_starts(
    hours: WorkingHours,
    busy: Iterable[Interval],
    window: Interval,
    rules: SlotRules,
    now: datetime,
    time_zone: str,
) -> list[datetime]:
    """The starts of all free slots of a window, in order."""
    # A slot must end inside its hours, not inside the window: look a slot's length beyond the window's end.
    wide = Interval(window.start, window.end + timedelta(minutes=rules.length))
    zone = ZoneInfo(time_zone)
    return [
        start
        for interval in without(open_intervals(hours, wide), busy)
        for start in starts_in(interval, rules, now, zone)
        if start < window.end
    ]


def by_day(starts: Iterable[datetime], time_zone: str) -> dict[str, list[datetime]]:
    """Starts grouped by the day of the guest's zone, as `2026-12-07`."""
    zone = ZoneInfo(time_zone)
    days: dict[str, list[datetime]] = {}
    for start in starts:
        days.setdefault(start.astimezone(zone).date().isoformat(), []).append(start)
    return days
