"""The user over API v2: `/v2/me`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from deploy.calcom.models import ProfileFields, User
from deploy.calcom.wire import Wire


class MeAnswer(Wire):
    """`GET /v2/me`."""

    id: int
    username: str | None
    email: str
    name: str | None
    time_zone: str = Field(alias="timeZone")
    default_schedule_id: int | None = Field(alias="defaultScheduleId")
    week_start: str | None = Field(alias="weekStart")
    time_format: int | None = Field(alias="timeFormat")
    bio: str | None

    def user(self) -> User:
        """The user in calstack's words."""
        return User(**dict(self), completed_onboarding=None)


PROFILE_NAMES = {
    "name": "name",
    "time_zone": "timeZone",
    "week_start": "weekStart",
    "time_format": "timeFormat",
    "bio": "bio",
    "locale": "locale",
    "default_schedule_id": "defaultScheduleId",
}
"""What `PATCH /v2/me` takes of a profile."""


def profile_input(fields: ProfileFields) -> dict[str, Any]:
    """Body of `PATCH /v2/me`; only names of `PROFILE_NAMES` may be set."""
    return {PROFILE_NAMES[name]: getattr(fields, name) for name in sorted(fields.model_fields_set)}


class KeyAnswer(Wire):
    """`POST /v2/api-keys/refresh`."""

    key: str = Field(alias="apiKey", repr=False)
