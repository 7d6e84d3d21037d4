"""`availability`: schedules with their hours and overrides (FACTS §14)."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from ...core import schedules
from ...core.schedules import Range
from ...database import Connection, Row, one, rows
from ..superjson import UNDEFINED
from ..trpc import Call, Router, mutation, query
from ..validation import Path, Problem, boolean, date, many, nullish, number, optional, shape, text, time_zone

DAYS = 7


def day_range(value: Any, path: Path, problems: list[Problem]) -> Any:
    """One `{start, end}` of dates whose times are wall time."""
    return shape({"start": date, "end": date})(value, path, problems)


def ranges(days: list[list[dict[str, datetime]]]) -> list[list[Range]]:
    """Hours by weekday, from dates in UTC that mean local wall time."""
    return [[Range(each["start"].time(), each["end"].time()) for each in day] for day in days]


def listed(call: Call, _given: Any) -> dict[str, Any]:
    """The user's schedules with their rows."""
    user = call.host
    return {
        "schedules": [
            {
                "id": schedule["id"],
                "name": schedule["name"],
                "availability": sent_rows(call.connection, schedule["id"]),
                "timeZone": schedule["timeZone"],
                "isDefault": schedule["id"] == user["defaultScheduleId"],
            }
            for schedule in schedules.listed(call.connection, user["id"])
        ]
    }


def sent_rows(connection: Connection, schedule_id: int) -> list[dict[str, Any]]:
    """The rows of a schedule as they are sent."""
    return [schedules.row_as_sent(row) for row in schedules.availability(connection, schedule_id)]


def by_weekday(rows_sent: list[dict[str, Any]], today: datetime) -> list[list[dict[str, datetime]]]:
    """Hours by weekday as the pages want them: on today's date, in UTC, meaning local wall time."""
    week: list[list[dict[str, datetime]]] = [[] for _ in range(DAYS)]
    for row in rows_sent:
        for weekday in row["days"]:
            week[weekday].append(
                {
                    name: datetime.combine(today.date(), row[column].time(), UTC)
                    for name, column in (("start", "startTime"), ("end", "endTime"))
                }
            )
    for day in week:
        day.sort(key=lambda each: each["start"])
    return week


