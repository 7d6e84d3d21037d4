"""The user and their own settings."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from deploy.calcom.models import ProfileFields, User
from deploy.calcom.wire import Wire


class UserAnswer(Wire):
    """`me/get`."""

    id: int
    username: str | None
    email: str
    name: str | None
    time_zone: str = Field(alias="timeZone")
    completed_onboarding: bool = Field(alias="completedOnboarding")
    default_schedule_id: int | None = Field(alias="defaultScheduleId")

    def user(self) -> User:
        """The user in calstack's words."""
        return User(**dict(self))


_PROFILE_NAMES = {
    "name": "name",
    "time_zone": "timeZone",
    "week_start": "weekStart",
    "completed_onboarding": "completedOnboarding",
}


def profile_input(fields: ProfileFields) -> dict[str, Any]:
    """Input of `me/updateProfile`, which keeps what it is not given."""
    return {_PROFILE_NAMES[name]: getattr(fields, name) for name in sorted(fields.model_fields_set)}
