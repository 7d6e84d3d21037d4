"""The proxy's limits: amounts, which change while HAProxy runs, and the tables that it counts in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deploy import haproxy
from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles.context import HostContext, origin
from deploy.settings.layout import PROXY_LIMITS, PROXY_LIMITS_INSIDE
from deploy.settings.model import HostSettings

CLASSES = ("pages", "prefetches", "slots", "bookings", "sign_in", "api_key")
"""What a request may count as. Each has a table of its own: a crowd in one pushes nobody out of another."""

_ENTRIES_PER_MB = 512
"""An entry takes up to 256 bytes (its name has 96), so all tables, if full, take an eighth of the memory."""

# Shares of the entries; few addresses book, and an instance has few keys.
_SHARES = {
    "pages": 8, "prefetches": 4, "slots": 4, "bookings": 2, "sign_in": 4, "api_key": 4,
    "accepted_keys": 2, "refused": 4,
}  # fmt: skip


@dataclass(frozen=True)
class LimitTables:
    """What the templates of the limits are filled in with."""

    amounts_map: str
    keys_map: str
    windows: dict[str, int]
    """Seconds by class: for so long an entry is kept after its last request."""
    entries: dict[str, int]
    """Most entries of each table."""


def tables(settings: HostSettings) -> LimitTables:
    """Files and tables of the limits."""
    limits = settings.rate_limits
    windows = dict.fromkeys(CLASSES, 60)
    windows |= {name: int(rate.partition("/")[2]) for name, rate in limits.amounts().items()}
    windows["api_key"] = max([windows["api_key"], *(key.window_seconds for key in limits.api.keys)])
    if not settings.has_api:
        del windows["api_key"]
    unit = settings.proxy.memory_mb * _ENTRIES_PER_MB // sum(_SHARES.values())
    return LimitTables(
        amounts_map=f"{PROXY_LIMITS_INSIDE}/amounts.map",
        keys_map=f"{PROXY_LIMITS_INSIDE}/keys.map",
        windows=windows,
        entries={name: share * unit for name, share in _SHARES.items()},
    )


def files(host: HostContext, *, group: int) -> list[ManagedFile | ManagedDirectory]:
    """The maps; `group` is HAProxy's, which alone reads of keys.

    Which keys there are, and what each is allowed, the database knows: that map is written after the
    instance has started (actions/limits.py), and is empty until then.
    """
    amounts = map_file(host.settings.rate_limits.amounts())
    return [
        ManagedDirectory(PROXY_LIMITS),
        ManagedFile(f"{PROXY_LIMITS}/amounts.map", amounts),
        ManagedFile(f"{PROXY_LIMITS}/keys.map", map_file({}), mode="0640", group=group, once=True),
    ]


def map_file(entries: Mapping[str, str]) -> bytes:
    """A map of limits as it lies on the host."""
    return f"# {origin('deploy/settings/rate_limits.py')}\n{haproxy.map_text(entries)}".encode()
