"""Takes from a copy of an instance's database all that would make the copy reach somebody.

What leaves an instance, by Cal.com's own tables (FACTS §7): mails and workflow messages, webhooks at once and
at their hour, tasks in the queue, and what connected accounts let it do: calendars, video, payments. People,
event types and bookings stay.
"""

from __future__ import annotations

from dataclasses import dataclass

from .beside import APPLICATION
from .postgres import Server, Session, quoted


@dataclass(frozen=True)
class _Measure:
    """One change, where the version of the app has that table."""

    table: str
    sql: str
    """Returns a row for each one that it changed."""
    told: str
    """What it did, after the number of rows."""


_MEASURES = (
    _Measure(
        "Webhook", 'update "Webhook" set active = false where active returning id', "webhooks switched off"
    ),
    _Measure(
        "WebhookScheduledTriggers",
        'delete from "WebhookScheduledTriggers" returning id',
        "webhooks that waited for a meeting removed",
    ),
    _Measure("Task", 'delete from "Task" returning id', "queued tasks removed"),
    _Measure(
        "WorkflowReminder", 'delete from "WorkflowReminder" returning id', "reminders of workflows removed"
    ),
    # Calendars, video, payments: each lets the app act on somebody's account, with a token in clear.
    _Measure("Credential", 'delete from "Credential" returning id', "connected accounts removed"),
    _Measure(
        "App",
        'update "App" set keys = null where keys is not null returning slug',
        "apps lost the keys of their makers",
    ),
    _Measure("ApiKey", 'delete from "ApiKey" returning id', "API keys removed"),
    _Measure("VerificationToken", 'delete from "VerificationToken" returning id', "links in mails made void"),
    _Measure(
        "ResetPasswordRequest",
        'delete from "ResetPasswordRequest" returning id',
        "links for new passwords made void",
    ),
)

_NO_MAIL = """
insert into "Feature" (slug, enabled, type, description, "createdAt", "updatedAt")
values ('emails', true, 'KILL_SWITCH', 'Stops all mail', now(), now())
on conflict (slug) do update set enabled = true, "updatedAt" = now()
"""
"""The switch is called after what it stops (FACTS §2, Email)."""


def quieten(server: Server) -> list[str]:
    """Make the copy silent, all at once or not at all; what it lost comes back, a line each."""
    lines = []
    with Session(server, APPLICATION) as session:
        session.rows("begin")
        if _there(session, "Feature"):
            session.rows(_NO_MAIL)
        for measure in _MEASURES:
            if _there(session, measure.table):
                count = len(session.rows(measure.sql, limit_seconds=600))
                lines += [f"{count} {measure.told}"] if count else []
        session.rows("commit")
    return lines


def _there(session: Session, table: str) -> bool:
    named = quoted(f'public."{table}"')
    return session.rows(f"select to_regclass({named}) is not null")[0][0] == "t"
