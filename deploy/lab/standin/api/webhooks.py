"""`/v2/webhooks` and `/v2/event-types/{id}/webhooks`: who is told of bookings (FACTS §5, Webhooks)."""

from __future__ import annotations

from typing import Any

from ..core import event_types, webhook_urls, webhooks
from ..core.identifiers import new_uuid
from ..core.payloads import iso
from ..core.webhooks import TRIGGERS
from ..database import Connection, Row, insert, one, rows, update
from .errors import refusal
from .routing import Call, Route, success
from .validation import (
    ARRAY,
    BOOLEAN,
    NUMBER,
    STRING,
    Check,
    Field,
    at_least,
    at_most,
    checked,
    each,
    number_of,
    one_of,
)

PAGE = 250
PAGES = (Field("take", (NUMBER, at_least(1), at_most(PAGE))), Field("skip", (NUMBER, at_least(0))))
CAN_BE_EMPTY = ("payloadTemplate", "secret")
ORGANISATIONS_ONLY = "DELEGATION_CREDENTIAL_ERROR"
# From this version on, a webhook names the version of its payloads (FACTS §5).
VERSIONED_SINCE = (6, 0, 12)
PAYLOAD_VERSION = "2021-10-20"

KNOWN_TRIGGERS: Check = each(
    one_of(*TRIGGERS),
    f"each value in triggers must be one of the following values: {', '.join(TRIGGERS)}",
)


def shape(required: bool, versioned: bool) -> tuple[Field, ...]:
    """The fields of a new webhook, or of a change."""
    return (
        Field("payloadTemplate", (STRING,)),
        Field("active", (BOOLEAN,), not required),
        Field("subscriberUrl", (STRING,), not required),
        Field("triggers", (KNOWN_TRIGGERS, ARRAY), not required),
        Field("secret", (STRING,)),
        *((Field("version", (one_of(PAYLOAD_VERSION),)),) if versioned else ()),
    )


def versioned(call: Call) -> bool:
    """Whether this instance's webhooks have versions."""
    return call.instance.settings.version_numbers >= VERSIONED_SINCE


def shown(call: Call, webhook: Row) -> dict[str, Any]:
    """A webhook in short, its secret in clear; its owner is a user or an event type."""
    owner = "eventTypeId" if webhook["eventTypeId"] is not None else "userId"
    return {
        "id": webhook["id"],
        "payloadTemplate": webhook["payloadTemplate"],
        "triggers": webhook["eventTriggers"],
        "subscriberUrl": webhook["subscriberUrl"],
        "active": webhook["active"],
        "secret": webhook["secret"],
        owner: webhook[owner],
        **({"version": webhook["version"]} if versioned(call) else {}),
    }


def in_full(call: Call, webhook: Row) -> dict[str, Any]:
    """A user's webhook as its own page shows it: the whole row."""
    columns = (
        "id", "userId", "teamId", "eventTypeId", "subscriberUrl", "payloadTemplate", "active", "appId",
        "secret", "platform", "time",
    )  # fmt: skip
    return {name: webhook[name] for name in columns} | {
        "createdAt": iso(webhook["createdAt"]),
        "timeUnit": event_types.spoken(webhook["timeUnit"]),
        "triggers": webhook["eventTriggers"],
        "oAuthClientId": webhook["platformOAuthClientId"],
        **({"version": webhook["version"]} if versioned(call) else {}),
    }


def by_id(connection: Connection, webhook_id: str) -> Row:
    """A webhook, whoever owns it. Raises ApiError with 404."""
    webhook = one(connection, f"{webhooks.SELECTED} WHERE id = %s", (webhook_id,))
    if webhook is None:
        raise refusal(404, f"Webhook ({webhook_id}) not found")
    return webhook


def of_caller(call: Call, connection: Connection) -> Row:
    """The webhook in the path. Raises ApiError for a foreign one; an administrator may have any."""
    webhook = by_id(connection, call.params["webhook"])
    if webhook["userId"] != call.caller["id"] and call.caller["role"] != "ADMIN":
        raise refusal(
            403,
            f"IsUserWebhookGuard - user with id=({call.caller['id']}) is not the owner of webhook with"
            f" id=({webhook['id']})",
        )
    return webhook


