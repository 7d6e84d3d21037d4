"""How far an instance's clock is from ours, by the Date header of its answers (RFC 9110 §6.6.1)."""

from __future__ import annotations

import datetime as dt
import email.utils
from collections.abc import Callable

import httpx

CLOCK_LIMIT = dt.timedelta(seconds=10)
"""Sessions bear 15 s between the clocks (FACTS §14); the header has whole seconds."""


class InstanceClock:
    """Hears the answers of a client and knows by how much the instance's clock is ahead of ours."""

    def __init__(
        self, http: httpx.Client, now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)
    ) -> None:
        self._now = now
        self._ahead: dt.timedelta | None = None
        http.event_hooks["response"].append(self._hear)

    def ahead(self) -> dt.timedelta | None:
        """Instance's clock minus ours, in whole seconds; negative where it is behind, None if unknown."""
        return self._ahead

    def _hear(self, response: httpx.Response) -> None:
        try:
            said = email.utils.parsedate_to_datetime(response.headers.get("date", ""))
        except ValueError:
            return
        if said.tzinfo is not None:
            # The header is cut to its second, so half a second is its middle.
            seconds = (said - self._now()).total_seconds() + 0.5
            self._ahead = dt.timedelta(seconds=round(seconds))
