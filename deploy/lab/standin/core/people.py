"""Users: who they are, how their passwords are kept and when a password is good enough."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Any

import bcrypt

from ..database import Connection, Row, insert, must, one
from .identifiers import new_uuid, slugify

BCRYPT_ROUNDS = 12
ADMIN_PASSWORD_LENGTH = 15
PASSWORD_LENGTH = 7


def password_is_valid(password: str, minimum: int = PASSWORD_LENGTH) -> bool:
    """Long enough, with a digit, a lower-case and an upper-case letter (FACTS §6)."""
    text = password.strip()
    return (
        len(text) >= minimum
        and re.search(r"\d", text) is not None
        and any(letter.islower() for letter in text)
        and any(letter.isupper() for letter in text)
    )


def hash_password(password: str) -> str:
    """A bcrypt hash; bcrypt reads 72 bytes and no more."""
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(BCRYPT_ROUNDS)).decode()


def password_fits(password: str, hashed: str) -> bool:
    """Whether this password was hashed to that."""
    return bcrypt.checkpw(password.encode()[:72], hashed.encode())


def count(connection: Connection) -> int:
    """How many users there are."""
    return int(must(connection, 'SELECT count(*) AS number FROM "users"')["number"])


def by_id(connection: Connection, user_id: int) -> Row | None:
    """The user who is not locked out, or None."""
    return one(connection, 'SELECT * FROM "users" WHERE id = %s AND NOT locked', (user_id,))


def by_email(connection: Connection, email: str) -> Row | None:
    """The user with this address who is not locked out, or None."""
    return one(connection, 'SELECT * FROM "users" WHERE email = %s AND NOT locked', (email.lower(),))


def by_username(connection: Connection, username: str) -> Row | None:
    """The user with this name in the address bar who is not locked out, or None."""
    return one(connection, 'SELECT * FROM "users" WHERE username = %s AND NOT locked', (username.lower(),))


def password_hash(connection: Connection, user_id: int) -> str | None:
    """The stored hash, or None for a user without a password."""
    row = one(connection, 'SELECT hash FROM "UserPassword" WHERE "userId" = %s', (user_id,))
    return row["hash"] if row else None


def create(connection: Connection, now: datetime, email: str, **values: Any) -> Row:
    """Insert a user; `username` is slugified, the address stored in lower case.

    Raises psycopg.errors.UniqueViolation where the address is taken.
    """
    username = values.pop("username", None)
    return insert(
        connection,
        "users",
        {
            "email": email.lower(),
            "username": slugify(username) if username else None,
            "uuid": new_uuid(),
            "created": now,
            "creationSource": "webapp",
            **values,
        },
    )


def set_password(connection: Connection, user_id: int, password: str) -> None:
    """Store the hash of a password, in the place of any other."""
    connection.execute(
        'INSERT INTO "UserPassword" (hash, "userId") VALUES (%s, %s)'
        ' ON CONFLICT ("userId") DO UPDATE SET hash = excluded.hash',
        (hash_password(password), user_id),
    )


def is_taken(connection: Connection, username: str | None, email: str) -> bool:
    """Whether a user has this name or this address."""
    return (
        one(
            connection,
            'SELECT 1 AS taken FROM "users" WHERE email = %s OR (username = %s AND "organizationId" IS NULL)',
            (email.lower(), slugify(username) if username else None),
        )
        is not None
    )


def display_name(user: Row) -> str:
    """The name that guests see."""
    return user["name"] or "Nameless"


def email_digest(email: str) -> str:
    """The MD5 of an address, by which avatar services know it."""
    return hashlib.md5(email.strip().lower().encode(), usedforsecurity=False).hexdigest()
