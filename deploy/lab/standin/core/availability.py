"""When an event type can be booked: working hours less bookings, reservations, limits and holidays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ..database import Connection, Row, must, one, rows
from . import schedules, slots
from .slots import Interval, SlotRules

LIMIT_PERIODS = ("PER_DAY", "PER_WEEK", "PER_MONTH", "PER_YEAR")


@dataclass(frozen=True)
class Holiday:
    """An out-of-office entry, as the guest is told of it."""

    user_id: int
    start: datetime
    end: datetime
    reason: str
    emoji: str
    notes: str | None
    show_note: bool


def rules_of(event_type: Row, length: int | None = None) -> SlotRules:
    """The slot rules of an event type, for one of its lengths."""
    return SlotRules(
        length=length or event_type["length"],
        interval=event_type["slotInterval"],
        minimum_notice=event_type["minimumBookingNotice"],
        offset_start=event_type["offsetStart"],
    )


def free_starts(
    connection: Connection,
    event_type: Row,
    host: Row,
    window: Interval,
    now: datetime,
    time_zone: str,
    length: int | None = None,
    guest_uid: str | None = None,
    reschedule_uid: str | None = None,
) -> list[datetime]:
    """The starts that a guest may choose in a window.

    `guest_uid` is the guest's own reservation cookie, `reschedule_uid` the booking that would be moved:
    neither takes a slot from this guest.
    """
    hours = schedules.working_hours(connection, host, event_type["scheduleId"])
    if event_type["timeZone"]:
        hours = schedules.WorkingHours(event_type["timeZone"], hours.weekly, hours.overrides)
    busy = [
        *booked(connection, event_type, host["id"], window, reschedule_uid),
        *reserved(connection, host["id"], now, guest_uid),
        *over_limit(connection, event_type, window, hours.time_zone, reschedule_uid),
    ]
    zone = event_type["lockedTimeZone"] or time_zone
    starts = slots.free_starts(hours, busy, window, rules_of(event_type, length), now, zone)
    starts = [start for start in starts if in_period(event_type, start, now, hours)]
    if event_type["onlyShowFirstAvailableSlot"]:
        starts = [day[0] for day in slots.by_day(starts, zone).values()]
    return starts


def booked(
    connection: Connection, event_type: Row, host_id: int, window: Interval, but_not: str | None
) -> Iterator[Interval]:
    """What the host's bookings take, with the buffers of their types and of the one to be booked."""
    around = timedelta(days=1)
    for booking in rows(
        connection,
        'SELECT b."startTime", b."endTime", coalesce(t."beforeEventBuffer", 0) AS before,'
        ' coalesce(t."afterEventBuffer", 0) AS after FROM "Booking" b'
        ' LEFT JOIN "EventType" t ON t.id = b."eventTypeId"'
        ' WHERE b."userId" = %(host)s AND b."startTime" < %(end)s AND b."endTime" > %(start)s'
        " AND (b.status = 'accepted' OR (b.status = 'pending' AND t.\"requiresConfirmationWillBlockSlot\"))"
        " AND b.uid IS DISTINCT FROM %(but_not)s"
        # A booking of the same type with a seat left takes nothing from who would join it.
        ' AND NOT (%(seats)s > 0 AND b."eventTypeId" = %(type)s AND %(seats)s >'
        ' (SELECT count(*) FROM "Attendee" a WHERE a."bookingId" = b.id))',
        {
            "host": host_id,
            "start": window.start - around,
            "end": window.end + around,
            "but_not": but_not,
            "seats": event_type["seatsPerTimeSlot"] or 0,
            "type": event_type["id"],
        },
    ):
        yield Interval(
            booking["startTime"] - timedelta(minutes=event_type["afterEventBuffer"] + booking["before"]),
            booking["endTime"] + timedelta(minutes=event_type["beforeEventBuffer"] + booking["after"]),
        )


def reserved(
    connection: Connection, host_id: int, now: datetime, guest_uid: str | None
) -> Iterator[Interval]:
    """What other guests hold of this host while they fill in their forms, for whatever event type."""
    for slot in rows(
        connection,
        'SELECT * FROM "SelectedSlots" WHERE "userId" = %s AND "releaseAt" > %s AND uid IS DISTINCT FROM %s',
        (host_id, now, guest_uid),
    ):
        yield Interval(slot["slotUtcStartDate"], slot["slotUtcEndDate"])


def over_limit(
    connection: Connection, event_type: Row, window: Interval, time_zone: str, but_not: str | None
) -> Iterator[Interval]:
    """The days, weeks, months and years in which the type's booking limits are reached."""
    for limits, measure in (
        (event_type["bookingLimits"], "count(*)"),
        (event_type["durationLimits"], 'coalesce(sum(extract(epoch FROM "endTime" - "startTime") / 60), 0)'),
    ):
        for period in LIMIT_PERIODS:
            limit = (limits or {}).get(period)
            if not limit:
                continue
            for stretch in periods(period, window, ZoneInfo(time_zone)):
                spent = must(
                    connection,
                    f'SELECT {measure} AS spent FROM "Booking" WHERE "eventTypeId" = %s'  # noqa: S608
                    ' AND status = \'accepted\' AND "startTime" >= %s AND "startTime" < %s'
                    " AND uid IS DISTINCT FROM %s",
                    (event_type["id"], stretch.start, stretch.end, but_not),
                )["spent"]
                if spent >= limit:
                    yield stretch


