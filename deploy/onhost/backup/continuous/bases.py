"""Makes bases: copies of the database's files from which on the log can be replayed.

An incremental base always refers to the newest full one and not to the incremental one before it: so a base
needs two pieces at most, and a lost piece costs one day and not the rest of the week.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Sequence

from ... import programs
from ...clock import utc_now
from ...failures import OnhostError
from ..config import BackupConfig
from ..postgres import DatabaseError, Server
from ..restic import Repository, RepositoryError
from . import receiver, state
from .pieces import FULL, INCREMENTAL, Base, exact
from .settings import POSTGRES, Continuous
from .ship import restic_of

_DROP_SECONDS = 30.0
MANIFEST = "backup_manifest"
"""What PostgreSQL's own manifest of a base is called."""


@dataclass(frozen=True)
class Made:
    """A base, and what became of it in each repository."""

    base: Base
    bytes: int
    seconds: float
    remarks: Sequence[str]
    failures: Sequence[str]


def lacking(config: BackupConfig, continuous: Continuous, *, reachable: bool = False) -> list[str]:
    """Names of the repositories that hold no base from which their log could be replayed up to now.

    `reachable`: only those that took the log last time, so that a base would get there.
    """
    names = []
    for repository in config.repositories:
        log = state.read_log(continuous.state, repository.name)
        base = state.read_base(continuous.state, repository.name)
        if state.lacks_base(log, base) and not (reachable and log.failure is not None):
            names.append(repository.name)
    return names


def make(config: BackupConfig, continuous: Continuous, server: Server, container: str) -> Made:
    """Make the base that is due, have PostgreSQL verify it, and store it in every repository.

    `container` is the receiver's: its programs make the base, through the role that may replicate only. The
    caller holds the lock of the bases. Raises OnhostError where none could be made.
    """
    begun = utc_now()
    present = receiver.situation(server, continuous.slot)
    if (complaint := present.complaint()) is not None:
        raise OnhostError(f"no base can be of use now: {complaint}")
    remarks: list[str] = []
    try:
        _make_folder(continuous)
        _need_room(server, continuous)
        parent = _parent(config, continuous, present.system, begun) if present.summarizes else None
        if parent is not None:
            failure = _copy(config, continuous, container, incremental=True)
            if failure is not None:
                remarks.append(f"a full base instead of an incremental one: {failure}")
                _make_folder(continuous)
                parent = None
        if parent is None and (failure := _copy(config, continuous, container, incremental=False)):
            raise OnhostError(f"no base could be made: {failure}")
        _verify(config, continuous, container)
        base = _describe(continuous, present, parent)
        failures = [
            f"{repository.name}: {failure}"
            for repository in config.repositories
            if (failure := _store(config, continuous, repository, base, begun)) is not None
        ]
        if base.kind == FULL:
            (continuous.making / MANIFEST).replace(continuous.full_manifest)
            continuous.full_manifest.chmod(0o644)
            continuous.full_manifest.with_suffix(".id").write_text(base.id, encoding="utf-8")
        size = sum(path.stat().st_size for path in continuous.making.rglob("*") if path.is_file())
    finally:
        shutil.rmtree(continuous.making, ignore_errors=True)
    return Made(base, size, (utc_now() - begun).total_seconds(), remarks, failures)


def begin_anew(continuous: Continuous, server: Server) -> None:
    """Let the reception begin anew after the database has dropped what was not received.

    What was received has been sent before; the log has a gap from here on, so that a base has to follow.
    """
    # In this order: the receiver cannot begin before it has no slot that it lost.
    for folder in continuous.received.iterdir() if continuous.received.is_dir() else ():
        for file in folder.iterdir():
            file.unlink(missing_ok=True)
    deadline = time.monotonic() + _DROP_SECONDS
    while receiver.situation(server, continuous.slot).lost:
        # Nobody can drop it in the instant in which the receiver tries it once more.
        with contextlib.suppress(DatabaseError):
            receiver.drop_slot(server, continuous.slot)
        if time.monotonic() > deadline:
            raise OnhostError(
                "the reception cannot begin anew, since the slot that was lost stays; "
                "docker compose -p calcom restart wal"
            )
        time.sleep(0.2)


