"""What a running HAProxy takes and says over its runtime socket: maps and tables (management guide, 9.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_ENTRY = re.compile(
    r"0x[0-9a-f]+: key=(?P<key>.*) use=\d+ exp=(?P<expires>\d+)(?: shard=\d+)?(?: gpc0=(?P<count>\d+))?"
)


def map_text(entries: Mapping[str, str]) -> str:
    """The lines of a map file, sorted by key. Keys hold no spaces, values no line breaks."""
    return "".join(f"{key} {value}\n" for key, value in sorted(entries.items()))


def map_entries(answer: str) -> dict[str, str]:
    """The entries in the answer to `show map FILE`: lines of an address in memory, a key and a value."""
    rows = (line.split(" ", 2) for line in answer.splitlines())
    return {row[1]: row[2] for row in rows if len(row) == 3 and row[0].startswith("0x")}


def prepared_version(answer: str) -> int | None:
    """The number in the answer to `prepare map FILE`; None where it was refused."""
    what, _, number = answer.rpartition(": ")
    return int(number) if what == "New version created" and number.isdigit() else None


def filling(file: str, version: int, entries: Mapping[str, str]) -> list[str]:
    """Commands that fill a prepared version and make it the one in force, in one step for every request.

    HAProxy answers each with nothing where it went well.
    """
    add = [f"add map @{version} {file} <<\n{map_text(entries)}"] if entries else []
    return [*add, f"commit map @{version} {file}"]


@dataclass(frozen=True)
class TableEntry:
    """One entry of a stick table that counts in its first general purpose counter."""

    key: str
    count: int
    expires_seconds: float
    """When it is forgotten, unless something comes before."""


def table_entries(answer: str) -> list[TableEntry]:
    """The entries in the answer to `show table NAME`."""
    found = (_ENTRY.fullmatch(line) for line in answer.splitlines())
    return [
        TableEntry(match["key"], int(match["count"] or 0), int(match["expires"]) / 1000)
        for match in found
        if match
    ]
