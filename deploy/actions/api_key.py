"""calstack's own API key, and whether API v2 takes it.

Nothing of Cal.com makes a first key without a browser, so its row is written (FACTS §6).
"""

from __future__ import annotations

import hashlib
import time
from typing import Any, Literal

import httpx

from deploy.actions.instance import AdminUser, Instance, quoted
from deploy.errors import CalstackError
from deploy.settings.rate_limits import OWN_KEY_NOTE

_PATIENCE_SECONDS = 180.0
_LOGS = "on the host: cd /opt/calcom && docker compose logs --since 15m api cache proxy"

_SQL = """
with ours as (select id from "ApiKey" where "hashedKey" = {digest} or note = {note} and "userId" = {user}
              order by "hashedKey" = {digest} desc, "createdAt", id limit 1),
     mended as (update "ApiKey" k set "hashedKey" = {digest}, "userId" = {user}, note = {note},
                                      "expiresAt" = null, "teamId" = null
                from ours
                where k.id = ours.id
                  and (k."hashedKey", k."userId", k.note, k."expiresAt", k."teamId")
                      is distinct from ({digest}, {user}, {note}, null::timestamp, null::integer)
                returning k.id),
     made as (insert into "ApiKey" (id, "userId", note, "hashedKey")
              select gen_random_uuid()::text, {user}, {note}, {digest} where not exists (select from ours)
              returning id)
select id from mended union all select id from made;
"""


def ensure_api_key(instance: Instance, admin: AdminUser) -> bool:
    """Make sure that the administrator has the key of the inventory's secrets, without an end.

    Returns whether anything was changed. The key is found again by itself or by its note; the database holds
    the SHA-256 of the part behind `cal_` (FACTS §4).
    """
    digest = hashlib.sha256(instance.secrets.api_key.encode()).hexdigest()
    statement = _SQL.format(note=quoted(OWN_KEY_NOTE), user=admin.id, digest=quoted(digest))
    return bool(instance.remote.sql(statement))


def api_verdict(
    instance: Instance, *, patience: float = _PATIENCE_SECONDS
) -> Literal["ready", "wants a licence"]:
    """Ask API v2 who the key's owner is, at the inner entrance, until it says so.

    Builds up to 6.2.0 look for a licence before they look at a key (FACTS §0.1): they are told by their own
    words, and nothing is done about it. Raises `CalstackError` when the API refuses the key for another
    reason, or gives no answer within `patience` seconds.
    """
    with instance.inner_entrance() as client:
        deadline = time.monotonic() + patience
        while True:
            status, message = _ask(client, instance.api_key)
            if status == 200:
                return "ready"
            if status == 401 and "license" in message.lower():
                return "wants a licence"
            if time.monotonic() >= deadline or status in (401, 403):
                raise CalstackError(
                    f"API v2 refuses its own key ({status}): {message}"
                    if status in (401, 403)
                    else f"API v2 does not answer at /api/v2/me: {message}",
                    where=instance.name,
                    fix=_LOGS,
                )
            time.sleep(1)


def _ask(client: httpx.Client, key: str) -> tuple[int, str]:
    """Status of `GET /v2/me` and what it says; status 0 where nothing came back."""
    try:
        answer = client.get("/api/v2/me", headers={"Authorization": f"Bearer {key}"})
    except httpx.HTTPError as error:
        return 0, str(error) or type(error).__name__
    try:
        document: Any = answer.json()
        message = str(document["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = answer.text[:200]
    return answer.status_code, message
