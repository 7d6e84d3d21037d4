"""Runs a job: does its work, then logs, stamps and pings how it went."""

from __future__ import annotations

import contextlib
import random
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Sequence

from . import joblog, pings, stamps
from .backup import config as backup_config
from .backup import telling
from .backup import work as backup
from .backup.verbs import VERBS
from .call import Answer, CallError, call
from .certificate import job as certificate
from .certificate.settings import Settings as Certificate
from .clock import utc_now
from .config import AppCall, Backup, Job, JobsConfig
from .failures import OnhostError
from .locks import HOST_LOCK, FileLock, LockHeldError, status

SKIPPED = "skipped"
"""Outcome of a run that did not take place: it has no stamp and is no error."""
_NO_APP_BEHIND_THE_PROXY = (502, 503, 504)


@dataclass(frozen=True)
class Result:
    """How a run ended."""

    name: str
    outcome: str
    message: str

    @property
    def failed(self) -> bool:
        """Whether the command shall end with an exit code that is not 0."""
        return self.outcome == stamps.FAILED


def run_now(config: JobsConfig, job: Job, *, wait_seconds: float = 0.0, anew: bool = False) -> Result:
    """Run a job because a person or a deploy says so, after a run that is under way.

    `anew`: get a new certificate even where none is due; means nothing to other jobs.
    """
    return _run_alone(config, job, wait_seconds=wait_seconds, anew=anew)


def run_scheduled(config: JobsConfig, job: Job) -> Result:
    """Run a job because cron says so."""
    if job.only_last_day_of_month and (datetime.now() + timedelta(days=1)).day != 1:
        return Result(job.name, SKIPPED, "not the last day of the month")
    if job.jitter_seconds:
        # The pause spreads load; nobody gains by guessing it.
        time.sleep(random.uniform(0, job.jitter_seconds))  # noqa: S311
    return _run_alone(config, job)


def run_if_overdue(config: JobsConfig, job: Job, *, host_locked: bool = False) -> Result:
    """Run a job only when a run of it was missed; `host_locked`: the caller holds the host's lock."""
    stamp, now = stamps.read(config.stamps, job.name), utc_now()
    if not stamps.overdue(stamp, job.interval_seconds, now):
        return Result(job.name, SKIPPED, "not overdue")
    if stamps.failed_within(stamp, job.pause_after_failure_seconds, now):
        return Result(job.name, SKIPPED, "it failed a short while ago")
    return _run_alone(config, job, host_locked=host_locked)


def catch_up(config: JobsConfig, *, wait_seconds: float = 0.0, host_locked: bool = False) -> list[Result]:
    """Run every job of which a run was missed, one after the other.

    After a boot the app takes minutes to answer: `wait_seconds` is how long to wait for it. `host_locked`:
    the caller holds the host's lock.
    """
    _wait_for_the_app(config, wait_seconds)
    return [run_if_overdue(config, job, host_locked=host_locked) for job in config.jobs.values()]


def _run_alone(
    config: JobsConfig,
    job: Job,
    *,
    wait_seconds: float = 0.0,
    anew: bool = False,
    host_locked: bool = False,
) -> Result:
    config.locks.mkdir(parents=True, exist_ok=True)
    lock = FileLock(
        config.locks / f"calcom-job-{job.name}.lock",
        who="onhost",
        what=f"job {job.name}",
        wait_seconds=wait_seconds,
    )
    try:
        with lock:
            return _run(config, job, anew, host_locked)
    except LockHeldError as error:
        since = f"since {error.holder.since}" if error.holder else "now"
        message = f"the run before is still under way {since}"
        joblog.append(config.logs, job.name, utc_now(), f"{SKIPPED}: {message}")
        return Result(job.name, SKIPPED, message)


def _run(config: JobsConfig, job: Job, anew: bool, host_locked: bool) -> Result:
    started, begun = utc_now(), time.monotonic()
    start_ping = pings.ping(config.ping_url, job.name, pings.START)
    if isinstance(job.work, Certificate):
        outcome, message = _keep_certificate(config, job, job.work, anew)
    elif isinstance(job.work, Backup):
        outcome, message = _work_on_backups(config, job, job.work, host_locked)
    else:
        outcome, message = _call(config, job, job.work, host_locked)
    if outcome == SKIPPED:
        joblog.append(config.logs, job.name, utc_now(), f"{SKIPPED}: {message}")
        return Result(job.name, SKIPPED, message)
    seconds = time.monotonic() - begun
    end_ping = pings.ping(
        config.ping_url, job.name, pings.FAIL if outcome == stamps.FAILED else pings.SUCCESS, message
    )

    finished = utc_now()
    line = f"{outcome} in {seconds:.2f} s" + (f": {message}" if message else "")
    unheard = end_ping or start_ping
    joblog.append(config.logs, job.name, finished, f"{line} ({unheard})" if unheard else line)
    stamps.write(
        config.stamps,
        stamps.after_run(
            stamps.read(config.stamps, job.name),
            name=job.name,
            started=started,
            finished=finished,
            seconds=seconds,
            outcome=outcome,
            message=message,
        ),
    )
    return Result(job.name, outcome, message)


