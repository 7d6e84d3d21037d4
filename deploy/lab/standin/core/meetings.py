"""MEETING_STARTED and MEETING_ENDED: rows that wait for their minute, sent by the webhookTriggers cron."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..database import Connection, Row, insert, one, rows
from . import payloads, webhooks
from .payloads import Booked, Payload

# When each of the two falls due.
DUE = {"MEETING_STARTED": "startTime", "MEETING_ENDED": "endTime"}
# Rows older than this are dropped unsent (FACTS §2).
TOO_LATE = timedelta(hours=24)


def plan(connection: Connection, booked: Booked, responses: Payload, now: datetime) -> None:
    """Write a row for every webhook that wants to know when this booking starts and ends."""
    booking = booked.booking
    for trigger in DUE:
        for webhook in webhooks.subscribers(connection, trigger, booking["userId"], booking["eventTypeId"]):
            plan_one(connection, webhook, booked, trigger, responses, now)


def plan_one(
    connection: Connection, webhook: Row, booked: Booked, trigger: str, responses: Payload, now: datetime
) -> None:
    """Write one row: what will be sent, where to, and when."""
    insert(
        connection,
        "WebhookScheduledTriggers",
        {
            "subscriberUrl": webhook["subscriberUrl"],
            "payload": webhooks.text_of(payloads.meeting(booked, trigger, responses)),
            "startAfter": booked.booking[DUE[trigger]],
            "createdAt": now,
            "webhookId": webhook["id"],
            "appId": webhook["appId"],
            "bookingId": booked.booking["id"],
        },
        returning="id",
    )


def forget(connection: Connection, booking_id: int) -> None:
    """Delete what was planned for a booking that was cancelled or moved."""
    connection.execute('DELETE FROM "WebhookScheduledTriggers" WHERE "bookingId" = %s', (booking_id,))


def drop_late(connection: Connection, now: datetime) -> None:
    """Delete the rows whose minute passed too long ago."""
    connection.execute('DELETE FROM "WebhookScheduledTriggers" WHERE "startAfter" < %s', (now - TOO_LATE,))


def due(connection: Connection, now: datetime) -> list[tuple[Row, Row]]:
    """The rows whose minute has come, each with its webhook (or a stand-in for one that is gone)."""
    found = []
    for row in rows(
        connection,
        'SELECT * FROM "WebhookScheduledTriggers" WHERE "startAfter" <= %s ORDER BY "startAfter", id',
        (now,),
    ):
        webhook = one(connection, 'SELECT * FROM "Webhook" WHERE id = %s', (row["webhookId"],))
        found.append((row, webhook or {"subscriberUrl": row["subscriberUrl"], "secret": None}))
    return found


def done(connection: Connection, row_id: int) -> None:
    """Delete a row that was sent, whatever came of it."""
    connection.execute('DELETE FROM "WebhookScheduledTriggers" WHERE id = %s', (row_id,))
