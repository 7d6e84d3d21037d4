"""Which limits are in force on an instance, and whose they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deploy.actions.instance import Instance
from deploy.actions.proxy_limits import AMOUNTS, KEYS, key_limits, loaded_maps
from deploy.settings.rate_limits import RateLimits

COLUMNS = ("what", "whose", "limit", "seconds", "kept by", "in force")


@dataclass(frozen=True)
class LimitShown:
    """One limit of an instance."""

    what: str
    """A class of requests, or `api_key NOTE` for a key with a limit of its own."""
    whose: str
    """`each address`, `each key`, or the SHA-256 of the one key."""
    limit: int | None
    """Requests in a window; None where it is off."""
    window_seconds: int | None
    kept_by: str
    """`proxy`, or `API`; the proxy refuses API keys too, above twice their limit."""
    in_force: bool
    """Whether the running proxy has what the settings and the database say; for the API's own, true."""

    def row(self) -> tuple[str, ...]:
        """A line of the table, by COLUMNS."""
        whose = self.whose if len(self.whose) < 32 else f"{self.whose[:12]}…"
        numbers = (
            str(number) if number is not None else "off" for number in (self.limit, self.window_seconds)
        )
        return (self.what, whose, *numbers, self.kept_by, "yes" if self.in_force else "NO: run deploy")


@dataclass(frozen=True)
class LimitsShown:
    """Every limit of an instance."""

    limits: Sequence[LimitShown]
    exempt: Sequence[str]
    """Networks that the proxy's limits do not count."""

    def document(self) -> dict[str, Any]:
        """One host of the document of `limits show --json`."""
        return {"ok": True, "limits": [vars(limit) for limit in self.limits], "exempt": list(self.exempt)}


def show_limits(instance: Instance) -> LimitsShown:
    """Read what the running proxy has, and compare it with the settings and the rows of the database."""
    limits = instance.settings.rate_limits
    maps = [AMOUNTS, KEYS] if instance.settings.has_api else [AMOUNTS]
    loaded = loaded_maps(instance.remote, maps)
    shown = _of_addresses(limits, loaded[AMOUNTS])
    if instance.settings.has_api:
        shown += _of_the_api(limits, loaded[AMOUNTS].get("api_key"))
        shown += _of_single_keys(instance, loaded[KEYS])
    return LimitsShown(shown, limits.exempt)


def _of_addresses(limits: RateLimits, loaded: dict[str, str]) -> list[LimitShown]:
    wanted = limits.amounts()
    names = ("sign_in", "bookings", "slots", "pages", "prefetches")
    return [
        LimitShown(
            name, "each address", *numbers(loaded.get(name)), "proxy", loaded.get(name) == wanted.get(name)
        )
        for name in names
    ]


def _of_the_api(limits: RateLimits, loaded: str | None) -> list[LimitShown]:
    api = limits.api
    in_force = loaded == limits.amounts()["api_key"]
    return [
        LimitShown("api_key", "each key", *numbers(loaded), "API", in_force),
        LimitShown("api", "each address", api.anonymous_limit, api.window_seconds, "API", True),
    ]


def _of_single_keys(instance: Instance, loaded: dict[str, str]) -> list[LimitShown]:
    notes = notes_of_keys(instance)
    wanted = key_limits(instance)
    return [
        LimitShown(
            f"api_key {notes.get(digest, '')}".rstrip(),
            digest,
            *numbers(wanted.get(digest)),
            "API",
            loaded.get(digest) == wanted.get(digest),
        )
        for digest in sorted(
            wanted.keys() | loaded.keys(), key=lambda digest: (notes.get(digest, ""), digest)
        )
    ]


def notes_of_keys(instance: Instance) -> dict[str, str]:
    """The note of each API key, by its SHA-256."""
    rows = instance.remote.sql('select "hashedKey", coalesce(note, \'\') from "ApiKey";')
    return {row[0]: row[1] for row in rows}


def numbers(rate: str | None) -> tuple[int | None, int | None]:
    """Limit and seconds of LIMIT/WINDOW."""
    if rate is None:
        return None, None
    limit, _, window = rate.partition("/")
    return int(limit), int(window)
