"""Users in the forms in which several procedures show them."""

from __future__ import annotations

from typing import Any

from ...core import event_types
from ...database import Row
from ...instance import Instance

USER_COLUMNS = (
    "id", "uuid", "username", "name", "email", "emailVerified", "bio", "avatarUrl", "timeZone",
    "weekStart", "startTime", "endTime", "bufferTime", "hideBranding", "theme", "appTheme", "createdDate",
    "trialEndsAt", "lastActiveAt", "defaultScheduleId", "completedOnboarding", "locale", "timeFormat",
    "twoFactorSecret", "twoFactorEnabled", "backupCodes", "identityProvider", "identityProviderId",
    "invitedTo", "brandColor", "darkBrandColor", "allowDynamicBooking", "allowSEOIndexing",
    "receiveMonthlyDigestEmail", "requiresBookerEmailVerification", "metadata", "verified", "role",
    "disableImpersonation", "organizationId", "locked", "movedToProfileId", "isPlatformManaged",
    "smsLockState", "smsLockReviewedByAdmin", "referralLinkId", "creationSource", "whitelistWorkflows",
)  # fmt: skip


def user_row(user: Row) -> dict[str, Any]:
    """A row of `users` as the admin's procedures answer with it."""
    row = user | {
        "uuid": str(user["uuid"]),
        "createdDate": user["created"],
        "creationSource": event_types.spoken(user["creationSource"]),
    }
    return {name: row[name] for name in USER_COLUMNS}


def profile(user: Row) -> dict[str, Any]:
    """The profile of a user who is in no organisation."""
    return {
        "id": None,
        "upId": f"usr-{user['id']}",
        "username": user["username"],
        "organizationId": None,
        "organization": None,
    }


def avatar(instance: Instance, user: Row) -> str:
    """The address of a user's picture, or of the one for those without."""
    return str(user["avatarUrl"] or f"{instance.settings.public_url}/avatar.svg")
