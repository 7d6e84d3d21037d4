"""Webhooks: who wants to be told of what, and the signed deliveries (FACTS §5, Webhooks).

A delivery is one POST, sent inside the request that caused it, without a second try; redirects are not
followed. What the subscriber answers changes nothing for the guest.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import logging
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from ..database import Connection, Row, UniqueViolation, insert, one, rows
from . import templates
from .identifiers import new_uuid
from .refusals import RefusalError

TRIGGERS = (
    "BOOKING_CREATED", "BOOKING_PAYMENT_INITIATED", "BOOKING_PAID", "BOOKING_RESCHEDULED",
    "BOOKING_REQUESTED", "BOOKING_CANCELLED", "BOOKING_REJECTED", "BOOKING_NO_SHOW_UPDATED",
    "FORM_SUBMITTED", "MEETING_ENDED", "MEETING_STARTED", "RECORDING_READY", "INSTANT_MEETING",
    "RECORDING_TRANSCRIPTION_GENERATED", "OOO_CREATED", "AFTER_HOSTS_CAL_VIDEO_NO_SHOW",
    "AFTER_GUESTS_CAL_VIDEO_NO_SHOW", "FORM_SUBMITTED_NO_EVENT", "DELEGATION_CREDENTIAL_ERROR",
)  # fmt: skip

NO_SECRET = "no-secret-provided"  # noqa: S105 — what the header says where there is no secret
# The real app waits as long as its HTTP client does; 300 s is that client's own limit.
PATIENCE_SECONDS = 300

log = logging.getLogger("standin.webhooks")


@dataclass(frozen=True)
class Delivery:
    """What became of one POST: the status, or why there is none."""

    status: int
    problem: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the subscriber took it."""
        return 200 <= self.status < 300


def as_sent(webhook: Row) -> dict[str, Any]:
    """A row as the procedures answer with it."""
    return {
        name: webhook[name]
        for name in (
            "id", "userId", "teamId", "eventTypeId", "platformOAuthClientId", "subscriberUrl",
            "payloadTemplate", "createdAt", "active", "eventTriggers", "appId", "secret", "platform", "time",
        )
    } | {"timeUnit": webhook["timeUnit"].upper() if webhook["timeUnit"] else None}  # fmt: skip


SELECTED = 'SELECT *, "eventTriggers"::text[] AS "eventTriggers" FROM "Webhook"'


def listed(connection: Connection, user_id: int, event_type_id: int | None = None) -> list[Row]:
    """A user's own webhooks (and the instance's), or those of one event type, oldest first."""
    if event_type_id is not None:
        return rows(connection, f'{SELECTED} WHERE "eventTypeId" = %s ORDER BY "createdAt"', (event_type_id,))
    return rows(
        connection,
        f'{SELECTED} WHERE "userId" = %s AND "eventTypeId" IS NULL ORDER BY "createdAt"',
        (user_id,),
    )


def owned(connection: Connection, user_id: int, webhook_id: str) -> Row:
    """One of a user's own, or of their event types. Refuses unknown and foreign ones with 404."""
    webhook = one(
        connection,
        f'{SELECTED} WHERE id = %s AND ("userId" = %s'  # noqa: S608
        ' OR "eventTypeId" IN (SELECT id FROM "EventType" WHERE "userId" = %s))',
        (webhook_id, user_id, user_id),
    )
    if webhook is None:
        raise RefusalError("NOT_FOUND")
    return webhook


def create(connection: Connection, now: datetime, values: dict[str, Any]) -> Row:
    """A new webhook. Refuses the same URL for the same user with the real app's 500 (FACTS §14)."""
    values = dict(values) | {"id": new_uuid(), "createdAt": now}
    triggers = values.pop("eventTriggers")
    try:
        with connection.transaction():
            webhook = insert(connection, "Webhook", values)
    except UniqueViolation as error:
        raise RefusalError("INTERNAL_SERVER_ERROR", "Failed to create webhook") from error
    return set_triggers(connection, webhook["id"], triggers)