def _parent(config: BackupConfig, continuous: Continuous, system: str, now: datetime) -> str | None:
    """Id of the full base for an incremental one to refer to; None where a full one is due."""
    identifier = continuous.full_manifest.with_suffix(".id")
    if not continuous.full_manifest.is_file() or not identifier.is_file():
        return None
    full = identifier.read_text(encoding="utf-8").strip()
    for repository in config.repositories:
        known = state.read_base(continuous.state, repository.name)
        log = state.read_log(continuous.state, repository.name)
        if known.system != system or known.full != full or known.full_finished is None:
            if log.failure is None:
                return None
            continue  # What nobody can reach now shall not make every base a full one.
        if now - datetime.fromisoformat(known.full_finished) > timedelta(
            days=continuous.full_days
        ) - timedelta(hours=2):
            return None
    return full


def _make_folder(continuous: Continuous) -> None:
    shutil.rmtree(continuous.making, ignore_errors=True)
    continuous.making.mkdir(mode=0o700)
    os.chown(continuous.making, POSTGRES, POSTGRES)


def _copy(config: BackupConfig, continuous: Continuous, container: str, *, incremental: bool) -> str | None:
    """Copy the database's files; what went wrong comes back."""
    options = [f"--incremental={continuous.full_manifest}"] if incremental else []
    done = programs.run(
        [
            *("docker", "exec", container, "pg_basebackup", f"--pgdata={continuous.making}"),
            # The log comes by itself; a checkpoint at once, not minutes later.
            *("--wal-method=none", "--checkpoint=fast", "--no-password", *options),
        ],
        limit_seconds=config.limit_seconds,
    )
    return None if done.code == 0 else done.last_words or f"pg_basebackup ended with {done.code}"


def _verify(config: BackupConfig, continuous: Continuous, container: str) -> None:
    done = programs.run(
        ["docker", "exec", container, "pg_verifybackup", "--no-parse-wal", "--quiet", str(continuous.making)],
        limit_seconds=config.limit_seconds,
    )
    if done.code != 0:
        raise OnhostError(f"the base is not what the database sent (pg_verifybackup): {done.last_words}")


def _describe(continuous: Continuous, present: receiver.Situation, parent: str | None) -> Base:
    manifest: dict[str, Any] = json.loads((continuous.making / MANIFEST).read_text(encoding="utf-8"))
    ranges = manifest["WAL-Ranges"][0]
    finished = utc_now()
    return Base(
        id=f"{finished.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}",
        system=str(manifest.get("System-Identifier", present.system)),
        kind=INCREMENTAL if parent else FULL,
        parent=parent,
        timeline=int(ranges["Timeline"]),
        start=str(ranges["Start-LSN"]),
        segment_size=present.segment_size,
        finished=finished,
        version=present.version,
    )


def _store(
    config: BackupConfig, continuous: Continuous, repository: Repository, base: Base, begun: datetime
) -> str | None:
    known = state.read_base(continuous.state, repository.name)
    if base.parent is not None and known.full != base.parent:
        return f"it lacks the full base {base.parent}; a full one is made once it can be reached"
    restic = restic_of(config, repository)
    tags = base.tags(config.instance)
    try:
        restic.store_folder(continuous.making, tags, limit_seconds=config.limit_seconds)
    except RepositoryError as error:
        return str(error)
    is_full = base.kind == FULL
    finished = exact(base.finished)
    state.write_base(
        continuous.state,
        repository.name,
        state.KnownBase(
            system=base.system,
            full=base.id if is_full else known.full,
            full_finished=finished if is_full else known.full_finished,
            base=base.id,
            started=exact(begun),
            finished=finished,
        ),
    )
    return None


def _need_room(server: Server, continuous: Continuous) -> None:
    sizes = server.rows("select sum(pg_database_size(oid)) from pg_database", application="calstack-base")
    needed, free = int(sizes[0][0]) * 1.2 / 1e6, shutil.disk_usage(continuous.folder).free / 1e6
    if free < needed:
        raise OnhostError(
            f"a base needs up to {needed:.0f} MB in {continuous.folder}, and {free:.0f} MB are free"
        )
