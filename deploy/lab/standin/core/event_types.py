"""Event types: what can be booked, for how long, where and by which rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from ..database import Connection, Row, UniqueViolation, insert, one, rows, update
from . import people
from .refusals import RefusalError

JSON_COLUMNS = {
    "bookingFields", "bookingLimits", "durationLimits", "eventTypeColor", "locations", "metadata",
    "recurringEvent", "rrSegmentQueryValue",
}  # fmt: skip

# Labels of the database's own types, as they are spoken of over HTTP.
SPOKEN = {"roundRobin": "ROUND_ROBIN"}


def spoken(label: str | None) -> str | None:
    """An enum label of the database in its outward form: `accepted` is `ACCEPTED`."""
    return None if label is None else SPOKEN.get(label, label.upper())


def as_sent(event_type: Row) -> dict[str, Any]:
    """A row with its enums in their outward form."""
    return event_type | {
        "periodType": spoken(event_type["periodType"]),
        "schedulingType": spoken(event_type["schedulingType"]),
        "instantMeetingParameters": event_type["instantMeetingParameters"] or [],
    }


def by_id(connection: Connection, event_type_id: int) -> Row | None:
    """An event type, whoever owns it."""
    return one(connection, 'SELECT * FROM "EventType" WHERE id = %s', (event_type_id,))


def owned(connection: Connection, user_id: int, event_type_id: int) -> Row:
    """One of a user's own. Refuses unknown ones with 404, foreign ones with 403."""
    event_type = by_id(connection, event_type_id)
    if event_type is None:
        raise RefusalError("NOT_FOUND")
    if event_type["userId"] != user_id:
        raise RefusalError("FORBIDDEN")
    return event_type


def by_slug(connection: Connection, username: str, slug: str) -> tuple[Row, Row] | None:
    """The user and the event type behind `/username/slug`, hidden or not, or None."""
    user = people.by_username(connection, username)
    if user is None:
        return None
    event_type = one(
        connection, 'SELECT * FROM "EventType" WHERE "userId" = %s AND slug = %s', (user["id"], slug)
    )
    return (user, event_type) if event_type else None


def has_slug(connection: Connection, user_id: int, slug: str) -> bool:
    """Whether a user has an event type of this slug."""
    query = 'SELECT 1 AS found FROM "EventType" WHERE "userId" = %s AND slug = %s'
    return one(connection, query, (user_id, slug)) is not None


def listed(connection: Connection, user_id: int, with_hidden: bool = True) -> list[Row]:
    """A user's event types, in the order in which their page shows them."""
    return rows(
        connection,
        'SELECT * FROM "EventType" WHERE "userId" = %s AND (%s OR NOT hidden) ORDER BY position DESC, id',
        (user_id, with_hidden),
    )


def default_locations(connection: Connection) -> list[dict[str, Any]]:
    """Where a new event type takes place: Cal Video if its app has a key, else nowhere yet (FACTS §5)."""
    daily = one(
        connection, 'SELECT 1 AS found FROM "App" WHERE slug = %s AND keys IS NOT NULL', ("daily-video",)
    )
    return [{"type": "integrations:daily"}] if daily else []


def create(connection: Connection, user: Row, now: datetime, values: dict[str, Any]) -> Row:
    """A new event type of a user. Refuses a slug that the user already has (its id is spent all the same)."""
    values = {"locations": default_locations(connection)} | values
    try:
        with connection.transaction():
            event_type = insert(
                connection,
                "EventType",
                stored(values) | {"userId": user["id"], "createdAt": now, "updatedAt": now},
            )
    except UniqueViolation as error:
        raise RefusalError("BAD_REQUEST") from error
    connection.execute(
        'INSERT INTO "_user_eventtype" ("A", "B") VALUES (%s, %s)', (event_type["id"], user["id"])
    )
    return event_type


def change(connection: Connection, event_type: Row, now: datetime, values: dict[str, Any]) -> Row:
    """Set some columns of an event type. Refuses a slug that another of the owner's has."""
    try:
        with connection.transaction():
            changed = update(
                connection, "EventType", {"id": event_type["id"]}, stored(values) | {"updatedAt": now}
            )
    except UniqueViolation as error:
        raise RefusalError("BAD_REQUEST") from error
    return changed or event_type


def delete(connection: Connection, event_type_id: int) -> None:
    """Delete an event type with its webhooks; its bookings stay, without a type."""
    connection.execute('DELETE FROM "EventType" WHERE id = %s', (event_type_id,))


def stored(values: dict[str, Any]) -> Row:
    """Values in the form of the columns: JSON wrapped, enum labels in lower case."""
    row = dict(values)
    if row.get("periodType"):
        row["periodType"] = row["periodType"].lower()
    for column in JSON_COLUMNS & row.keys():
        row[column] = None if row[column] is None else Jsonb(row[column])
    return row


def host_of(connection: Connection, event_type: Row) -> Row | None:
    """The user who is booked: the owner, else the first host."""
    if event_type["userId"] is not None:
        return people.by_id(connection, event_type["userId"])
    return one(
        connection,
        'SELECT u.* FROM "users" u JOIN "_user_eventtype" h ON h."B" = u.id WHERE h."A" = %s'
        " ORDER BY u.id LIMIT 1",
        (event_type["id"],),
    )


def video_settings(connection: Connection, event_type_id: int) -> Row | None:
    """The Cal Video settings of an event type, or None."""
    return one(connection, 'SELECT * FROM "CalVideoSettings" WHERE "eventTypeId" = %s', (event_type_id,))


def set_video_settings(connection: Connection, event_type_id: int, now: datetime, values: Row | None) -> None:
    """Store the Cal Video settings of an event type in the place of any others; None removes them."""
    connection.execute('DELETE FROM "CalVideoSettings" WHERE "eventTypeId" = %s', (event_type_id,))
    if values is not None:
        insert(
            connection,
            "CalVideoSettings",
            {"eventTypeId": event_type_id, "createdAt": now, "updatedAt": now, **values},
        )
