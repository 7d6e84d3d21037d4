"""The command line of what runs on the host by itself: `python3 /opt/calcom/onhost.pyz COMMAND`."""

from __future__ import annotations

import argparse
import json
import sys
import syslog
from dataclasses import asdict
from pathlib import Path
from typing import Sequence

from . import config, jobs, locks, proxy_runtime, receiver, stamps
from .backup import command as backup
from .backup import stream
from .certificate import job as certificate
from .certificate.settings import Settings as Certificate
from .clock import utc_now
from .failures import OnhostError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 when all went well, 1 when something failed, 2 for bad usage."""
    asked = _parser().parse_args(arguments)
    try:
        code: int = asked.command(asked)
    except OnhostError as error:
        print(f"onhost: {error}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="onhost", description="What runs on a calstack host by itself.")
    parser.add_argument("--jobs-file", type=Path, default=config.JOBS_FILE, help="default: %(default)s")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    job = commands.add_parser("job", help="run one job now")
    job.add_argument("name")
    how = job.add_mutually_exclusive_group()
    how.add_argument("--catch-up", action="store_true", help="only if a run of it was missed")
    how.add_argument(
        "--wait",
        type=float,
        metavar="SECONDS",
        help="at once, after the run that is under way at most this long",
    )
    job.add_argument("--anew", action="store_true", help="with --wait: a new certificate even if none is due")
    job.set_defaults(command=_job)

    catch_up = commands.add_parser("catch-up", help="run every job of which a run was missed")
    catch_up.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="wait for the app first")
    catch_up.add_argument("--host-locked", action="store_true", help="the caller holds the host's lock")
    catch_up.set_defaults(command=_catch_up)

    listing = commands.add_parser("stamps", help="how the last run of each job went")
    listing.add_argument("--json", action="store_true", dest="as_json")
    listing.set_defaults(command=_stamps)

    lock = commands.add_parser("lock", help="the host's lock")
    lock.add_argument("action", choices=["status"])
    lock.add_argument("--file", type=Path, default=locks.HOST_LOCK, help="default: %(default)s")
    lock.set_defaults(command=_lock)

    receive = commands.add_parser("receiver", help="receive a smoke test's webhooks")
    receive.set_defaults(command=lambda _: receiver.main())

    certificate_is = commands.add_parser(
        "certificate", help="what the proxy serves, and what is wrong with it"
    )
    certificate_is.set_defaults(command=_certificate)

    proxy = commands.add_parser("proxy", help="ask the running proxy: a JSON list of commands comes in")
    proxy.set_defaults(command=lambda _: proxy_runtime.main(sys.stdin, sys.stdout))

    backup.add_to(commands)

    stream_ = commands.add_parser("dump-stream", help="pass on what a command writes, and measure it")
    stream_.add_argument("report", type=Path)
    stream_.add_argument("program", nargs="+")
    stream_.set_defaults(command=lambda asked: stream.main(asked.report, asked.program))
    return parser


def _job(asked: argparse.Namespace) -> int:
    known = config.load(asked.jobs_file)
    job = known.job(asked.name)
    if asked.wait is not None:
        return _conclude([jobs.run_now(known, job, wait_seconds=asked.wait, anew=asked.anew)])
    run = jobs.run_if_overdue if asked.catch_up else jobs.run_scheduled
    return _conclude([run(known, job)])


def _catch_up(asked: argparse.Namespace) -> int:
    known = config.load(asked.jobs_file)
    return _conclude(jobs.catch_up(known, wait_seconds=asked.wait, host_locked=asked.host_locked))


def _conclude(results: Sequence[jobs.Result]) -> int:
    """Failures go to standard error, for a person, and to the journal, which cron does not feed."""
    failures = [result for result in results if result.failed]
    for result in failures:
        line = f"job {result.name} failed: {result.message}"
        print(line, file=sys.stderr)
        syslog.openlog("calcom-job", syslog.LOG_PID, syslog.LOG_CRON)
        syslog.syslog(syslog.LOG_ERR, line)
    return 1 if failures else 0


def _stamps(asked: argparse.Namespace) -> int:
    known = config.load(asked.jobs_file)
    found = stamps.read_all(known.stamps)
    now = utc_now()
    overdue = {
        name: stamps.overdue(found.get(name), job.interval_seconds, now) for name, job in known.jobs.items()
    }
    names = [*known.jobs, *(name for name in found if name not in known.jobs)]
    if asked.as_json:
        listed = [
            {
                "name": name,
                "configured": name in known.jobs,
                "overdue": overdue.get(name, False),
                "stamp": asdict(found[name]) if name in found else None,
            }
            for name in names
        ]
        print(json.dumps({"jobs": listed}))
        return 0
    for name in names:
        stamp = found.get(name)
        state = f"{stamp.outcome} {stamp.finished} {stamp.message}".rstrip() if stamp else "has not run yet"
        print(f"{name:32} {'OVERDUE ' if overdue.get(name) else ''}{state}")
    return 0


def _certificate(asked: argparse.Namespace) -> int:
    """One line of JSON: mode, names, what is served, what is wrong with it."""
    work = config.load(asked.jobs_file).job("certificate").work
    if not isinstance(work, Certificate):
        raise OnhostError("the jobs file describes no certificate; deploy writes it anew")
    print(json.dumps(certificate.show(work)))
    return 0


def _lock(asked: argparse.Namespace) -> int:
    print(locks.status(asked.file).to_json())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
