"""superjson, the format of tRPC's inputs and outputs: JSON plus notes on what JSON cannot say.

A value that is a date, or was undefined, is noted under `meta.values` by its path; an object that
appears twice is noted under `meta.referentialEqualities` (https://github.com/blitz-js/superjson).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


class Undefined:
    """JavaScript's `undefined`, which JSON writes as null."""

    def __repr__(self) -> str:
        return "UNDEFINED"

    def __bool__(self) -> bool:
        return False


UNDEFINED = Undefined()


def iso(moment: datetime) -> str:
    """An instant as JavaScript's `toISOString` writes it."""
    moment = moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def path_text(path: tuple[str, ...]) -> str:
    """A path with its dots escaped."""
    return ".".join(part.replace("\\", "\\\\").replace(".", "\\.") for part in path)


def path_parts(text: str) -> list[str]:
    """The parts of an escaped path."""
    parts, part, escaped = [], "", False
    for letter in text:
        if escaped:
            part, escaped = part + letter, False
        elif letter == "\\":
            escaped = True
        elif letter == ".":
            parts.append(part)
            part = ""
        else:
            part += letter
    return [*parts, part]


def dumped(value: Any) -> dict[str, Any]:
    """A value in superjson's envelope: `json`, and `meta` where it is needed."""
    notes: dict[str, str] = {}
    seen: dict[int, list[tuple[str, ...]]] = {}

    def plain(each: Any, path: tuple[str, ...], first_visit: bool) -> Any:
        if isinstance(each, Undefined):
            notes[path_text(path)] = "undefined"
            return None
        if isinstance(each, datetime):
            notes[path_text(path)] = "Date"
            return iso(each)
        if not isinstance(each, dict | list):
            return each
        if first_visit:
            # An object met again is noted, but not what lies inside it.
            first_visit = id(each) not in seen
            seen.setdefault(id(each), []).append(path)
        if isinstance(each, dict):
            return {key: plain(child, (*path, str(key)), first_visit) for key, child in each.items()}
        return [plain(child, (*path, str(index)), first_visit) for index, child in enumerate(each)]

    envelope: dict[str, Any] = {"json": plain(value, (), True)}
    meta: dict[str, Any] = {}
    if "" in notes:
        meta["values"] = [notes[""]]
    elif notes:
        meta["values"] = {path: [kind] for path, kind in notes.items()}
    shared = [sorted(paths, key=len) for paths in seen.values() if len(paths) > 1]
    if shared:
        meta["referentialEqualities"] = {
            path_text(first): [path_text(other) for other in others] for first, *others in shared
        }
    return envelope | ({"meta": meta} if meta else {})


def loaded(envelope: Any) -> Any:
    """The value behind an envelope: dates as aware datetimes, what was undefined left out."""
    if not isinstance(envelope, dict):
        return UNDEFINED
    value, meta = envelope.get("json"), envelope.get("meta")
    notes = meta.get("values") if isinstance(meta, dict) else None
    if isinstance(notes, list):
        return revived(value, notes)
    for path, kinds in notes.items() if isinstance(notes, dict) else ():
        parts = path_parts(path)
        parent = value
        for part in parts[:-1]:
            parent = child_of(parent, part)
        revive_child(parent, parts[-1], kinds)
    return value


def child_of(parent: Any, part: str) -> Any:
    """The child of an object or a list, or None where the path leads nowhere."""
    if isinstance(parent, dict):
        return parent.get(part)
    if isinstance(parent, list) and part.isdigit() and int(part) < len(parent):
        return parent[int(part)]
    return None


def revive_child(parent: Any, part: str, kinds: Any) -> None:
    """Bring one noted child back to what it was."""
    if isinstance(parent, dict) and part in parent:
        value = revived(parent[part], kinds)
        if isinstance(value, Undefined):
            del parent[part]
        else:
            parent[part] = value
    elif isinstance(parent, list) and part.isdigit() and int(part) < len(parent):
        parent[int(part)] = revived(parent[int(part)], kinds)


def revived(value: Any, kinds: Any) -> Any:
    """One value by its note; an unreadable date stays the text that it was."""
    kind = kinds[0] if isinstance(kinds, list) and kinds else kinds
    if kind == "undefined":
        return UNDEFINED
    if kind == "Date" and isinstance(value, str):
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except ValueError:
            return value
    return value
