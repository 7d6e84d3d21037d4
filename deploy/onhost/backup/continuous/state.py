"""What this host knows of the continuous protection in each repository."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ... import json_file


@dataclass(frozen=True)
class KnownLog:
    """The log in one repository; only who sends the log writes this."""

    system: str | None = None
    """The database system whose log went there last."""
    last: int | None = None
    """Number of the last segment that lies there, in whole or in part."""
    content: str | None = None
    """What was sent last, to tell whether there is anything new."""
    until: str | None = None
    """Everything that was committed before this lies there. UTC, RFC 3339, as all times here."""
    unbroken_since: str | None = None
    """Since when nothing is missing; a base that was made before this cannot be replayed up to now."""
    failure: str | None = None
    """What went wrong when it was sent last; None where it went well."""


@dataclass(frozen=True)
class KnownBase:
    """The bases in one repository; only who makes bases writes this."""

    system: str | None = None
    """The database system of the newest base."""
    full: str | None = None
    """Id of the newest full base."""
    full_finished: str | None = None
    base: str | None = None
    """Id of the newest base."""
    started: str | None = None
    """When the making of the newest base began."""
    finished: str | None = None


def read_log(directory: Path, repository: str) -> KnownLog:
    """What is known of the log in a repository; nothing where the file is missing or damaged."""
    try:
        return KnownLog(**json.loads(_log(directory, repository).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return KnownLog()


def write_log(directory: Path, repository: str, known: KnownLog) -> None:
    """Put it in place in one step."""
    json_file.place(_log(directory, repository), asdict(known))


def read_base(directory: Path, repository: str) -> KnownBase:
    """What is known of the bases in a repository; nothing where the file is missing or damaged."""
    try:
        return KnownBase(**json.loads(_base(directory, repository).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return KnownBase()


def write_base(directory: Path, repository: str, known: KnownBase) -> None:
    """Put it in place in one step."""
    json_file.place(_base(directory, repository), asdict(known))


def lacks_base(log: KnownLog, base: KnownBase) -> bool:
    """Whether there is no base from which the log could be replayed up to now."""
    if base.started is None or log.unbroken_since is None or base.system != log.system:
        return True
    return base.started < log.unbroken_since


def _log(directory: Path, repository: str) -> Path:
    return directory / f"{repository}.log.json"


def _base(directory: Path, repository: str) -> Path:
    return directory / f"{repository}.base.json"
