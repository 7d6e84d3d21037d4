"""The migration step: what `prisma migrate deploy` does, with the records it leaves behind.

Each file of `migrations/` is applied in its own transaction and noted in `_prisma_migrations`. A
migration that failed blocks all later ones (Prisma's P3009) until somebody resolves it.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from .database import Connection, connect, one, rows

MIGRATIONS = Path(__file__).parent / "migrations"

# Migrations that a version before the one named here does not carry.
SINCE = {"20260108120000_webhook_version": (6, 0, 12)}

# Held for the time of a run, so that two starting containers do not migrate at once (Prisma's own key).
ADVISORY_LOCK = 72707369

RECORDS = """
CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
    "id" VARCHAR(36) PRIMARY KEY NOT NULL,
    "checksum" VARCHAR(64) NOT NULL,
    "finished_at" TIMESTAMPTZ,
    "migration_name" VARCHAR(255) NOT NULL,
    "logs" TEXT,
    "rolled_back_at" TIMESTAMPTZ,
    "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(),
    "applied_steps_count" INTEGER NOT NULL DEFAULT 0
)
"""


class MigrationError(Exception):
    """Migrating stopped; the text names the migration."""


@dataclass(frozen=True)
class Migration:
    """One file of `migrations/`."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """The digest that the record keeps."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_of(version: tuple[int, ...]) -> list[Migration]:
    """The migrations that an image of this version carries, in order."""
    return [
        Migration(file.stem, file.read_text())
        for file in sorted(MIGRATIONS.glob("*.sql"))
        if version >= SINCE.get(file.stem, ())
    ]


def migrate(database_url: str, version: tuple[int, ...]) -> list[str]:
    """Apply what is missing; returns the names applied. Raises MigrationError."""
    with connect(database_url) as connection:
        connection.autocommit = True
        connection.execute("SELECT pg_advisory_lock(%s)", (ADVISORY_LOCK,))
        connection.execute(RECORDS)
        refuse_after_failure(connection)
        done = {
            row["migration_name"]
            for row in rows(connection, 'SELECT migration_name FROM "_prisma_migrations"')
        }
        missing = [migration for migration in migrations_of(version) if migration.name not in done]
        for migration in missing:
            apply(connection, migration)
        return [migration.name for migration in missing]


def refuse_after_failure(connection: Connection) -> None:
    """Raise MigrationError while an earlier run's failure stands unresolved."""
    failed = one(
        connection,
        'SELECT migration_name, started_at FROM "_prisma_migrations"'
        " WHERE finished_at IS NULL AND rolled_back_at IS NULL ORDER BY started_at LIMIT 1",
    )
    if failed:
        raise MigrationError(
            "P3009\n\nmigrate found failed migrations in the target database, new migrations will not be "
            f"applied.\nThe `{failed['migration_name']}` migration started at {failed['started_at']} failed"
        )


def apply(connection: Connection, migration: Migration) -> None:
    """Run one migration and finish its record, or leave the record of its failure."""
    identifier = str(uuid.uuid4())
    connection.execute(
        'INSERT INTO "_prisma_migrations" (id, checksum, migration_name) VALUES (%s, %s, %s)',
        (identifier, migration.checksum, migration.name),
    )
    try:
        with connection.transaction():
            connection.execute(migration.sql.encode())
    except psycopg.Error as error:
        connection.execute(
            'UPDATE "_prisma_migrations" SET logs = %s WHERE id = %s', (str(error), identifier)
        )
        raise MigrationError(f"P3018\n\nA migration failed to apply: {migration.name}\n{error}") from error
    connection.execute(
        'UPDATE "_prisma_migrations" SET finished_at = %s, applied_steps_count = 1 WHERE id = %s',
        (datetime.now(UTC), identifier),
    )
