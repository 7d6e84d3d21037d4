"""Tells a dead-man's-switch service (Healthchecks and its kin) how a job's run went.

A ping URL of the form https://healthchecks.example.com/ping/KEY/calcom-{job} is pinged with `/start` before
a run, as it is after a success and with `/fail` after a failure (Healthchecks' "Pinging API" page). `{job}`
stands for the job's name; without it, all jobs share one check.
"""

from __future__ import annotations

import urllib.error
import urllib.request

START = "/start"
SUCCESS = ""
FAIL = "/fail"

_LIMIT_SECONDS = 5.0


def ping(url: str | None, job: str, ending: str, message: str = "") -> str | None:
    """Send one ping; returns why it failed, or None. A ping never stops or fails a job.

    The URL is a credential of its own, so it is in no message.
    """
    if url is None:
        return None
    address = url.replace("{job}", job).rstrip("/") + ending
    if not address.startswith(("https://", "http://")):
        return "the ping URL is no http(s) address"
    try:
        request = urllib.request.Request(address, data=message.encode(), method="POST")  # noqa: S310
        with urllib.request.urlopen(request, timeout=_LIMIT_SECONDS):  # noqa: S310
            return None
    except urllib.error.HTTPError as error:
        return f"the ping service answered {error.code}"
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else type(error).__name__
        return f"the ping service was not reached ({reason})"
