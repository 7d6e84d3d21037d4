"""Variables that a user may hand to Cal.com's web app (`app.env`), and those that may not be touched."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from deploy.settings.rules import nearest

GOOGLE_CREDENTIALS = "GOOGLE_API_CREDENTIALS"

API_KEY_PREFIX = "cal_"
"""Begins every API key as people hold it; API v2 compares with no other, whatever it is told (FACTS §3)."""


class Placeholder(str):
    """Stands for a secret's value in files that people look at; no rule about values holds for it."""


_MADE_BY_CALSTACK = "calstack makes and keeps it; see docs/secrets.md"

GOVERNED: Mapping[str, str] = {
    "NEXTAUTH_SECRET": _MADE_BY_CALSTACK,
    "CALENDSO_ENCRYPTION_KEY": _MADE_BY_CALSTACK,
    "CRON_API_KEY": _MADE_BY_CALSTACK,
    "CRON_SECRET": _MADE_BY_CALSTACK,
    "DATABASE_URL": "calstack writes it for its own PostgreSQL",
    "DATABASE_DIRECT_URL": "calstack writes it for its own PostgreSQL",
    "DATABASE_HOST": "calstack writes it for its own PostgreSQL",
    "NEXT_PUBLIC_WEBAPP_URL": "follows from `domain`",
    "NEXT_PUBLIC_WEBSITE_URL": "follows from `domain`",
    "NEXTAUTH_URL": "follows from `domain`",
    "ALLOWED_HOSTNAMES": "follows from `domain`",
    "NEXT_PUBLIC_DISABLE_SIGNUP": "set `app.sign_up`",
    "NEXT_PUBLIC_CLOUDFLARE_SITEKEY": "set `app.turnstile.site_key`",
    "CLOUDFLARE_TURNSTILE_SECRET": "set `app.turnstile.secret`",
    "EMAIL_FROM": "set `smtp.from_address`",
    "EMAIL_FROM_NAME": "set `smtp.from_name`",
    "EMAIL_SERVER": "set `smtp.url`",
    "EMAIL_SERVER_HOST": "set `smtp.host`",
    "EMAIL_SERVER_PORT": "set `smtp.port`",
    "EMAIL_SERVER_USER": "set `smtp.user`",
    "EMAIL_SERVER_PASSWORD": "set `smtp.password`",
    "RESEND_API_KEY": "set `smtp.resend_api_key`",
    "NODE_EXTRA_CA_CERTS": "set `app.ca_file`",
    "NODE_OPTIONS": "follows from `app.memory_mb`",
    "NODE_ENV": "is always production",
    "TZ": "is always UTC; people's time zones are settings of their accounts",
    "API_KEY_PREFIX": f"is always {API_KEY_PREFIX}, since the app compares with nothing else",
    "CALCOM_TELEMETRY_DISABLED": "is always 1",
    "API_PORT": "the proxy looks for the API at port 5555",
    "API_URL": "follows from `api.own_host` and `domain`",
    "WEB_APP_URL": "follows from `domain`",
    "REDIS_URL": "calstack writes it for its own cache",
    "DATABASE_READ_URL": "calstack writes it for its own PostgreSQL",
    "DATABASE_WRITE_URL": "calstack writes it for its own PostgreSQL",
    "DATABASE_READ_POOL_MAX": "follows from `database.max_connections`",
    "DATABASE_WRITE_POOL_MAX": "follows from `database.max_connections`",
    "DATABASE_READ_WORKER_POOL_MAX": "follows from `database.max_connections`",
    "DATABASE_WRITE_WORKER_POOL_MAX": "follows from `database.max_connections`",
    "JWT_SECRET": _MADE_BY_CALSTACK,
    "REWRITE_API_V2_PREFIX": "is always 1, the one value that the API reads as yes",
    "DOCS_URL": "is always the public address, so that the API shows no documentation of its own",
    "LOG_LEVEL": "is always warn: from info on the API writes its callers' keys into its log",
    "LOGGER_BRIDGE_LOG_LEVEL": "is always 2 (warnings), as LOG_LEVEL",
    "IS_TEAM_BILLING_ENABLED": "is always empty, since any text, even false, switches billing on",
    "RATE_LIMIT_DEFAULT_TTL_MS": "set `rate_limits.api.window_seconds`",
    "RATE_LIMIT_DEFAULT_LIMIT_API_KEY": "set `rate_limits.api.limit`",
    "RATE_LIMIT_DEFAULT_LIMIT_OAUTH_CLIENT": "set `rate_limits.api.limit`",
    "RATE_LIMIT_DEFAULT_LIMIT_ACCESS_TOKEN": "set `rate_limits.api.limit`",
    "RATE_LIMIT_DEFAULT_LIMIT": "set `rate_limits.api.anonymous_limit`",
    "RATE_LIMIT_DEFAULT_BLOCK_DURATION_MS": "set `rate_limits.api.block_seconds`",
    "PORT": "the proxy looks for the app at port 3000",
    "HOSTNAME": "the proxy looks for the app by the name of its service",
}
"""Variables that calstack sets itself, and what decides about each."""

