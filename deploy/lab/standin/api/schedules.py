"""`/v2/schedules`: working hours and date overrides (2024-06-11), and the older shape of their reading."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from ..core import schedules
from ..core.payloads import iso
from ..core.schedules import Range
from ..database import Connection, Row, insert, one, update
from .errors import refusal
from .me import DAYS
from .routing import Call, Route, success
from .validation import (
    ARRAY,
    BOOLEAN,
    STRING,
    ZONE,
    Check,
    Field,
    checked,
    each,
    is_iso_date,
    matching,
    one_of,
)

CURRENT = ("2024-06-11", "2024-06-14", "2024-08-13", "2024-09-04")
OLD = ("2024-04-15",)

# Weekdays as the table counts them: 0 is Sunday.
NUMBERS = {name: (index + 1) % 7 for index, name in enumerate(DAYS)}
NAMES = {number: name for name, number in NUMBERS.items()}
OFFICE = [{"days": list(DAYS[:5]), "startTime": "09:00", "endTime": "17:00"}]

CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"
START = matching(CLOCK, "startTime must be a valid time format HH:MM")
END = matching(CLOCK, "endTime must be a valid time format HH:MM")
DAY = Check("isIso8601", is_iso_date, "{} must be a valid ISO 8601 date string")
AVAILABILITY = (
    Field("days", (each(one_of(*DAYS, name="isIn")), ARRAY), False),
    Field("startTime", (START, STRING), False),
    Field("endTime", (END, STRING), False),
)
OVERRIDE = (
    Field("date", (DAY,), False),
    Field("startTime", (START, STRING), False),
    Field("endTime", (END, STRING), False),
)


def shape(required: bool) -> tuple[Field, ...]:
    """The fields of a new schedule, or of a change."""
    return (
        Field("name", (STRING,), not required),
        Field("timeZone", (ZONE,), not required),
        Field("availability", (ARRAY,), nested=AVAILABILITY, listed=True),
        Field("isDefault", (BOOLEAN,), not required),
        Field("overrides", (ARRAY,), nested=OVERRIDE, listed=True),
    )


def shown(connection: Connection, user: Row, schedule: Row) -> dict[str, Any]:
    """A schedule in the current shape."""
    stored = schedules.availability(connection, schedule["id"])
    return {
        "id": schedule["id"],
        "ownerId": schedule["userId"],
        "name": schedule["name"],
        "timeZone": schedule["timeZone"] or user["timeZone"],
        "availability": [
            {"days": [NAMES[day] for day in row["days"]], **hours(row)} for row in stored if row["days"]
        ],
        "isDefault": schedule["id"] == user["defaultScheduleId"],
        "overrides": [{"date": row["date"].isoformat(), **hours(row)} for row in stored if row["date"]],
    }


def hours(row: Row) -> dict[str, str]:
    """The two ends of a row's stretch."""
    return {"startTime": f"{row['startTime']:%H:%M}", "endTime": f"{row['endTime']:%H:%M}"}


def owned(connection: Connection, user: Row, schedule_id: int, status: int = 404) -> Row:
    """One of the caller's schedules. Raises ApiError: `status` where there is none, 403 for a foreign one."""
    schedule = one(connection, 'SELECT * FROM "Schedule" WHERE id = %s', (schedule_id,))
    if schedule is None:
        raise refusal(status, f"Schedule with ID={schedule_id} does not exist.")
    if schedule["userId"] != user["id"]:
        raise refusal(403, f"User with ID={user['id']} does not own schedule with ID={schedule_id}")
    return schedule


def listed(call: Call) -> dict[str, Any]:
    """The caller's schedules."""
    with call.instance.database.transaction() as connection:
        own = schedules.listed(connection, call.caller["id"])
        return success([shown(connection, call.caller, schedule) for schedule in own])


def read(call: Call) -> dict[str, Any]:
    """One schedule."""
    with call.instance.database.transaction() as connection:
        schedule = owned(connection, call.caller, call.number("id"))
        return success(shown(connection, call.caller, schedule))


def default(call: Call) -> dict[str, Any]:
    """The default schedule, or null."""
    schedule_id = call.caller["defaultScheduleId"]
    if schedule_id is None:
        return success(None)
    with call.instance.database.transaction() as connection:
        return success(shown(connection, call.caller, owned(connection, call.caller, schedule_id)))


def create(call: Call) -> dict[str, Any]:
    """A new schedule; the same name may repeat."""
    given = checked(shape(required=True), call.body)
    user = call.caller
    with call.instance.database.transaction() as connection:
        schedule = insert(
            connection,
            "Schedule",
            {"userId": user["id"], "name": given["name"], "timeZone": given["timeZone"]},
        )
        add_hours(connection, schedule["id"], given.get("availability") or OFFICE)
        add_overrides(connection, schedule["id"], given.get("overrides") or [])
        if given["isDefault"]:
            schedules.make_default(connection, user["id"], schedule["id"])
            user = user | {"defaultScheduleId": schedule["id"]}
        return success(shown(connection, user, schedule))