def periods(period: str, window: Interval, zone: ZoneInfo) -> Iterator[Interval]:
    """The whole days, weeks, months or years that a window touches."""

    def at(day: date) -> datetime:
        return datetime.combine(day, time(), zone).astimezone(UTC)

    day = window.start.astimezone(zone).date()
    if period == "PER_WEEK":
        day -= timedelta(days=day.isoweekday() % 7)
    elif period == "PER_MONTH":
        day = day.replace(day=1)
    elif period == "PER_YEAR":
        day = day.replace(month=1, day=1)
    while at(day) < window.end:
        if period == "PER_DAY":
            following = day + timedelta(days=1)
        elif period == "PER_WEEK":
            following = day + timedelta(days=7)
        elif period == "PER_MONTH":
            following = (day + timedelta(days=32)).replace(day=1)
        else:
            following = day.replace(year=day.year + 1)
        yield Interval(at(day), at(following))
        day = following


def in_period(event_type: Row, start: datetime, now: datetime, hours: schedules.WorkingHours) -> bool:
    """Whether a start lies in the type's booking window (rolling days, or a range of dates)."""
    kind = event_type["periodType"]
    if kind == "unlimited":
        return True
    zone = ZoneInfo(hours.time_zone)
    day, today = start.astimezone(zone).date(), now.astimezone(zone).date()
    if kind == "range":
        first, last = event_type["periodStartDate"], event_type["periodEndDate"]
        return (first is None or first.date() <= day) and (last is None or day <= last.date())
    days = event_type["periodDays"] or 0
    if event_type["periodCountCalendarDays"]:
        return day <= today + timedelta(days=days)
    return day <= business_day(today, days)


def business_day(today: date, days: int) -> date:
    """The day that many working days (Monday to Friday) from today."""
    while days > 0:
        today += timedelta(days=1)
        days -= today.isoweekday() <= 5
    return today


def is_free(
    connection: Connection,
    event_type: Row,
    host: Row,
    wanted: Interval,
    reschedule_uid: str | None = None,
) -> bool:
    """Whether the host is at work and not taken for all of an interval, reservations aside."""
    hours = schedules.working_hours(connection, host, event_type["scheduleId"])
    busy = [
        *booked(connection, event_type, host["id"], wanted, reschedule_uid),
        *over_limit(connection, event_type, wanted, hours.time_zone, reschedule_uid),
        *(Interval(holiday.start, holiday.end) for holiday in holidays(connection, host["id"], wanted)),
    ]
    return slots.without(slots.open_intervals(hours, wanted), busy) == [wanted]


def holidays(connection: Connection, user_id: int, window: Interval) -> list[Holiday]:
    """The out-of-office entries of a user that touch a window."""
    return [
        Holiday(
            user_id=user_id,
            start=row["start"],
            end=row["end"],
            reason=row["reason"] or "ooo_reasons_unspecified",
            emoji=row["emoji"] or "🕒",
            notes=row["notes"],
            show_note=row["showNotePublicly"],
        )
        for row in rows(
            connection,
            'SELECT e.*, r.reason, r.emoji FROM "OutOfOfficeEntry" e'
            ' LEFT JOIN "OutOfOfficeReason" r ON r.id = e."reasonId"'
            ' WHERE e."userId" = %s AND e.start < %s AND e."end" > %s',
            (user_id, window.end, window.start),
        )
    ]


def reserve(
    connection: Connection, event_type: Row, host: Row, wanted: Interval, uid: str, release: datetime
) -> None:
    """Hold a slot for a guest until `release`; holding it again prolongs that."""
    connection.execute(
        'INSERT INTO "SelectedSlots" ("eventTypeId", "userId", "slotUtcStartDate", "slotUtcEndDate", uid,'
        ' "releaseAt", "isSeat") VALUES (%s, %s, %s, %s, %s, %s, false)'
        ' ON CONFLICT ("userId", "slotUtcStartDate", "slotUtcEndDate", uid)'
        ' DO UPDATE SET "releaseAt" = excluded."releaseAt"',
        (event_type["id"], host["id"], wanted.start, wanted.end, uid, release),
    )


def is_reserved(connection: Connection, host: Row, wanted: Interval, uid: str, now: datetime) -> bool:
    """Whether another guest holds this very slot."""
    return (
        one(
            connection,
            'SELECT 1 AS found FROM "SelectedSlots" WHERE "userId" = %s AND "slotUtcStartDate" = %s'
            ' AND "slotUtcEndDate" = %s AND uid <> %s AND "releaseAt" > %s',
            (host["id"], wanted.start, wanted.end, uid, now),
        )
        is not None
    )


def release(connection: Connection, uid: str) -> None:
    """Give back what a guest holds."""
    connection.execute('DELETE FROM "SelectedSlots" WHERE uid = %s', (uid,))
