"""The identifiers that an instance makes up, in the forms in which the real one makes them."""

from __future__ import annotations

import re
import secrets
import unicodedata
import uuid
from datetime import datetime

BASE58 = "123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
UID_LENGTH = 22


def new_uuid() -> str:
    """A random UUID as text."""
    return str(uuid.uuid4())


def booking_uid() -> str:
    """A booking's uid: a UUID written in base 58, 22 characters."""
    number, letters = uuid.uuid4().int, ""
    while number:
        number, digit = divmod(number, 58)
        letters = BASE58[digit] + letters
    return letters.rjust(UID_LENGTH, BASE58[0])


def trace_id() -> str:
    """The id that the error of a booking carries."""
    return "trace_" + secrets.token_urlsafe(16)[:21]


def idempotency_key(start: datetime, end: datetime, user_id: int | None) -> str:
    """The key that keeps one host's slot from being accepted twice: a UUIDv5 of start, end and host."""
    name = f"{int(start.timestamp() * 1000)}.{int(end.timestamp() * 1000)}.{user_id}:none"
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def slugify(text: str) -> str:
    """A slug as the event-type form makes it: `Has Space & Sign` becomes `has-space-sign`."""
    plain = unicodedata.normalize("NFD", text.strip().lower())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    plain = re.sub(r"[^\w.]|_", "-", plain)
    return re.sub(r"-{2,}", "-", plain).strip("-.")
