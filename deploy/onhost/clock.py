"""Instants as the host's files hold them: UTC, whole seconds, RFC 3339."""

from __future__ import annotations

from datetime import datetime, timezone

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def utc_now() -> datetime:
    """The present instant, with its zone."""
    return datetime.now(timezone.utc)


def to_text(instant: datetime) -> str:
    """`2026-11-24T06:54:10Z`."""
    return instant.astimezone(timezone.utc).strftime(_FORMAT)


def from_text(text: str) -> datetime:
    """The inverse of `to_text`; raises ValueError on anything else."""
    return datetime.strptime(text, _FORMAT).replace(tzinfo=timezone.utc)
