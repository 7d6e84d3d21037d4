"""A host of which tests need only the database, at hand as a connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg


@dataclass
class DatabaseRemote:
    """A host whose database is at hand, and whose commands are written down."""

    url: str
    commands: list[str] = field(default_factory=list)

    def sql(self, query: str) -> list[list[str]]:
        """Rows as `Remote.sql` gives them."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(query.encode())
            return [] if cursor.description is None else [[_text(value) for value in row] for row in cursor]

    def run(self, script: str) -> None:
        """Only write it down."""
        self.commands.append(script)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows with their types."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()


def _text(value: object) -> str:
    if value is None:
        return ""
    return ("t" if value else "f") if isinstance(value, bool) else str(value)
