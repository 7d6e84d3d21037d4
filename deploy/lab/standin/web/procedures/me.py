"""`me`: the signed-in user (FACTS §16)."""

from __future__ import annotations

import copy
from typing import Any

from psycopg.types.json import Jsonb

from ...core import people
from ...core.identifiers import slugify
from ...core.refusals import RefusalError
from ...database import one, update
from ..superjson import UNDEFINED
from ..trpc import Call, Router, mutation, query
from ..validation import anything, boolean, mapping, nullish, number, optional, shape, text, time_zone
from .people_as_sent import avatar, profile

# The columns of `users` that the procedure sets under their own names.
PROFILE_COLUMNS = {
    "name": nullish(text()),
    "email": optional(text()),
    "bio": nullish(text()),
    "timeZone": optional(time_zone),
    "weekStart": optional(text()),
    "hideBranding": optional(boolean),
    "allowDynamicBooking": optional(boolean),
    "allowSEOIndexing": optional(boolean),
    "receiveMonthlyDigestEmail": optional(boolean),
    "requiresBookerEmailVerification": optional(boolean),
    "brandColor": nullish(text()),
    "darkBrandColor": nullish(text()),
    "theme": nullish(text()),
    "appTheme": nullish(text()),
    "completedOnboarding": optional(boolean),
    "locale": optional(text()),
    "timeFormat": optional(number()),
    "disableImpersonation": optional(boolean),
    "avatarUrl": nullish(text()),
    "username": optional(text()),
}


def get(call: Call, _given: Any) -> dict[str, Any]:
    """Everything about the signed-in user that the pages need."""
    user = call.host
    own = profile(user)
    layouts = (user["metadata"] or {}).get("defaultBookerLayouts")
    return {
        "id": user["id"],
        "name": user["name"],
        "email": user["email"],
        "emailMd5": people.email_digest(user["email"]),
        "emailVerified": user["emailVerified"],
        "startTime": user["startTime"],
        "endTime": user["endTime"],
        "bufferTime": user["bufferTime"],
        "locale": user["locale"],
        "timeFormat": user["timeFormat"],
        "timeZone": user["timeZone"],
        "avatar": avatar(call.instance, user),
        "avatarUrl": user["avatarUrl"],
        "createdDate": user["created"],
        "trialEndsAt": user["trialEndsAt"],
        "defaultScheduleId": user["defaultScheduleId"],
        "completedOnboarding": user["completedOnboarding"],
        "twoFactorEnabled": user["twoFactorEnabled"],
        "disableImpersonation": user["disableImpersonation"],
        "identityProvider": user["identityProvider"],
        "identityProviderEmail": "",
        "brandColor": user["brandColor"],
        "darkBrandColor": user["darkBrandColor"],
        "bio": user["bio"],
        "weekStart": user["weekStart"],
        "theme": user["theme"],
        "appTheme": user["appTheme"],
        "hideBranding": user["hideBranding"],
        "metadata": user["metadata"],
        "defaultBookerLayouts": copy.deepcopy(layouts),
        "allowDynamicBooking": user["allowDynamicBooking"],
        "allowSEOIndexing": user["allowSEOIndexing"],
        "receiveMonthlyDigestEmail": user["receiveMonthlyDigestEmail"],
        "requiresBookerEmailVerification": user["requiresBookerEmailVerification"],
        "organizationId": None,
        "organization": {"id": None, "isOrgAdmin": False, "metadata": {}, "requestedSlug": None},
        "username": user["username"],
        "profile": {
            **own,
            "name": user["name"],
            "avatarUrl": user["avatarUrl"],
            "startTime": user["startTime"],
            "endTime": user["endTime"],
            "bufferTime": user["bufferTime"],
        },
        "profiles": [profile(user)],
        "organizationSettings": UNDEFINED,
        "secondaryEmails": [],
        "isPremium": UNDEFINED,
        "isTeamAdminOrOwner": False,
    }


def update_profile(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Change the user's own row; answers with what was given, and whether the address was changed."""
    user, values = call.host, dict(given)
    if values.get("username"):
        values["username"] = slugify(values["username"])
        taken = one(
            call.connection,
            'SELECT 1 AS found FROM "users" WHERE username = %s AND id <> %s AND "organizationId" IS NULL',
            (values["username"], user["id"]),
        )
        if taken:
            raise RefusalError("BAD_REQUEST", "username_already_taken")
    metadata = values.pop("metadata", None)
    if metadata is not None:
        values["metadata"] = Jsonb((user["metadata"] or {}) | metadata)
    if values:
        update(call.connection, "users", {"id": user["id"]}, values)
    return {
        **given,
        "email": given.get("email", user["email"]),
        "avatarUrl": given.get("avatarUrl", user["avatarUrl"]),
        "hasEmailBeenChanged": UNDEFINED,
        "sendEmailVerification": True,
    }


ROUTER: Router = {
    "get": query(get),
    "updateProfile": mutation(
        update_profile, shape(PROFILE_COLUMNS | {"metadata": optional(mapping(anything))})
    ),
}
