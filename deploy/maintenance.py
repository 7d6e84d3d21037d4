"""A maintenance as the host remembers it and HAProxy reads it: one small map, and the key of who is let in.

The map (`templates/opt/calcom/proxy/haproxy/maintenance.cfg.j2` reads it) has a line an entry, key and value
with a space between; a map without `state` is no maintenance. It holds the digest of the key alone, since all
who are on the host may read it. The key comes from the instance's own secret and the maintenance's number, so
calstack can always make it again, and an old link is worth nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import html
import json
import secrets
from dataclasses import dataclass

from deploy.settings.layout import MAINTENANCE_MAP

READ = f"cat {MAINTENANCE_MAP} 2>/dev/null || true"
"""Shell script that prints a host's map, and nothing where there is none."""

OPERATOR_HEADER = "X-Calstack-Operator"
"""What a program shows the key in; people have it in a cookie."""

_DEFAULT_MESSAGE = "Bookings are paused for a short time while this calendar is being looked after."


@dataclass(frozen=True)
class Maintenance:
    """A maintenance that is on."""

    since: dt.datetime
    """When it began, in UTC."""
    by: str
    """Who began it, as USER@MACHINE."""
    message: str | None = None
    """What guests read beside the usual words; one line."""
    until: dt.datetime | None = None
    """When it is expected to be over, in UTC. Nothing ends by itself then."""
    number: str = ""
    """A random number of this maintenance, 16 hexadecimal digits."""

    @classmethod
    def begin(
        cls, by: str, now: dt.datetime, message: str | None = None, until: dt.datetime | None = None
    ) -> Maintenance:
        """A new one, with a number of its own."""
        return cls(now.replace(microsecond=0), by, message, until, secrets.token_hex(8))

    def operator_key(self, nextauth_secret: str) -> str:
        """What lets an operator in for as long as this maintenance lasts, 40 hexadecimal digits."""
        text = f"calstack maintenance {self.number}".encode()
        return hmac.new(nextauth_secret.encode(), text, hashlib.sha256).hexdigest()[:40]

    def operator_link(self, public_url: str, nextauth_secret: str) -> str:
        """The address that leaves the key as a cookie in the browser which opens it."""
        return f"{public_url}/calstack-enter?key={self.operator_key(nextauth_secret)}"

    def told(self) -> str:
        """What a person should know of it, in one sentence."""
        said = f", saying {self.message!r}" if self.message else ""
        until = f", expected until {_in_words(self.until)}" if self.until else ""
        return (
            f"maintenance is on since {_in_words(self.since)} (by {self.by}){until}: guests see a page{said}"
        )

    def as_map(self, nextauth_secret: str) -> str:
        """The map's lines for HAProxy, the last with its line end."""
        expected = f"It is expected to be back by {_in_words(self.until)}." if self.until else None
        sentences = [text for text in (self.message or _DEFAULT_MESSAGE, expected) if text]
        shown = "".join(f"<p>{html.escape(text)}</p>" for text in sentences).replace("|", "&#124;")
        told = json.dumps(" ".join(sentences))[1:-1].replace("|", r"\u007c")
        digest = hashlib.sha256(self.operator_key(nextauth_secret).encode()).hexdigest()
        entries = {
            # All that HAProxy looks at.
            "state": "|".join([digest, str(int(self.until.timestamp())) if self.until else "0", shown, told]),
            "since": self.since.isoformat(),
            "by": self.by,
            "number": self.number,
            "until": self.until.isoformat() if self.until else None,
            "message": self.message,
        }
        return "".join(f"{key} {value}\n" for key, value in entries.items() if value is not None)


def parse(text: str) -> Maintenance | None:
    """The maintenance that a map tells of, or None where it tells of none.

    Raises ValueError where it is broken.
    """
    entries = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
    if "state" not in entries:
        return None
    try:
        return Maintenance(
            since=dt.datetime.fromisoformat(entries["since"]),
            by=entries["by"],
            message=entries.get("message"),
            until=dt.datetime.fromisoformat(entries["until"]) if "until" in entries else None,
            number=entries["number"],
        )
    except KeyError as error:
        raise ValueError(f"the map of the maintenance has no {error.args[0]}") from None


def _in_words(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
