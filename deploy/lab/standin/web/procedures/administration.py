"""`admin`, `users` and `features`: what only an admin may do (FACTS §14, §16)."""

from __future__ import annotations

from typing import Any

from ...core import feature_flags, people
from ...core.identifiers import new_uuid
from ...core.refusals import RefusalError
from ...database import Row, must, one, rows, update
from ..superjson import UNDEFINED
from ..trpc import Call, Router, mutation, query
from ..validation import anything, boolean, nullish, number, optional, shape, text
from .people_as_sent import user_row

FLAG_COLUMNS = (
    "slug", "enabled", "description", "type", "stale", "lastUsedAt", "createdAt", "updatedAt",
    "updatedBy",
)  # fmt: skip

USER_FIELDS = {
    "name": optional(nullish(text())),
    "email": optional(text()),
    "username": optional(nullish(text())),
    "bio": nullish(text()),
    "timeZone": optional(text()),
    "weekStart": optional(text()),
    "theme": nullish(text()),
    "defaultScheduleId": nullish(number()),
    "locale": nullish(text()),
    "timeFormat": optional(number()),
    "allowDynamicBooking": optional(boolean),
    "identityProvider": optional(text()),
    "role": optional(text()),
    "avatarUrl": nullish(text()),
}


def page(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """A page of all users, with a search in name, address and user name."""
    search = f"%{given.get('searchTerm') or ''}%"
    first = int(given.get("cursor") or 0)
    found = rows(
        call.connection,
        "SELECT * FROM \"users\" WHERE NOT locked AND id >= %s AND (%s = '%%%%' OR name ILIKE %s"
        " OR email ILIKE %s"
        " OR username ILIKE %s) ORDER BY id LIMIT %s",
        (first, search, search, search, search, given["limit"] + 1),
    )
    total = must(call.connection, 'SELECT count(*) AS number FROM "users" WHERE NOT locked')["number"]
    names = ("id", "locked", "email", "username", "name", "timeZone", "role")
    return {
        "rows": [
            {name: user[name] for name in names}
            | {"profiles": [], "whitelistWorkflows": user["whitelistWorkflows"]}
            for user in found[: given["limit"]]
        ],
        "nextCursor": found[-1]["id"] if len(found) > given["limit"] else UNDEFINED,
        "meta": {"totalRowCount": total},
    }


def lock(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Lock a user out, or let them in again."""
    if update(call.connection, "users", {"id": given["userId"]}, {"locked": given["locked"]}) is None:
        raise RefusalError("NOT_FOUND", "User not found")
    return {"success": True, "userId": given["userId"], "locked": given["locked"]}


def send_password_reset(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Mail a user a link to a new password; locked ones are not found (FACTS §16)."""
    user = people.by_id(call.connection, given["userId"])
    if user is None:
        raise RefusalError("INTERNAL_SERVER_ERROR", "User not found")
    identifier, now = new_uuid(), call.instance.now()
    call.connection.execute(
        'INSERT INTO "ResetPasswordRequest" (id, "createdAt", "updatedAt", email, expires)'
        " VALUES (%s, %s, %s, %s, %s + interval '6 hours')",
        (identifier, now, now, user["email"], now),
    )
    link = f"{call.instance.settings.public_url}/auth/forgot-password/{identifier}"
    call.instance.mailer.send(user["email"], "Set a new password", f"Set a new password here: {link}\n")
    return {"success": True}


def remove_two_factor(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Switch a user's second factor off."""
    values = {"twoFactorEnabled": False, "twoFactorSecret": None, "backupCodes": None}
    if update(call.connection, "users", {"id": given["userId"]}, values) is None:
        raise RefusalError("NOT_FOUND", "User not found")
    return {"success": True, "userId": given["userId"]}


def toggle_flag(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Switch a feature flag."""
    flag = feature_flags.toggle(
        call.connection, given["slug"], given["enabled"], call.host["id"], call.instance.now()
    )
    return {name: flag[name] for name in FLAG_COLUMNS}


def flags(call: Call, _given: Any) -> list[dict[str, Any]]:
    """All feature flags."""
    return [
        {name: flag[name] for name in FLAG_COLUMNS}
        for flag in call.instance.flags.listed(call.connection, call.instance.now())
    ]


def flag_map(call: Call, _given: Any) -> dict[str, bool]:
    """Which flags are on, for the pages."""
    return {
        flag["slug"]: flag["enabled"]
        for flag in call.instance.flags.listed(call.connection, call.instance.now())
    }


def users(call: Call, _given: Any) -> list[dict[str, Any]]:
    """All users who are not locked out, whole rows."""
    found = rows(call.connection, 'SELECT * FROM "users" WHERE NOT locked ORDER BY id')
    return [user_row(user) for user in found]


def wanted_user(call: Call, user_id: int) -> Row:
    """A user by id. Refuses unknown and locked ones."""
    user = people.by_id(call.connection, user_id)
    if user is None:
        raise RefusalError("NOT_FOUND", "User not found")
    return user


def user_by_id(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """One user's whole row."""
    return {"user": user_row(wanted_user(call, given["userId"]))}


def add_user(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """A new user, without a password."""
    values = dict(given)
    email = values.pop("email", None) or ""
    if one(call.connection, 'SELECT 1 AS found FROM "users" WHERE email = %s', (email.lower(),)):
        raise RefusalError("CONFLICT", "User already exists")
    user = people.create(call.connection, call.instance.now(), email, **values)
    return answer_with(user, "added")


def change_user(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Change a user's row."""
    user = wanted_user(call, given["userId"])
    values = {name: value for name, value in given.items() if name != "userId"}
    changed = update(call.connection, "users", {"id": user["id"]}, values) if values else user
    return answer_with(changed or user, "updated")


def delete_user(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Delete a user with all that is theirs."""
    user = wanted_user(call, given["userId"])
    call.connection.execute('DELETE FROM "users" WHERE id = %s', (user["id"],))
    return {"message": f"User with id: {user['id']} deleted successfully"}


def answer_with(user: Row, what: str) -> dict[str, Any]:
    """A user's row and what was done with it."""
    return {"user": user_row(user), "message": f"User with id: {user['id']} {what} successfully"}


USER_ID = shape({"userId": number()})

ADMIN_ROUTER: Router = {
    "listPaginated": query(
        page,
        shape({"limit": number(1, maximum=100), "cursor": nullish(number()), "searchTerm": nullish(text())}),
        admins_only=True,
    ),
    "lockUserAccount": mutation(lock, shape({"userId": number(), "locked": boolean}), admins_only=True),
    "sendPasswordReset": mutation(send_password_reset, USER_ID, admins_only=True),
    "removeTwoFactor": mutation(remove_two_factor, USER_ID, admins_only=True),
    "toggleFeatureFlag": mutation(toggle_flag, shape({"slug": text(), "enabled": boolean}), admins_only=True),
}

USERS_ROUTER: Router = {
    "list": query(users, admins_only=True),
    "get": query(user_by_id, USER_ID, admins_only=True),
    "add": mutation(add_user, shape({**USER_FIELDS, "email": text(1)}), admins_only=True),
    "update": mutation(change_user, shape({**USER_FIELDS, "userId": number()}), admins_only=True),
    "delete": mutation(delete_user, USER_ID, admins_only=True),
}

FEATURES_ROUTER: Router = {
    "list": query(flags, anything, guests=True),
    "map": query(flag_map, anything, guests=True),
}
