"""What cron starts for continuous protection: sending the log, making bases, tidying up."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Callable, Mapping, Sequence

from ...clock import utc_now
from ...failures import OnhostError
from ...locks import FileLock, LockHeldError
from ..config import BackupConfig
from ..run import database_server
from ..work import Done, be_nice
from . import bases, receiver, ship
from .settings import Continuous

_BASES_LOCK = Path("/run/lock/calcom-bases.lock")
_SEND_FOR_SECONDS = 45.0
"""cron starts the sending every minute."""
_TIDY_MINUTE = 7
"""Once an hour what later pieces of the log hold too is forgotten, so that the list of them stays short."""


def settings_of(config: BackupConfig) -> Continuous:
    """How it is set up; raises OnhostError where it is not."""
    if config.continuous is None:
        raise OnhostError("continuous protection is not set up on this host (backups.continuous)")
    return config.continuous


def send_log(config: BackupConfig) -> Done:
    """Send the log for most of a minute; lines for a person and failures come back.

    It is a failure when a repository's newest moment is older than the limit, and when the log has a gap.
    """
    be_nice()
    continuous, server = settings_of(config), database_server(config)
    sent = ship.send_for(
        config, continuous, server, seconds=_SEND_FOR_SECONDS, pause_seconds=continuous.ship_seconds
    )
    if utc_now().minute == _TIDY_MINUTE:
        for repository in config.repositories:
            # Who is at work there is not disturbed: the next hour will do.
            with contextlib.suppress(OnhostError):
                ship.forget(config, continuous, repository)
    lines = [f"{name}: {_age(lag)}" for name, lag in sent.lag_seconds.items()]
    return Done(lines, judge(continuous, sent, bases.lacking(config, continuous)))


def judge(continuous: Continuous, sent: ship.Sent, lacking: Sequence[str]) -> list[str]:
    """What is to be told of how it stands."""
    late = [
        f"{name}: nothing newer than {_age(lag)} lies there for certain; "
        f"the limit is {continuous.max_lag_seconds:g} s"
        for name, lag in sent.lag_seconds.items()
        if lag > continuous.max_lag_seconds
    ]
    without = [f"{name}: there is no base to which its log belongs" for name in lacking]
    return [*late, *without, *(sent.complaints if late else ())]


def make_base(config: BackupConfig) -> Done:
    """Make the base that is due by the schedule, and forget and free what is not needed any more."""
    be_nice()
    continuous = settings_of(config)
    with _bases_lock(config.limit_seconds):
        done = _make_base(config, continuous)
        lines, failures = list(done.lines), list(done.failures)
        for repository in (found for found in config.repositories if not found.append_only):
            try:
                gone = ship.forget(config, continuous, repository)
                # Also without any: most are forgotten every hour, and only here is their room freed.
                ship.restic_of(config, repository).prune(limit_seconds=config.limit_seconds)
                lines += [f"{repository.name}: {gone} old pieces forgotten"] if gone else []
            except OnhostError as error:
                failures.append(f"{repository.name}: {error}")
    return Done(lines, failures)


def mend(config: BackupConfig) -> Done:
    """Make a base where one is lacking, after letting the reception begin anew where it broke off."""
    be_nice()
    continuous, server = settings_of(config), database_server(config)
    try:
        with _bases_lock(1):
            began_anew = receiver.situation(server, continuous.slot).lost
            if began_anew:
                ship.send(config, continuous, server)
                bases.begin_anew(continuous, server)
            elif not bases.lacking(config, continuous, reachable=True):
                return Done(["nothing to mend"], [])
            made = _make_base(config, continuous)
    except LockHeldError:
        return Done(["a base is being made"], [])
    return Done([*(["the reception began anew"] if began_anew else []), *made.lines], made.failures)


def _make_base(config: BackupConfig, continuous: Continuous) -> Done:
    server = database_server(config)
    container = receiver.container(continuous)
    receiver.wait_until_connected(server, continuous.slot)
    # What the base needs of the log has to be on its way before.
    ship.send(config, continuous, server)
    made = bases.make(config, continuous, server, container)
    line = f"{made.base.kind} base {made.base.id}, {made.bytes / 1e6:.0f} MB, {made.seconds:.0f} s"
    return Done([line, *made.remarks], made.failures)


def _bases_lock(wait_seconds: float) -> FileLock:
    return FileLock(_BASES_LOCK, who="onhost", what="base", wait_seconds=wait_seconds)


def _age(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 10_000 else f"{seconds / 3600:.0f} h" if seconds < 1e8 else "ever"


VERBS: Mapping[str, Callable[[BackupConfig], Done]] = {
    "wal-send": send_log,
    "base": make_base,
    "base-missing": mend,
}
"""What a job may be told to do."""
