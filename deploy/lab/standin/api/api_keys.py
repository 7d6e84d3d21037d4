"""`/v2/api-keys/refresh`: a new key in the place of the one that asks (FACTS §4)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ..core import api_keys
from ..database import one
from .authentication import KEY_PREFIX
from .errors import refusal
from .routing import Call, Route, success
from .throttling import digest
from .validation import BOOLEAN, INTEGER, Field, at_least, checked

DEFAULT_DAYS = 30
NO_KEY = (
    "ApiKeysService - This endpoint can only be accessed using an API key by providing 'Authorization: Bearer"
    " <apiKey>' header"
)

REFRESH = (Field("apiKeyDaysValid", (INTEGER, at_least(1))), Field("apiKeyNeverExpires", (BOOLEAN,)))


def refresh(call: Call) -> dict[str, Any]:
    """Make a new key that goes on with the old one's note, and delete the old one."""
    if not call.key or not call.key.startswith(KEY_PREFIX):
        raise refusal(401, NO_KEY)
    given = checked(REFRESH, call.body)
    days, never = given.get("apiKeyDaysValid"), given.get("apiKeyNeverExpires")
    if days and never:
        raise refusal(
            400,
            "ApiKeysService -Cannot set both apiKeyDaysValid and apiKeyNeverExpires. It has to be either or"
            " none of them.",
        )
    prefix = call.instance.settings.api_key_prefix
    expires = None if never else call.now() + timedelta(days=days or DEFAULT_DAYS)
    with call.instance.database.transaction() as connection:
        hashed = digest(call.key.removeprefix(prefix))
        old = one(connection, 'SELECT * FROM "ApiKey" WHERE "hashedKey" = %s', (hashed,))
        note = old["note"] if old else None
        bare = api_keys.create(connection, call.caller["id"], note, expires, call.now())
        connection.execute('DELETE FROM "ApiKey" WHERE "hashedKey" = %s', (hashed,))
    return success({"apiKey": prefix + bare})


ROUTES = [Route("POST", "/v2/api-keys/refresh", refresh)]
