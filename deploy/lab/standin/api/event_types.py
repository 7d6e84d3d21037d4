"""`/v2/event-types`: what can be booked (2024-06-14), and the older shape of its list."""

from __future__ import annotations

from typing import Any

from ..core import event_types, people
from ..core.refusals import RefusalError
from ..database import Connection, Row
from ..web.procedures.people_as_sent import avatar
from . import event_type_input, event_type_output
from .errors import refusal
from .routing import OPTIONAL, Call, Route, success

CURRENT = ("2024-06-14", "2024-08-13", "2024-09-04")
OLD = ("2024-04-15", "2024-06-11")


def whole(connection: Connection, event_type: Row, owner: Row) -> dict[str, Any]:
    """One event type with everything that belongs to it."""
    video = event_types.video_settings(connection, event_type["id"])
    return event_type_output.shown(event_type, owner, video)


def own_type(call: Call, connection: Connection, unknown: str) -> Row:
    """The event type in the path. Raises ApiError: 404 with that text, or 403 for a foreign one."""
    type_id = call.number("id")
    event_type = event_types.by_id(connection, type_id) if abs(type_id) < 2**31 else None
    if event_type is None:
        raise refusal(404, unknown.format(type_id))
    if event_type["userId"] != call.caller["id"]:
        raise refusal(403, f"User with ID={call.caller['id']} does not own event type with ID={type_id}")
    return event_type


def listed(call: Call) -> dict[str, Any]:
    """A user's event types for anybody, or the caller's own; only owners see hidden ones."""
    username, slug = call.query.get("username"), call.query.get("eventSlug")
    with call.instance.database.transaction() as connection:
        owner = people.by_username(connection, username) if username else call.user
        if owner is None:
            return success([])
        is_owner = call.user is not None and call.user["id"] == owner["id"]
        found = event_types.listed(connection, owner["id"], with_hidden=is_owner)
        found = [each for each in found if not (username and slug) or each["slug"] == slug]
        return success([event_type_output.listed(each, owner) for each in found])


def read(call: Call) -> dict[str, Any]:
    """One of the caller's event types; a foreign one is not there."""
    type_id = call.number("id")
    with call.instance.database.transaction() as connection:
        event_type = event_types.by_id(connection, type_id) if abs(type_id) < 2**31 else None
        if event_type is None or event_type["userId"] != call.caller["id"]:
            raise refusal(404, f"Event type with id {type_id} not found")
        return success(whole(connection, event_type, call.caller))


def create(call: Call) -> dict[str, Any]:
    """A new event type: made, then given its fields (FACTS §5)."""
    given = event_type_input.read(call.body, new=True)
    values = event_type_input.columns(given, None)
    user = call.caller
    with call.instance.database.transaction() as connection:
        event_type_input.refuse_senseless(connection, user, given, values, None)
        if event_types.has_slug(connection, user["id"], values["slug"]):
            raise refusal(400, "User already has an event type with this slug.")
        event_type_input.refuse_schedule(connection, user, given.get("scheduleId"))
        event_type = event_types.create(connection, user, call.now(), values)
        if given.get("calVideoSettings"):
            event_types.set_video_settings(
                connection, event_type["id"], call.now(), given["calVideoSettings"]
            )
        return success(whole(connection, event_type, user))


def change(call: Call) -> dict[str, Any]:
    """Set some of an event type; lists are replaced whole."""
    given = event_type_input.read(call.body, new=False)
    user = call.caller
    with call.instance.database.transaction() as connection:
        before = own_type(call, connection, "Event type with id {} not found")
        values = event_type_input.columns(given, before)
        event_type_input.refuse_senseless(connection, user, given, values, before)
        event_type_input.refuse_schedule(connection, user, given.get("scheduleId"))
        changed = event_types.change(connection, before, call.now(), values)
        if given.get("calVideoSettings"):
            known = event_types.video_settings(connection, before["id"]) or {}
            kept = {
                name: known[name] for name in known if name not in ("eventTypeId", "createdAt", "updatedAt")
            }
            event_types.set_video_settings(
                connection, before["id"], call.now(), kept | given["calVideoSettings"]
            )
        return success(whole(connection, changed, user))


def delete(call: Call) -> dict[str, Any]:
    """Delete an event type; answers with what it was, in short."""
    with call.instance.database.transaction() as connection:
        event_type = own_type(call, connection, "Event type with ID={} does not exist.")
        event_types.delete(connection, event_type["id"])
    return success(
        {
            "id": event_type["id"],
            "lengthInMinutes": event_type["length"],
            "slug": event_type["slug"],
            "title": event_type["title"],
        }
    )


def old_listed(call: Call) -> dict[str, Any]:
    """The caller's event types in the oldest shape: groups of whole rows, as the web app's page has them."""
    if call.user is None:
        raise RefusalError("UNAUTHORIZED")
    user = call.user
    with call.instance.database.transaction() as connection:
        found = event_types.listed(connection, user["id"])
    face = {"slug": user["username"], "name": user["name"], "image": avatar(call.instance, user)}
    return success(
        {
            "eventTypeGroups": [
                {
                    "teamId": None,
                    "bookerUrl": call.instance.settings.booker_url,
                    "membershipRole": None,
                    "profile": face,
                    "eventTypes": [event_type_output.in_old_shape(each, user) for each in found],
                    "metadata": {"membershipCount": 1, "readOnly": False},
                }
            ],
            "profiles": [
                {**face, "membershipCount": 1, "readOnly": False, "teamId": None, "membershipRole": None}
            ],
            "allUsersAcrossAllEventTypes": {},
        }
    )


ROUTES = [
    Route("GET", "/v2/event-types", listed, OPTIONAL, versions=CURRENT),
    Route("POST", "/v2/event-types", create, versions=CURRENT, status=201),
    Route("GET", "/v2/event-types/{id}", read, versions=CURRENT),
    Route("PATCH", "/v2/event-types/{id}", change, versions=CURRENT),
    Route("DELETE", "/v2/event-types/{id}", delete, versions=CURRENT),
    Route("GET", "/v2/event-types", old_listed, versions=OLD),
]
