"""Feature flags: the switches in the `Feature` table (FACTS §6)."""

from __future__ import annotations

from datetime import datetime

from ..database import Connection, Row, one, rows
from .refusals import RefusalError


def listed(connection: Connection) -> list[Row]:
    """All flags by name."""
    return rows(connection, 'SELECT * FROM "Feature" ORDER BY slug')


def is_on(connection: Connection, slug: str) -> bool:
    """Whether a flag is there and switched on."""
    return (
        one(connection, 'SELECT 1 AS found FROM "Feature" WHERE slug = %s AND enabled', (slug,)) is not None
    )


def toggle(connection: Connection, slug: str, enabled: bool, user_id: int, now: datetime) -> Row:
    """Switch a flag. Refuses one that does not exist."""
    flag = one(
        connection,
        'UPDATE "Feature" SET enabled = %s, "updatedBy" = %s, "updatedAt" = %s WHERE slug = %s RETURNING *',
        (enabled, user_id, now, slug),
    )
    if flag is None:
        raise RefusalError("INTERNAL_SERVER_ERROR", "Feature not found")
    return flag
