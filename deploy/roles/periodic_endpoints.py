"""The app's periodic endpoints as data: nothing in a self-hosted Cal.com calls them by itself (FACTS §2).

Methods and credentials are those recorded on a running 6.0.2 (FACTS §13): `/api/tasks/*` take only
`Bearer CRON_SECRET`, all of `/api/cron/*` take the raw CRON_API_KEY. An endpoint that a version does not
have answers 404, which the job counts as "not in this version".
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from deploy.errors import InputError

MINUTE, HOUR, DAY = 60, 3600, 86400

ONHOST = "/usr/bin/python3 /opt/calcom/onhost.pyz"
INNER_PORT = 8080


@dataclass(frozen=True)
class PeriodicEndpoint:
    """One endpoint and when to call it."""

    name: str
    method: Literal["GET", "POST"]
    path: str
    authentication: Literal["bearer CRON_SECRET", "raw CRON_API_KEY"]
    schedule: str
    """Five fields of crontab(5); minutes spread so that they do not all start at once."""
    limit_seconds: int
    """For the whole call; upstream allows its own 800 s."""
    interval_seconds: int | None
    """The schedule's period; None where a missed run must not be caught up."""
    by_default: bool
    why: str
    """What it does, or why it is off unless asked for."""
    jitter_seconds: int = 0
    only_last_day_of_month: bool = False


@dataclass(frozen=True)
class CronLine:
    """One line of /etc/cron.d/calcom-jobs, to be rendered as `SCHEDULE root COMMAND`."""

    schedule: str
    command: str
    comment: str


ENDPOINTS: tuple[PeriodicEndpoint, ...] = (
    PeriodicEndpoint(
        "tasks", "GET", "/api/tasks/cron", "bearer CRON_SECRET", "* * * * *", 300, MINUTE, True,
        "works off the task queue: queued webhooks, no-show webhooks, workflow mails, CRM",
    ),
    PeriodicEndpoint(
        "webhook-triggers", "POST", "/api/cron/webhookTriggers", "raw CRON_API_KEY", "* * * * *", 300, MINUTE,
        True, "sends MEETING_STARTED and MEETING_ENDED; after a day without it they are lost",
    ),
    PeriodicEndpoint(
        "tasks-cleanup", "GET", "/api/tasks/cleanup", "bearer CRON_SECRET", "7 0 * * *", 600, DAY, True,
        "removes tasks that are done", jitter_seconds=20,
    ),
    PeriodicEndpoint(
        "booking-reminder", "POST", "/api/cron/bookingReminder", "raw CRON_API_KEY", "3-59/15 * * * *", 600,
        15 * MINUTE, True, "reminds hosts of bookings that wait for their confirmation", jitter_seconds=20,
    ),
    PeriodicEndpoint(
        "change-time-zone", "POST", "/api/cron/changeTimeZone", "raw CRON_API_KEY", "1 * * * *", 600, HOUR,
        True, "moves users with travel schedules into the time zone that begins", jitter_seconds=20,
    ),
    PeriodicEndpoint(
        "calendar-subscriptions", "GET", "/api/cron/calendar-subscriptions", "raw CRON_API_KEY",
        "2-59/5 * * * *", 300, 5 * MINUTE, True,
        "renews calendars' push channels; does nothing unless that feature flag is on", jitter_seconds=20,
    ),
    PeriodicEndpoint(
        "calendar-subscriptions-cleanup", "GET", "/api/cron/calendar-subscriptions-cleanup",
        "raw CRON_API_KEY", "13 3 * * *", 600, DAY, True, "empties their cache; as the one before",
        jitter_seconds=20,
    ),
    PeriodicEndpoint(
        "queued-form-response-cleanup", "GET", "/api/cron/queuedFormResponseCleanup", "raw CRON_API_KEY",
        "23 5,17 * * *", 600, 12 * HOUR, True, "removes left-over answers of routing forms",
        jitter_seconds=20,
    ),
    PeriodicEndpoint(
        "workflow-email-reminders", "POST", "/api/cron/workflows/scheduleEmailReminders", "raw CRON_API_KEY",
        "5-59/15 * * * *", 600, 15 * MINUTE, True, "workflow mails by SendGrid; does nothing without its key",
        jitter_seconds=20,
    ),
    PeriodicEndpoint(
        "workflow-sms-reminders", "POST", "/api/cron/workflows/scheduleSMSReminders", "raw CRON_API_KEY",
        "8-59/15 * * * *", 600, 15 * MINUTE, True, "workflow texts by Twilio; does nothing without its keys",
        jitter_seconds=20,
    ),
    PeriodicEndpoint(
        "workflow-whatsapp-reminders", "POST", "/api/cron/workflows/scheduleWhatsappReminders",
        "raw CRON_API_KEY", "11-59/15 * * * *", 600, 15 * MINUTE, True,
        "workflow messages by Twilio; does nothing without its keys", jitter_seconds=20,
    ),
    PeriodicEndpoint(
        "monthly-digest", "POST", "/api/cron/monthlyDigestEmail", "raw CRON_API_KEY", "59 23 28-31 * *", 780,
        None, False, "teams only, and it mails people: off until asked for; never sent late",
        only_last_day_of_month=True,
    ),
    PeriodicEndpoint(
        "sync-app-meta", "POST", "/api/cron/syncAppMeta", "raw CRON_API_KEY", "37 4 1 * *", 600, None, False,
        "a dry run unless CRON_ENABLE_APP_SYNC is set",
    ),
    PeriodicEndpoint(
        "downgrade-users", "POST", "/api/cron/downgradeUsers", "raw CRON_API_KEY", "43 4 1 * *", 600, None,
        False, "serves the vendor's billing",
    ),
    PeriodicEndpoint(
        "sms-prices", "POST", "/api/cron/checkSmsPrices", "raw CRON_API_KEY", "* * * * *", 300, MINUTE, False,
        "serves the vendor's SMS credits",
    ),
    PeriodicEndpoint(
        "delegation-credentials", "GET", "/api/cron/credentials", "raw CRON_API_KEY", "4-59/5 * * * *", 300,
        5 * MINUTE, False, "delegation credentials of organizations (an enterprise feature)",
        jitter_seconds=20,
    ),
    PeriodicEndpoint(
        "delegation-calendars", "GET", "/api/cron/selected-calendars", "raw CRON_API_KEY", "1-59/5 * * * *",
        300, 5 * MINUTE, False, "as the one before", jitter_seconds=20,
    ),
)  # fmt: skip
"""In the order in which a catch-up runs them."""


