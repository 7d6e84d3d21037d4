"""`apiKeys`: keys of the signed-in user; a new one is shown once (FACTS §6)."""

from __future__ import annotations

from typing import Any

from ...core import api_keys
from ..trpc import Call, Router, mutation, query
from ..validation import boolean, date, nullish, optional, shape, text


def create(call: Call, given: dict[str, Any]) -> str:
    """A new key, with its prefix."""
    expires = None if given.get("neverExpires") else given.get("expiresAt")
    bare = api_keys.create(call.connection, call.host["id"], given.get("note"), expires, call.instance.now())
    return call.instance.settings.api_key_prefix + bare


def listed(call: Call, _given: Any) -> list[dict[str, Any]]:
    """The user's keys, without the keys themselves."""
    names = (
        "id", "userId", "teamId", "note", "createdAt", "expiresAt", "lastUsedAt", "hashedKey", "appId",
    )  # fmt: skip
    return [{name: key[name] for name in names} for key in api_keys.listed(call.connection, call.host["id"])]


def delete(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Delete a key; a key that is not there counts as deleted."""
    api_keys.delete(call.connection, call.host["id"], given["id"])
    return {"id": given["id"]}


ROUTER: Router = {
    "create": mutation(
        create,
        shape(
            {
                "note": nullish(text()),
                "expiresAt": nullish(date),
                "neverExpires": optional(boolean),
                "appId": nullish(text()),
            }
        ),
    ),
    "list": query(listed),
    "delete": mutation(delete, shape({"id": text(), "eventTypeId": optional(text())})),
}
