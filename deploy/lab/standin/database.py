"""PostgreSQL: a small pool of connections, rows as dictionaries, timestamps as UTC."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg.adapt import Buffer
from psycopg.rows import dict_row
from psycopg.types.datetime import TimestampLoader
from psycopg_pool import ConnectionPool

Row = dict[str, Any]
Connection = psycopg.Connection[Row]
UniqueViolation = psycopg.errors.UniqueViolation

# What libpq understands of a Prisma URL; the rest (schema, connection_limit, pgbouncer …) is Prisma's own.
LIBPQ_PARAMETERS = {
    "application_name", "connect_timeout", "options", "sslcert", "sslkey", "sslmode", "sslrootcert",
    "target_session_attrs",
}  # fmt: skip


class UtcTimestampLoader(TimestampLoader):
    """Reads `timestamp without time zone` as what Prisma means by it: an instant in UTC."""

    def load(self, data: Buffer) -> datetime:
        """The aware instant."""
        return super().load(data).replace(tzinfo=UTC)


def libpq_url(url: str) -> str:
    """A Prisma connection URL without the parameters that only Prisma knows."""
    parts = urlsplit(url)
    query = [(key, value) for key, value in parse_qsl(parts.query) if key in LIBPQ_PARAMETERS]
    return urlunsplit(parts._replace(scheme="postgresql", query=urlencode(query)))


def connect(url: str) -> Connection:
    """One connection of its own, outside any pool. Raises psycopg.OperationalError."""
    connection = psycopg.connect(libpq_url(url), row_factory=dict_row)
    prepare(connection)
    connection.commit()
    return connection


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Set a connection up so that its instants are UTC both ways."""
    connection.execute("SET TIME ZONE 'UTC'")
    connection.adapters.register_loader("timestamp", UtcTimestampLoader)


class Database:
    """The pool behind a running stand-in."""

    def __init__(self, url: str, max_connections: int = 20) -> None:
        def configure(connection: psycopg.Connection[Any]) -> None:
            prepare(connection)
            connection.commit()

        self._pool: ConnectionPool[Connection] = ConnectionPool(
            libpq_url(url),
            connection_class=psycopg.Connection[Row],
            kwargs={"row_factory": dict_row},
            configure=configure,
            check=ConnectionPool.check_connection,
            min_size=1,
            max_size=max_connections,
            timeout=10,
            open=False,
        )

    def open(self) -> None:
        """Start the pool; the database need not answer yet."""
        self._pool.open()

    def close(self) -> None:
        """Give all connections back."""
        self._pool.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose work is committed at the end, or rolled back on an exception."""
        with self._pool.connection() as connection:
            yield connection


def one(connection: Connection, query: str, parameters: tuple[Any, ...] | Row = ()) -> Row | None:
    """The first row of a query, or None."""
    return connection.execute(query, parameters).fetchone()


def must(connection: Connection, query: str, parameters: tuple[Any, ...] | Row = ()) -> Row:
    """The row of a query that always has one, such as `INSERT … RETURNING`."""
    row = one(connection, query, parameters)
    if row is None:
        raise LookupError(query)
    return row


def rows(connection: Connection, query: str, parameters: tuple[Any, ...] | Row = ()) -> list[Row]:
    """All rows of a query."""
    return connection.execute(query, parameters).fetchall()


def quoted(column: str) -> str:
    """A column name of Cal.com's tables, which are in mixed case, for a query text."""
    return '"' + column.replace('"', '""') + '"'


def insert(connection: Connection, table: str, values: Row, returning: str = "*") -> Row:
    """Insert one row; `table` and the keys of `values` are names, never user input."""
    columns = ", ".join(quoted(column) for column in values)
    places = ", ".join(f"%({column})s" for column in values)
    return must(
        connection,
        f"INSERT INTO {quoted(table)} ({columns}) VALUES ({places}) RETURNING {returning}",  # noqa: S608
        values,
    )


def update(connection: Connection, table: str, key: Row, values: Row) -> Row | None:
    """Update the rows whose columns equal `key`; answers with one of them as it is now, or None."""
    settings = ", ".join(f"{quoted(column)} = %(set_{column})s" for column in values)
    condition = " AND ".join(f"{quoted(column)} = %(key_{column})s" for column in key)
    parameters = {f"set_{column}": value for column, value in values.items()}
    parameters |= {f"key_{column}": value for column, value in key.items()}
    return one(
        connection,
        f"UPDATE {quoted(table)} SET {settings} WHERE {condition} RETURNING *",  # noqa: S608
        parameters,
    )
