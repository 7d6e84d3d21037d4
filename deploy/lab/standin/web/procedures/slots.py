"""`slots`: when a guest can book, and holding a slot while the form is filled in (FACTS §14)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from ...core import availability, event_types, people, slots
from ...core.identifiers import new_uuid
from ...core.refusals import RefusalError
from ...core.slots import Interval
from ...database import Row
from ..superjson import UNDEFINED, Undefined
from ..trpc import Call, Router, mutation, query
from ..validation import (
    Path,
    Problem,
    boolean,
    is_time_zone,
    many,
    nullish,
    number,
    optional,
    shape,
    text,
)  # fmt: skip

# How long a guest holds a slot (NEXT_PUBLIC_MINUTES_TO_BOOK's default).
RESERVATION = timedelta(minutes=5)
UID_COOKIE = "uid"


def instant(value: str) -> datetime | None:
    """What JavaScript's date parser makes of a text, or None."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


QUESTION = shape(
    {
        "startTime": text(),
        "endTime": text(),
        "eventTypeId": optional(number()),
        "eventTypeSlug": optional(text()),
        "timeZone": optional(text()),
        "usernameList": nullish(many(text())),
        "duration": optional(text()),
        "rescheduleUid": nullish(text()),
        "isTeamEvent": optional(boolean),
        "orgSlug": nullish(text()),
        "teamMemberEmail": nullish(text()),
        "_isDryRun": optional(boolean),
    }
)


def question(value: Any, path: Path, problems: list[Problem]) -> Any:
    """The input of getSchedule: a window, a type, and a zone that exists."""
    given = QUESTION(value, path, problems)
    if any(problem.code == "invalid_type" for problem in problems):
        return given
    start = instant(given["startTime"])
    if start is None:
        problems.append(Problem("custom", ("startTime",), "startTime must be a valid date string"))
    end = instant(given["endTime"])
    if end is None:
        problems.append(Problem("custom", ("endTime",), "endTime must be a valid date string"))
    if given.get("timeZone") and not is_time_zone(given["timeZone"]):
        words = "Invalid timezone. Must be a valid IANA timezone string."
        problems.append(Problem("custom", ("timeZone",), words))
    if given.get("eventTypeId") is None and not (given.get("usernameList") and given.get("eventTypeSlug")):
        words = "You need to either pass an eventTypeId OR an usernameList/eventTypeSlug combo"
        problems.append(Problem("custom", (), words))
    if start is None or end is None or start >= end:
        problems.append(Problem("custom", ("endTime",), "endTime must be after startTime"))
    return given


def asked_type(call: Call, given: dict[str, Any]) -> tuple[Row, Row]:
    """The event type that is asked for, and its host. Refuses what there is not."""
    event_type = None
    if given.get("eventTypeId") is not None:
        event_type = event_types.by_id(call.connection, given["eventTypeId"])
    elif given.get("usernameList"):
        found = event_types.by_slug(call.connection, given["usernameList"][0], given["eventTypeSlug"])
        event_type = found[1] if found else None
    host = event_types.host_of(call.connection, event_type) if event_type else None
    if event_type is None or host is None:
        raise RefusalError("NOT_FOUND")
    return event_type, host


