"""PostgreSQL in a container: sessions that hold a snapshot, and programs of the server's own image.

Everything runs in the database's container, so that client and server have one version; nothing needs a port
or a password, since the container's own user may sign in over the socket.
"""

from __future__ import annotations

import contextlib
import csv
import io
import queue
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Sequence

from .. import programs
from ..failures import OnhostError

_END_OF_ANSWER = "calstack-end-of-answer"
_PLAIN_OUTPUT = (
    "set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; "
    "set extra_float_digits = 1; set bytea_output = 'hex'; set row_security = off; set xmloption = 'content';"
)
"""Values read the same whatever the server's settings; `row_security = off` makes hidden rows an error."""


class DatabaseError(OnhostError):
    """The database did not do what it was asked."""


@dataclass(frozen=True)
class Server:
    """A PostgreSQL in a container on this machine."""

    container: str
    """Name or id."""
    user: str = "calcom"
    database: str = "calcom"

    def command(
        self, program: str, *arguments: str, application: str, environment: Sequence[str] = ()
    ) -> list[str]:
        """Argument list that runs a program of the server's image beside it, connected as `application`."""
        variables = [
            f"PGUSER={self.user}",
            f"PGDATABASE={self.database}",
            f"PGAPPNAME={application}",
            *environment,
        ]
        options = [item for variable in variables for item in ("-e", variable)]
        return ["docker", "exec", "-i", *options, self.container, program, *arguments]

    def rows(self, sql: str, *, application: str, limit_seconds: float = 60) -> list[list[str]]:
        """The rows of one query, in a session of their own."""
        with Session(self, application) as session:
            return session.rows(sql, limit_seconds=limit_seconds)

    def end_sessions(self, application: str) -> int:
        """End what sessions of this name are left, e.g. of a dump whose client was killed; how many."""
        return len(
            self.rows(
                "select pg_terminate_backend(pid) from pg_stat_activity "  # noqa: S608 - quoted
                f"where application_name = {quoted(application)} and pid <> pg_backend_pid()",
                application=f"{application}-end",
            )
        )


class Session:
    """One psql session that stays open; every answer is bounded in time.

    `with` it. The transaction that `hold_snapshot` opens lasts until the end.
    """

    def __init__(self, server: Server, application: str) -> None:
        command = server.command(
            "psql", "-X", "-q", "--csv", "-t", "-v", "ON_ERROR_STOP=1", application=application
        )
        self._process = programs.Running(command)
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read_answers, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        try:
            self.rows(_PLAIN_OUTPUT)
        except BaseException:
            self.close()
            raise

    def hold_snapshot(self) -> str:
        """Begin a transaction that sees one moment to its end, and export it; the snapshot's id comes back.

        `pg_dump --snapshot=ID` dumps the same moment for as long as this session lives (PostgreSQL's manual,
        "Snapshot Synchronization Functions").
        """
        self.rows("begin transaction isolation level repeatable read read only")
        return self.rows("select pg_export_snapshot()")[0][0]

    def rows(self, sql: str, *, limit_seconds: float = 60) -> list[list[str]]:
        """The rows of a query, every value as text; null and the empty text are both empty.

        Raises DatabaseError with the server's words, or when no answer comes within `limit_seconds`.
        """
        try:
            self._process.input.write(f"{sql.rstrip(';')};\n\\echo {_END_OF_ANSWER}\n".encode())
            self._process.input.flush()
        except OSError as error:
            raise self._gone() from error
        lines = []
        while (line := self._next_line(limit_seconds)) != _END_OF_ANSWER:
            lines.append(line)
        # A row whose only value is null is an empty line.
        content = "".join(f"{line}\n" for line in lines)
        return [row or [""] for row in csv.reader(io.StringIO(content, newline=""))]

    def close(self) -> None:
        """End the session; its transaction is rolled back."""
        with contextlib.suppress(OSError, programs.ProgramHungError):
            self._process.input.close()
            self._process.wait(5)
        self._process.end()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next_line(self, limit_seconds: float) -> str:
        try:
            line = self._lines.get(timeout=limit_seconds)
        except queue.Empty:
            raise DatabaseError(f"the database gave no answer within {limit_seconds:g} s") from None
        if line is None:
            raise self._gone()
        return line

    def _gone(self) -> DatabaseError:
        self._readers[1].join(5)
        words = " | ".join(self._errors[-3:]) or "psql ended without a word"
        return DatabaseError(f"the database: {words}")

    def _read_answers(self) -> None:
        for line in self._process.output:
            self._lines.put(line.decode(errors="replace").rstrip("\n"))
        self._lines.put(None)

    def _read_errors(self) -> None:
        for line in self._process.errors:
            self._errors.append(line.decode(errors="replace").strip())


def quoted(text: str) -> str:
    """The text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(*names: str) -> str:
    """The names as an SQL identifier, e.g. `"public"."Booking"`."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)
