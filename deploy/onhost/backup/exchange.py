"""Puts the restored database in the live one's place, and back: two names change in one transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from ..failures import OnhostError
from .beside import APPLICATION, drop
from .postgres import DatabaseError, Server, Session, identifier, quoted

_ATTEMPTS = 5


@dataclass(frozen=True)
class Exchange:
    """The live database, the restored one beside it, and what the live one is called afterwards."""

    live: Server

    @property
    def restored(self) -> str:
        """Name of the restored database until it is the live one."""
        return f"{self.live.database}_restored"

    @property
    def before(self) -> str:
        """Name of the database that was live before."""
        return f"{self.live.database}_before_restore"

    def done(self) -> bool:
        """Whether the restored database is the live one; the databases' own names say so."""
        there = self._names()
        return self.before in there and self.restored not in there

    def mend(self) -> None:
        """Where the live database is gone altogether, make an empty one, so that there is one to exchange."""
        if self.live.database not in self._names():
            with Session(replace(self.live, database="postgres"), APPLICATION) as session:
                session.rows(f"create database {identifier(self.live.database)}")

    def make(self) -> None:
        """Let the restored database be the live one; nothing happens where it is. Nobody may be using it.

        Raises OnhostError where there is nothing to exchange, and where somebody keeps connecting.
        """
        if self.done():
            return
        there = self._names()
        if self.restored not in there:
            raise OnhostError(f"there is no database {self.restored} on the server")
        if self.before in there:
            raise OnhostError(f"a database {self.before} is left of a restore before; nothing was exchanged")
        self._rename([(self.live.database, self.before), (self.restored, self.live.database)])

    def undo(self) -> None:
        """Let the database that was live before be it again; nothing happens where it is."""
        if self.done():
            self._rename([(self.live.database, self.restored), (self.before, self.live.database)])

    def drop_restored(self) -> None:
        """Remove the restored database that did not become the live one."""
        drop(self.live, self.restored)

    def drop_before(self) -> None:
        """Remove the database that was live before."""
        drop(self.live, self.before)

    def _names(self) -> set[str]:
        postgres = replace(self.live, database="postgres")
        return {row[0] for row in postgres.rows("select datname from pg_database", application=APPLICATION)}

    def _rename(self, pairs: list[tuple[str, str]]) -> None:
        renames = "; ".join(
            f"alter database {identifier(old)} rename to {identifier(new)}" for old, new in pairs
        )
        listed = ", ".join(quoted(name) for pair in pairs for name in pair)
        for attempt in range(_ATTEMPTS):
            try:
                with Session(replace(self.live, database="postgres"), APPLICATION) as session:
                    session.rows(
                        "select pg_terminate_backend(pid) from pg_stat_activity "  # noqa: S608 - quoted
                        f"where datname in ({listed}) and pid <> pg_backend_pid()"
                    )
                    session.rows(f"begin; {renames}; commit")
            except DatabaseError as error:
                if "being accessed" not in str(error) or attempt + 1 == _ATTEMPTS:
                    raise
                time.sleep(1)
            else:
                return
