"""Recordings of a real server: read from folders laid out like `recordings/`, and merged by step."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# The kinds that can be replayed, with the order of their files.
ORDER = {
    "web": ("site", "session", "booking", "cleanup", "meeting"),
    "api": ("health", "auth", "schedules", "event_types", "webhooks", "slots", "bookings", "rate_limits"),
    "both": ("fields", "manage"),
}
# When each kind was recorded (the recordings' README).
STARTS = {
    "web": datetime(2026, 11, 23, 23, 19, 10, tzinfo=UTC),
    "api": datetime(2026, 11, 23, 9, 6, 52, tzinfo=UTC),
    "both": datetime(2026, 11, 24, 6, 36, tzinfo=UTC),
}
DELIVERIES = "webhook_deliveries.json"


class RecordingError(Exception):
    """A folder or file that cannot be read as recordings; the text says which."""


@dataclass(frozen=True)
class Step:
    """One request that was sent to the real server, and its answer."""

    number: int
    note: str | None
    request: dict[str, Any]
    response: dict[str, Any]


@dataclass(frozen=True)
class Recording:
    """One file of a kind, such as `web/session`, its steps in order."""

    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Delivery:
    """One webhook that the real server sent."""

    subscriber: str
    secret: str | None
    headers: dict[str, str]
    body: bytes
    kind: str


@dataclass(frozen=True)
class Recordings:
    """All that was found: what can be replayed, what cannot yet, and the deliveries."""

    replayable: dict[str, tuple[Recording, ...]]
    left_out: tuple[str, ...]
    deliveries: tuple[Delivery, ...]


def read(folders: Sequence[Path]) -> Recordings:
    """Read all folders; steps of files with the same relative path are put together by their number.

    Raises RecordingError for a folder without recordings, or an unreadable file.
    """
    steps: dict[str, dict[int, Step]] = {}
    deliveries: dict[bytes, Delivery] = {}
    for folder in folders:
        files = sorted(folder.glob("*/*.json"))
        if not files:
            raise RecordingError(f"{folder} holds no recordings: it must look like tests/contract/recordings")
        for file in files:
            found = steps.setdefault(f"{file.parent.name}/{file.stem}", {})
            for entry in loaded(file):
                found[entry["step"]] = Step(
                    entry["step"], entry.get("note"), entry["request"], entry["response"]
                )
        if (folder / DELIVERIES).is_file():
            kind = next(iter(ORDER))
            for entry in loaded(folder / DELIVERIES):
                body = base64.b64decode(entry["body_base64"])
                # What says nothing of its time, such as a template's body, was sent after the one before it.
                kind = kind_at(body) or kind
                key = entry["subscriber"].encode() + b"\0" + body
                deliveries[key] = Delivery(entry["subscriber"], entry["secret"], entry["headers"], body, kind)
    replayable = {}
    for kind, order in ORDER.items():
        names = [f"{kind}/{name}" for name in order if f"{kind}/{name}" in steps]
        if names:
            replayable[kind] = tuple(
                Recording(name, tuple(step for _, step in sorted(steps[name].items()))) for name in names
            )
    taken = {recording.name for recordings in replayable.values() for recording in recordings}
    return Recordings(replayable, tuple(sorted(set(steps) - taken)), tuple(deliveries.values()))


def kind_at(body: bytes) -> str | None:
    """The kind that was being recorded when a delivery says that it was made, or None."""
    try:
        content = json.loads(body)
        moment = datetime.fromisoformat(content["createdAt"])
    except (ValueError, KeyError, TypeError):
        return None
    return min(STARTS, key=lambda kind: abs(STARTS[kind] - moment))


def loaded(file: Path) -> list[dict[str, Any]]:
    """The entries of one file. Raises RecordingError."""
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise RecordingError(f"{file}: {error}") from error
    if not isinstance(content, list):
        raise RecordingError(f"{file}: not a list of steps")
    return content