def change(call: Call) -> dict[str, Any]:
    """Set some of a schedule: given hours replace the hours, given overrides the overrides."""
    given = checked(shape(required=False), call.body)
    user = call.caller
    with call.instance.database.transaction() as connection:
        schedule = owned(connection, user, call.number("id"))
        values = {name: given[name] for name in ("name", "timeZone") if given.get(name) is not None}
        if values:
            schedule = update(connection, "Schedule", {"id": schedule["id"]}, values) or schedule
        if given.get("availability") is not None:
            connection.execute(
                'DELETE FROM "Availability" WHERE "scheduleId" = %s AND date IS NULL', (schedule["id"],)
            )
            add_hours(connection, schedule["id"], given["availability"])
        if given.get("overrides") is not None:
            connection.execute(
                'DELETE FROM "Availability" WHERE "scheduleId" = %s AND date IS NOT NULL', (schedule["id"],)
            )
            add_overrides(connection, schedule["id"], given["overrides"])
        if given.get("isDefault"):
            schedules.make_default(connection, user["id"], schedule["id"])
            user = user | {"defaultScheduleId": schedule["id"]}
        return success(shown(connection, user, schedule))


def delete(call: Call) -> dict[str, Any]:
    """Delete a schedule; an unknown one is a bad request here."""
    with call.instance.database.transaction() as connection:
        schedule = owned(connection, call.caller, call.number("id"), status=400)
        connection.execute('DELETE FROM "Schedule" WHERE id = %s', (schedule["id"],))
    return {"status": "success"}


def add_hours(connection: Connection, schedule_id: int, availability: Sequence[dict[str, Any]]) -> None:
    """Store weekly hours, a row for each entry."""
    for entry in availability:
        days = [NUMBERS[day] for day in entry["days"]]
        schedules.add_hours(connection, schedule_id, days, stretch(entry))


def add_overrides(connection: Connection, schedule_id: int, overrides: Sequence[dict[str, Any]]) -> None:
    """Store days that differ."""
    for entry in overrides:
        schedules.add_hours(connection, schedule_id, [], stretch(entry), day_of(entry["date"]))


def day_of(text: str) -> date:
    """The day that a date, or an instant, stands for in UTC."""
    moment = datetime.fromisoformat(text)
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)).date()


def stretch(entry: dict[str, Any]) -> Range:
    """The hours of an entry."""
    return Range(time.fromisoformat(entry["startTime"]), time.fromisoformat(entry["endTime"]))


def old_shape(call: Call, connection: Connection, schedule: Row) -> dict[str, Any]:
    """A schedule as the oldest version shows it: the shape of the web app's own page."""
    user = call.caller
    stored = schedules.availability(connection, schedule["id"])
    week: list[list[dict[str, str]]] = [[] for _ in DAYS]
    weekly = [row for row in stored if row["date"] is None]
    for row in weekly:
        for day in row["days"]:
            week[day].append(
                {"start": today(call, row["startTime"]), "end": today(call, row["endTime"], ends=True)}
            )
    return {
        "id": schedule["id"],
        "name": schedule["name"],
        "isManaged": False,
        "workingHours": [
            {
                "days": list(row["days"]),
                "startTime": minutes(row["startTime"]),
                "endTime": minutes(row["endTime"]),
                "userId": user["id"],
            }
            for row in weekly
        ],
        "schedule": [
            {
                name: iso(value) if isinstance(value, datetime) else value
                for name, value in schedules.row_as_sent(row).items()
            }
            | {"userId": user["id"]}
            for row in stored
        ],
        "availability": week,
        "timeZone": schedule["timeZone"] or user["timeZone"],
        "isDefault": schedule["id"] == user["defaultScheduleId"],
        "dateOverrides": [
            {"ranges": [{"start": on(row["date"], row["startTime"]), "end": on(row["date"], row["endTime"])}]}
            for row in stored
            if row["date"]
        ],
        "readOnly": False,
        "isLastSchedule": schedules.is_last(connection, user["id"]),
        "userId": user["id"],
    }


def minutes(moment: time) -> int:
    """Minutes since midnight."""
    return moment.hour * 60 + moment.minute


def on(day: date, moment: time) -> str:
    """A wall time on a day, in UTC as it is sent."""
    return iso(datetime.combine(day, moment, UTC))


def today(call: Call, moment: time, ends: bool = False) -> str:
    """A wall time on the present day; the end of a day is its last millisecond."""
    if ends and moment == time(23, 59):
        moment = time(23, 59, 59, 999000)
    return on(call.now().date(), moment)


def old_listed(call: Call) -> dict[str, Any]:
    """The caller's schedules in the oldest shape."""
    with call.instance.database.transaction() as connection:
        own = schedules.listed(connection, call.caller["id"])
        return success([old_shape(call, connection, schedule) for schedule in own])


def old_read(call: Call) -> dict[str, Any]:
    """One schedule, or the default one, in the oldest shape."""
    schedule_id = call.number("id") if "id" in call.params else call.caller["defaultScheduleId"]
    if schedule_id is None:
        return success(None)
    with call.instance.database.transaction() as connection:
        return success(old_shape(call, connection, owned(connection, call.caller, schedule_id)))


ROUTES = [
    Route("GET", "/v2/schedules", listed, versions=CURRENT),
    Route("POST", "/v2/schedules", create, versions=CURRENT, status=201),
    Route("GET", "/v2/schedules/default", default, versions=CURRENT),
    Route("GET", "/v2/schedules/{id}", read, versions=CURRENT),
    Route("PATCH", "/v2/schedules/{id}", change, versions=CURRENT),
    Route("DELETE", "/v2/schedules/{id}", delete),
    Route("GET", "/v2/schedules", old_listed, versions=OLD),
    Route("GET", "/v2/schedules/default", old_read, versions=OLD),
    Route("GET", "/v2/schedules/{id}", old_read, versions=OLD),
]
