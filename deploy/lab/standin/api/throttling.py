"""The limits on requests: counted in Redis per caller, before anything else is looked at (FACTS §4, §13).

A caller has a window and, once refused, a block. Requests during the block do not lengthen it, but they
count: the window starts again by itself inside the block, so that they are spent when it ends.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import redis

from ..database import Database, one, rows
from .errors import refusal, too_many_requests
from .settings import ApiSettings

# For so long rows of `RateLimit` are not looked up again.
ROWS_KEPT_SECONDS = 3600

COUNT = """
local hits = redis.call('INCR', KEYS[1])
local rest = redis.call('PTTL', KEYS[1])
if rest <= 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
    rest = tonumber(ARGV[1])
end
local blocked = redis.call('PTTL', KEYS[2])
if blocked <= 0 then
    blocked = 0
    if hits > tonumber(ARGV[2]) and tonumber(ARGV[3]) > 0 then
        redis.call('SET', KEYS[2], 1, 'PX', ARGV[3])
        blocked = tonumber(ARGV[3])
    end
end
return {hits, rest, blocked}
"""


@dataclass(frozen=True)
class Limit:
    """So many requests in a window of `ttl` milliseconds, and the block after one too many."""

    name: str
    limit: int
    ttl: int
    blockDuration: int  # noqa: N815 — the name under which rows are cached


def digest(text: str) -> str:
    """The SHA-256 of a text in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def bearer(headers: Mapping[str, str]) -> str | None:
    """What the Authorization header carries, with or without its scheme (the real API takes both)."""
    value = headers.get("authorization")
    return value.replace("Bearer ", "", 1) if value else None


class Throttler:
    """Counts requests and refuses those beyond a limit."""

    def __init__(self, settings: ApiSettings, database: Database, client: redis.Redis) -> None:
        self._settings = settings
        self._database = database
        self._client = client
        self._count = client.register_script(COUNT)

    def tracker(self, headers: Mapping[str, str], peer: str | None) -> str:
        """Whose requests are counted together."""
        token = bearer(headers)
        if token:
            prefix = self._settings.shared.api_key_prefix
            if token.startswith(prefix):
                return f"api_key_{digest(token.removeprefix(prefix))}"
            return f"access_token_{digest(token)}"
        if headers.get("x-cal-client-id"):
            return f"oauth_client_{digest(headers['x-cal-client-id'])}"
        address = headers.get("cf-connecting-ip") or peer
        return f"ip_{digest(address)}" if address else "unknown"

    def admit(self, headers: Mapping[str, str], peer: str | None, answer: dict[str, str]) -> None:
        """Count one request and write its limits into `answer`. Raises ApiError where it is refused."""
        tracker = self.tracker(headers, peer)
        limits = self._rows_of(tracker) if tracker.startswith("api_key_") else [self._default(tracker)]
        # With several rows a request is refused only when all of them are exhausted.
        passed = [self._counted(tracker, limit, answer) for limit in limits]
        if not any(passed):
            raise too_many_requests()

    def _counted(self, tracker: str, limit: Limit, answer: dict[str, str]) -> bool:
        key = f"{tracker}:{limit.limit}:{limit.ttl}"
        counted: Any = self._count(
            keys=[f"{{{key}:{limit.name}}}:hits", f"{{{key}:{limit.name}}}:blocked"],
            args=[limit.ttl, limit.limit, limit.blockDuration],
        )
        hits, rest, blocked = counted
        name = limit.name[:1].upper() + limit.name[1:]
        answer[f"x-ratelimit-limit-{name}"] = str(limit.limit)
        answer[f"x-ratelimit-remaining-{name}"] = str(0 if blocked else max(0, limit.limit - hits))
        answer[f"x-ratelimit-reset-{name}"] = str(math.ceil((blocked or rest) / 1000))
        return not blocked and hits <= limit.limit

    def _default(self, tracker: str) -> Limit:
        defaults = self._settings.limits
        by_kind = {
            "api_key_": defaults.api_key,
            "oauth_client_": defaults.oauth_client,
            "access_token_": defaults.access_token,
        }
        number = next(
            (each for kind, each in by_kind.items() if tracker.startswith(kind)), defaults.anonymous
        )
        return Limit("default", number, defaults.ttl, defaults.block)

    def _rows_of(self, tracker: str) -> list[Limit]:
        cached: Any = self._client.get(f"rate_limit:{tracker}")
        if cached:
            return [Limit(**each) for each in json.loads(cached)]
        with self._database.transaction() as connection:
            hashed = tracker.removeprefix("api_key_")
            key = one(connection, 'SELECT id FROM "ApiKey" WHERE "hashedKey" = %s', (hashed,))
            if key is None:
                raise refusal(401, "CustomThrottlerGuard - Invalid API Key")
            found = rows(
                connection,
                'SELECT name, "limit", ttl, "blockDuration" FROM "RateLimit" WHERE "apiKeyId" = %s'
                ' ORDER BY "createdAt", id',
                (key["id"],),
            )
        limits = [Limit(**row) for row in found] or [self._default(tracker)]
        kept = json.dumps([asdict(limit) for limit in limits])
        self._client.set(f"rate_limit:{tracker}", kept, ex=ROWS_KEPT_SECONDS)
        return limits
