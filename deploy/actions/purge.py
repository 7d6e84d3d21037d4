"""Takes away the bookings that a machine made, and nothing else: rows of the instance's own database.

Cal.com can only cancel, one by one, with a mail for each to whoever stands in it (FACTS §14), which with
bookings of a bot are people who never asked for one. So the rows are deleted, with what hangs on them.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from deploy.actions.booking_origins import Network, Origins, read_origins, within
from deploy.actions.instance import Instance, quoted
from deploy.errors import CalstackError, InputError

Confirm = Callable[[str], bool]
"""Shows a plan and says whether it shall be done."""

_SHOWN = 40

_SLACK = dt.timedelta(minutes=10)
"""So long a log may be silent: periodic jobs come every few minutes."""

_CANDIDATES = """
select b.uid, to_char(b."createdAt", 'YYYY-MM-DD"T"HH24:MI:SS.MS'),
       to_char(b."startTime", 'YYYY-MM-DD"T"HH24:MI'), b.status,
       coalesce(u.username, ''), coalesce(e.slug, ''), b.paid,
       lower(coalesce(b.responses->>'email', first.email, '')), coalesce(first.name, ''),
       (select count(*) from "BookingSeat" s where s."bookingId" = b.id),
       (select count(*) from "BookingReference" r where r."bookingId" = b.id and r.type like '%calendar%')
from "Booking" b
     left join users u on u.id = b."userId"
     left join "EventType" e on e.id = b."eventTypeId"
     left join lateral (select a.email, a.name from "Attendee" a where a."bookingId" = b.id
                        order by a.id limit 1) first on true
where b."createdAt" >= {since} and b."createdAt" < {until}
order by b."createdAt", b.id;
"""

# What was true when the plan was made has to be true still.
_DELETE = """
delete from "Booking" b
where b.uid in ({uids}) and not b.paid
      and (select count(*) from "BookingSeat" s where s."bookingId" = b.id) <= 1
returning b.uid;
"""


@dataclass(frozen=True)
class Wanted:
    """Which bookings: made in this time, and by a booker of whom one of the rest is true."""

    since: dt.datetime
    until: dt.datetime
    """Both in UTC; this one is no longer part of it."""
    networks: Sequence[Network] = ()
    """Where the request came from."""
    emails: Sequence[str] = ()
    """Addresses that the booker gave, in small letters."""
    domains: Sequence[str] = ()
    """What stands behind the @ of the address that the booker gave, or its end after a dot."""

    def names_email(self, email: str) -> bool:
        """Whether the booker's address is one of those."""
        domain = email.rpartition("@")[2]
        return email in self.emails or any(
            domain == wanted or domain.endswith(f".{wanted}") for wanted in self.domains
        )


@dataclass(frozen=True)
class FoundBooking:
    """One booking of that time."""

    uid: str
    created: dt.datetime
    start: str
    status: str
    host: str
    event_type: str
    paid: bool
    email: str
    name: str
    seats: int
    calendar_entries: int
    clients: frozenset[str] = frozenset()
    """Addresses it may have come from, as far as the log tells."""


@dataclass
class PurgeResult:
    """What would go, or went, on one host."""

    found: list[FoundBooking] = field(default_factory=list)
    """What fits and can go."""
    left: list[tuple[FoundBooking, str]] = field(default_factory=list)
    """What fits but stays, and why."""
    others: int = 0
    """How many bookings of that time do not fit."""
    notes: list[str] = field(default_factory=list)
    removed: int | None = None
    """None where nothing was to be done, or only looked."""

    def plan(self) -> str:
        """What would go, for a person who decides."""
        lines = [_line(item) for item in self.found[:_SHOWN]]
        if len(self.found) > _SHOWN:
            lines.append(f"... and {len(self.found) - _SHOWN} more (--json lists all)")
        lines += [f"stays: {_line(item)}: {why}" for item, why in self.left]
        lines += [f"note: {note}" for note in self.notes]
        summary = f"{len(self.found)} bookings would go, {self.others + len(self.left)} of that time stay"
        return "\n".join([*lines, summary])

    def lines(self) -> list[str]:
        """For people, once it is done."""
        if self.removed is not None:
            return [f"{self.removed} bookings removed"]
        return self.plan().splitlines() if self.found or self.left else [*self.notes, "no such bookings"]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "ok": True,
            "found": [_as_json(item) for item in self.found],
            "left": [{**_as_json(item), "why": why} for item, why in self.left],
            "others": self.others,
            "notes": self.notes,
            "removed": self.removed,
        }


