"""The things an instance holds, in calstack's own words, the same over every channel.

A thing that is read is a full model with an id (`EventType`); a thing that is written is its `…Fields` model,
of which only the fields that were set are sent (`model_fields_set`), so `None` can mean "back to the
default". Durations are in minutes, as Cal.com keeps them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

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


Layout = Literal["month", "week", "column"]
Theme = Literal["light", "dark"]


class BookerLayouts(Model):
    """Which views a booking page offers, and with which it opens."""

    default: Layout
    enabled: tuple[Layout, ...]

    @model_validator(mode="after")
    def _default_is_enabled(self) -> Self:
        if self.default not in self.enabled:
            raise ValueError(f"the default layout {self.default!r} must be one of the enabled ones")
        return self


class User(Model):
    """Whose session or key it is; what the channel does not say of them is None.

    `theme` None is the system's theme over the web channel; `deploy.calcom.abilities` says what API v2 does
    not tell.
    """

    id: int
    username: str | None
    email: str
    name: str | None
    time_zone: str
    completed_onboarding: bool | None
    default_schedule_id: int | None
    week_start: str | None = None
    time_format: int | None = None
    bio: str | None = None
    locale: str | None = None
    theme: str | None = None
    app_theme: str | None = None
    brand_color: str | None = None
    dark_brand_color: str | None = None
    hide_branding: bool | None = None
    booker_layouts: BookerLayouts | None = None
    dynamic_group_links: bool | None = None
    search_engine_indexing: bool | None = None
    monthly_digest: bool | None = None
    requires_email_verification: bool | None = None


class ProfileFields(Model):
    """What a user sets about themselves.

    `theme` is the booking pages', `app_theme` the app's own; None is the system's. Colours are #rrggbb.
    `time_format` is 12 or 24.
    """

    name: str | None = None
    time_zone: str | None = None
    week_start: str | None = None
    completed_onboarding: bool | None = None
    username: str | None = None
    time_format: Literal[12, 24] | None = None
    bio: str | None = None
    locale: str | None = None
    theme: Theme | None = None
    app_theme: Theme | None = None
    brand_color: str | None = None
    dark_brand_color: str | None = None
    hide_branding: bool | None = None
    default_schedule_id: int | None = None
    booker_layouts: BookerLayouts | None = None
    dynamic_group_links: bool | None = None
    search_engine_indexing: bool | None = None
    monthly_digest: bool | None = None
    requires_email_verification: bool | None = None


class OutOfOfficeFields(Model):
    """Days on which nobody can book, first and last included; `reason_id` 1 is "unspecified"."""

    start: dt.date
    end: dt.date
    reason_id: int = 1
    notes: str = ""


class OutOfOffice(Model):
    """Days away as the instance holds them."""

    id: str
    start: dt.date
    end: dt.date
    reason_id: int | None
    notes: str | None


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


INTEGRATIONS = {
    "cal-video": "daily",
    "google-meet": "google:meet",
    "zoom": "zoom",
    "whereby-video": "whereby_video",
    "whatsapp-video": "whatsapp_video",
    "webex-video": "webex_video",
    "telegram-video": "telegram_video",
    "tandem": "tandem",
    "sylaps-video": "sylaps_video",
    "skype-video": "skype_video",
    "sirius-video": "sirius_video_video",
    "signal-video": "signal_video",
    "shimmer-video": "shimmer_video",
    "salesroom-video": "salesroom_video",
    "roam-video": "roam_video",
    "riverside-video": "riverside_video",
    "ping-video": "ping_video",
    "office365-video": "office365_video",
    "mirotalk-video": "mirotalk_video",
    "jitsi": "jitsi",
    "jelly-video": "jelly_video",
    "jelly-conferencing": "jelly_conferencing",
    "huddle": "huddle01",
    "facetime-video": "facetime_video",
    "element-call-video": "element-call_video",
    "eightxeight-video": "eightxeight_video",
    "discord-video": "discord_video",
    "demodesk-video": "demodesk_video",
    "campfire-video": "campfire_video",
}
"""Meeting apps: API v2's name, and what stands behind `integrations:` in the database."""
_API_NAMES = {inner: name for name, inner in INTEGRATIONS.items()}


