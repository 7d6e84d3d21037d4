"""When two answers are alike (`recordings/README.md`).

Values must be equal, except what a server makes up: numeric ids, uids, UUIDs, timestamps, trace ids, tokens,
hashes. Of these, one first seen in a recorded answer stands for the stand-in's own from then on.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

# Strings that a server makes up, by their form.
MADE_UP = {
    "UUID": re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
    "uid": re.compile(r"^[1-9A-HJ-NP-Za-km-z]{22}$"),
    "uid of a calendar": re.compile(r"^[1-9A-HJ-NP-Za-km-z]{22}@Cal\.com$"),
    "trace id": re.compile(r"^trace_[\w-]{21}$"),
    "API key": re.compile(r"^cal_[0-9a-f]{32}$"),
    "hash": re.compile(r"^[0-9a-f]{64}$"),
}
PLACEHOLDERS = {"<64 hex characters>": re.compile(r"^[0-9a-f]{64}$"), "<value>": re.compile(r".", re.DOTALL)}
INSTANT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

# Instants that say when something happened to a row or to a session; all others follow from requests.
HAPPENED = {
    "createdAt", "updatedAt", "createdDate", "emailVerified", "expires", "lastActiveAt", "lastUsedAt",
    "timestamp", "reservationUntil",
}  # fmt: skip

# What a numeric id is of, by the name under which it stands.
IDS = {
    "userId": "user", "eventTypeId": "event type", "scheduleId": "schedule", "defaultScheduleId": "schedule",
    "prevDefaultId": "schedule", "currentDefaultId": "schedule", "schedule": "schedule",
    "bookingId": "booking", "rescheduleId": "booking", "ownerId": "user",
}  # fmt: skip
IDS_BY_PARENT = {
    "user": "user", "users": "user", "owner": "user", "organizer": "user", "profile": "profile",
    "profiles": "profile", "attendees": "attendee", "eventType": "event type", "bookings": "booking",
    "availability": "availability", "fromUser": "user", "payload": "booking", "hosts": "user",
    "eventTypes": "event type",
}  # fmt: skip
IDS_BY_PATH = (
    ("/api/trpc/availability/", "schedule"),
    ("/api/trpc/eventTypes", "event type"),
    ("/api/trpc/public/event", "event type"),
    ("/api/trpc/me/", "user"),
    ("/api/trpc/users/", "user"),
    ("/api/trpc/admin/", "user"),
    ("/api/auth/session", "user"),
    ("/api/book/event", "booking"),
    ("/v2/schedules", "schedule"),
    ("/v2/event-types", "event type"),
    ("/v2/bookings", "booking"),
    ("/v2/me", "user"),
    ("/api/v2/me", "user"),
)

# Ids inside texts: in paths, in queries, and in what a refusal says.
IDS_IN_TEXT = (
    (
        re.compile(r"((?:/event-types/|eventTypeId=|[Ee]vent [Tt]ype (?:with (?:id|ID)[ =]|\()))(\d+)"),
        "event type",
    ),
    (re.compile(r"((?:/schedules/|[Ss]chedule with ID=))(\d+)"), "schedule"),
)

# Lists of whole rows that no request put in order: the web app's lists, and webhooks, whose order is random.
UNORDERED = re.compile(r"(^/api/trpc/.*/list$)|(^/v2/(event-types/\d+/)?webhooks$)")


@dataclass
class Names:
    """What stands for what: a recorded id or uid, and the stand-in's own."""

    own: dict[tuple[str, Any], Any] = field(default_factory=dict)
    recorded: dict[tuple[str, Any], Any] = field(default_factory=dict)

    def agree(self, kind: str, recorded: Any, own: Any) -> bool:
        """Whether these two stand for each other, as they do from now on if neither was seen before."""
        known, back = self.own.get((kind, recorded)), self.recorded.get((kind, own))
        if known is None and back is None:
            self.own[kind, recorded] = own
            self.recorded[kind, own] = recorded
            return True
        return bool(known == own and back == recorded)

    def own_text(self, text: str) -> str:
        """A recorded text with the uids in it replaced by the stand-in's own."""
        for (kind, recorded), own in self.own.items():
            if isinstance(recorded, str) and kind != "hash":
                text = text.replace(recorded, own)
        for pattern, kind in IDS_IN_TEXT:
            text = pattern.sub(partial(self._with_own_number, kind), text)
        return text

    def _with_own_number(self, kind: str, found: re.Match[str]) -> str:
        return f"{found[1]}{self.own_number(kind, int(found[2]))}"

    def own_number(self, kind: str, recorded: int) -> int:
        """The stand-in's id for a recorded one; itself where none was seen."""
        return int(self.own.get((kind, recorded), recorded))