def wanted(
    since: str,
    until: str | None,
    addresses: Sequence[str],
    emails: Sequence[str],
    domains: Sequence[str],
    now: dt.datetime,
) -> Wanted:
    """What the command's options ask for.

    Raises `InputError` where they ask for nothing, or cannot be read.
    """
    if not (addresses or emails or domains):
        raise InputError(
            "nothing says whose bookings shall go",
            fix="add --address, --email or --email-domain; each may be given several times",
        )
    begin, end = _moment(since, now), _moment(until, now) if until else now + dt.timedelta(days=1)
    if begin >= end:
        raise InputError("there is no time between --since and --until")
    try:
        networks = [ipaddress.ip_network(address) for address in addresses]
    except ValueError as error:
        raise InputError(f"--address: {error}", fix="write it like 192.0.2.7 or 192.0.2.0/24") from None
    return Wanted(
        begin,
        end,
        networks,
        [email.lower() for email in emails],
        [domain.lower().lstrip("@.") for domain in domains],
    )


def purge(instance: Instance, which: Wanted, confirm: Confirm | None) -> PurgeResult:
    """Find those bookings and, if `confirm` says so, remove them; None only looks.

    The host's lock must be held. All go in one step or none.
    """
    origins = read_origins(instance.remote, which.since) if which.networks else Origins([], None)
    result = sort_out(_candidates(instance, which), which, origins)
    if not result.found or confirm is None:
        return result
    if not confirm(f"{instance.name}:\n{result.plan()}"):
        result.removed = 0
    else:
        uids = ", ".join(quoted(item.uid) for item in result.found)
        result.removed = len(instance.remote.sql(_DELETE.format(uids=uids)))
        if result.removed != len(result.found):
            raise CalstackError(
                f"{result.removed} of {len(result.found)} bookings are removed, the others have changed",
                where=instance.name,
                fix="run it again and look at the plan",
            )
    return result


def sort_out(candidates: Sequence[FoundBooking], which: Wanted, origins: Origins) -> PurgeResult:
    """Which of the bookings of that time fit, which of these stay all the same, and why."""
    result = PurgeResult()
    if which.networks and (origins.reach_back_to is None or origins.reach_back_to > which.since + _SLACK):
        reach = origins.reach_back_to
        result.notes.append(
            "the proxy's log reaches back to "
            + (f"{reach:%Y-%m-%d %H:%M} UTC" if reach else "no request")
            + " only: what came before is found by e-mail address alone"
        )
    for candidate in candidates:
        clients = origins.clients_at(candidate.created)
        item = replace(candidate, clients=frozenset(clients))
        named = which.names_email(item.email)
        from_there = {client for client in clients if within(client, which.networks)}
        if not named and not from_there:
            result.others += 1
        elif not named and from_there != clients:
            result.left.append((item, "somebody else booked at the same moment; name it by --email"))
        elif item.paid:
            result.left.append((item, "it was paid for"))
        elif item.seats > 1:
            result.left.append((item, "others have seats in it"))
        else:
            result.found.append(item)
    if any(item.calendar_entries for item in result.found):
        result.notes.append("entries in connected calendars stay there: remove them in the calendar")
    return result


def _candidates(instance: Instance, which: Wanted) -> list[FoundBooking]:
    query = _CANDIDATES.format(since=_timestamp(which.since), until=_timestamp(which.until))
    return [_found(row) for row in instance.remote.sql(query)]


def _found(row: Sequence[str]) -> FoundBooking:
    uid, created, start, status, host, event_type, paid, email, name, seats, entries = row
    return FoundBooking(
        uid=uid,
        created=dt.datetime.fromisoformat(created).replace(tzinfo=dt.UTC),
        start=start,
        status=status,
        host=host,
        event_type=event_type,
        paid=paid == "t",
        email=email,
        name=name,
        seats=int(seats),
        calendar_entries=int(entries),
    )


def _line(item: FoundBooking) -> str:
    booker = "".join(letter if letter.isprintable() else "?" for letter in f"{item.name} <{item.email}>")
    what = f"{item.host}/{item.event_type} at {item.start.replace('T', ' ')} UTC"
    return f"{item.created:%Y-%m-%d %H:%M}  {what}  {booker}  {', '.join(sorted(item.clients))}".rstrip()


def _timestamp(moment: dt.datetime) -> str:
    """As the columns of the app's database hold moments: UTC without a zone."""
    return quoted(moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat(sep=" "))


def _moment(text: str, now: dt.datetime) -> dt.datetime:
    ago = re.fullmatch(r"(\d{1,4})([hd])", text)
    if ago:
        unit = {"h": dt.timedelta(hours=1), "d": dt.timedelta(days=1)}[ago[2]]
        return now - int(ago[1]) * unit
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{text!r} is no time", fix="write it like 2026-11-24, 2026-11-24T09:30 (UTC), 12h or 3d ago"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _as_json(item: FoundBooking) -> dict[str, Any]:
    return {
        "uid": item.uid,
        "created": item.created.isoformat(),
        "start": f"{item.start}Z",
        "status": item.status,
        "host": item.host,
        "event_type": item.event_type,
        "email": item.email,
        "name": item.name,
        "addresses": sorted(item.clients),
    }