def create(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """A new schedule, Monday to Friday 9 to 17 unless hours are given."""
    days = ranges(given["schedule"]) if given.get("schedule") else None
    schedule = schedules.create(call.connection, call.host, given["name"], days)
    return {"schedule": {name: schedule[name] for name in ("id", "userId", "name", "timeZone")}}


def change(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Change a schedule. Without a name nothing but the default changes (FACTS §14)."""
    user = call.host
    schedule = schedules.owned(call.connection, user["id"], given["scheduleId"])
    default_before = user["defaultScheduleId"]
    default_now = default_before
    if given.get("isDefault"):
        schedules.make_default(call.connection, user["id"], schedule["id"])
        default_now = schedule["id"]
    is_default = default_now == schedule["id"]
    if not given.get("name"):
        return {
            "schedule": {name: schedule[name] for name in ("userId", "name", "id")},
            "isDefault": is_default,
        }
    overrides = [
        (each["start"].date(), Range(each["start"].time(), each["end"].time()))
        for each in given.get("dateOverrides") or []
    ]
    days = ranges(given.get("schedule") or [])
    changed = schedules.replace(
        call.connection, schedule, given["name"], given.get("timeZone"), days, overrides
    )
    sent = sent_rows(call.connection, schedule["id"])
    return {
        "schedule": {
            "id": changed["id"],
            "userId": changed["userId"],
            "name": changed["name"],
            "availability": sent,
            "timeZone": changed["timeZone"],
            "eventType": users_of(call.connection, schedule["id"]),
        },
        "availability": by_weekday(sent, call.instance.now()),
        "timeZone": changed["timeZone"],
        "isDefault": is_default,
        "prevDefaultId": default_before,
        "currentDefaultId": default_now,
    }


def users_of(connection: Connection, schedule_id: int) -> list[Row]:
    """The event types that name a schedule."""
    return rows(
        connection,
        'SELECT id, "eventName" FROM "EventType" WHERE "scheduleId" = %s ORDER BY id',
        (schedule_id,),
    )


def get(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """One schedule in all the forms that its page needs; the default one where none is named."""
    user = call.host
    schedule_id = given.get("scheduleId") or user["defaultScheduleId"] or 0
    schedule = schedules.owned(call.connection, user["id"], schedule_id)
    sent = sent_rows(call.connection, schedule["id"])
    weekly = [row for row in sent if row["date"] is None]
    return {
        "id": schedule["id"],
        "name": schedule["name"],
        "isManaged": False,
        "workingHours": [
            {
                # The very list of the row below: superjson notes that the two are the same.
                "days": row["days"],
                "startTime": minutes(row["startTime"]),
                "endTime": minutes(row["endTime"]),
            }
            for row in weekly
        ],
        "schedule": sent,
        "availability": by_weekday(weekly, call.instance.now()),
        "timeZone": schedule["timeZone"] or user["timeZone"],
        "dateOverrides": override_ranges(sent),
        "isDefault": schedule["id"] == user["defaultScheduleId"],
        "isLastSchedule": schedules.is_last(call.connection, user["id"]),
        "readOnly": False,
        "userId": schedule["userId"],
    }


def minutes(moment: datetime) -> int:
    """Minutes since midnight."""
    return moment.hour * 60 + moment.minute


def override_ranges(sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The overrides, one entry a day."""
    days: dict[datetime, list[dict[str, datetime]]] = {}
    for row in sent:
        if row["date"] is not None:
            days.setdefault(row["date"], []).append(
                {
                    "start": on_day(row["date"], row["startTime"].time()),
                    "end": on_day(row["date"], row["endTime"].time()),
                }
            )
    return [{"ranges": each} for _, each in sorted(days.items())]


def on_day(day: datetime, moment: time) -> datetime:
    """A wall time on a day, in UTC as it is sent."""
    return datetime.combine(day.date(), moment, UTC)


def delete(call: Call, given: dict[str, Any]) -> Any:
    """Delete a schedule; the default one is refused."""
    schedules.delete(call.connection, call.host, given["scheduleId"])
    return UNDEFINED


def duplicate(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """A copy of a schedule under a name that says so."""
    user = call.host
    source = schedules.owned(call.connection, user["id"], given["scheduleId"])
    copy = schedules.create(call.connection, user, f"{source['name']} (Copy)", [])
    call.connection.execute(
        'INSERT INTO "Availability" ("scheduleId", days, "startTime", "endTime", date)'
        ' SELECT %s, days, "startTime", "endTime", date FROM "Availability"'
        ' WHERE "scheduleId" = %s ORDER BY id',
        (copy["id"], source["id"]),
    )
    found = one(call.connection, 'SELECT * FROM "Schedule" WHERE id = %s', (copy["id"],)) or copy
    return {"schedule": {name: found[name] for name in ("id", "userId", "name", "timeZone")}}


HOURS = many(many(day_range))

ROUTER: Router = {
    "list": query(listed),
    "schedule.get": query(get, shape({"scheduleId": optional(number())})),
    "schedule.create": mutation(
        create,
        shape({"name": text(1), "schedule": optional(HOURS), "eventTypeId": optional(number())}),
    ),
    "schedule.update": mutation(
        change,
        shape(
            {
                "scheduleId": number(),
                "timeZone": optional(time_zone),
                "name": optional(text()),
                "isDefault": optional(boolean),
                "schedule": optional(HOURS),
                "dateOverrides": nullish(many(day_range)),
            }
        ),
    ),
    "schedule.delete": mutation(delete, shape({"scheduleId": number()})),
    "schedule.duplicate": mutation(duplicate, shape({"scheduleId": number()})),
}
