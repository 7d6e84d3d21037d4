"""Limits of single API keys, known by the key's note within its user.

No channel has them: they are rows of the database, which API v2 reads in place of its defaults (FACTS §4).
How they are reached is up to who passes it in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from deploy.settings.rate_limits import KeyLimit


@dataclass(frozen=True)
class Allowance:
    """One limit as the API counts it; seconds are whole unless somebody else made it."""

    limit: int
    """Calls in a window."""
    window_seconds: float
    block_seconds: float
    """How long a caller is refused after one call too many."""


@dataclass(frozen=True)
class ApiKey:
    """One API key of a user, with the limits of its own that it has."""

    digest: str
    """SHA-256 of its text behind the prefix, in hex, as the database knows it."""
    note: str
    allowances: frozenset[Allowance] = frozenset()
    """Empty: the API's default. Of several the API refuses only when each is used up."""
    made: bool = False
    """Whether applying a manifest made one of them."""


class KeyLimits(Protocol):
    """The limits of an instance's API keys; all raise CalstackError where they cannot be reached.

    `user` is as the manifest names them, empty for the administrator. Keys whose limit is not the manifest's
    business are not told of: calstack's own, and those that the settings name.
    """

    def read(self, user: str) -> tuple[ApiKey, ...]:
        """The user's keys, oldest first."""

    def write(self, user: str, note: str, allowance: Allowance) -> None:
        """Give the user's keys of this note this limit and no other."""

    def remove(self, user: str, note: str) -> None:
        """Take away what `write` gave."""

    def take_effect(self, digests: Collection[str]) -> None:
        """Make the API forget its copies of these keys' limits, so that what was written holds at once."""


def allowance(declared: KeyLimit) -> Allowance:
    """The limit of a declaration."""
    return Allowance(declared.limit, declared.window_seconds, declared.block_seconds)


def of_note(keys: Sequence[ApiKey], note: str) -> tuple[ApiKey, ...]:
    """Those that carry the note; several may."""
    return tuple(key for key in keys if key.note == note)