def get_schedule(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """The free slots of a window by day of the guest's zone; slots of holidays are there but `away`."""
    event_type, host = asked_type(call, given)
    window = Interval(
        instant(given["startTime"]) or call.instance.now(), instant(given["endTime"]) or call.instance.now()
    )
    zone = given.get("timeZone") or "UTC"
    duration = re.match(r"\d{1,6}", given.get("duration") or "")
    starts = availability.free_starts(
        call.connection,
        event_type,
        host,
        window,
        call.instance.now(),
        zone,
        length=int(duration[0]) if duration else None,
        guest_uid=call.request.cookies.get(UID_COOKIE),
        reschedule_uid=given.get("rescheduleUid"),
    )
    away = availability.holidays(call.connection, host["id"], window)
    days = slots.by_day(starts, event_type["lockedTimeZone"] or zone)
    return {"slots": {day: day_as_sent(each, host, away) for day, each in days.items()}}


def day_as_sent(starts: list[datetime], host: Row, away: list[availability.Holiday]) -> list[dict[str, Any]]:
    """The slots of a day; those of a holiday share one face of the host, which superjson notes."""
    face = {"id": host["id"], "displayName": people.display_name(host)}
    return [as_sent(start, face, away) for start in starts]


def as_sent(start: datetime, face: Row, away: list[availability.Holiday]) -> dict[str, Any]:
    """One slot; marked where the host is away, with the host's one face."""
    for holiday in away:
        if holiday.start <= start < holiday.end:
            return {
                "away": True,
                "fromUser": face,
                "reason": holiday.reason,
                "emoji": holiday.emoji,
                **({"notes": holiday.notes} if holiday.show_note and holiday.notes else {}),
                "showNotePublicly": holiday.show_note,
                "time": iso(start),
            }
    return {"time": iso(start)}


def iso(start: datetime) -> str:
    """A slot's start: text, not a superjson date."""
    return start.strftime("%Y-%m-%dT%H:%M:%S.") + f"{start.microsecond // 1000:03}Z"


RESERVATION_INPUT = shape(
    {
        "eventTypeId": number(),
        "slotUtcStartDate": text(),
        "slotUtcEndDate": text(),
        "bookingUid": optional(text()),
        "_isDryRun": optional(boolean),
    }
)


def reserve(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Hold a slot under the guest's cookie, which is set where there is none."""
    event_type = event_types.by_id(call.connection, given["eventTypeId"])
    host = event_types.host_of(call.connection, event_type) if event_type else None
    if event_type is None or host is None:
        raise RefusalError("NOT_FOUND", "Event type not found")
    start, end = instant(given["slotUtcStartDate"]), instant(given["slotUtcEndDate"])
    if start is None or end is None or start >= end:
        raise RefusalError("BAD_REQUEST", "Invalid slot")
    uid, now = call.request.cookies.get(UID_COOKIE) or new_uuid(), call.instance.now()
    wanted = Interval(start, end)
    if availability.is_reserved(call.connection, host, wanted, uid, now):
        raise RefusalError("BAD_REQUEST", "Slot is already reserved")
    availability.reserve(call.connection, event_type, host, wanted, uid, now + RESERVATION)
    secure = call.instance.settings.secure_cookies
    call.cookies.append(
        f"{UID_COOKIE}={uid}; Path=/; " + ("Secure; SameSite=None" if secure else "SameSite=Lax")
    )
    return {"uid": uid}


def is_available(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Whether slots that a guest looked at are still free."""
    checked = []
    for slot in given["slots"]:
        wanted = Interval(
            instant(slot["utcStartIso"]) or call.instance.now(),
            instant(slot["utcEndIso"]) or call.instance.now(),
        )
        event_type = event_types.by_id(call.connection, given["eventTypeId"])
        host = event_types.host_of(call.connection, event_type) if event_type else None
        free = (
            event_type is not None
            and host is not None
            and availability.is_free(call.connection, event_type, host, wanted)
            and not availability.is_reserved(
                call.connection, host, wanted, call.request.cookies.get(UID_COOKIE, ""), call.instance.now()
            )
        )
        checked.append({**slot, "status": "available" if free else "reserved"})
    return {"slots": checked}


def release(call: Call, given: dict[str, Any] | Undefined) -> Any:
    """Give back what the guest holds."""
    uid = (given or {}).get("uid") if isinstance(given, dict) else None
    uid = uid or call.request.cookies.get(UID_COOKIE)
    if uid:
        availability.release(call.connection, uid)
    return UNDEFINED


ROUTER: Router = {
    "getSchedule": query(get_schedule, question, guests=True),
    "reserveSlot": mutation(reserve, RESERVATION_INPUT, guests=True),
    "isAvailable": query(
        is_available,
        shape(
            {
                "slots": many(shape({"utcStartIso": text(), "utcEndIso": text()})),
                "eventTypeId": number(),
            }
        ),
        guests=True,
    ),
    "removeSelectedSlotMark": mutation(
        release, optional(nullish(shape({"uid": nullish(text())}))), guests=True
    ),
}