def _keep_certificate(config: JobsConfig, job: Job, work: Certificate, anew: bool) -> tuple[str, str]:
    def log(text: str) -> None:
        joblog.append(config.logs, job.name, utc_now(), text)

    try:
        return stamps.DONE, certificate.run(work, limit_seconds=job.limit_seconds, log=log, anew=anew)
    except OnhostError as error:
        return stamps.FAILED, str(error)


def _work_on_backups(config: JobsConfig, job: Job, work: Backup, host_locked: bool) -> tuple[str, str]:
    lines: Sequence[str] = ()
    failures: Sequence[str] = ()
    known = None
    try:
        known = backup_config.load()
        with contextlib.nullcontext() if host_locked else backup.host_lock(work.verb):
            done = VERBS[work.verb](known)
        lines, failures = done.lines, done.failures
    except OnhostError as error:
        failures = [str(error)]
    if known is not None:
        for problem in _tell(known, job.name, lines, failures):
            joblog.append(config.logs, job.name, utc_now(), problem)
    return stamps.FAILED if failures else stamps.DONE, "; ".join([*failures, *lines])


def _tell(
    known: backup_config.BackupConfig, job: str, lines: Sequence[str], failures: Sequence[str]
) -> list[str]:
    repositories = [repository.name for repository in known.repositories]
    news = telling.News.of(job, lines, failures, repositories)
    return telling.tell(
        known.telling, known.state, known.instance, repositories, known.max_age_hours, news, utc_now()
    )


def _call(config: JobsConfig, job: Job, work: AppCall, host_locked: bool) -> tuple[str, str]:
    """Outcome and message; an app that somebody is just replacing is no failure: the catch-up comes by."""
    replaced = "" if host_locked else _who_replaces_the_app()
    try:
        answer = call(
            config.origin,
            config.host,
            work.method,
            work.path,
            limit_seconds=job.limit_seconds,
            authorization=work.authorization,
        )
    except CallError as error:
        return (SKIPPED if replaced else stamps.FAILED), f"{error}{replaced}"
    if replaced and answer.status in _NO_APP_BEHIND_THE_PROXY:
        return SKIPPED, f"{answer.status}{replaced}"
    return judge(work, answer)


def judge(work: AppCall, answer: Answer) -> tuple[str, str]:
    """Outcome and message of an answer; the message of a failure says what to check."""
    said = f"; it said: {answer.excerpt}" if answer.excerpt else ""
    if 200 <= answer.status < 300:
        return stamps.DONE, answer.excerpt
    if answer.status == 404:
        return stamps.NOT_IN_THIS_VERSION, f"{work.path} answers 404"
    if answer.status in (401, 403):
        return stamps.FAILED, (
            f"{answer.status}: the app refuses our {work.credential}; the web container and "
            f"/opt/calcom/jobs.json must hold the same one: deploy again{said}"
        )
    if answer.status == 405:
        return stamps.FAILED, f"405: this version of {work.path} wants another method than {work.method}"
    if 300 <= answer.status < 400:
        return stamps.FAILED, (
            f"{answer.status}: redirected instead of answered; is {work.path} served by the inner entrance?"
        )
    if answer.status in _NO_APP_BEHIND_THE_PROXY:
        return stamps.FAILED, (
            f"{answer.status}: the app behind the proxy does not answer; "
            f"docker compose -p calcom ps; docker compose -p calcom logs --since 15m web{said}"
        )
    return stamps.FAILED, (
        f"{answer.status}: the app failed; docker compose -p calcom logs --since 15m web{said}"
    )


def _who_replaces_the_app(path: Path = HOST_LOCK) -> str:
    """Whose deploy or restore is under way, in brackets; empty where nobody's is. A backup stops nothing."""
    try:
        held = status(path)
    except (OSError, OnhostError):
        return ""
    if not held.held or held.holder is None or held.holder.what == backup.LOCKED_AS:
        return ""
    return f" (meanwhile: {held.holder})"


def _wait_for_the_app(config: JobsConfig, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            answer = call(config.origin, config.host, "GET", "/api/version", limit_seconds=min(left, 10))
        except CallError:
            pass
        else:
            if answer.status < 500:
                return
        time.sleep(min(5.0, max(left, 0)))
