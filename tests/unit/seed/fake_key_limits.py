"""API keys and their limits in memory, as an instance with API v2 keeps them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from deploy.seed.key_limits import Allowance, ApiKey


class FakeKeyLimits:
    """The keys by user; `writes` and `effective` say what was asked for."""

    def __init__(self, **keys: list[ApiKey]) -> None:
        self.keys = {"" if user == "own" else user: held for user, held in keys.items()}
        self.writes: list[str] = []
        self.effective: list[str] = []

    def read(self, user: str) -> tuple[ApiKey, ...]:
        """See `KeyLimits.read`."""
        return tuple(self.keys.get(user, ()))

    def write(self, user: str, note: str, allowance: Allowance) -> None:
        """See `KeyLimits.write`."""
        self.writes.append(f"write {user}:{note}")
        self._set(user, note, frozenset({allowance}), made=True)

    def remove(self, user: str, note: str) -> None:
        """See `KeyLimits.remove`."""
        self.writes.append(f"remove {user}:{note}")
        self._set(user, note, frozenset(), made=False)

    def take_effect(self, digests: Collection[str]) -> None:
        """See `KeyLimits.take_effect`."""
        self.effective += digests

    def _set(self, user: str, note: str, allowances: frozenset[Allowance], *, made: bool) -> None:
        self.keys[user] = [
            replace(key, allowances=allowances, made=made) if key.note == note else key
            for key in self.keys[user]
        ]
