"""Starts other programs, bounded in time, and ends them with all that they started."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Mapping, Sequence

from .failures import OnhostError

_WITH_US = ("setpriv", "--pdeathsig", "TERM", "--")
"""Ends a program when we are killed (setpriv(1), of util-linux, which every Debian has)."""
_PATIENCE_SECONDS = 15.0
"""How long a program may take to put things in order after SIGTERM; restic removes its lock then."""


class ProgramHungError(OnhostError):
    """A program did not end in its time; `errors` is what it wrote to standard error until then."""

    def __init__(self, message: str, errors: str = "") -> None:
        super().__init__(message)
        self.errors = errors


@dataclass(frozen=True)
class Finished:
    """How a program ended."""

    code: int
    output: bytes
    errors: str

    @property
    def last_words(self) -> str:
        """The last lines that it wrote to standard error, in one line."""
        return " | ".join(line.strip() for line in self.errors.splitlines()[-3:] if line.strip())


def run(
    command: Sequence[str],
    *,
    limit_seconds: float,
    environment: Mapping[str, str] | None = None,
    source: bytes = b"",
) -> Finished:
    """Run a program to its end; `environment` is added to ours, `source` becomes its standard input.

    Raises ProgramHungError after `limit_seconds`, and OnhostError where there is no such program.
    """
    with Running(command, environment=environment) as process:
        output, errors = process.communicate(source, limit_seconds)
    return Finished(process.code or 0, output, errors.decode(errors="replace"))


class Running:
    """A program in a process group of its own, its three streams as pipes; it ends with the `with` block."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> None:
        if shutil.which(command[0]) is None:
            raise OnhostError(f"there is no program {command[0]} on this machine")
        self._name = command[0]
        self._process = subprocess.Popen(
            [*_WITH_US, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        self.input, self.output, self.errors = self._streams()

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs, negative where a signal ended it."""
        return self._process.poll()

    def communicate(self, source: bytes, limit_seconds: float) -> tuple[bytes, bytes]:
        """Send it all of its input and read both its outputs; raises ProgramHungError."""
        try:
            return self._process.communicate(source, timeout=limit_seconds)
        except subprocess.TimeoutExpired as error:
            words = (error.stderr or b"").decode(errors="replace")
            raise ProgramHungError(f"{self._name} did not end within {limit_seconds:g} s", words) from error

    def wait(self, limit_seconds: float | None = None) -> int:
        """Its exit code, once it has ended; raises ProgramHungError."""
        try:
            return self._process.wait(limit_seconds)
        except subprocess.TimeoutExpired as error:
            raise ProgramHungError(f"{self._name} did not end within {limit_seconds:g} s") from error

    def end(self) -> None:
        """Make sure that it and all of its process group have ended; nothing happens where they have."""
        for number, patience in ((signal.SIGTERM, _PATIENCE_SECONDS), (signal.SIGKILL, None)):
            if self.code is None:
                self._signal_group(number)
                with contextlib.suppress(ProgramHungError):
                    self.wait(patience)
        # A leader that is gone may leave others of its group: a hung child of restic's, for one.
        self._signal_group(signal.SIGKILL)
        for stream in (self.input, self.output, self.errors):
            with contextlib.suppress(OSError):
                stream.close()

    def __enter__(self) -> Running:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _streams(self) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
        process = self._process
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise AssertionError("all three streams were asked for as pipes")
        return process.stdin, process.stdout, process.stderr

    def _signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
