"""`GET /v2/bookings`: the caller's bookings by status and other filters, a page at a time."""

from __future__ import annotations

import math
from typing import Any

from ..database import Connection, Row, must, rows
from ..web.procedures.bookings import STATUS
from . import booking_output
from .errors import invalid
from .routing import Call
from .validation import Check, Field, at_least, at_most, each, is_iso_date, number_of, one_of, problems_of

from .validation import INTEGER, NUMBER, STRING  # isort: skip

DEFAULT_TAKE, MOST = 100, 250
STATUSES = ("upcoming", "recurring", "past", "cancelled", "unconfirmed")
FALLING = (["past"], ["cancelled"])

KNOWN_STATUS = each(one_of(*STATUSES), f"Invalid status. Allowed are {', '.join(STATUSES)}")
FROM = Check("isIso8601", is_iso_date, "fromDate must be a valid ISO 8601 date.")
TO = Check("isIso8601", is_iso_date, "toDate must be a valid ISO 8601 date.")


def direction(name: str) -> Check:
    """The direction of a sorting."""
    return one_of("asc", "desc", message=f'{name} must be either "asc" or "desc".')


QUERY = (
    Field("status", (KNOWN_STATUS,)),
    Field("attendeeEmail", (STRING,)),
    Field("attendeeName", (STRING,)),
    Field("bookingUid", (STRING,)),
    Field("eventTypeIds", (each(NUMBER),)),
    Field("eventTypeId", (INTEGER,)),
    Field("afterStart", (FROM,)),
    Field("beforeEnd", (TO,)),
    Field("afterCreatedAt", (FROM,)),
    Field("beforeCreatedAt", (TO,)),
    Field("afterUpdatedAt", (FROM,)),
    Field("beforeUpdatedAt", (TO,)),
    Field("sortStart", (direction("SortStart"),)),
    Field("sortEnd", (direction("SortEnd"),)),
    Field("sortCreated", (direction("SortCreated"),)),
    Field("sortUpdatedAt", (direction("SortCreated"),)),
    Field("take", (NUMBER, at_least(1), at_most(MOST))),
    Field("skip", (NUMBER, at_least(0))),
)

MOMENTS = {
    "afterStart": 'b."startTime" >= %(afterStart)s::timestamptz',
    "beforeEnd": 'b."endTime" <= %(beforeEnd)s::timestamptz',
    "afterCreatedAt": 'b."createdAt" >= %(afterCreatedAt)s::timestamptz',
    "beforeCreatedAt": 'b."createdAt" <= %(beforeCreatedAt)s::timestamptz',
    "afterUpdatedAt": 'b."updatedAt" >= %(afterUpdatedAt)s::timestamptz',
    "beforeUpdatedAt": 'b."updatedAt" <= %(beforeUpdatedAt)s::timestamptz',
}
SORTED = {
    "sortStart": "startTime",
    "sortEnd": "endTime",
    "sortCreated": "createdAt",
    "sortUpdatedAt": "updatedAt",
}
LISTS = {"status": str, "eventTypeIds": int}
NUMBERS = ("eventTypeId", "take", "skip")


def read(query: dict[str, str]) -> dict[str, Any]:
    """The checked query: numbers as numbers, lists from their commas. Raises ApiError."""
    given: dict[str, Any] = dict(query)
    for name, kind in LISTS.items():
        if name in given:
            entries = [entry.strip() for entry in query[name].split(",")]
            given[name] = [int(each) if kind is int and each.isdigit() else each for each in entries]
    for name in NUMBERS:
        if name in given:
            given[name] = number_of(given[name])
    known = {field.name for field in QUERY}
    given = {name: value for name, value in given.items() if name in known}
    problems = problems_of(QUERY, given)
    if problems:
        raise invalid(problems)
    return given


def listed(call: Call) -> dict[str, Any]:
    """A page of the caller's bookings, and where in the whole it stands."""
    given = read(call.query)
    take, skip = given.get("take", DEFAULT_TAKE), given.get("skip", 0)
    with call.instance.database.transaction() as connection:
        where, values = conditions(call, given)
        # The conditions are texts of this module; what the caller gave is bound.
        counting = f'SELECT count(*) AS number FROM "Booking" b WHERE {where}'  # noqa: S608
        total = must(connection, counting, values)["number"]
        found = page(connection, where, values | {"take": take, "skip": skip}, order(given))
        data = [booking_output.in_form(connection, booking, call.caller) for booking in found]
    return {"status": "success", "data": data, "pagination": pagination(len(data), total, take, skip)}


def conditions(call: Call, given: dict[str, Any]) -> tuple[str, Row]:
    """What is asked for, as SQL and its values."""
    values: Row = {"now": call.now(), "host": call.caller["id"], "email": call.caller["email"]}
    wanted = [
        '(b."userId" = %(host)s OR EXISTS (SELECT 1 FROM "Attendee" a WHERE a."bookingId" = b.id'
        " AND a.email = %(email)s))"
    ]
    if given.get("status"):
        wanted.append("(" + " OR ".join(STATUS[status] for status in given["status"]) + ")")
    for name, column in (("attendeeEmail", "email"), ("attendeeName", "name")):
        if given.get(name):
            values[name] = given[name].strip().replace(" ", "+") if column == "email" else given[name]
            wanted.append(
                f'EXISTS (SELECT 1 FROM "Attendee" a WHERE a."bookingId" = b.id AND a.{column} = %({name})s)'  # noqa: S608
            )
    types = given.get("eventTypeIds") or ([given["eventTypeId"]] if "eventTypeId" in given else [])
    if types:
        values["types"] = types
        wanted.append('b."eventTypeId" = ANY(%(types)s)')
    if given.get("bookingUid"):
        values["bookingUid"] = given["bookingUid"]
        wanted.append("b.uid = %(bookingUid)s")
    for name, condition in MOMENTS.items():
        if given.get(name):
            values[name] = given[name]
            wanted.append(condition)
    return " AND ".join(wanted), values


def order(given: dict[str, Any]) -> str:
    """The order of the list: what is asked for, else by start, the past falling."""
    for name, column in SORTED.items():
        if given.get(name):
            return f'b."{column}" {given[name].upper()}, b.id'
    return f'b."startTime" {"DESC" if given.get("status") in FALLING else "ASC"}, b.id'


def page(connection: Connection, where: str, values: Row, order_by: str) -> list[Row]:
    """One page of bookings."""
    return rows(
        connection,
        f'SELECT b.* FROM "Booking" b WHERE {where} ORDER BY {order_by}'  # noqa: S608
        " LIMIT %(take)s OFFSET %(skip)s",
        values,
    )


def pagination(returned: int, total: int, take: int, skip: int) -> dict[str, Any]:
    """Where a page stands."""
    current, pages = skip // take + 1, math.ceil(total / take)
    return {
        "returnedItems": returned,
        "totalItems": total,
        "itemsPerPage": take,
        "remainingItems": max(0, total - skip - returned),
        "currentPage": current,
        "totalPages": pages,
        "hasNextPage": current < pages,
        "hasPreviousPage": current > 1,
    }