def type_of_caller(call: Call, connection: Connection) -> int:
    """The event type in the path. Raises ApiError for an unknown or a foreign one."""
    name = call.params["type"]
    event_type = event_types.by_id(connection, int(name)) if name.isdigit() and len(name) < 10 else None
    if event_type is None:
        raise refusal(404, f"IsUserEventTypeWebhookGuard - Event type ({name}) not found")
    if event_type["userId"] != call.caller["id"]:
        raise refusal(
            403,
            f"IsUserEventTypeWebhookGuard - User ({call.caller['id']}) is not the owner of event type"
            f" ({name})",
        )
    return int(event_type["id"])


def of_type(call: Call, connection: Connection) -> Row:
    """The webhook in the path, under the event type in the path."""
    type_id = type_of_caller(call, connection)
    webhook = by_id(connection, call.params["webhook"])
    if webhook["eventTypeId"] is None:
        raise refusal(
            400,
            f"IsUserEventTypeWebhookGuard - Webhook ({webhook['id']}) is not associated with an event type",
        )
    if webhook["eventTypeId"] != type_id:
        raise refusal(
            403,
            f"IsUserEventTypeWebhookGuard - Webhook ({webhook['id']}) is not associated with event type"
            f" ({type_id})",
        )
    return webhook


def page(call: Call, connection: Connection, owner: str, owner_id: int) -> list[dict[str, Any]]:
    """A page of the webhooks of an owner."""
    asked = checked(PAGES, {name: number_of(text) for name, text in call.query.items()})
    found = rows(
        connection,
        f'{webhooks.SELECTED} WHERE "{owner}" = %s ORDER BY id LIMIT %s OFFSET %s',
        (owner_id, asked.get("take", PAGE), asked.get("skip", 0)),
    )
    return [shown(call, webhook) for webhook in found]


def refuse_address(call: Call, address: str) -> None:
    """Raise ApiError for an address that this version does not allow."""
    problem = webhook_urls.problem_of(address, call.instance.settings.version_numbers)
    if problem:
        raise refusal(400, f"Webhook URL is not allowed: {problem}")


def made(call: Call, connection: Connection, owner: str, owner_id: int, whose: str) -> Row:
    """A new webhook of an owner. Raises ApiError where the owner has one with this address."""
    given = checked(shape(required=True, versioned=versioned(call)), call.body)
    refuse_address(call, given["subscriberUrl"])
    if ORGANISATIONS_ONLY in given["triggers"]:
        raise refusal(400, f"{ORGANISATIONS_ONLY} trigger is only available for organization webhooks")
    taken = one(
        connection,
        f'SELECT id FROM "Webhook" WHERE "{owner}" = %s AND "subscriberUrl" = %s',  # noqa: S608 — a column
        (owner_id, given["subscriberUrl"]),
    )
    if taken:
        raise refusal(409, f"Webhook with this subscriber url already exists for this {whose}")
    webhook = insert(
        connection,
        "Webhook",
        {
            "id": new_uuid(),
            owner: owner_id,
            "subscriberUrl": given["subscriberUrl"],
            "active": given["active"],
            "payloadTemplate": given.get("payloadTemplate"),
            "secret": given.get("secret"),
            "createdAt": call.now(),
        },
    )
    return webhooks.set_triggers(connection, webhook["id"], given["triggers"])


def changed(call: Call, connection: Connection, webhook: Row) -> Row:
    """Set some of a webhook; triggers that are not given stay."""
    given = checked(shape(required=False, versioned=versioned(call)), call.body)
    triggers = given.pop("triggers", None) or webhook["eventTriggers"]
    given = {name: value for name, value in given.items() if value is not None or name in CAN_BE_EMPTY}
    if given.get("subscriberUrl") not in (None, webhook["subscriberUrl"]):
        refuse_address(call, given["subscriberUrl"])
        owner = "eventTypeId" if webhook["eventTypeId"] is not None else "userId"
        taken = one(
            connection,
            f'SELECT id FROM "Webhook" WHERE "{owner}" = %s AND "subscriberUrl" = %s',  # noqa: S608
            (webhook[owner], given["subscriberUrl"]),
        )
        if taken:
            raise refusal(409, "Webhook with this subscriber url already exists for this user")
    if given:
        update(connection, "Webhook", {"id": webhook["id"]}, given)
    return webhooks.set_triggers(connection, webhook["id"], triggers)


