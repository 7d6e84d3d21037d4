"""Schedules: named sets of working hours and date overrides, one of them a user's default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from ..database import Connection, Row, insert, must, one, rows, update
from .refusals import RefusalError

# Monday to Friday, 9 to 17: what a new schedule starts with, and what holds for a user without any.
OFFICE_DAYS = [1, 2, 3, 4, 5]
OFFICE_HOURS = (time(9), time(17))


@dataclass(frozen=True)
class Range:
    """A stretch of one day, in the schedule's own wall time; 23:59 means the end of the day."""

    start: time
    end: time


@dataclass(frozen=True)
class WorkingHours:
    """When somebody can be booked: hours by weekday (0 is Sunday), and days that differ."""

    time_zone: str
    weekly: dict[int, list[Range]]
    overrides: dict[date, list[Range]] = field(default_factory=dict)


def listed(connection: Connection, user_id: int) -> list[Row]:
    """A user's schedules, oldest first."""
    return rows(connection, 'SELECT * FROM "Schedule" WHERE "userId" = %s ORDER BY id', (user_id,))


def owned(connection: Connection, user_id: int, schedule_id: int) -> Row:
    """One of a user's own schedules. Refuses unknown and foreign ones as the real app does: 500."""
    schedule = one(
        connection, 'SELECT * FROM "Schedule" WHERE id = %s AND "userId" = %s', (schedule_id, user_id)
    )
    if schedule is None:
        raise RefusalError("INTERNAL_SERVER_ERROR", "Unauthorized")
    return schedule


def availability(connection: Connection, schedule_id: int) -> list[Row]:
    """The rows of a schedule: weekly hours first, then overrides, as they were saved."""
    return rows(
        connection, 'SELECT * FROM "Availability" WHERE "scheduleId" = %s ORDER BY id', (schedule_id,)
    )


def create(
    connection: Connection, user: Row, name: str, days: Sequence[Sequence[Range]] | None = None
) -> Row:
    """A new schedule in the user's time zone; a user's first one becomes the default."""
    schedule = insert(
        connection, "Schedule", {"userId": user["id"], "name": name, "timeZone": user["timeZone"]}
    )
    if days is None:
        add_hours(connection, schedule["id"], OFFICE_DAYS, Range(*OFFICE_HOURS))
    else:
        add_weekly_hours(connection, schedule["id"], days)
    if user["defaultScheduleId"] is None:
        make_default(connection, user["id"], schedule["id"])
    return schedule


def replace(
    connection: Connection,
    schedule: Row,
    name: str,
    time_zone: str | None,
    days: Sequence[Sequence[Range]],
    overrides: Sequence[tuple[date, Range]],
) -> Row:
    """Give a schedule another name, zone and hours; all hours and overrides are replaced."""
    changed = update(
        connection,
        "Schedule",
        {"id": schedule["id"]},
        {"name": name, "timeZone": time_zone or schedule["timeZone"]},
    )
    connection.execute('DELETE FROM "Availability" WHERE "scheduleId" = %s', (schedule["id"],))
    add_weekly_hours(connection, schedule["id"], days)
    for day, stretch in overrides:
        add_hours(connection, schedule["id"], [], stretch, day)
    return changed or schedule


def add_weekly_hours(connection: Connection, schedule_id: int, days: Sequence[Sequence[Range]]) -> None:
    """Insert hours given by weekday; days with the same stretch share a row."""
    shared: dict[Range, list[int]] = {}
    for weekday, stretches in enumerate(days):
        for stretch in stretches:
            shared.setdefault(stretch, []).append(weekday)
    for stretch, weekdays in shared.items():
        add_hours(connection, schedule_id, weekdays, stretch)


def add_hours(
    connection: Connection, schedule_id: int, weekdays: list[int], stretch: Range, day: date | None = None
) -> None:
    """Insert one row: a stretch on weekdays, or on one day."""
    insert(
        connection,
        "Availability",
        {
            "scheduleId": schedule_id,
            "days": weekdays,
            "startTime": stretch.start,
            "endTime": stretch.end,
            "date": day,
        },
        returning="id",
    )


def make_default(connection: Connection, user_id: int, schedule_id: int) -> None:
    """Make a schedule the one that holds where an event type names none."""
    update(connection, "users", {"id": user_id}, {"defaultScheduleId": schedule_id})


def delete(connection: Connection, user: Row, schedule_id: int) -> None:
    """Delete a schedule; the default one is refused (FACTS §14)."""
    owned(connection, user["id"], schedule_id)
    if user["defaultScheduleId"] == schedule_id:
        raise RefusalError("BAD_REQUEST")
    connection.execute('DELETE FROM "Schedule" WHERE id = %s', (schedule_id,))


def is_last(connection: Connection, user_id: int) -> bool:
    """Whether the user has no second schedule."""
    found = must(connection, 'SELECT count(*) AS number FROM "Schedule" WHERE "userId" = %s', (user_id,))
    return int(found["number"]) <= 1


def working_hours(connection: Connection, user: Row, schedule_id: int | None) -> WorkingHours:
    """The hours that hold for a user: of this schedule, else of the default, else office hours."""
    chosen = schedule_id or user["defaultScheduleId"]
    schedule = one(connection, 'SELECT * FROM "Schedule" WHERE id = %s', (chosen,)) if chosen else None
    if schedule is None:
        hours = Range(*OFFICE_HOURS)
        return WorkingHours(user["timeZone"], {weekday: [hours] for weekday in OFFICE_DAYS})
    weekly: dict[int, list[Range]] = {}
    overrides: dict[date, list[Range]] = {}
    for row in availability(connection, schedule["id"]):
        stretch = Range(row["startTime"], row["endTime"])
        if row["date"] is not None:
            overrides.setdefault(row["date"], []).append(stretch)
        for weekday in row["days"] or []:
            weekly.setdefault(weekday, []).append(stretch)
    return WorkingHours(schedule["timeZone"] or user["timeZone"], weekly, overrides)


def on_first_day(moment: time) -> datetime:
    """A wall time as the real app sends it: that time on 1970-01-01, in UTC."""
    return datetime.combine(date(1970, 1, 1), moment, UTC)


def row_as_sent(row: Row) -> dict[str, Any]:
    """An `Availability` row with its times and its date as instants."""
    return {
        "id": row["id"],
        "userId": row["userId"],
        "eventTypeId": row["eventTypeId"],
        "days": list(row["days"] or []),
        "startTime": on_first_day(row["startTime"]),
        "endTime": on_first_day(row["endTime"]),
        "date": datetime.combine(row["date"], time(), UTC) if row["date"] else None,
        "scheduleId": row["scheduleId"],
    }
