"""Who was refused within the last hour, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deploy import haproxy
from deploy.actions.instance import Instance
from deploy.actions.limits_show import notes_of_keys, numbers
from deploy.actions.proxy_limits import AMOUNTS, KEYS, loaded_maps
from deploy.actions.proxy_runtime import ask_proxy

COLUMNS = ("caller", "what", "refused", "last", "in this window", "limit", "window ends")

_KEPT_SECONDS = 3600
"""For so long the proxy keeps whom it refused after the last time (limit_counts.cfg.j2)."""

_CLASSES = ("sign_in", "bookings", "slots", "pages", "prefetches")


@dataclass(frozen=True)
class Refused:
    """A caller who was refused."""

    what: str
    """Whose limit: a class of requests, `api_key` for the proxy's of a key, `api` for the API's own."""
    caller: str
    """An address (IPv6: a /64), or the SHA-256 of a key."""
    note: str | None
    """The key's note, where it is one of the instance's."""
    refused: int
    """How often."""
    last_seconds_ago: int
    count: int
    """Requests of the window that runs now, refused ones included, as far as the proxy counts them."""
    limit: int | None
    """Above which the caller is refused, for the proxy's limits."""
    window_rest_seconds: int | None
    """Until the next window begins, for the proxy's limits."""

    def row(self) -> tuple[str, ...]:
        """A line of the table, by COLUMNS."""
        caller = self.caller if self.note is None else f"key {self.note} ({self.caller[:12]}…)"
        limit = "" if self.limit is None else str(self.limit)
        rest = "" if self.window_rest_seconds is None else f"in {self.window_rest_seconds} s"
        last = f"{self.last_seconds_ago} s ago"
        return (caller, self.what, str(self.refused), last, str(self.count), limit, rest)


def refused_callers(instance: Instance) -> list[Refused]:
    """Everybody whom the proxy or the API refused within the last hour, most often refused first."""
    has_api = instance.settings.has_api
    tables = ["refused", *_CLASSES, *(["api_key"] if has_api else [])]
    maps = loaded_maps(instance.remote, [AMOUNTS, KEYS] if has_api else [AMOUNTS])
    answers = ask_proxy(instance.remote, [f"show table counts/{name}" for name in tables])
    counted = dict(zip(tables, map(haproxy.table_entries, answers), strict=True))
    now = int(instance.remote.run("date +%s").text)
    notes = notes_of_keys(instance) if has_api else {}
    found = []
    for entry in counted["refused"]:
        what, _, caller = entry.key.partition("|")
        single = maps.get(KEYS, {}).get(caller) if what == "api_key" else None
        limit, window = numbers(single or maps[AMOUNTS].get(what))
        table = what if what != "api" else ("api_key" if caller in notes else "pages")
        current = f"{caller}|{now // (window or 60)}"
        found.append(
            Refused(
                what,
                caller,
                notes.get(caller),
                entry.count,
                max(0, round(_KEPT_SECONDS - entry.expires_seconds)),
                sum(each.count for each in counted.get(table, []) if each.key == current),
                limit * 2 if limit is not None and what == "api_key" else limit,
                None if window is None else window - now % window,
            )
        )
    return sorted(found, key=lambda refused: (-refused.refused, refused.last_seconds_ago))


def top_document(found: Sequence[Refused]) -> dict[str, Any]:
    """One host of the document of `limits top --json`."""
    return {"ok": True, "refused": [vars(refused) for refused in found]}
