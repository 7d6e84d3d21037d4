"""Out of office: stretches of days in which a user's slots are shown as away (FACTS §16)."""

from __future__ import annotations

from datetime import datetime

from ..database import Connection, Row, insert, must, rows, update
from .identifiers import new_uuid
from .refusals import RefusalError


def save(
    connection: Connection,
    user_id: int,
    start: datetime,
    end: datetime,
    reason_id: int | None,
    notes: str | None,
    uuid: str | None,
    now: datetime,
) -> Row:
    """Write an entry, or change the one with this uuid. Refuses an end before its start."""
    if end < start:
        raise RefusalError("BAD_REQUEST", "start_date_must_be_before_end_date")
    values = {"start": start, "end": end, "reasonId": reason_id, "notes": notes, "updatedAt": now}
    if uuid:
        changed = update(connection, "OutOfOfficeEntry", {"uuid": uuid, "userId": user_id}, values)
        if changed is None:
            raise RefusalError("NOT_FOUND", "booking_redirect_not_found")
        return changed
    return insert(
        connection, "OutOfOfficeEntry", values | {"uuid": new_uuid(), "userId": user_id, "createdAt": now}
    )


def listed(connection: Connection, user_id: int) -> list[Row]:
    """A user's entries with their reasons, by start."""
    return rows(
        connection,
        'SELECT e.*, r.reason, r.emoji, r."userId" AS "reasonUserId" FROM "OutOfOfficeEntry" e'
        ' LEFT JOIN "OutOfOfficeReason" r ON r.id = e."reasonId" WHERE e."userId" = %s ORDER BY e.start',
        (user_id,),
    )


def count(connection: Connection, user_id: int) -> int:
    """How many entries a user has."""
    found = must(
        connection, 'SELECT count(*) AS number FROM "OutOfOfficeEntry" WHERE "userId" = %s', (user_id,)
    )
    return int(found["number"])


def delete(connection: Connection, user_id: int, uuid: str) -> None:
    """Delete an entry. Refuses unknown ones."""
    gone = connection.execute(
        'DELETE FROM "OutOfOfficeEntry" WHERE uuid = %s AND "userId" = %s', (uuid, user_id)
    ).rowcount
    if not gone:
        raise RefusalError("NOT_FOUND", "booking_redirect_not_found")
