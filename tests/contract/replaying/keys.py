"""The API keys of the recordings: made by SQL, as the recorder made them, when a step first needs one."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from datetime import datetime, timedelta

import psycopg

# `5 per 10 s, block 15 s`: a row of limits, in the name of a key.
ROW = re.compile(r"(?:(\w+) )?(\d+) per (\d+) s(?:, block (\d+) s)?")
BLOCK_SECONDS = 60
RECORDER = "recorder key"
WITHOUT_BEARER = "recorder key without Bearer"
# The recorder's key had a row of its own: other keys answered with the default of 120 (contract/api/auth).
RECORDER_LIMIT = (100_000, 60_000, 60_000)


class Keys:
    """Makes keys for user 1 of a database, and remembers them by the names of the recordings."""

    def __init__(self, database_url: str, start: datetime) -> None:
        self._database_url = database_url
        self._start = start
        self._made: dict[str, str] = {}

    def authorization(self, name: str) -> str | None:
        """The Authorization header that a name stands for."""
        if name == "none":
            return None
        if name == "foreign token":
            return "Bearer " + secrets.token_hex(16)
        if name == "unknown key":
            return "Bearer cal_" + secrets.token_hex(16)
        if name == WITHOUT_BEARER:
            return self._key(RECORDER)
        return "Bearer " + self._key(name)

    def _key(self, name: str) -> str:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> str:
        bare, key_id = secrets.token_hex(16), str(uuid.uuid4())
        expires = self._start - timedelta(days=2) if "expired" in name else None
        with psycopg.connect(self._database_url) as connection:
            connection.execute(
                'INSERT INTO "ApiKey" (id, "userId", note, "hashedKey", "expiresAt") VALUES (%s, 1, %s,'
                " %s, %s)",
                (key_id, name, hashlib.sha256(bare.encode()).hexdigest(), expires),
            )
            for row, limit, ttl, block in limits_of(name):
                connection.execute(
                    'INSERT INTO "RateLimit" (id, name, "apiKeyId", "limit", ttl, "blockDuration",'
                    ' "updatedAt")'
                    " VALUES (%s, %s, %s, %s, %s, %s, now())",
                    (str(uuid.uuid4()), row, key_id, limit, ttl, block),
                )
        return f"cal_{bare}"


def limits_of(name: str) -> list[tuple[str, int, int, int]]:
    """The rows that a key's name says it has: name, limit, window and block, both in milliseconds."""
    if name == RECORDER:
        return [("default", *RECORDER_LIMIT)]
    return [
        (
            row if row and row not in ("limited", "and") else "default" if index == 0 else f"row{index}",
            int(limit),
            int(seconds) * 1000,
            int(block or BLOCK_SECONDS) * 1000,
        )
        for index, (row, limit, seconds, block) in enumerate(ROW.findall(name))
    ]
