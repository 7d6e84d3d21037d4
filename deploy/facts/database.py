"""What the instance's database says about itself."""

from __future__ import annotations

import json

from pyinfra.api.facts import FactBase

from deploy.settings.layout import PSQL


class DatabaseStamp(FactBase[dict[str, str]]):
    """What calstack noted on the database: which image migrated it, which environment seeded its apps.

    The note is the database's own comment, so that it lives and dies with the data: a new or restored
    database says by itself what it lacks.
    """

    def requires_command(self) -> str:
        """Without an engine there is no database."""
        return "docker"

    def command(self) -> str:
        """Read the comment; a database that does not run has none."""
        query = (
            "select shobj_description(oid, 'pg_database') from pg_database where datname = current_database()"
        )
        return f'{PSQL} -c "{query}" 2>/dev/null; true'

    def process(self, output: list[str]) -> dict[str, str]:
        """A comment that is not ours counts as none."""
        try:
            stamp = json.loads("\n".join(output))
        except ValueError:
            return {}
        return stamp if isinstance(stamp, dict) else {}

    @staticmethod
    def default() -> dict[str, str]:
        """Nothing is noted."""
        return {}
