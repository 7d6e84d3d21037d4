"""Which address a booking came from: Cal.com does not keep it, the proxy's log does for a while."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.remote import Remote
from deploy.settings.layout import PROJECT

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PATHS = re.compile(r"^/(api/book/[a-z-]+|(api/)?v2/bookings/?)$")
"""Where bookings are made (FACTS §13, §14)."""

_LOG_CLOCK = dt.timedelta(seconds=1)
"""The log tells whole seconds."""


@dataclass(frozen=True)
class BookingRequest:
    """A request that made a booking, or several."""

    began: dt.datetime
    ended: dt.datetime
    client: str


@dataclass(frozen=True)
class Origins:
    """The requests that made bookings, as far back as the log goes."""

    requests: Sequence[BookingRequest]
    reach_back_to: dt.datetime | None
    """When the oldest line was written; None for an empty log."""

    def clients_at(self, moment: dt.datetime) -> set[str]:
        """The clients whose requests were under way then: one of them made what was made at that moment."""
        return {request.client for request in self.requests if request.began <= moment <= request.ended}


def read_origins(remote: Remote, since: dt.datetime) -> Origins:
    """What the proxy's log still holds of the bookings since then."""
    logs = (
        f"cd {PROJECT} && docker compose logs --no-color --no-log-prefix "
        f"--since {shlex.quote(since.strftime('%Y-%m-%dT%H:%M:%SZ'))} proxy 2>/dev/null"
    )
    script = f"{logs} | grep -m 1 '^{{'; {logs} | grep -E '\"path\": \"/[^\"]*book' || true"
    return parse_log(remote.run(script, timeout=120).text.splitlines())


def parse_log(lines: Iterable[str]) -> Origins:
    """The first line tells how far back the log goes; of the others, those that made a booking count."""
    entries = [_entry(line) for line in lines]
    told = [entry for entry in entries if entry is not None]
    return Origins(
        [
            BookingRequest(_time(entry), _time(entry) + _LOG_CLOCK + _duration(entry), entry["client"])
            for entry in told[1:]
            if entry["method"] == "POST" and entry["status"] in (200, 201) and _PATHS.match(entry["path"])
        ],
        _time(told[0]) if told else None,
    )


def within(client: str, networks: Sequence[Network]) -> bool:
    """Whether an address belongs to one of these networks."""
    address = ipaddress.ip_address(client)
    return any(address in network for network in networks)


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    wanted = {"time": str, "client": str, "method": str, "path": str, "status": int, "ms": int}
    fits = isinstance(entry, dict) and all(isinstance(entry.get(name), kind) for name, kind in wanted.items())
    return entry if fits else None


def _time(entry: dict[str, Any]) -> dt.datetime:
    return dt.datetime.fromisoformat(entry["time"])


def _duration(entry: dict[str, Any]) -> dt.timedelta:
    return dt.timedelta(milliseconds=entry["ms"])
