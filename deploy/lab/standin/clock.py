"""The stand-in's time: the machine's own, or one that was set for a replay."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .settings import Settings, parse_instant


class Clock:
    """Tells the time; a set time moves on from the moment at which it was set."""

    def __init__(self, start: datetime | None = None, file: Path | None = None) -> None:
        self._start = start
        self._started = time.time()
        self._file = file

    @classmethod
    def of(cls, settings: Settings) -> Clock:
        """The clock that the settings ask for."""
        return cls(settings.clock_start, settings.clock_file)

    def now(self) -> datetime:
        """The present instant in UTC, to the millisecond, as the database keeps it."""
        moment = self._set_time() or datetime.now(UTC)
        return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)

    def _set_time(self) -> datetime | None:
        if self._file is not None:
            try:
                text, written = self._file.read_text(), self._file.stat().st_mtime
            except FileNotFoundError:
                text = ""
            if text.strip():
                return parse_instant(text) + timedelta(seconds=time.time() - written)
        if self._start is not None:
            return self._start + timedelta(seconds=time.time() - self._started)
        return None