class Location(Model):
    """Where a meeting takes place; which of the other fields apply follows from `type`.

    `integration` is an app's name as API v2 spells it (`INTEGRATIONS`): `cal-video`, `zoom`, `google-meet`.
    Cal.com's inner name (`google:meet`) is taken too; apps that API v2 does not know have only that.
    """

    type: LocationType
    address: str | None = None
    link: str | None = None
    phone: str | None = None
    integration: str | None = None
    public: bool = False

    @field_validator("integration")
    @classmethod
    def _api_name(cls, name: str | None) -> str | None:
        return _API_NAMES.get(name, name) if name else name


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


class ActiveBookingsLimit(Model):
    """How many future bookings one guest may have; beyond it, moving the last one can be offered."""

    maximum: Annotated[int, Field(ge=1)]
    offer_reschedule: bool = False


class NoticeThreshold(Model):
    """Bookings that begin sooner than this want a confirmation, others do not."""

    count: Annotated[int, Field(ge=1)]
    unit: Literal["hours", "minutes"]


class Recurrence(Model):
    """A booking repeats: every `interval` weeks, months or years, `occurrences` times in all."""

    frequency: Literal["weekly", "monthly", "yearly"]
    interval: Annotated[int, Field(ge=1)] = 1
    occurrences: Annotated[int, Field(ge=1)]


class DestinationCalendar(Model):
    """The connected calendar into which bookings are written."""

    integration: str
    external_id: str


class CalVideoSettings(Model):
    """Cal Video's switches for meetings of one event type."""

    disable_recording_for_organizer: bool = False
    disable_recording_for_guests: bool = False
    redirect_url_on_exit: str | None = None
    enable_automatic_recording: bool = False
    enable_automatic_transcription: bool = False
    disable_transcription_for_guests: bool = False
    disable_transcription_for_organizer: bool = False


BookingFieldType = Literal[
    "text",
    "textarea",
    "number",
    "url",
    "address",
    "multiemail",
    "phone",
    "select",
    "multiselect",
    "checkbox",
    "radio",
    "boolean",
]
SYSTEM_FIELDS = (
    "name",
    "email",
    "location",
    "title",
    "notes",
    "guests",
    "rescheduleReason",
    "attendeePhoneNumber",
)
"""Slugs of the questions that Cal.com has on every event type."""

WITH_OPTIONS = ("select", "multiselect", "checkbox", "radio")


class BookingField(Model):
    """A question to the guest: one of the instance's own (`type` says of what kind), or one of Cal.com's.

    Of Cal.com's (`SYSTEM_FIELDS`, which have no `type` here) only what was changed is said, and None leaves
    it as Cal.com has it. Guests are hidden by the event type's `disable_guests`. Questions of one's own are,
    unless said otherwise, neither required nor hidden.
    """

    slug: str
    type: BookingFieldType | None = None
    label: str | None = None
    placeholder: str | None = None
    required: bool | None = None
    hidden: bool | None = None
    disable_on_prefill: bool = False
    options: tuple[str, ...] = ()

    @property
    def is_system(self) -> bool:
        """Whether it is one of Cal.com's own questions."""
        return self.slug in SYSTEM_FIELDS

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.is_system and self.type is not None:
            raise ValueError(f"{self.slug} is Cal.com's own question, so it has no type")
        if not self.is_system and self.type is None:
            raise ValueError(f"the question {self.slug!r} needs a type, or the slug of one of Cal.com's own")
        if not self.is_system and not self.label:
            raise ValueError(f"the question {self.slug!r} needs a label")
        if (self.type in WITH_OPTIONS) != bool(self.options):
            raise ValueError(f"{self.slug!r}: only and always {', '.join(WITH_OPTIONS)} have options")
        if self.slug == "guests" and self.hidden is not None:
            raise ValueError("guests are hidden with disable_guests")
        if self.slug in ("name", "location") and (self.required is not None or self.hidden is not None):
            raise ValueError(f"whether {self.slug} is required or hidden is Cal.com's to say")
        return self


SYSTEM_DEFAULTS: dict[str, tuple[bool, bool]] = {
    "name": (True, False),
    "email": (True, False),
    "location": (False, False),
    "title": (True, True),
    "notes": (False, False),
    "guests": (False, False),
    "rescheduleReason": (False, False),
    "attendeePhoneNumber": (False, True),
}
"""Whether Cal.com's own questions are required, and hidden, where nobody changed it (FACTS §15)."""


