"""Feature flags: the switches in the `Feature` table (FACTS §6)."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..database import Connection, Row, one, rows
from .refusals import RefusalError

# For so long a process goes on with what it read: a switched flag does not work at once (FACTS §13).
KEPT = timedelta(minutes=5)


class Flags:
    """The flags as one process knows them."""

    def __init__(self) -> None:
        self._known: list[Row] = []
        self._until: datetime | None = None

    def listed(self, connection: Connection, now: datetime) -> list[Row]:
        """All flags by name, read anew when what is known is too old."""
        if self._until is None or now >= self._until:
            self._known = rows(connection, 'SELECT * FROM "Feature" ORDER BY slug')
            self._until = now + KEPT
        return self._known

    def is_on(self, connection: Connection, now: datetime, slug: str) -> bool:
        """Whether a flag is there and switched on."""
        return any(flag["enabled"] for flag in self.listed(connection, now) if flag["slug"] == slug)


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
