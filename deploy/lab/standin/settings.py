"""What the stand-in is started with: the official image's variables and three of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

DEFAULT_VERSION = "6.2.0"


class SettingsError(Exception):
    """A variable is missing or unusable; the text is for the person who started the container."""


@dataclass(frozen=True)
class MailSettings:
    """Where mail goes out; `host` is None where no transport is configured (FACTS §2, Email)."""

    host: str | None
    port: int
    user: str
    password: str
    sender: str
    sender_name: str


@dataclass(frozen=True)
class Settings:
    """Everything the process reads from its environment, read once at start."""

    version: str
    database_url: str
    nextauth_secret: str
    nextauth_url: str
    public_url: str
    booker_url: str
    encryption_key: str
    cron_api_key: str | None
    cron_secret: str | None
    signup_disabled: bool
    webhooks_queued: bool
    api_key_prefix: str
    app_name: str
    mail: MailSettings
    extra_ca_file: Path | None
    clock_start: datetime | None
    clock_file: Path | None
    host: str
    port: int

    @property
    def secure_cookies(self) -> bool:
        """Whether cookies carry the `__Secure-` prefix: decided by the public URL's scheme alone."""
        return self.public_url.startswith("https://")

    @property
    def version_numbers(self) -> tuple[int, ...]:
        """The version as numbers, for comparisons."""
        return tuple(int(part) for part in self.version.split("-")[0].split("."))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read all settings. Raises SettingsError where the real app refuses to start."""
        env = os.environ if environment is None else environment
        if not env.get("NEXTAUTH_SECRET"):
            raise SettingsError("NEXTAUTH_SECRET is not set: sessions could not be signed")
        public_url = env.get("NEXT_PUBLIC_WEBAPP_URL") or "http://localhost:3000"
        ca_file = env.get("NODE_EXTRA_CA_CERTS")
        clock_file = env.get("STANDIN_CLOCK_FILE")
        clock_start = env.get("STANDIN_CLOCK")
        return cls(
            version=(env.get("STANDIN_VERSION") or DEFAULT_VERSION).removeprefix("v"),
            database_url=database_url(env),
            nextauth_secret=env["NEXTAUTH_SECRET"],
            nextauth_url=env.get("NEXTAUTH_URL") or f"{public_url}/api/auth",
            public_url=public_url,
            booker_url=env.get("NEXT_PUBLIC_WEBSITE_URL") or public_url,
            encryption_key=env.get("CALENDSO_ENCRYPTION_KEY", ""),
            cron_api_key=env.get("CRON_API_KEY"),
            cron_secret=env.get("CRON_SECRET"),
            signup_disabled=env.get("NEXT_PUBLIC_DISABLE_SIGNUP") == "true",
            webhooks_queued=env.get("TASKER_ENABLE_WEBHOOKS") == "1",
            api_key_prefix=env.get("API_KEY_PREFIX") or "cal_",
            app_name=env.get("NEXT_PUBLIC_APP_NAME") or "Cal.com",
            mail=mail_settings(env),
            extra_ca_file=Path(ca_file) if ca_file else None,
            clock_start=parse_instant(clock_start) if clock_start else None,
            clock_file=Path(clock_file) if clock_file else None,
            host=env.get("STANDIN_BIND") or "0.0.0.0",  # noqa: S104 — like the official image
            port=int(env.get("PORT") or 3000),
        )


def database_url(env: Mapping[str, str]) -> str:
    """The PostgreSQL URL. Raises SettingsError where it is missing."""
    url = env.get("DATABASE_URL")
    if not url:
        raise SettingsError("DATABASE_URL is not set")
    return url


def parse_instant(text: str) -> datetime:
    """An ISO 8601 instant with its zone, such as `2026-11-23T23:19:10Z`."""
    instant = datetime.fromisoformat(text.strip())
    if instant.tzinfo is None:
        raise SettingsError(f"{text!r} has no time zone: write it as 2026-11-23T23:19:10Z")
    return instant


def mail_settings(env: Mapping[str, str]) -> MailSettings:
    """The SMTP transport in the order the real app looks for it: EMAIL_SERVER, then EMAIL_SERVER_HOST."""
    sender = env.get("EMAIL_FROM", "")
    sender_name = env.get("EMAIL_FROM_NAME") or env.get("NEXT_PUBLIC_APP_NAME") or "Cal.com"
    if env.get("EMAIL_SERVER"):
        url = urlsplit(env["EMAIL_SERVER"])
        port = url.port or (465 if url.scheme == "smtps" else 587)
        return MailSettings(url.hostname, port, url.username or "", url.password or "", sender, sender_name)
    return MailSettings(
        host=env.get("EMAIL_SERVER_HOST") or None,
        port=int(env.get("EMAIL_SERVER_PORT") or 587),
        user=env.get("EMAIL_SERVER_USER", ""),
        password=env.get("EMAIL_SERVER_PASSWORD", ""),
        sender=sender,
        sender_name=sender_name,
    )