def set_triggers(connection: Connection, webhook_id: str, triggers: Sequence[str]) -> Row:
    """Give a webhook its triggers; answers with the whole row."""
    connection.execute(
        'UPDATE "Webhook" SET "eventTriggers" = %s::text[]::"WebhookTriggerEvents"[] WHERE id = %s',
        (list(triggers), webhook_id),
    )
    webhook = one(connection, f"{SELECTED} WHERE id = %s", (webhook_id,))
    if webhook is None:
        raise RefusalError("NOT_FOUND")
    return webhook


def subscribers(
    connection: Connection, trigger: str, user_id: int | None, event_type_id: int | None
) -> list[Row]:
    """The active webhooks that want this: the host's, the event type's, the instance's."""
    return rows(
        connection,
        f'{SELECTED} WHERE active AND %s = ANY("eventTriggers"::text[])'
        ' AND ("userId" = %s OR "eventTypeId" = %s OR platform) ORDER BY "createdAt"',
        (trigger, user_id, event_type_id),
    )


def text_of(data: Any) -> str:
    """JSON as JavaScript writes it: compact, letters as they are."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def signature(secret: str | None, body: bytes) -> str:
    """The header's value: the lower-case hex HMAC-SHA256 of the exact body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() if secret else NO_SECRET


class Sender:
    """Sends deliveries; several at once, all awaited."""

    def __init__(self, tls: ssl.SSLContext, with_version_header: bool) -> None:
        self._tls = tls
        self._with_version_header = with_version_header
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="webhook")

    def tell(self, webhooks: Sequence[Row], trigger: str, now: Callable[[], datetime], payload: Row) -> None:
        """Send one event to all its subscribers and wait until each has answered or failed."""
        jobs = [
            self._threads.submit(self.send_event, webhook, trigger, now(), payload) for webhook in webhooks
        ]
        for webhook, job in zip(webhooks, jobs, strict=True):
            delivery = job.result()
            if not delivery.ok:
                log.warning(
                    "%s to webhook %s: %s",
                    trigger,
                    webhook["id"],
                    delivery.problem or f"status {delivery.status}",
                )

    def send_event(self, webhook: Row, trigger: str, created: datetime, payload: Row) -> Delivery:
        """Send one event to one subscriber, through its template if it has one."""
        stamp = created.strftime("%Y-%m-%dT%H:%M:%S.") + f"{created.microsecond // 1000:03}Z"
        template = webhook["payloadTemplate"]
        if not template:
            body = text_of({"triggerEvent": trigger, "createdAt": stamp, "payload": payload})
            return self.post(webhook, body.encode(), "application/json")
        body = templates.body_from(template, {**payload, "triggerEvent": trigger, "createdAt": stamp})
        kind = "application/json" if templates.is_json(template) else "application/x-www-form-urlencoded"
        return self.post(webhook, body.encode(), kind)

    def post(self, webhook: Row, body: bytes, content_type: str) -> Delivery:
        """One signed POST."""
        headers = {
            "Content-Type": content_type,
            "X-Cal-Signature-256": signature(webhook["secret"], body),
            "accept": "*/*",
            "accept-language": "*",
            "sec-fetch-mode": "cors",
            "user-agent": "node",
            "accept-encoding": "gzip, deflate",
        }
        if self._with_version_header:
            headers["X-Cal-Webhook-Version"] = webhook.get("version") or "2021-10-20"
        parts = urlsplit(webhook["subscriberUrl"])
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection: http.client.HTTPConnection
        try:
            if parts.scheme == "https":
                connection = http.client.HTTPSConnection(
                    parts.hostname or "", parts.port, timeout=PATIENCE_SECONDS, context=self._tls
                )
            else:
                connection = http.client.HTTPConnection(
                    parts.hostname or "", parts.port, timeout=PATIENCE_SECONDS
                )
            try:
                connection.request("POST", target, body, headers)
                return Delivery(connection.getresponse().status)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Delivery(500, f"fetch failed: {error}")

    def close(self) -> None:
        """Wait for what is under way."""
        self._threads.shutdown()
