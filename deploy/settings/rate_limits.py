"""How often callers may come: the settings `rate_limits`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from deploy.settings import rules
from deploy.settings.section import Line, Section

OWN_KEY_NOTE = "calstack"
"""Note of the API key that calstack makes for itself."""


class KeyLimit(Section):
    """A limit of its own for one API key, in place of `rate_limits.api.limit`."""

    note: Line
    """The note that the key was made with; it finds the key."""
    limit: Annotated[int, Field(ge=1, le=10_000_000)]
    """Calls in a window."""
    window_seconds: Annotated[int, Field(ge=1, le=86_400)] = 60
    """Length of the window."""
    block_seconds: Annotated[int, Field(ge=1, le=86_400)] = 60
    """How long the key is refused after one call too many."""

    @field_validator("note")
    @classmethod
    def _note_is_not_ours(cls, value: str) -> str:
        """Not `calstack`: that key is calstack's own, and its limit is generous."""
        if value == OWN_KEY_NOTE:
            raise rules.refused("is calstack's own key, which seeds; its limit is fixed", "remove the entry")
        return value


class ApiLimits(Section):
    """What API v2 allows, counted in the cache; a refusal is 429."""

    limit: Annotated[int, Field(ge=1, le=10_000_000)] = 120
    """Calls that one API key may make in a window."""
    window_seconds: Annotated[int, Field(ge=1, le=86_400)] = 60
    """Length of the window."""
    block_seconds: Annotated[int, Field(ge=1, le=86_400)] = 60
    """How long a caller is refused after one call too many."""
    anonymous_limit: Annotated[int, Field(ge=1, le=10_000_000)] = 120
    """Calls that one address may make in a window without a key."""
    keys: list[KeyLimit] = []
    """Keys with limits of their own. Each entry: `note` (of the key), `limit`, and if they differ from 60
    `window_seconds` and `block_seconds`."""

    @field_validator("keys")
    @classmethod
    def _each_key_once(cls, value: list[KeyLimit]) -> list[KeyLimit]:
        """Each key stands there once."""
        notes = [key.note for key in value]
        if twice := sorted({note for note in notes if notes.count(note) > 1}):
            raise rules.refused(f"names {', '.join(twice)} twice", "keep one entry a key")
        return value


class RateLimits(Section):
    """How often callers may come."""

    api: ApiLimits = ApiLimits()
