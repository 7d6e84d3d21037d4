"""API v2's throttler in memory, as FACTS §13 and `recordings/api/rate_limits.json` have it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx


@dataclass
class Row:
    """A row of `RateLimit`: `limit` calls per `window` seconds, then blocked for `block` seconds."""

    name: str
    limit: int
    window: float
    block: float
    hits: int = 0
    window_ends: float = 0.0
    block_ends: float = 0.0

    def hit(self, now: float) -> tuple[bool, int, int]:
        """Whether it is used up, what is left, and the reset in whole seconds."""
        if now >= self.window_ends:
            self.hits, self.window_ends = 0, now + self.window
        self.hits += 1
        blocked = now < self.block_ends
        if not blocked and self.hits > self.limit:
            self.block_ends = now + self.block
            blocked = True
        rest = self.block_ends - now if blocked else self.window_ends - now
        return blocked, 0 if blocked else self.limit - self.hits, math.ceil(rest)


@dataclass
class Throttler:
    """Answers 200 or 429, refusing where all rows are used up; counts both."""

    rows: list[Row]
    clock: Callable[[], float]
    answer_takes: Callable[[], None] = lambda: None
    """Called between counting a call and answering it."""
    served: int = 0
    refused: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, _: httpx.Request) -> httpx.Response:
        with self._lock:
            now = self.clock()
            said = {row.name: row.hit(now) for row in self.rows}
            refused = all(blocked for blocked, _, _ in said.values())
            self.served, self.refused = self.served + (not refused), self.refused + refused
        self.answer_takes()
        headers: dict[str, str] = {}
        for row in self.rows:
            remaining, reset = said[row.name][1:]
            headers[f"X-RateLimit-Limit-{row.name}"] = str(row.limit)
            headers[f"X-RateLimit-Remaining-{row.name}"] = str(remaining)
            headers[f"X-RateLimit-Reset-{row.name}"] = str(reset)
        if refused:
            error = {"code": "ThrottlerException", "message": "Too many requests."}
            return httpx.Response(429, headers=headers, json={"status": "error", "error": error})
        return httpx.Response(200, headers=headers, json={"status": "success", "data": {}})

    def client(self) -> httpx.Client:
        return httpx.Client(base_url="https://api.example.test", transport=httpx.MockTransport(self))


class StandingClock:
    """Goes on only when somebody sleeps: for one thread."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class FastClock:
    """Real time, so many times as fast: for several threads."""

    def __init__(self, speed: float) -> None:
        self.speed = speed

    def __call__(self) -> float:
        return time.monotonic() * self.speed

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / self.speed)
