"""Sends what was received of the log to the repositories: what decides how much a lost disk costs."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Sequence

from ...clock import utc_now
from ...failures import OnhostError
from ...locks import FileLock
from ..config import BackupConfig
from ..postgres import Server
from ..restic import Repository, RepositoryError, Restic
from . import outgoing, receiver, retention, state
from .outgoing import Held
from .pieces import Piece, exact, listing
from .settings import Continuous, repository_of

_RECEPTION_SECONDS = 5.0
"""How long to wait for the receiver to have what the database has."""
_SEND_SECONDS = 120.0
_ENOUGH_SEGMENTS = 32
"""So many whole segments may lie on the host; more are removed once every repository has them."""
_STAY = 2
"""The receiver looks at the last ones to know where it was."""
_LONG_AGO = "1970-01-01T00:00:00.000000+00:00"


@dataclass(frozen=True)
class Sent:
    """How it stands with the log after sending."""

    lag_seconds: dict[str, float]
    """Age of the newest moment that each repository holds for certain."""
    complaints: Sequence[str]


def send(config: BackupConfig, continuous: Continuous, server: Server) -> Sent:
    """Send what is new to every repository, and say how old the newest is that each of them holds.

    A database that does not answer keeps nothing from being sent. Whoever else sends is waited for: two that
    make one new repository at the same time leave it without a key that opens it.
    """
    with FileLock(
        continuous.folder / "send.lock", who="onhost", what="sending the log", wait_seconds=_SEND_SECONDS
    ):
        return _send(config, continuous, server)


def _send(config: BackupConfig, continuous: Continuous, server: Server) -> Sent:
    now = utc_now()
    present, trouble = _situation(server, continuous)
    certain = now if present is not None and present.received_all else None
    complaints = [trouble] if trouble else []
    folders = _received(continuous, present.system if present else None)
    for folder in folders[:-1]:
        complaints += _send_remainder(config, continuous, folder)
    for folder in folders[-1:]:
        complaints += _send_current(config, continuous, folder, certain)
    return Sent(
        lag_seconds={
            repository.name: (
                now
                - datetime.fromisoformat(state.read_log(continuous.state, repository.name).until or _LONG_AGO)
            ).total_seconds()
            for repository in config.repositories
        },
        complaints=complaints,
    )


def forget(config: BackupConfig, continuous: Continuous, repository: Repository) -> int:
    """Forget what the retention lets go; how many snapshots. Nothing of it is removed before a prune.

    Raises RepositoryError, also where somebody else is at work there, and OnhostError while a snapshot lies
    in the future.
    """
    if repository.append_only:
        return 0
    restic = restic_of(config, repository)
    found = listing(restic, config.instance, utc_now())
    if found.future:
        raise OnhostError(
            f"nothing is forgotten in {repository.name}: {len(found.future)} snapshots of the log lie in the "
            f"future, the first at {found.future[0].time:%F %T}; set the clocks right and remove them by hand"
        )
    bases, log = retention.due(found, continuous.keep_fulls)
    # An incremental base first: without its parent it is of no use.
    restic.forget([base.snapshot for base in reversed(bases)] + [piece.snapshot for piece in log])
    return len(bases) + len(log)


def restic_of(config: BackupConfig, repository: Repository) -> Restic:
    """restic at the part of a repository that is the log's and the bases'."""
    return Restic(repository_of(repository), hostname=config.instance, binary=config.restic)


def _situation(server: Server, continuous: Continuous) -> tuple[receiver.Situation | None, str | None]:
    try:
        present = receiver.wait_until_received(server, continuous.slot, patience_seconds=_RECEPTION_SECONDS)
    except OnhostError as error:
        return None, str(error)
    if present.received_all:
        return present, None
    return present, present.complaint() or "the receiver lags behind the database"


def _received(continuous: Continuous, system: str | None) -> list[Path]:
    """The folders of all systems, the present one last; a database that was made anew has another."""
    if not continuous.received.is_dir():
        return []
    folders = [path for path in continuous.received.iterdir() if path.is_dir()]
    return sorted(folders, key=lambda path: (path.name == system, path.stat().st_mtime))


def _send_current(
    config: BackupConfig, continuous: Continuous, folder: Path, certain: datetime | None
) -> list[str]:
    held = outgoing.hold(folder, continuous.outgoing / folder.name)
    if held is None:
        return []
    failures = [
        f"{repository.name}: {failure}"
        for repository in config.repositories
        if (failure := _into(config, continuous, repository, held, certain)) is not None
    ]
    return [*failures, *_trim(config, continuous, folder, held)]


def _send_remainder(config: BackupConfig, continuous: Continuous, folder: Path) -> list[str]:
    """Send what is left of a database that was made anew since, and remove it."""
    held = outgoing.hold(folder, continuous.outgoing / folder.name)
    failures = []
    for repository in config.repositories:
        if held is None:
            break
        known = state.read_log(continuous.state, repository.name)
        until = known.until if known.system == folder.name and known.until else _LONG_AGO
        piece = Piece(folder.name, held.first, held.last, datetime.fromisoformat(until))
        failure = _store(config, repository, held, piece, is_new=known.system is None)
        failures += [f"{repository.name}: {failure}"] if failure else []
    if not failures:
        shutil.rmtree(continuous.outgoing / folder.name, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
    return failures


def _into(
    config: BackupConfig, continuous: Continuous, repository: Repository, held: Held, certain: datetime | None
) -> str | None:
    """Send it to one repository; what went wrong comes back."""
    known = state.read_log(continuous.state, repository.name)
    system = held.folder.name
    goes_on = known.system == system and known.last is not None and held.first <= known.last
    until = exact(certain) if certain else known.until if goes_on and known.until else _LONG_AGO
    failure = None
    if not (goes_on and known.content == held.content and known.failure is None):
        piece = Piece(system, held.first, held.last, datetime.fromisoformat(until))
        failure = _store(config, repository, held, piece, is_new=known.system is None)
    if failure is not None:
        state.write_log(continuous.state, repository.name, replace(known, failure=failure))
        return failure
    state.write_log(
        continuous.state,
        repository.name,
        state.KnownLog(
            system=system,
            last=held.last,
            content=held.content,
            until=until,
            unbroken_since=known.unbroken_since if goes_on else exact(utc_now()),
        ),
    )
    return None


def _store(
    config: BackupConfig, repository: Repository, held: Held, piece: Piece, *, is_new: bool
) -> str | None:
    restic, tags = restic_of(config, repository), piece.tags(config.instance)
    try:
        try:
            restic.store_folder(held.folder, tags, limit_seconds=_SEND_SECONDS)
        except RepositoryError as error:
            if error.cause != "missing" or not is_new:
                raise
            restic.create()
            restic.store_folder(held.folder, tags, limit_seconds=_SEND_SECONDS)
    except OnhostError as error:
        return str(error)
    return None


def _trim(config: BackupConfig, continuous: Continuous, folder: Path, held: Held) -> list[str]:
    """Remove from the host what every repository has; beyond the bound also what one of them lacks."""
    whole = [found for found in held.segments if not found.partial][:-_STAY]
    known = [state.read_log(continuous.state, repository.name) for repository in config.repositories]
    everywhere = min((log.last or 0 if log.system == folder.name else 0 for log in known), default=0)
    complaints = []
    if len(whole) > _ENOUGH_SEGMENTS:
        for found in whole:
            if found.number < everywhere:
                _unlink(folder, held, found.name)
    left = [found for found in whole if (folder / found.name).exists()]
    size = (folder / left[0].name).stat().st_size if left else 1
    too_many = len(left) - continuous.local_mb * 1_000_000 // size
    if too_many > 0:
        for found in left[:too_many]:
            _unlink(folder, held, found.name)
        complaints.append(
            f"{too_many} segments were removed that a repository lacks: more than {continuous.local_mb} MB "
            "waited for it"
        )
    return complaints


def _unlink(folder: Path, held: Held, name: str) -> None:
    (folder / name).unlink(missing_ok=True)
    (held.folder / name).unlink(missing_ok=True)


def send_for(
    config: BackupConfig, continuous: Continuous, server: Server, *, seconds: float, pause_seconds: float
) -> Sent:
    """Send at once and then every so often, for so long; the last outcome comes back."""
    begun = time.monotonic()
    while True:
        turn = time.monotonic()
        sent = send(config, continuous, server)
        rest = pause_seconds - (time.monotonic() - turn)
        if time.monotonic() + max(rest, 0) - begun >= seconds:
            return sent
        time.sleep(max(rest, 0))