def delete_one(connection: Connection, webhook: Row) -> None:
    """Delete a webhook with what was planned for it."""
    connection.execute('DELETE FROM "Webhook" WHERE id = %s', (webhook["id"],))


def listed(call: Call) -> dict[str, Any]:
    """The caller's own webhooks."""
    with call.instance.database.transaction() as connection:
        return success(page(call, connection, "userId", call.caller["id"]))


def create(call: Call) -> dict[str, Any]:
    """A new webhook of the caller."""
    with call.instance.database.transaction() as connection:
        return success(shown(call, made(call, connection, "userId", call.caller["id"], "user")))


def read(call: Call) -> dict[str, Any]:
    """One of the caller's webhooks, in full."""
    with call.instance.database.transaction() as connection:
        return success(in_full(call, of_caller(call, connection)))


def change(call: Call) -> dict[str, Any]:
    """Set some of a webhook of the caller."""
    with call.instance.database.transaction() as connection:
        return success(shown(call, changed(call, connection, of_caller(call, connection))))


def delete(call: Call) -> dict[str, Any]:
    """Delete a webhook of the caller; answers with what it was."""
    with call.instance.database.transaction() as connection:
        webhook = of_caller(call, connection)
        delete_one(connection, webhook)
    return success(shown(call, webhook))


def listed_of_type(call: Call) -> dict[str, Any]:
    """The webhooks of an event type."""
    with call.instance.database.transaction() as connection:
        return success(page(call, connection, "eventTypeId", type_of_caller(call, connection)))


def create_of_type(call: Call) -> dict[str, Any]:
    """A new webhook of an event type."""
    with call.instance.database.transaction() as connection:
        type_id = type_of_caller(call, connection)
        return success(shown(call, made(call, connection, "eventTypeId", type_id, "event type")))


def read_of_type(call: Call) -> dict[str, Any]:
    """One webhook of an event type."""
    with call.instance.database.transaction() as connection:
        return success(shown(call, of_type(call, connection)))


def change_of_type(call: Call) -> dict[str, Any]:
    """Set some of a webhook of an event type."""
    with call.instance.database.transaction() as connection:
        return success(shown(call, changed(call, connection, of_type(call, connection))))


def delete_of_type(call: Call) -> dict[str, Any]:
    """Delete a webhook of an event type; answers with what it was."""
    with call.instance.database.transaction() as connection:
        webhook = of_type(call, connection)
        delete_one(connection, webhook)
    return success(shown(call, webhook))


def delete_all_of_type(call: Call) -> dict[str, Any]:
    """Delete all webhooks of an event type; answers with their number, in words."""
    with call.instance.database.transaction() as connection:
        type_id = type_of_caller(call, connection)
        gone = connection.execute('DELETE FROM "Webhook" WHERE "eventTypeId" = %s', (type_id,)).rowcount
    return success(f"{gone} webhooks deleted")


ROUTES = [
    Route("GET", "/v2/webhooks", listed),
    Route("POST", "/v2/webhooks", create, status=201),
    Route("GET", "/v2/webhooks/{webhook}", read),
    Route("PATCH", "/v2/webhooks/{webhook}", change),
    Route("DELETE", "/v2/webhooks/{webhook}", delete),
    Route("GET", "/v2/event-types/{type}/webhooks", listed_of_type),
    Route("POST", "/v2/event-types/{type}/webhooks", create_of_type, status=201),
    Route("DELETE", "/v2/event-types/{type}/webhooks", delete_all_of_type),
    Route("GET", "/v2/event-types/{type}/webhooks/{webhook}", read_of_type),
    Route("PATCH", "/v2/event-types/{type}/webhooks/{webhook}", change_of_type),
    Route("DELETE", "/v2/event-types/{type}/webhooks/{webhook}", delete_of_type),
]
