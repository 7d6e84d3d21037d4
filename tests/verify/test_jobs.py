from __future__ import annotations

import re
from typing import Any

from deploy.roles.jobs import switched
from deploy.roles.periodic_endpoints import cron_lines
from tests.verify.complaint import complaint, listed
from tests.verify.server import Server

CRON_FILE = "/etc/cron.d/calcom-jobs"
WHY = "webhooks stay queued, hosts are not reminded, MEETING_STARTED and MEETING_ENDED are lost after a day"

_FIELD = r"(?:\*|[0-9]+(?:-[0-9]+)?)(?:/[0-9]+)?"
_LINE = re.compile(
    rf"(?:@reboot|{_FIELD}(?:,{_FIELD})*(?:\s+{_FIELD}(?:,{_FIELD})*){{4}})\s+root\s+\S.*|[A-Z_]+=.*|#.*|\s*"
)

_CATCH_UP_SECONDS = 20 * 60
"""The catch-up looks every ten minutes; with this much time it has run everything that was missed."""
_FIRST_MINUTES_SECONDS = 3 * 60


def test_cron_accepts_the_file_of_jobs(server: Server) -> None:
    content = server.found("cron_file")
    assert content is not None, complaint(f"{CRON_FILE} is missing", why=WHY, fix="calstack deploy")
    file = next(file for file in server.found("files") if file["path"] == CRON_FILE)
    # cron passes over files that others can write, that are not root's, or whose last line does not end.
    assert (file["owner"], file["mode"]) == (0, "0644"), complaint(
        f"{CRON_FILE} has mode {file['mode']} and owner {file['owner']}: cron passes over it",
        why=WHY,
        fix=f"chown root:root {CRON_FILE} && chmod 0644 {CRON_FILE}",
    )
    assert content.endswith("\n"), complaint(
        f"the last line of {CRON_FILE} does not end: cron passes over it", why=WHY, fix="calstack deploy"
    )
    broken = [line for line in content.splitlines() if not _LINE.fullmatch(line)]
    assert not broken, complaint(
        f"{CRON_FILE} has lines that cron cannot read: {listed(broken)}", why=WHY, fix="calstack deploy"
    )


def test_every_job_is_called(server: Server) -> None:
    lines = set((server.found("cron_file") or "").splitlines())
    disable, enable = switched(server.settings)
    wanted = cron_lines(disable=disable, enable=enable)
    missing = [line.command for line in wanted if f"{line.schedule} root {line.command}" not in lines]
    assert not missing, complaint(
        f"{CRON_FILE} does not call: {listed(missing, at_most=3)}", why=WHY, fix="calstack deploy"
    )


def test_no_job_failed_in_its_last_run(server: Server) -> None:
    failed = [
        f"{job['name']} ({job['stamp']['consecutive_failures']} times): {job['stamp']['message']}"
        for job in server.found("jobs")["stamps"]
        if job["configured"] and job["stamp"] and job["stamp"]["outcome"] == "failed"
    ]
    assert not failed, complaint(
        f"failed: {listed(failed)}", why=WHY, fix="tail /var/log/calcom/JOB.log; journalctl -t calcom-job"
    )


def test_every_job_that_should_have_run_has(server: Server) -> None:
    jobs, machine = server.found("jobs"), server.found("machine")
    since = max(machine["up_since"], _placed(server, CRON_FILE))
    late = [
        _last_success(job)
        for job in jobs["stamps"]
        if job["configured"]
        and job["overdue"]
        and machine["now"] - since > _patience(jobs["intervals"].get(job["name"]))
    ]
    assert not late, complaint(
        f"overdue: {listed(late)}",
        why=WHY,
        fix="systemctl status cron; python3 /opt/calcom/onhost.pyz catch-up",
    )


def _placed(server: Server, path: str) -> float:
    return max((float(file["placed"]) for file in server.found("files") if file["path"] == path), default=0.0)


def _patience(interval: float | None) -> float:
    """Seconds that a host may be up, or the job be new, before it must have run once."""
    return _FIRST_MINUTES_SECONDS if interval is not None and interval <= 60 else _CATCH_UP_SECONDS


def _last_success(job: dict[str, Any]) -> str:
    last = job["stamp"]["last_success"] if job["stamp"] else None
    return f"{job['name']} (last success: {last or 'never'})"
