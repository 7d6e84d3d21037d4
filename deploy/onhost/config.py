"""The jobs of a host, as /opt/calcom/jobs.json describes them.

    {"origin": "http://127.0.0.1:8080", "host": "cal.example.com", "ping_url": null,
     "secrets": {"CRON_SECRET": "…", "CRON_API_KEY": "…"},
     "directories": {"stamps": "…", "logs": "…", "locks": "…"},
     "jobs": {"tasks": {"method": "GET", "path": "/api/tasks/cron", "authentication": "bearer CRON_SECRET",
                        "limit_seconds": 300, "interval_seconds": 60, "jitter_seconds": 0,
                        "only_last_day_of_month": false},
              "certificate": {"certificate": {"mode": "acme", …}, "limit_seconds": 900, …},
              "drill": {"backup": "drill", "limit_seconds": 21600, …}}}

What calls the app has a method, a path and a credential; the certificate's job has its settings instead, and
what has to do with backups the verb that is meant. The
file holds the two secrets, so it is 0600 and root's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

from .backup.verbs import VERBS
from .certificate.settings import Settings as Certificate
from .failures import OnhostError

JOBS_FILE = Path("/opt/calcom/jobs.json")


@dataclass(frozen=True)
class AppCall:
    """One call of the app."""

    method: str
    path: str
    authorization: str
    """Value of the Authorization header; a secret."""
    credential: str
    """Name of the secret in it, for messages."""


@dataclass(frozen=True)
class Backup:
    """Something that is done with backups, as /opt/calcom/backup/config.json describes them."""

    verb: str
    """A key of `backup.verbs.VERBS`."""


@dataclass(frozen=True)
class Job:
    """Something that is done periodically."""

    name: str
    work: AppCall | Certificate | Backup
    limit_seconds: float
    """For a call the whole of it, from connecting to the last byte."""
    interval_seconds: float | None
    """How far apart two successes are when all is well; None: a missed run is not caught up."""
    jitter_seconds: float
    """Longest random pause before a scheduled run."""
    only_last_day_of_month: bool
    """cron cannot say "the last day of the month": it starts the job on the 28th to 31st."""
    pause_after_failure_seconds: float = 0
    """A catch-up leaves a job alone that failed less than this ago; cron does not."""


@dataclass(frozen=True)
class JobsConfig:
    """All of /opt/calcom/jobs.json."""

    origin: str
    """Address of the inner entrance."""
    host: str
    """The instance's public name, sent as Host."""
    ping_url: str | None
    stamps: Path
    logs: Path
    locks: Path
    jobs: Mapping[str, Job]

    def job(self, name: str) -> Job:
        """The job of that name; raises `OnhostError` naming those that exist."""
        try:
            return self.jobs[name]
        except KeyError:
            raise OnhostError(
                f"no job {name!r} in the jobs file; there are: {', '.join(self.jobs)}"
            ) from None


def load(path: Path = JOBS_FILE) -> JobsConfig:
    """Read the jobs file; raises `OnhostError` when it cannot be read or is not of its form."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OnhostError(f"cannot read {path}: {error.strerror}; it is root's, deploy writes it") from error
    except ValueError as error:
        raise OnhostError(f"{path} is not JSON ({error}); deploy writes it anew") from error
    try:
        directories = said["directories"]
        return JobsConfig(
            origin=said["origin"],
            host=said["host"],
            ping_url=said["ping_url"],
            stamps=Path(directories["stamps"]),
            logs=Path(directories["logs"]),
            locks=Path(directories["locks"]),
            jobs={name: _job(name, job, said["secrets"]) for name, job in said["jobs"].items()},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise OnhostError(f"{path} lacks or misplaces {error}; deploy writes it anew") from error


def _job(name: str, said: Mapping[str, Any], secrets: Mapping[str, str]) -> Job:
    return Job(
        name=name,
        work=_work(said, secrets),
        limit_seconds=said["limit_seconds"],
        interval_seconds=said["interval_seconds"],
        jitter_seconds=said["jitter_seconds"],
        only_last_day_of_month=said["only_last_day_of_month"],
        pause_after_failure_seconds=said.get("pause_after_failure_seconds", 0),
    )


def _work(said: Mapping[str, Any], secrets: Mapping[str, str]) -> AppCall | Certificate | Backup:
    if "certificate" in said:
        return Certificate.from_json(said["certificate"])
    if "backup" in said:
        if said["backup"] not in VERBS:
            raise KeyError(said["backup"])
        return Backup(said["backup"])
    return _app_call(said, secrets)


def _app_call(said: Mapping[str, Any], secrets: Mapping[str, str]) -> AppCall:
    style, credential = said["authentication"].split(" ")
    secret = secrets[credential]
    return AppCall(
        method=said["method"],
        path=said["path"],
        authorization={"bearer": f"Bearer {secret}", "raw": secret}[style],
        credential=credential,
    )
