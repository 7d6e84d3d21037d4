"""What API v2 is started with, beside what it shares with the web app (FACTS §3, §13)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

from ..settings import Settings, SettingsError

# Without these the real program ends at once; an empty text counts as a value (FACTS §3, API v2 only).
REQUIRED = (
    "DATABASE_READ_URL", "DATABASE_WRITE_URL", "DATABASE_URL", "REDIS_URL", "NEXTAUTH_SECRET", "JWT_SECRET",
    "STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET", "CALENDSO_ENCRYPTION_KEY",
)  # fmt: skip

VENDOR_SITE = "https://cal.com"
LICENCE_REQUIRED = "required"


@dataclass(frozen=True)
class Limits:
    """The throttler's defaults; times in milliseconds."""

    ttl: int
    block: int
    api_key: int
    oauth_client: int
    access_token: int
    anonymous: int


@dataclass(frozen=True)
class ApiSettings:
    """Everything that API v2 alone reads from its environment."""

    shared: Settings
    redis_url: str
    queue_url: str
    limits: Limits
    licence_required: bool
    rewrite_prefix: bool
    docs_url: str | None
    port: int
    queue_patience: float

    @property
    def queue_wants_tls(self) -> bool:
        """Whether the queue's client reads a `tls` out of its URL, and so speaks TLS to whatever is there."""
        parts = urlsplit(self.queue_url)
        return parts.scheme == "rediss" or "tls" in parse_qs(parts.query)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> ApiSettings:
        """Read all settings. Raises SettingsError where the real program ends instead of starting."""
        env = dict(os.environ if environment is None else environment)
        for name in REQUIRED:
            if name not in env:
                raise SettingsError(f"Missing environment variable: {name}.")
        shared = Settings.from_environment(env)
        # The web app falls back to its own address here, API v2 to the vendor's (FACTS §13).
        shared = replace(shared, booker_url=env.get("NEXT_PUBLIC_WEBSITE_URL") or VENDOR_SITE)
        production = env.get("NODE_ENV") == "production"
        return cls(
            shared=shared,
            redis_url=env["REDIS_URL"],
            queue_url=env["REDIS_URL"] + ("?tls=true" if production else ""),
            limits=limits_of(env),
            licence_required=env.get("STANDIN_LICENCE") == LICENCE_REQUIRED,
            rewrite_prefix=env.get("REWRITE_API_V2_PREFIX", "1") == "1",
            docs_url=env.get("DOCS_URL") or None,
            port=int(env.get("API_PORT") or 5555),
            queue_patience=float(env.get("STANDIN_QUEUE_PATIENCE") or 60),
        )


def limits_of(env: Mapping[str, str]) -> Limits:
    """The six variables of the throttler; an empty one is 0, as JavaScript reads it (FACTS §3)."""

    def number(name: str, default: int) -> int:
        text = env.get(f"RATE_LIMIT_DEFAULT_{name}")
        return default if text is None else int(text or 0)

    return Limits(
        ttl=number("TTL_MS", 60_000),
        block=number("BLOCK_DURATION_MS", 60_000),
        api_key=number("LIMIT_API_KEY", 120),
        oauth_client=number("LIMIT_OAUTH_CLIENT", 500),
        access_token=number("LIMIT_ACCESS_TOKEN", 500),
        anonymous=number("LIMIT", 120),
    )