def chosen(*, disable: Collection[str] = (), enable: Collection[str] = ()) -> tuple[PeriodicEndpoint, ...]:
    """The endpoints that a host calls; raises `InputError` for a name that does not exist or is in both."""
    for name in (*disable, *enable):
        _refuse_unknown(name)
    if both := sorted(set(disable) & set(enable)):
        raise InputError(f"jobs both disabled and enabled: {', '.join(both)}", fix="keep one of the two")
    return tuple(
        endpoint
        for endpoint in ENDPOINTS
        if endpoint.name not in disable and (endpoint.by_default or endpoint.name in enable)
    )


def jobs_json(
    domain: str,
    *,
    cron_api_key: str,
    cron_secret: str,
    ping_url: str | None = None,
    inner_port: int = INNER_PORT,
    disable: Collection[str] = (),
    enable: Collection[str] = (),
    others: Mapping[str, Any] | None = None,
) -> str:
    """The content of /opt/calcom/jobs.json (0600: it holds both secrets).

    `others`: jobs that call no endpoint, by name, as the file says them; a catch-up runs them first.
    """
    document = {
        "origin": f"http://127.0.0.1:{inner_port}",
        "host": domain,
        "ping_url": ping_url,
        "secrets": {"CRON_SECRET": cron_secret, "CRON_API_KEY": cron_api_key},
        "directories": {
            "stamps": "/var/lib/calcom/stamps",
            "logs": "/var/log/calcom",
            "locks": "/run/lock",
        },
        "jobs": dict(others or {})
        | {
            endpoint.name: {
                "method": endpoint.method,
                "path": endpoint.path,
                "authentication": endpoint.authentication,
                "limit_seconds": endpoint.limit_seconds,
                "interval_seconds": endpoint.interval_seconds,
                "jitter_seconds": endpoint.jitter_seconds,
                "only_last_day_of_month": endpoint.only_last_day_of_month,
            }
            for endpoint in chosen(disable=disable, enable=enable)
        },
    }
    return json.dumps(document, indent=2) + "\n"


def cron_lines(
    *, disable: Collection[str] = (), enable: Collection[str] = (), others: Sequence[CronLine] = ()
) -> tuple[CronLine, ...]:
    """The lines of /etc/cron.d/calcom-jobs: one an endpoint, the certificate's, `others`, two to catch up."""
    return (
        CronLine(
            "17 * * * *", f"{ONHOST} job certificate", "renews the certificate, looks at what is served"
        ),
        *(
            CronLine(endpoint.schedule, f"{ONHOST} job {endpoint.name}", endpoint.why)
            for endpoint in chosen(disable=disable, enable=enable)
        ),
        *others,
        CronLine("9-59/10 * * * *", f"{ONHOST} catch-up", "runs what was missed"),
        CronLine("@reboot", f"{ONHOST} catch-up --wait 600", "the same after a boot, once the app answers"),
    )


def _refuse_unknown(name: str) -> None:
    names = [endpoint.name for endpoint in ENDPOINTS]
    if name in names:
        return
    nearest = difflib.get_close_matches(name, names, n=1)
    raise InputError(
        f"no periodic job is named {name!r}",
        fix=f"did you mean {nearest[0]!r}?" if nearest else f"one of: {', '.join(names)}",
    )
