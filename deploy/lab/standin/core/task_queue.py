"""The task queue: webhooks that are sent a little later, with three attempts each (FACTS §2, §5).

Somebody must call `/api/tasks/cron` for it. Only a network's failure is tried again: whatever a subscriber
answers counts as delivered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime

from ..database import Connection, Database, Row, insert, rows
from .identifiers import new_uuid
from .payloads import Payload, iso
from .webhooks import Sender, text_of

QUEUED = ("BOOKING_CREATED", "BOOKING_RESCHEDULED")
"""What is queued where queueing is switched on; all else is sent inside the request all the same."""
SEND_WEBHOOK = "sendWebhook"
BATCH = 1000


def add_webhooks(
    connection: Connection, webhooks: Sequence[Row], trigger: str, now: datetime, payload: Payload
) -> None:
    """Queue one event for all its subscribers."""
    for webhook in webhooks:
        job = {
            "secretKey": webhook["secret"],
            "triggerEvent": trigger,
            "createdAt": iso(now),
            "webhook": {name: webhook[name] for name in ("subscriberUrl", "appId", "payloadTemplate")}
            | ({"version": webhook["version"]} if "version" in webhook else {}),
            "data": payload,
        }
        task = {"id": new_uuid(), "type": SEND_WEBHOOK, "payload": text_of(job)}
        insert(connection, "Task", task | dict.fromkeys(("createdAt", "updatedAt", "scheduledAt"), now))


def work_off(database: Database, sender: Sender, now: Callable[[], datetime]) -> None:
    """One attempt at each task that is due."""
    with database.transaction() as connection:
        due = rows(
            connection,
            'SELECT * FROM "Task" WHERE "succeededAt" IS NULL AND "scheduledAt" <= %s'
            ' AND attempts < "maxAttempts" ORDER BY "scheduledAt" LIMIT %s',
            (now(), BATCH),
        )
    for task in due:
        problem = attempt(sender, task)
        with database.transaction() as connection:
            connection.execute(
                'UPDATE "Task" SET attempts = attempts + 1, "updatedAt" = %(now)s, "lastError" = %(problem)s,'
                ' "succeededAt" = CASE WHEN %(problem)s::text IS NULL THEN %(now)s END,'
                ' "lastFailedAttemptAt" = CASE WHEN %(problem)s::text IS NOT NULL THEN %(now)s END'
                " WHERE id = %(id)s",
                {"now": now(), "problem": problem, "id": task["id"]},
            )


def attempt(sender: Sender, task: Row) -> str | None:
    """One task; tells what went wrong, or None."""
    if task["type"] != SEND_WEBHOOK:
        return f"no handler for {task['type']}"
    job = json.loads(task["payload"])
    webhook = {**job["webhook"], "secret": job["secretKey"]}
    created = datetime.fromisoformat(job["createdAt"])
    return sender.send_event(webhook, job["triggerEvent"], created, job["data"]).problem


def clean(connection: Connection) -> None:
    """Delete what is done, or failed for good."""
    connection.execute('DELETE FROM "Task" WHERE "succeededAt" IS NOT NULL OR attempts >= "maxAttempts"')