FORBIDDEN: Mapping[str, str] = {
    "BUILT_NEXT_PUBLIC_WEBAPP_URL": "belongs to the image: its start script searches the built files for "
    "this very value, so another one leaves every link pointing at localhost",
    "NODE_TLS_REJECT_UNAUTHORIZED": "switches off the verification of every certificate; to trust a private "
    "authority set `app.ca_file`",
    "IS_E2E": "is a test switch of Cal.com that also switches off a licence check; calstack does not use it",
    "GET_LICENSE_KEY_URL": "redirects a licence check; calstack does not work around licences",
}
"""Variables that do harm, and why."""

_SECRET_ENDINGS = ("SECRET", "KEY", "PASSWORD", "TOKEN", "PASSWD", "PASSPHRASE", "CREDENTIALS")


def problem_with_variable(name: str, plain_value: str | None) -> tuple[str, str | None] | None:
    """What is wrong with a variable of `app.env` and what to do, or None.

    `plain_value` is None where the value is a reference to a secret. A value is never repeated in the answer.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return "is not the name of an environment variable: letters, digits and underscores", None
    upper = name.upper()
    if upper in FORBIDDEN:
        return FORBIDDEN[upper], "remove it"
    if upper in GOVERNED:
        return f"is set by calstack: {GOVERNED[upper]}", "remove it here"
    if upper.endswith("_FILE"):
        plain_name = name[: -len("_FILE")]
        return (
            "names a file, which Cal.com's image does not read",
            f"give the value itself: {plain_name}: !secret {plain_name.lower()}",
        )
    if plain_value is None:
        return None
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in plain_value):
        return "contains a line break or another control character", "write it on one line"
    if looks_secret(name) or _carries_password(plain_value):
        return (
            "looks like a secret and stands there in plain text",
            f"write {name}: !secret {_as_secret_name(name)} and store it with "
            f"`calstack secrets set {_as_secret_name(name)}`",
        )
    return None


def looks_secret(name: str) -> bool:
    """Whether the name says that its value must not be seen; what reaches browsers anyway does not count."""
    upper = name.upper()
    public = upper.startswith("NEXT_PUBLIC_") or upper.endswith("PUBLIC_KEY")
    return upper.endswith(_SECRET_ENDINGS) and not public


def _carries_password(value: str) -> bool:
    try:
        return "://" in value and bool(urlsplit(value).password)
    except ValueError:
        return False


def _as_secret_name(name: str) -> str:
    return re.sub(r"^[^a-z]+", "", name.lower()) or "value"


def resolved_value(name: str, value: str) -> str:
    """The value of a variable as the app gets it, its secret known.

    Raises ValueError with the reason (never with the value) where the app could not read it: control
    characters, or GOOGLE_API_CREDENTIALS that is not the JSON which Google's console offers (FACTS §3). That
    JSON comes as a file of several lines and is put on one.
    """
    if isinstance(value, Placeholder):
        return value
    if name == GOOGLE_CREDENTIALS:
        return _google_credentials(value)
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
        message = "contains a line break or another control character, which an environment file cannot carry"
        raise ValueError(message)
    return value


def _google_credentials(value: str) -> str:
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        message = "is not JSON; store the file that Google's console offers for download, unchanged"
        raise ValueError(message) from None
    web = document.get("web") if isinstance(document, dict) else None
    if not isinstance(web, dict):
        meant = nearest("web", document) if isinstance(document, dict) else None
        hint = f" (it has {meant!r} instead)" if meant else ""
        message = f"has no section `web`{hint}; the OAuth client must be of the type `Web application`"
        raise ValueError(message)
    redirects = web.get("redirect_uris")
    if not isinstance(redirects, list) or not redirects or not all(isinstance(uri, str) for uri in redirects):
        message = "has no `web.redirect_uris`; add the redirect addresses in Google's console, download again"
        raise ValueError(message)
    return json.dumps(document, separators=(",", ":"))
