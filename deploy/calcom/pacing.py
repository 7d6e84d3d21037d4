"""Keeps below API v2's rate limits by what its answers say: a refusal is met only where others cause it.

Every answer names each limit of the key: how many calls a window allows, how many are left, in how many
seconds it begins anew (`X-RateLimit-Limit-<Name>`, `-Remaining-`, `-Reset-`). A call is refused where all
limits are used up, and then blocked for longer than the window; there is no `Retry-After`, and calls during
the block are spent from the next window (FACTS §4, §13). So the pacer sends no call that it cannot pay for:

- The first call of a window goes alone, since only its answer tells how much of the window others have used.
- Of what is left, the calls that are on their way are taken off.
- Where others use the same key, as much is left to them as they were seen to take.
- Times are read cautiously: resets are whole seconds, so a window ends at the latest that they allow.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from deploy.calcom.errors import TooManyRequests

_PREFIX = "x-ratelimit-"
_SLACK = 0.05
"""Seconds after the end of a window, since two clocks never run quite alike."""


@dataclass(frozen=True)
class Limit:
    """What one answer says of one limit; `reset` in seconds, of the window or, when refused, of the block."""

    limit: int
    remaining: int
    reset: float


def read_limits(headers: Mapping[str, str]) -> dict[str, Limit]:
    """The limits by lower-case name (`default`); headers that are incomplete or no numbers are left out."""
    parts: dict[str, dict[str, float]] = {}
    for name, value in headers.items():
        what, _, limit_name = name.lower().removeprefix(_PREFIX).partition("-")
        if name.lower().startswith(_PREFIX) and what in ("limit", "remaining", "reset") and limit_name:
            try:
                parts.setdefault(limit_name, {})[what] = float(value)
            except ValueError:
                continue
    return {
        name: Limit(int(said["limit"]), int(said["remaining"]), said["reset"])
        for name, said in parts.items()
        if len(said) == 3 and all(math.isfinite(number) and number >= 0 for number in said.values())
    }


@dataclass(frozen=True)
class Ticket:
    """Leave to send one call; `sent` is when it was given."""

    sent: float


@dataclass
class _Window:
    limit: int
    remaining: int
    ends: float
    """The latest moment at which it can end."""
    ours: int
    """Calls of ours in it, counted generously."""
    began: float
    length: float = 0.0
    """The longest rest of a window that was seen, in seconds; 0 until one was."""
    others: int = 0
    """Calls in it that cannot have been ours."""
    blocked: bool = False
    """Refused: it ends with the block, whatever answers from before the refusal say."""


@dataclass
class Pacer:
    """Shared by all threads that use one key; `longest_wait` (seconds) bounds each single wait.

    `clock` gives seconds that only grow, `sleep` waits; both can be replaced in tests.
    """

    longest_wait: float = 900.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _windows: dict[str, _Window] = field(default_factory=dict)
    _on_their_way: int = 0
    _is_limited: bool = True
    _others_per_second: float = 0.0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def acquire(self) -> Ticket:
        """Wait until a call can be paid for; give the ticket back with `answered` or `lost`.

        Raises `TooManyRequests` instead of waiting longer than `longest_wait`.
        """
        while True:
            with self._changed:
                now = self.clock()
                pause = self._pause(now)
                if pause is None:
                    # Somebody's answer is awaited, which will say more.
                    self._changed.wait(timeout=1.0)
                    continue
                if pause == 0:
                    self._on_their_way += 1
                    for window in self._windows.values():
                        window.ours += 1
                    return Ticket(now)
            if pause > self.longest_wait:
                raise TooManyRequests(
                    f"the key's rate limit allows no call for {pause:.0f} s", retry_after=pause
                )
            self.sleep(pause)

    def answered(self, ticket: Ticket, headers: Mapping[str, str], *, refused: bool) -> None:
        """Learn from an answer; `refused` for a 429."""
        with self._changed:
            now = self.clock()
            self._on_their_way -= 1
            limits = read_limits(headers)
            # An instance without limits says nothing, and is not paced.
            self._is_limited = bool(limits) or bool(self._windows)
            for name, said in limits.items():
                self._learn(name, said, ticket, now, refused=refused)
            self._changed.notify_all()

    def lost(self, ticket: Ticket) -> None:  # noqa: ARG002 - the ticket is what is given back
        """A call whose answer never came; what it cost is unknown, and counted."""
        with self._changed:
            self._on_their_way -= 1
            for window in self._windows.values():
                window.remaining -= 1
            self._changed.notify_all()

    # --- deciding

    def _pause(self, now: float) -> float | None:
        """0: go; seconds: ask again then; None: after somebody's answer."""
        if not self._is_limited:
            return 0.0
        running = {name: window for name, window in self._windows.items() if window.ends > now}
        if not running:
            # A new window, or the first one: one call finds out.
            return 0.0 if self._on_their_way == 0 else None
        if any(self._left(window, now) >= 1 for window in running.values()):
            return 0.0
        if len(running) < len(self._windows):
            # One of several limits begins anew; again one call finds out.
            return 0.0 if self._on_their_way == 0 else None
        if self._on_their_way and any(window.remaining > 0 for window in running.values()):
            return None
        return max(0.001, min(window.ends for window in running.values()) - now)

    def _left(self, window: _Window, now: float) -> int:
        kept = 0
        if self._others_per_second:
            # What they take until the next answer, which tells again: about a second, at most a quarter.
            soon = self._others_per_second * min(1.0, window.ends - now)
            kept = min(1 + math.ceil(soon), max(1, window.limit // 4))
        return window.remaining - self._on_their_way - kept

    # --- learning

    def _learn(self, name: str, said: Limit, ticket: Ticket, now: float, *, refused: bool) -> None:
        ends = now + said.reset + _SLACK
        window = self._windows.get(name)
        if window is None or _is_another_window(window, said, ticket):
            if window is not None and not window.others:
                # A whole window to ourselves: the others may be gone.
                self._others_per_second = _fading(self._others_per_second)
            length = window.length if window is not None and window.limit == said.limit else 0.0
            window = _Window(said.limit, said.remaining, ends, 1 + self._on_their_way, ticket.sent, length)
            self._windows[name] = window
        elif not window.blocked and not refused:
            window.remaining = min(window.remaining, said.remaining)
            window.ends = min(window.ends, ends)
        if refused:
            # Calls during a block are spent from a window that began meanwhile; that must be over as well.
            over = max(ends, now + window.length)
            window.remaining, window.ends = 0, max(window.ends, over) if window.blocked else over
            window.blocked = True
        else:
            window.length = max(window.length, said.reset)
        others = max(said.limit - said.remaining - window.ours, 1 if refused else 0)
        if others > window.others:
            window.others = others
            rate = others / max(now - window.began, 0.5)
            self._others_per_second = max(self._others_per_second, rate)


def _is_another_window(window: _Window, said: Limit, ticket: Ticket) -> bool:
    # Either the call left after the known window was over for sure, or what its answer allows as the earliest
    # end of its window is beyond the latest end of the known one.
    return (
        window.limit != said.limit
        or ticket.sent >= window.ends
        or (not window.blocked and ticket.sent + said.reset - 1 > window.ends)
    )


def _fading(rate: float) -> float:
    return rate / 2 if rate > 0.1 else 0.0
