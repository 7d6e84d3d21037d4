"""The things an instance holds, in calstack's own words, the same over every channel.

A thing that is read is a full model with an id (`EventType`); a thing that is written is its `…Fields` model,
of which only the fields that were set are sent (`model_fields_set`), so `None` can mean "back to the
default". Durations are in minutes, as Cal.com keeps them.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Weekday = Literal["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
WEEKDAYS: tuple[Weekday, ...] = (
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
)
"""In Cal.com's order, which begins with Sunday."""


class Model(BaseModel):
    """Base of all: values, never changed in place."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class User(Model):
    """Whose session or key it is."""

    id: int
    username: str | None
    email: str
    name: str | None
    time_zone: str
    completed_onboarding: bool
    default_schedule_id: int | None


class ProfileFields(Model):
    """What a user sets about themselves."""

    name: str | None = None
    time_zone: str | None = None
    week_start: str | None = None
    completed_onboarding: bool | None = None


class TimeRange(Model):
    """From `start` to `end` of one day, wall time of the schedule's zone."""

    start: dt.time
    end: dt.time

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


class Override(Model):
    """Other hours on one date; no ranges: not available on it."""

    date: dt.date
    ranges: tuple[TimeRange, ...]


class ScheduleFields(Model):
    """What can be written of a schedule; a weekday that `availability` does not name is free of hours."""

    name: str | None = None
    time_zone: str | None = None
    is_default: bool | None = None
    availability: dict[Weekday, tuple[TimeRange, ...]] | None = None
    overrides: tuple[Override, ...] | None = None


class Schedule(Model):
    """When a user can be booked."""

    id: int
    name: str
    time_zone: str
    is_default: bool
    availability: dict[Weekday, tuple[TimeRange, ...]]
    overrides: tuple[Override, ...]


LocationType = Literal[
    "address",
    "link",
    "phone",
    "attendee_address",
    "attendee_phone",
    "attendee_defined",
    "integration",
]


class Location(Model):
    """Where a meeting takes place; which of the other fields apply follows from `type`.

    `integration` is an app's name as Cal.com spells it behind `integrations:`; `cal-video` is Cal Video.
    """

    type: LocationType
    address: str | None = None
    link: str | None = None
    phone: str | None = None
    integration: str | None = None
    public: bool = False


class PeriodLimits(Model):
    """At most so much a day, week, month, year: bookings, or minutes."""

    day: int | None = None
    week: int | None = None
    month: int | None = None
    year: int | None = None


class BookingWindow(Model):
    """How far ahead can be booked.

    `rolling` keeps the window `days` long whatever was taken; without it the window is `days` from now.
    """

    type: Literal["business_days", "calendar_days", "range"]
    days: int | None = None
    rolling: bool = False
    start: dt.date | None = None
    end: dt.date | None = None


class Color(Model):
    """Colour of the event type in the light and the dark theme, as #rrggbb."""

    light: str
    dark: str


class Seats(Model):
    """Several guests share one slot."""

    per_slot: Annotated[int, Field(ge=1)]
    show_attendees: bool = False
    show_available_count: bool = True


class EventTypeFields(Model):
    """What can be written of an event type."""

    title: str | None = None
    slug: str | None = None
    length_minutes: int | None = None
    description: str | None = None
    hidden: bool | None = None
    locations: tuple[Location, ...] | None = None
    schedule_id: int | None = None
    buffer_before_minutes: int | None = None
    buffer_after_minutes: int | None = None
    slot_interval_minutes: int | None = None
    offset_start_minutes: int | None = None
    minimum_notice_minutes: int | None = None
    only_first_slot: bool | None = None
    booking_limits: PeriodLimits | None = None
    duration_limits: PeriodLimits | None = None
    booking_window: BookingWindow | None = None
    requires_confirmation: bool | None = None
    requires_email_verification: bool | None = None
    lock_time_zone: bool | None = None
    custom_name: str | None = None
    success_redirect_url: str | None = None
    color: Color | None = None
    seats: Seats | None = None


class EventType(Model):
    """Something that can be booked; fields as in `EventTypeFields`, None where Cal.com's default holds."""

    id: int
    title: str
    slug: str
    length_minutes: int
    description: str | None
    hidden: bool
    locations: tuple[Location, ...]
    schedule_id: int | None
    buffer_before_minutes: int
    buffer_after_minutes: int
    slot_interval_minutes: int | None
    offset_start_minutes: int
    minimum_notice_minutes: int
    only_first_slot: bool
    booking_limits: PeriodLimits | None
    duration_limits: PeriodLimits | None
    booking_window: BookingWindow | None
    requires_confirmation: bool
    requires_email_verification: bool
    lock_time_zone: bool
    custom_name: str | None
    success_redirect_url: str | None
    color: Color | None
    seats: Seats | None


TimeUnit = Literal["DAY", "HOUR", "MINUTE"]


class WebhookFields(Model):
    """What can be written of a webhook; `time` and `time_unit` belong to the delayed triggers."""

    url: str | None = None
    triggers: tuple[str, ...] | None = None
    active: bool | None = None
    secret: Annotated[str | None, Field(repr=False)] = None
    payload_template: str | None = None
    time: int | None = None
    time_unit: TimeUnit | None = None


class Webhook(Model):
    """Where Cal.com sends what happens; `event_type_id` is None for a webhook of the user's."""

    id: str
    event_type_id: int | None
    url: str
    triggers: tuple[str, ...]
    active: bool
    secret: Annotated[str | None, Field(repr=False)]
    payload_template: str | None
    time: int | None
    time_unit: TimeUnit | None


class PublicEvent(Model):
    """An event type as a guest sees it."""

    id: int
    title: str
    slug: str
    username: str
    length_minutes: int
    locations: tuple[Location, ...]
    requires_confirmation: bool
    seats_per_slot: int | None


class Slot(Model):
    """A start that a guest can choose, in UTC."""

    start: dt.datetime


BookingStatus = Literal["accepted", "pending", "cancelled", "rejected", "awaiting_host"]


class Booking(Model):
    """A booking; `metadata` is None where the channel does not say."""

    id: int
    uid: str
    status: BookingStatus
    start: dt.datetime
    end: dt.datetime
    event_type_id: int | None
    attendee_emails: tuple[str, ...] = ()
    metadata: dict[str, Any] | None = None
    rescheduled_from: str | None = None


class Page(Model):
    """A page as far as calstack looks at it."""

    status: int
    title: str | None
