"""API keys: made once, shown once, kept as the SHA-256 of the part without the prefix (FACTS §4)."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from ..database import Connection, Row, insert, one, rows
from .identifiers import new_uuid


def create(
    connection: Connection, user_id: int, note: str | None, expires: datetime | None, now: datetime
) -> str:
    """Store a new key and return its 32 hexadecimal characters, without prefix."""
    bare = secrets.token_hex(16)
    insert(
        connection,
        "ApiKey",
        {
            "id": new_uuid(),
            "userId": user_id,
            "note": note,
            "createdAt": now,
            "expiresAt": expires,
            "hashedKey": hashlib.sha256(bare.encode()).hexdigest(),
        },
        returning="id",
    )
    return bare


def listed(connection: Connection, user_id: int) -> list[Row]:
    """A user's keys, newest first."""
    return rows(
        connection, 'SELECT * FROM "ApiKey" WHERE "userId" = %s ORDER BY "createdAt" DESC', (user_id,)
    )


def delete(connection: Connection, user_id: int, key_id: str) -> bool:
    """Delete one of a user's keys; says whether it was there."""
    return (
        one(
            connection,
            'DELETE FROM "ApiKey" WHERE id = %s AND "userId" = %s RETURNING id',
            (key_id, user_id),
        )
        is not None
    )
