"""`/v2/me`: the caller's own profile."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from ..database import Row, one, update
from .errors import refusal
from .routing import Call, Route, success
from .validation import INTEGER, OBJECT, STRING, ZONE, Field, checked, one_of

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

CHANGES = (
    Field("email", (STRING,)),
    Field("name", (STRING,)),
    Field("timeFormat", (one_of(12, 24, message="timeFormat must be a number either 12 or 24"),)),
    Field("defaultScheduleId", (INTEGER,)),
    Field("weekStart", (one_of(*DAYS),)),
    Field("timeZone", (ZONE,)),
    Field("locale", (STRING,)),
    Field("avatarUrl", (STRING,)),
    Field("bio", (STRING,)),
    Field("metadata", (OBJECT,)),
)

CAN_BE_EMPTY = ("name", "bio", "avatarUrl")

SHOWN = (
    "id", "email", "name", "avatarUrl", "bio", "timeFormat", "defaultScheduleId", "weekStart", "timeZone",
    "username",
)  # fmt: skip


def shown(user: Row) -> dict[str, Any]:
    """A profile as it is answered with; nobody is in an organisation here."""
    return {name: user[name] for name in SHOWN} | {"organizationId": None}


def read(call: Call) -> dict[str, Any]:
    """The caller's profile."""
    return success(shown(call.caller))


def change(call: Call) -> dict[str, Any]:
    """Set some of the profile."""
    given = checked(CHANGES, call.body)
    # Only what the table may hold empty is emptied by a null.
    given = {name: value for name, value in given.items() if value is not None or name in CAN_BE_EMPTY}
    user = call.caller
    if "metadata" in given:
        given["metadata"] = Jsonb((user["metadata"] or {}) | given["metadata"])
    with call.instance.database.transaction() as connection:
        schedule_id = given.get("defaultScheduleId")
        if schedule_id is not None and not one(
            connection,
            'SELECT id FROM "Schedule" WHERE id = %s AND "userId" = %s',
            (schedule_id, user["id"]),
        ):
            raise refusal(404, f"Schedule with ID={schedule_id} does not exist.")
        changed = update(connection, "users", {"id": user["id"]}, given) if given else user
    return success(shown(changed or user))


ROUTES = [Route("GET", "/v2/me", read), Route("PATCH", "/v2/me", change)]
