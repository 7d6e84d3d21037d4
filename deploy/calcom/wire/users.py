"""The user and their own settings."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import Field

from deploy.calcom.models import OutOfOffice, OutOfOfficeFields, ProfileFields, User
from deploy.calcom.wire import Wire
from deploy.calcom.wire.event_types import LayoutsAnswer, layouts_input


class UserAnswer(Wire):
    """`me/get`."""

    id: int
    username: str | None
    email: str
    name: str | None
    time_zone: str = Field(alias="timeZone")
    completed_onboarding: bool = Field(alias="completedOnboarding")
    default_schedule_id: int | None = Field(alias="defaultScheduleId")
    week_start: str = Field(alias="weekStart")
    time_format: int | None = Field(alias="timeFormat")
    bio: str | None
    locale: str | None
    theme: str | None
    app_theme: str | None = Field(alias="appTheme")
    brand_color: str | None = Field(alias="brandColor")
    dark_brand_color: str | None = Field(alias="darkBrandColor")
    hide_branding: bool = Field(alias="hideBranding")
    layouts: LayoutsAnswer | None = Field(alias="defaultBookerLayouts")
    dynamic_group_links: bool | None = Field(alias="allowDynamicBooking")
    search_engine_indexing: bool | None = Field(alias="allowSEOIndexing")
    monthly_digest: bool | None = Field(alias="receiveMonthlyDigestEmail")
    requires_email_verification: bool = Field(alias="requiresBookerEmailVerification")

    def user(self) -> User:
        """The user in calstack's words."""
        values = {name: getattr(self, name) for name in UserAnswer.model_fields if name != "layouts"}
        return User(**values, booker_layouts=self.layouts.layouts() if self.layouts else None)


_PROFILE_NAMES = {
    "name": "name",
    "time_zone": "timeZone",
    "week_start": "weekStart",
    "completed_onboarding": "completedOnboarding",
    "username": "username",
    "time_format": "timeFormat",
    "bio": "bio",
    "locale": "locale",
    "theme": "theme",
    "app_theme": "appTheme",
    "brand_color": "brandColor",
    "dark_brand_color": "darkBrandColor",
    "hide_branding": "hideBranding",
    "dynamic_group_links": "allowDynamicBooking",
    "search_engine_indexing": "allowSEOIndexing",
    "monthly_digest": "receiveMonthlyDigestEmail",
    "requires_email_verification": "requiresBookerEmailVerification",
}


def profile_input(fields: ProfileFields) -> dict[str, Any]:
    """Input of `me/updateProfile`, which keeps what it is not given.

    The default schedule is not among it: a schedule is made the default one.
    """
    data = {
        _PROFILE_NAMES[name]: getattr(fields, name)
        for name in sorted(fields.model_fields_set.intersection(_PROFILE_NAMES))
    }
    if "booker_layouts" in fields.model_fields_set:
        layouts = fields.booker_layouts and layouts_input(fields.booker_layouts)
        data["metadata"] = {"defaultBookerLayouts": layouts}
    return data


class ReasonAnswer(Wire):
    """Why somebody is away."""

    id: int


class OutOfOfficeRow(Wire):
    """One entry of `ooo/outOfOfficeEntriesList`."""

    id: str = Field(alias="uuid")
    start: dt.datetime
    end: dt.datetime
    reason: ReasonAnswer | None
    notes: str | None

    def out_of_office(self) -> OutOfOffice:
        """The days in calstack's words; the last one ends with its last millisecond."""
        return OutOfOffice(
            id=self.id,
            start=self.start.date(),
            end=self.end.date(),
            reason_id=self.reason.id if self.reason else None,
            notes=self.notes,
        )


class OutOfOfficeList(Wire):
    """`ooo/outOfOfficeEntriesList`."""

    rows: list[OutOfOfficeRow]
    next_cursor: int | None = Field(None, alias="nextCursor")


def out_of_office_input(fields: OutOfOfficeFields, entry_id: str | None) -> dict[str, Any]:
    """Input of `ooo/outOfOfficeCreateOrUpdate`; days are UTC's."""
    return {
        "dateRange": {
            "startDate": dt.datetime.combine(fields.start, dt.time(0), dt.UTC),
            "endDate": dt.datetime.combine(fields.end, dt.time(0), dt.UTC),
        },
        "startDateOffset": 0,
        "endDateOffset": 0,
        "toTeamUserId": None,
        "reasonId": fields.reason_id,
        "notes": fields.notes,
        "uuid": entry_id,
    }
