"""The periodic endpoints, called once more than cron does: on a new host to prove that they answer."""

from __future__ import annotations

import json

from deploy.actions.instance import Instance
from deploy.errors import CalstackError
from deploy.settings.layout import ONHOST

_LONGEST_CATCH_UP_SECONDS = 900


def catch_up_jobs(instance: Instance) -> list[str]:
    """Run what is overdue: on a new host every job, else what was missed while the instance was down.

    On a new host that makes the first backup, and proves it. Whoever calls this holds the host's lock.

    Returns a line when jobs ran for the first time. Raises `CalstackError` when one fails.
    """
    new = [
        job["name"]
        for job in json.loads(instance.remote.run(f"{ONHOST} stamps --json").text)["jobs"]
        if job["configured"] and job["stamp"] is None
    ]
    backups = instance.settings.backups
    longest = _LONGEST_CATCH_UP_SECONDS + len(backups.repositories) * backups.limit_minutes * 60 * 4
    done = instance.remote.run(f"{ONHOST} catch-up --host-locked", timeout=longest, check=False)
    if done.code != 0:
        raise CalstackError(
            f"periodic jobs fail:\n{done.error_text}",
            where=instance.name,
            fix="see docs/jobs.md; their logs lie in /var/log/calcom on the host",
        )
    return [f"{len(new)} periodic jobs ran for the first time"] if new else []
