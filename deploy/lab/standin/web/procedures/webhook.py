"""`webhook`: who is told of bookings (FACTS §14)."""

from __future__ import annotations

from typing import Any

from ...core import bookings, event_types, meetings, payloads, webhook_urls, webhooks
from ...core.refusals import RefusalError
from ...database import Row, rows, update
from ..trpc import Call, Router, mutation, query
from ..validation import boolean, many, nullish, number, one_of, optional, shape, text, url
from .people_as_sent import avatar

# The picture that the real app shows for the instance as a whole; nothing here fetches it.
PLATFORM_IMAGE = (
    "https://eu.ui-avatars.com/api/?background=fff&color=f9f9f9&bold=true&background=000000&name=Platform"
)

TRIGGERS = many(one_of(*webhooks.TRIGGERS))
TIME_UNIT = nullish(one_of("DAY", "HOUR", "MINUTE"))

FIELDS = {
    "subscriberUrl": url,
    "eventTriggers": TRIGGERS,
    "active": boolean,
    "payloadTemplate": nullish(text()),
    "eventTypeId": optional(number()),
    "appId": nullish(text()),
    "secret": nullish(text()),
    "teamId": optional(number()),
    "platform": optional(boolean),
    "time": nullish(number()),
    "timeUnit": TIME_UNIT,
    "version": optional(text()),
}

CHANGES = {
    "id": text(),
    "subscriberUrl": optional(url),
    "eventTriggers": optional(TRIGGERS),
    "active": optional(boolean),
    "payloadTemplate": nullish(text()),
    "eventTypeId": optional(number()),
    "appId": nullish(text()),
    "secret": nullish(text()),
    "time": nullish(number()),
    "timeUnit": TIME_UNIT,
    "version": optional(text()),
}


def stored(given: dict[str, Any]) -> Row:
    """Values in the form of the columns."""
    values = {name: value for name, value in given.items() if name not in ("id", "teamId", "version")}
    if values.get("timeUnit"):
        values["timeUnit"] = values["timeUnit"].lower()
    return values


def listed(call: Call, given: Any) -> list[dict[str, Any]]:
    """The user's webhooks, or those of one event type; secrets in clear."""
    event_type_id = given.get("eventTypeId") if isinstance(given, dict) else None
    found = webhooks.listed(call.connection, call.host["id"], event_type_id)
    return [webhooks.as_sent(webhook) for webhook in found]


def get(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """One webhook, in short."""
    sent = webhooks.as_sent(webhooks.owned(call.connection, call.host["id"], given["webhookId"]))
    return {
        name: value
        for name, value in sent.items()
        if name not in ("eventTypeId", "platformOAuthClientId", "createdAt", "appId")
    }


def by_viewer(call: Call, _given: Any) -> dict[str, Any]:
    """The user's webhooks grouped by owner, and the owners for whom the user may make some."""
    user = call.host
    face = {"slug": user["username"], "name": user["name"], "image": avatar(call.instance, user)}
    found = [webhooks.as_sent(webhook) for webhook in webhooks.listed(call.connection, user["id"])]
    profiles: list[dict[str, Any]] = [{"teamId": None, **face, "canModify": True, "canDelete": True}]
    if user["role"] == "ADMIN":
        platform = {"teamId": None, "slug": "Platform", "name": "Platform", "image": PLATFORM_IMAGE}
        profiles.append(platform | {"canModify": True, "canDelete": True})
    groups = [
        {
            "teamId": None,
            "profile": dict(face),
            "webhooks": found,
            "metadata": {"canModify": True, "canDelete": True},
        }
    ]
    return {"webhookGroups": groups, "profiles": profiles}


def create(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """A new webhook of the user, of an event type, or (admins) of the whole instance."""
    values = stored(given)
    refuse_address(call, given["subscriberUrl"])
    if given.get("eventTypeId"):
        event_types.owned(call.connection, call.host["id"], given["eventTypeId"])
    if not given.get("eventTypeId") and not (given.get("platform") and call.host["role"] == "ADMIN"):
        values["userId"] = call.host["id"]
    webhook = webhooks.create(call.connection, call.instance.now(), values)
    plan_for_bookings_ahead(call, webhook)
    return webhooks.as_sent(webhook)


def refuse_address(call: Call, address: str) -> None:
    """Refuse an address that this version does not allow (FACTS §11)."""
    problem = webhook_urls.problem_of(address, call.instance.settings.version_numbers)
    if problem:
        raise RefusalError("BAD_REQUEST", f"Webhook URL is not allowed: {problem}")


def plan_for_bookings_ahead(call: Call, webhook: Row) -> None:
    """Plan MEETING_STARTED and MEETING_ENDED for what is booked already (FACTS §5)."""
    for trigger in meetings.DUE:
        if trigger not in webhook["eventTriggers"]:
            continue
        for booking in rows(
            call.connection,
            'SELECT * FROM "Booking" WHERE status = \'accepted\' AND "startTime" > %s'
            ' AND ("userId" = %s OR "eventTypeId" = %s)',
            (call.instance.now(), webhook["userId"], webhook["eventTypeId"]),
        ):
            if booking["eventTypeId"] is None:
                continue
            booked = bookings.whole(call.connection, booking)
            responses = booking["responses"] or {}
            meetings.plan_one(call.connection, webhook, booked, trigger, responses, call.instance.now())


def edit(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Change a webhook; answers with the new row."""
    webhook = webhooks.owned(call.connection, call.host["id"], given["id"])
    values = stored(given)
    if given.get("subscriberUrl") not in (None, webhook["subscriberUrl"]):
        refuse_address(call, given["subscriberUrl"])
    triggers = values.pop("eventTriggers", webhook["eventTriggers"])
    if values:
        update(call.connection, "Webhook", {"id": webhook["id"]}, values)
    return webhooks.as_sent(webhooks.set_triggers(call.connection, webhook["id"], triggers))


def delete(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Delete a webhook with what was planned for it."""
    webhook = webhooks.owned(call.connection, call.host["id"], given["id"])
    call.connection.execute('DELETE FROM "Webhook" WHERE id = %s', (webhook["id"],))
    return {"id": webhook["id"]}


def test_trigger(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Send a signed PING; tells what the subscriber answered."""
    now = call.instance.now()
    webhook = {
        "subscriberUrl": given["url"],
        "secret": given.get("secret"),
        "payloadTemplate": given.get("payloadTemplate"),
    }
    delivery = call.instance.sender.send_event(webhook, "PING", now, payloads.ping(now))
    if delivery.problem:
        return {"ok": False, "status": 500, "message": delivery.problem}
    return {"ok": delivery.ok, "status": delivery.status}


ROUTER: Router = {
    "list": query(listed, optional(nullish(shape({"eventTypeId": optional(number())})))),
    "get": query(get, shape({"webhookId": text()})),
    "getByViewer": query(by_viewer),
    "create": mutation(create, shape(FIELDS)),
    "edit": mutation(edit, shape(CHANGES)),
    "delete": mutation(
        delete, shape({"id": text(), "eventTypeId": optional(number()), "teamId": optional(number())})
    ),
    "testTrigger": mutation(
        test_trigger,
        shape(
            {
                "webhookId": optional(text()),
                "url": url,
                "secret": nullish(text()),
                "type": text(),
                "payloadTemplate": nullish(text()),
            }
        ),
    ),
}
