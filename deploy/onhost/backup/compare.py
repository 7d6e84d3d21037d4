"""Says in words what a restored database lacks of what its manifest promises."""

from __future__ import annotations

from typing import Iterable, Mapping

from .manifest import Manifest
from .record import Record

_MOST_NAMED = 5
_TELLING_FIRST = (
    *("extension", "role", "enum", "function", "view", "constraint", "index", "trigger", "policy", "column"),
    *("grants", "owner", "comment"),
)
"""Kinds of objects: the earlier one explains the later, as a view does its columns."""


def differences(promised: Manifest, found: Record) -> list[str]:
    """A line for each way in which the restored database is not the one that was dumped; none is proof."""
    wanted = promised.record
    lines = [
        *_tables(wanted, found),
        *_sequences(promised, found),
        *_named("", wanted.objects, found.objects),
        *_named("role ", wanted.roles, found.roles),
    ]
    for what, before, after in (
        ("locale", wanted.locale.as_sql(), found.locale.as_sql()),
        ("number of migrations", wanted.migrations, found.migrations),
        ("newest migration", wanted.newest_migration, found.newest_migration),
        ("newest booking", wanted.newest_booking, found.newest_booking),
    ):
        if before != after:
            lines.append(f"the {what} is {after}, and was {before}")
    return lines


def _tables(wanted: Record, found: Record) -> Iterable[str]:
    for name, table in wanted.tables.items():
        there = found.tables.get(name)
        if there is None:
            yield f"the table {name} is missing"
        elif there.rows != table.rows:
            yield f"the table {name} has {there.rows} rows, and had {table.rows}"
        elif there.digest != table.digest:
            yield f"the table {name} has its {table.rows} rows, but not all of their values"
    yield from _surplus("the table", wanted.tables, found.tables)


def _sequences(promised: Manifest, found: Record) -> Iterable[str]:
    """A sequence moves on while the dump is made, so its value lies between two that were read."""
    for name, before in promised.record.sequences.items():
        if name not in found.sequences:
            yield f"the sequence {name} is missing"
            continue
        value, after = found.sequences[name] or 0, promised.sequences_after.get(name)
        if value < (before or 0):
            yield f"the sequence {name} is behind: {value}, and was at {before}"
        elif after is not None and value > after:
            yield f"the sequence {name} is ahead: {value}, and was at {after} at most"


def _named(kind: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> Iterable[str]:
    missing = [f"{kind}{name}" for name in wanted if name not in found]
    changed = [f"{kind}{name}" for name in wanted if name in found and found[name] != wanted[name]]
    if missing:
        yield f"missing: {_first_of(missing)}"
    if changed:
        yield f"not what it was: {_first_of(changed)}"
    yield from _surplus(kind.strip(), wanted, found)


def _surplus(kind: str, wanted: Mapping[str, object], found: Mapping[str, object]) -> Iterable[str]:
    more = [f"{kind} {name}".strip() for name in found if name not in wanted]
    if more:
        yield f"was not there before: {_first_of(more)}"


def _first_of(names: list[str]) -> str:
    rest = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(sorted(names, key=_rank)[:_MOST_NAMED]) + rest


def _rank(name: str) -> int:
    kind = name.partition(" ")[0]
    return _TELLING_FIRST.index(kind) if kind in _TELLING_FIRST else len(_TELLING_FIRST)