def id_kind(keys: tuple[str, ...], path: str) -> str | None:
    """What the number at the end of these keys is the id of, or None where it is no id."""
    name = keys[-1]
    if name in IDS:
        return IDS[name]
    if name != "id":
        return None
    parents = [key for key in keys[:-1] if not key.isdigit()]
    parent = parents[-1] if parents else ""
    # In the answers of schedules `schedule` is the schedule, but a list under that name holds its rows.
    if parent == "schedule":
        return "availability" if keys[-2].isdigit() else "schedule"
    if parent in IDS_BY_PARENT:
        return IDS_BY_PARENT[parent]
    return next((kind for start, kind in IDS_BY_PATH if path.startswith(start)), "row")


@dataclass
class Comparison:
    """Compares one answer; collects differences, and what was let pass."""

    names: Names
    path: str
    excepted: Counter[str]
    differences: list[str] = field(default_factory=list)

    def values(self, recorded: Any, own: Any, keys: tuple[str, ...] = ()) -> None:
        """Compare two JSON values that stand under these keys."""
        where = ".".join(keys) or "body"
        if isinstance(recorded, dict):
            self._objects(recorded, own, keys)
        elif isinstance(recorded, list):
            if not isinstance(own, list) or len(own) != len(recorded):
                got = f"{len(own)} entries" if isinstance(own, list) else repr(own)
                self.differences.append(f"{where}: {len(recorded)} entries expected, got {got}")
                return
            self._lists(recorded, own, keys)
        elif type(recorded) is not type(own):
            self.differences.append(f"{where}: {recorded!r} expected, got {own!r}")
        elif isinstance(recorded, str):
            self._texts(recorded, own, keys)
        elif isinstance(recorded, int) and not isinstance(recorded, bool):
            kind = id_kind(keys, self.path) if keys else None
            if kind is not None:
                self._made_up(f"id of {kind}", kind, recorded, own, where)
            elif recorded != own:
                self.differences.append(f"{where}: {recorded!r} expected, got {own!r}")
        elif recorded != own:
            self.differences.append(f"{where}: {recorded!r} expected, got {own!r}")

    def _objects(self, recorded: dict[str, Any], own: Any, keys: tuple[str, ...]) -> None:
        where = ".".join(keys) or "body"
        if not isinstance(own, dict):
            self.differences.append(f"{where}: an object expected, got {own!r}")
            return
        for name in sorted(recorded.keys() - own.keys()):
            self.differences.append(f"{where}: {name} is missing")
        for name in sorted(own.keys() - recorded.keys()):
            self.differences.append(f"{where}: {name} is too much")
        for name in recorded.keys() & own.keys():
            self.values(recorded[name], own[name], (*keys, name))

    def _lists(self, recorded: list[Any], own: list[Any], keys: tuple[str, ...]) -> None:
        """In order; a list of whole rows that no request put in order, in whatever order."""
        if keys[-1:] not in (("json",), ("data",)) or not UNORDERED.match(self.path) or len(recorded) < 2:
            for index, (before, now) in enumerate(zip(recorded, own, strict=True)):
                self.values(before, now, (*keys, str(index)))
            return
        left = list(own)
        for index, before in enumerate(recorded):
            for now in left:
                trial = Comparison(
                    Names(dict(self.names.own), dict(self.names.recorded)), self.path, Counter()
                )
                trial.values(before, now, (*keys, str(index)))
                if not trial.differences:
                    break
            else:
                now = left[0]
            left.remove(now)
            self.values(before, now, (*keys, str(index)))
        self.excepted["order of rows in a list"] += 1

    def _texts(self, recorded: str, own: str, keys: tuple[str, ...]) -> None:
        where = ".".join(keys) or "body"
        if recorded in PLACEHOLDERS:
            if PLACEHOLDERS[recorded].match(own):
                self.excepted[recorded] += 1
            else:
                self.differences.append(f"{where}: {recorded} expected, got {own!r}")
            return
        if keys and keys[-1] in HAPPENED and INSTANT.match(recorded):
            self.excepted[f"instant {keys[-1]}"] += 1
            if not INSTANT.match(own):
                self.differences.append(f"{where}: an instant expected, got {own!r}")
            return
        for kind, form in MADE_UP.items():
            if form.match(recorded):
                if not form.match(own):
                    self.differences.append(f"{where}: a {kind} expected, got {own!r}")
                else:
                    self._made_up(kind, kind, recorded, own, where)
                return
        if recorded != own and self.names.own_text(recorded) != own:
            self.differences.append(f"{where}: {recorded!r} expected, got {own!r}")

    def _made_up(self, what: str, kind: str, recorded: Any, own: Any, where: str) -> None:
        if self.names.agree(kind, recorded, own):
            self.excepted[what] += 1
        else:
            known = self.names.own.get((kind, recorded))
            self.differences.append(f"{where}: the {kind} {recorded!r} is {known!r} here, got {own!r}")
