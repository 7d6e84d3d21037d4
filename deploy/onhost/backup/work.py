"""What cron starts: the run, the drill, the retention, the check of the repositories' data."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from datetime import datetime
from typing import Callable, ContextManager, Mapping, Sequence

from ..clock import utc_now
from ..failures import OnhostError
from ..locks import HostLock
from . import retention, run, scratch, state
from .config import BackupConfig
from .drill import PROVEN, Verdict, drill
from .restic import Repository, RepositoryError, Restic

RUN = "run"
LOCKED_AS = "backup"
"""What a run is called in the host's lock."""
_NICENESS = 10
_LOCK_WAIT_SECONDS = 900.0
"""A deploy or a restore holds the host's lock for minutes; a run waits for it."""
_CHECK_PARTS = 28
"""All data is read once in so many checks."""


@dataclass(frozen=True)
class Done:
    """How one of the jobs went."""

    lines: Sequence[str]
    """What a person reads of each repository that went well."""
    failures: Sequence[str]


def host_lock(verb: str) -> ContextManager[object]:
    """What keeps deploy, restore and migration out while this verb works; nothing where none matters."""
    if verb != RUN:
        return contextlib.nullcontext()
    return HostLock(who="onhost", what=LOCKED_AS, wait_seconds=_LOCK_WAIT_SECONDS)


def runs_now(config: BackupConfig, names: Sequence[str] = ()) -> list[run.Outcome]:
    """One run in each of these repositories, or in all; whoever calls this holds the host's lock.

    Raises OnhostError where none could even begin.
    """
    repositories = [config.repository(name) for name in names] or config.repositories
    Restic(repositories[0], hostname=config.instance, binary=config.restic).check_version()
    return run.back_up(config, run.database_server(config), repositories)


def make_run(config: BackupConfig) -> Done:
    """One run in every repository, as `runs_now`."""
    be_nice()
    outcomes = runs_now(config)
    lines = [
        f"{outcome.repository}: {outcome.run} stored, {_size(outcome.bytes_read)} read, "
        f"{_size(outcome.bytes_added)} new, {outcome.seconds:.0f} s"
        for outcome in outcomes
        if outcome.failure is None
    ]
    return Done(lines, [f"{o.repository}: {o.failure}" for o in outcomes if o.failure is not None])


def prove(config: BackupConfig) -> Done:
    """The drill of every repository's newest run."""
    be_nice()
    verdicts = drills(config, database_image(config))
    failures = [_verdict_line(verdict) for verdict in verdicts if verdict.verdict != PROVEN]
    return Done([_verdict_line(verdict) for verdict in verdicts if verdict.verdict == PROVEN], failures)


def drills(config: BackupConfig, image: str, names: Sequence[str] = ()) -> list[Verdict]:
    """The verdict on each of these repositories, or on all.

    Scratch databases that a killed drill left are removed first.
    """
    scratch.remove_leftovers()
    repositories = [config.repository(name) for name in names] or config.repositories
    return [drill(config, repository, image, utc_now()) for repository in repositories]


def database_image(config: BackupConfig) -> str:
    """Id of the image that the instance's database runs; raises OnhostError where there is none."""
    return scratch.image_of(run.database_server(config))


def forget_and_prune(config: BackupConfig) -> Done:
    """Apply the retention to every repository that lets us delete."""
    return _each(config, _forget_and_prune)


def check_data(config: BackupConfig) -> Done:
    """Check each repository's structure, and the next part of its data."""
    return _each(config, _check)


def _forget_and_prune(config: BackupConfig, repository: Repository, now: datetime) -> str:
    if repository.append_only:
        return "append-only: its own side removes what is old"
    restic = Restic(repository, hostname=config.instance, binary=config.restic)
    restic.unlock_stale()
    gone = retention.forget(restic, config.instance, config.keep, now)
    if not gone:
        return "nothing to forget"
    return f"{len(gone)} runs forgotten; {restic.prune(limit_seconds=config.limit_seconds)}"


def _check(config: BackupConfig, repository: Repository, now: datetime) -> str:
    # By the date, so that the parts take turns whatever was missed.
    part = now.toordinal() % _CHECK_PARTS + 1
    restic = Restic(repository, hostname=config.instance, binary=config.restic)
    restic.unlock_stale()
    restic.check(part, _CHECK_PARTS, limit_seconds=config.limit_seconds)
    return f"sound; part {part} of {_CHECK_PARTS} of its data was read"


def _each(config: BackupConfig, work: Callable[[BackupConfig, Repository, datetime], str]) -> Done:
    be_nice()
    lines, failures = [], []
    for repository in config.repositories:
        try:
            lines.append(f"{repository.name}: {work(config, repository, utc_now())}")
        except OnhostError as error:
            cause = f" ({error.cause})" if isinstance(error, RepositoryError) else ""
            failures.append(f"{repository.name}: {error}{cause}")
    return Done(lines, failures)


def last_proven(config: BackupConfig) -> dict[str, state.Known]:
    """What this machine knows of each repository, without asking it."""
    return {repository.name: state.read(config.state, repository.name) for repository in config.repositories}


def be_nice() -> None:
    """Give way to the instance, with all that is started from here (setpriority(2))."""
    there = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, max(there, _NICENESS))


def _verdict_line(verdict: Verdict) -> str:
    what = f"{verdict.run}, {verdict.age_hours:.0f} h old" if verdict.run else "no run"
    why = f": {'; '.join(verdict.reasons)}" if verdict.reasons else ""
    return f"{verdict.repository}: {what}, {verdict.verdict}{why}"


def _size(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


VERBS: Mapping[str, Callable[[BackupConfig], Done]] = {
    RUN: make_run,
    "drill": prove,
    "retention": forget_and_prune,
    "check": check_data,
}
"""What a job may be told to do."""