def plain_booking_fields(fields: Sequence[BookingField] | None) -> tuple[BookingField, ...]:
    """The questions in the one form in which they can be compared, over every channel.

    What says no more than Cal.com's default is left out; Cal.com's own come first, in its order, the others
    stay in theirs.
    """
    given = {field.slug: field for field in fields or ()}
    changed = [_plain_system_field(given[slug]) for slug in SYSTEM_FIELDS if slug in given]
    own = [
        field.model_copy(
            update={
                "placeholder": field.placeholder or None,
                "required": bool(field.required),
                "hidden": bool(field.hidden),
            }
        )
        for field in fields or ()
        if not field.is_system
    ]
    return (*(field for field in changed if field != BookingField(slug=field.slug)), *own)


def _plain_system_field(field: BookingField) -> BookingField:
    required, hidden = SYSTEM_DEFAULTS[field.slug]
    return field.model_copy(
        update={
            "label": field.label or None,
            "placeholder": field.placeholder or None,
            "required": None if field.required in (None, required) else field.required,
            "hidden": None if field.hidden in (None, hidden) else field.hidden,
        }
    )


class EventTypeFields(Model):
    """What can be written of an event type; over API v2 it is CreateEventTypeInput_2024_06_14.

    `length_options` must hold the length itself. `booking_fields` are all that differ from Cal.com's default,
    so an empty tuple is that default. `confirmation_threshold` and `unconfirmed_blocks_slot` say how a
    required confirmation works. `destination_calendar` and `use_destination_calendar_email` need a connected
    calendar.
    """

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
    length_options: tuple[int, ...] | None = None
    booking_fields: tuple[BookingField, ...] | None = None
    disable_guests: bool | None = None
    active_bookings_limit: ActiveBookingsLimit | None = None
    booker_layouts: BookerLayouts | None = None
    confirmation_threshold: NoticeThreshold | None = None
    unconfirmed_blocks_slot: bool | None = None
    recurrence: Recurrence | None = None
    hide_calendar_notes: bool | None = None
    hide_calendar_event_details: bool | None = None
    hide_organizer_email: bool | None = None
    destination_calendar: DestinationCalendar | None = None
    use_destination_calendar_email: bool | None = None
    cal_video: CalVideoSettings | None = None
    requires_authentication: bool | None = None


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
    length_options: tuple[int, ...] = ()
    booking_fields: tuple[BookingField, ...] = ()
    disable_guests: bool = False
    active_bookings_limit: ActiveBookingsLimit | None = None
    booker_layouts: BookerLayouts | None = None
    confirmation_threshold: NoticeThreshold | None = None
    unconfirmed_blocks_slot: bool = False
    recurrence: Recurrence | None = None
    hide_calendar_notes: bool = False
    hide_calendar_event_details: bool = False
    hide_organizer_email: bool = False
    destination_calendar: DestinationCalendar | None = None
    use_destination_calendar_email: bool = False
    cal_video: CalVideoSettings | None = None
    requires_authentication: bool | None = None
    """None where the channel does not tell, as the web channel of 6.0.2."""


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
    length_options: tuple[int, ...] = ()
    """The lengths among which a guest may choose; none where there is only the one."""

    def lasting(self, minutes: int) -> Self:
        """The event type with the length that a guest has chosen, for slots, reservations and bookings.

        Raises `ValueError` for a length that it does not offer.
        """
        if minutes != self.length_minutes and minutes not in self.length_options:
            offered = ", ".join(map(str, self.length_options or (self.length_minutes,)))
            raise ValueError(f"{self.slug} does not last {minutes} minutes, but {offered}")
        return self.model_copy(update={"length_minutes": minutes})


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
    rescheduled_to: str | None = None
    location: str | None = None


class Reservation(Model):
    """A slot that is held for somebody until `until`."""

    uid: str
    event_type_id: int
    start: dt.datetime
    end: dt.datetime
    until: dt.datetime


class Page(Model):
    """A page as far as calstack looks at it."""

    status: int
    title: str | None
