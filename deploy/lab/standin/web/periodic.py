"""What somebody must call from time to time: `/api/cron/*` and `/api/tasks/*` (FACTS §2, §13)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..core import bookings, meetings, task_queue
from ..database import Row, insert, rows
from ..instance import Instance
from .answers import Handler, json_answer

Work = Callable[[Instance], Any]


@dataclass(frozen=True)
class Periodic:
    """One cron endpoint: its method, what it does, and how it refuses."""

    method: str
    work: Work
    takes_secret: bool = False
    refusal: str = "Not authenticated"
    refusal_status: int = 401


def remind(instance: Instance) -> dict[str, Any]:
    """Remind hosts of requests that wait for them, 48, 24 and 3 hours after they were made."""
    sent, now = 0, instance.now()
    with instance.database.transaction() as connection:
        for minutes in (48 * 60, 24 * 60, 3 * 60):
            for booking in rows(
                connection,
                'SELECT * FROM "Booking" b WHERE status = \'pending\' AND "createdAt" <= %s'
                ' AND "endTime" >= %s'
                ' AND NOT EXISTS (SELECT 1 FROM "ReminderMail" r WHERE r."referenceId" = b.id'
                ' AND r."elapsedMinutes" >= %s)',
                (now - timedelta(minutes=minutes), now, minutes),
            ):
                values: Row = {
                    "referenceId": booking["id"],
                    "reminderType": "PENDING_BOOKING_CONFIRMATION",
                    "elapsedMinutes": minutes,
                    "createdAt": now,
                }
                insert(connection, "ReminderMail", values, returning="id")
                bookings.mail_all(instance, bookings.whole(connection, booking), "BOOKING_REQUESTED")
                sent += 1
    return {"notificationsSent": sent}


def trigger_webhooks(instance: Instance) -> dict[str, Any]:
    """Send MEETING_STARTED and MEETING_ENDED where their minute has come; a row goes whatever comes of it."""
    now = instance.now()
    with instance.database.transaction() as connection:
        meetings.drop_late(connection, now)
        due = meetings.due(connection, now)
    for row, webhook in due:
        instance.sender.post(
            webhook | {"subscriberUrl": row["subscriberUrl"]}, row["payload"].encode(), "application/json"
        )
        with instance.database.transaction() as connection:
            meetings.done(connection, row["id"])
    return {"ok": True}


def run_tasks(instance: Instance) -> dict[str, Any]:
    """Work off the task queue."""
    task_queue.work_off(instance.database, instance.sender, instance.now)
    return {"success": True}


def clean_tasks(instance: Instance) -> dict[str, Any]:
    """Clear the task queue of what is over."""
    with instance.database.transaction() as connection:
        task_queue.clean(connection)
    return {"success": True}


def change_time_zones(_instance: Instance) -> dict[str, Any]:
    """Travel schedules are not kept here, so no zone changes."""
    return {"timeZonesChanged": 0}


def fine(_instance: Instance) -> dict[str, Any]:
    """Nothing to do in an instance without teams, apps or billing."""
    return {"ok": True}


def credentials_synced(_instance: Instance) -> list[dict[str, Any]]:
    """Delegated credentials belong to organisations: none here."""
    return [
        {"message": f"Successfully executed {what} credentials", "success": 0, "failures": 0}
        for what in ("create", "delete")
    ]


CRON = {
    "bookingReminder": Periodic("POST", remind),
    "calendar-subscriptions": Periodic("GET", fine, True, "Forbiden", 403),
    "calendar-subscriptions-cleanup": Periodic("GET", fine, True, "Forbidden", 403),
    "changeTimeZone": Periodic("POST", change_time_zones),
    "checkSmsPrices": Periodic("POST", lambda _: {"ok": True, "message": "SMS credits not enabled"}),
    "credentials": Periodic("GET", credentials_synced, True, "Unauthorized"),
    "downgradeUsers": Periodic("POST", fine),
    "monthlyDigestEmail": Periodic("POST", fine),
    "queuedFormResponseCleanup": Periodic(
        "GET", lambda _: {"status": "success", "data": {"count": 0, "batches": 0}}, True
    ),
    "selected-calendars": Periodic(
        "GET",
        lambda _: {"message": "No delegation credentials found", "success": 0, "failures": 0},
        True,
        "Unauthorized",
    ),
    "syncAppMeta": Periodic("POST", fine),
    "webhookTriggers": Periodic("POST", trigger_webhooks),
    "workflows/scheduleEmailReminders": Periodic("POST", lambda _: {"message": "No Emails to schedule"}),
    "workflows/scheduleSMSReminders": Periodic("POST", fine),
    "workflows/scheduleWhatsappReminders": Periodic("POST", fine),
}

TASKS: dict[str, Work] = {"cron": run_tasks, "cleanup": clean_tasks}


def bearer(secret: str | None) -> str:
    """The header that a secret makes; an unset one is spelled `undefined`, a real trap (FACTS §0.6)."""
    return f"Bearer {'undefined' if secret is None else secret}"


def cron_handler(instance: Instance, periodic: Periodic) -> Handler:
    """The handler of one cron endpoint."""
    settings = instance.settings
    accepted = {settings.cron_api_key}
    if periodic.takes_secret:
        accepted.add(bearer(settings.cron_secret))

    def handle(request: Request, _body: bytes) -> Response:
        shown = request.headers.get("authorization") or request.query_params.get("apiKey")
        if shown is None or shown not in accepted:
            return json_answer({"message": periodic.refusal}, periodic.refusal_status)
        return json_answer(periodic.work(instance))

    return handle


def task_handler(instance: Instance, work: Work) -> Handler:
    """The handler of one task endpoint: the secret in the header, and nothing else."""

    def handle(request: Request, _body: bytes) -> Response:
        if request.headers.get("authorization") != bearer(instance.settings.cron_secret):
            return Response("Unauthorized", 401, {"content-type": "text/plain;charset=UTF-8"})
        return json_answer(work(instance))

    return handle
