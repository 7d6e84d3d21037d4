"""Finds the run that somebody means to restore."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Mapping

from ..failures import OnhostError
from . import manifest, runs
from .config import BackupConfig
from .manifest import Manifest
from .restic import Repository, Restic


@dataclass(frozen=True)
class Chosen:
    """A run, and the repository that it is taken from."""

    repository: Repository
    run: runs.Run
    promised: Manifest
    unreachable: Mapping[str, str] = field(default_factory=dict)
    """Repositories that could not be asked, so that a newer run may lie there, and why."""


def open_repository(config: BackupConfig, repository: Repository) -> Restic:
    """restic at one of the repositories of the host."""
    return Restic(repository, hostname=config.instance, binary=config.restic)


def choose(config: BackupConfig, asked: str | None, repository: str | None, now: datetime) -> Chosen:
    """The run with the id that begins so, without one the newest; of that repository, else of any.

    Raises OnhostError where there is no such run, and where the named repository, or every one, fails.
    """
    candidates = [config.repository(repository)] if repository else config.repositories
    found: list[tuple[Repository, runs.Run]] = []
    unreachable: dict[str, str] = {}
    for candidate in candidates:
        try:
            listing = runs.listing(open_repository(config, candidate), config.instance, now)
        except OnhostError as error:
            unreachable[candidate.name] = str(error)
            continue
        run = listing.run(asked) if asked else listing.newest
        if run is not None:
            found.append((candidate, run))
    if not found:
        raise OnhostError(_nothing_found(config, asked, repository, unreachable))
    # Of several repositories with the same run the first that the settings name.
    place, run = max(found, key=lambda there: there[1].id)
    content = open_repository(config, place).read(
        run.parts[manifest.MANIFEST].id, manifest.NAME, limit_seconds=config.limit_seconds
    )
    return Chosen(place, run, Manifest.from_bytes(content), unreachable)


def _nothing_found(
    config: BackupConfig, asked: str | None, repository: str | None, unreachable: Mapping[str, str]
) -> str:
    if len(unreachable) == len([repository] if repository else config.repositories):
        return "; ".join(unreachable.values())
    where = repository or ", ".join(
        known.name for known in config.repositories if known.name not in unreachable
    )
    what = f"no run {asked}, or several that begin so" if asked else "no run yet"
    return "; ".join([f"{where}: {what}", *unreachable.values()])
