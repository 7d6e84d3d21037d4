"""What may stand in `seed.yaml`: every key with its type, its rule and what it means.

The reference in `docs/seed.md` and the schema for editors are generated from here
(`deploy/seed/reference.py`, `deploy/seed/schema.py`). A key that is left out is not managed: what the
instance holds there stays. Times are in minutes, days and months as in the calendar.
"""

from __future__ import annotations

import itertools
import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from deploy.calcom import models
from deploy.calcom.models import Layout, Theme, TimeUnit, Weekday
from deploy.seed.triggers import DELAYED_TRIGGERS, USER_TRIGGERS
from deploy.seed.values import (
    AtLeastOne,
    Color,
    Date,
    FieldSlug,
    Integration,
    Length,
    Minutes,
    NotEmpty,
    NotInClear,
    Phone,
    Slug,
    Text,
    Times,
    Trigger,
    Url,
    UserName,
)
from deploy.settings.rate_limits import KeyLimit
from deploy.settings.rules import refused, refused_together, time_zone
from deploy.settings.section import SecretReference, Section

_Declared = TypeVar("_Declared", bound=Section)
TimeZone = Annotated[str, AfterValidator(time_zone)]


def _locale(value: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}(?:-[A-Z][A-Za-z]{1,3})?", value):
        raise refused("is not a language", "write it like en, de or pt-BR")
    return value


def _as_the_channel_takes_it(declared: _Declared, model: type[models.Model], **changed: Any) -> _Declared:
    """The declaration, if the channel's own model takes it; its refusal in our words otherwise."""
    try:
        model(**{**dict(declared), **changed})
    except ValidationError as error:
        raise refused(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    return declared


class DayHours(Section):
    """Hours that some weekdays share."""

    days: Annotated[list[Weekday], NotEmpty]
    """Weekdays, such as `[monday, tuesday]`."""
    times: Times
    """Time ranges, such as `[09:00-12:30, 13:30-17:00]`, in the schedule's time zone."""


class DateOverride(Section):
    """Other hours on one date."""

    date: Date
    """The date, such as 2026-12-24."""
    times: Times
    """Time ranges of that date; `[]`: not available on it."""


class ScheduleDeclared(Section):
    """When its owner can be booked; known by its name."""

    name: Text
    """Name of the schedule, by which it is found again."""
    time_zone: TimeZone
    """IANA time zone in which its hours are meant, such as Europe/Berlin."""
    default: bool = False
    """Whether event types without a schedule of their own follow it; at most one schedule."""
    availability: list[DayHours] | None = None
    """Weekly hours; weekdays that no entry names have none."""
    overrides: list[DateOverride] | None = None
    """Dates with other hours; dates that are not listed lose theirs."""

    @model_validator(mode="after")
    def _each_day_once(self) -> ScheduleDeclared:
        refusals: list[tuple[str, str, str | None]] = []
        hours: dict[Weekday, list[str]] = {}
        for entry in self.availability or ():
            for day in entry.days:
                hours.setdefault(day, []).extend(entry.times)
        for day, ranges in hours.items():
            ordered = sorted(ranges)
            for before, after in itertools.pairwise(ordered):
                if before[6:] > after[:5]:
                    refusals.append(
                        ("availability", f"{day} has overlapping hours: {before} and {after}", None)
                    )
        dates = [override.date for override in self.overrides or ()]
        for date in sorted({date for date in dates if dates.count(date) > 1}):
            refusals.append(("overrides", f"{date} is listed twice", "put its ranges into one entry"))
        if refusals:
            raise refused_together(refusals)
        return self


class LocationDeclared(Section):
    """Where a meeting takes place."""

    type: Literal[
        "address", "link", "phone", "attendee_address", "attendee_phone", "attendee_defined", "integration"
    ]
    """`address`, `link`, `phone`: the host's; `attendee_address`, `attendee_phone`, `attendee_defined`: the
    guest says; `integration`: a video app."""
    address: Text | None = None
    """Postal address, for the type `address`."""
    link: Url | None = None
    """Meeting link, for the type `link`."""
    phone: Phone | None = None
    """Phone number as +4930901820, for the type `phone`."""
    integration: Integration | None = None
    """App, for the type `integration`: `cal-video`, `zoom`, `google-meet` …; the instance must have it."""
    public: bool = True
    """Whether address, link or phone show on the booking page before booking."""

    @model_validator(mode="after")
    def _has_its_own_field(self) -> LocationDeclared:
        refusals: list[tuple[str, str, str | None]] = []
        for name in ("address", "link", "phone", "integration"):
            given = getattr(self, name) is not None
            if given and name != self.type:
                refusals.append((name, f"does not belong to a location of the type {self.type}", "remove it"))
            elif not given and name == self.type:
                refusals.append((name, "is missing", f"a location of the type {name} needs it"))
        if refusals:
            raise refused_together(refusals)
        return self


class Limits(Section):
    """At most so much in a day, week, month, year."""

    day: AtLeastOne | None = None
    """In a day."""
    week: AtLeastOne | None = None
    """In a week."""
    month: AtLeastOne | None = None
    """In a month."""
    year: AtLeastOne | None = None
    """In a year."""


class Window(Section):
    """How far ahead can be booked."""

    type: Literal["business_days", "calendar_days", "range"]
    """`business_days` and `calendar_days` count from today; `range` is between two dates."""
    days: AtLeastOne | None = None
    """How many days, for the two counting types."""
    rolling: bool = False
    """Whether the window always offers that many available days, for the two counting types."""
    start: Date | None = None
    """First date, for the type `range`."""
    end: Date | None = None
    """Last date, for the type `range`."""

    @model_validator(mode="after")
    def _has_its_own_fields(self) -> Window:
        ranged = self.type == "range"
        refusals: list[tuple[str, str, str | None]] = []
        for name, wanted in (("days", not ranged), ("start", ranged), ("end", ranged)):
            given = getattr(self, name) is not None
            if wanted and not given:
                refusals.append((name, "is missing", f"a window of the type {self.type} needs it"))
            elif given and not wanted:
                refusals.append((name, f"does not belong to a window of the type {self.type}", "remove it"))
        if ranged and self.start and self.end and self.start > self.end:
            refusals.append(("end", "lies before the start", None))
        if refusals:
            raise refused_together(refusals)
        return self


class Colors(Section):
    """Colour of the event type, as '#rrggbb' in quotes."""

    light: Color
    """In the light theme."""
    dark: Color
    """In the dark theme."""


class SeatsDeclared(Section):
    """Several guests share one slot."""

    per_slot: AtLeastOne
    """How many guests."""
    show_attendees: bool = False
    """Whether guests see each other."""
    show_available_count: bool = True
    """Whether the page says how many seats are left."""


class LayoutsDeclared(Section):
    """Views of the booking page."""

    default: Layout
    """With which it opens."""
    enabled: Annotated[list[Layout], NotEmpty]
    """Among which guests can choose."""

    @model_validator(mode="after")
    def _default_is_enabled(self) -> LayoutsDeclared:
        return _as_the_channel_takes_it(self, models.BookerLayouts, enabled=tuple(self.enabled))


class ActiveBookingsDeclared(Section):
    """How many bookings one guest may have before them."""

    maximum: AtLeastOne
    """How many."""
    offer_reschedule: bool = False
    """Whether a guest with that many may move the last one instead."""


class ThresholdDeclared(Section):
    """Only bookings at short notice want a confirmation."""

    count: AtLeastOne
    """How many hours or minutes before its start a booking no longer goes without."""
    unit: Literal["hours", "minutes"]
    """Unit of `count`."""


class RecurrenceDeclared(Section):
    """A booking repeats."""

    frequency: Literal["weekly", "monthly", "yearly"]
    """How often."""
    interval: AtLeastOne = 1
    """Every so many weeks, months or years."""
    occurrences: AtLeastOne
    """How many times in all."""


class CalendarDeclared(Section):
    """A connected calendar."""

    integration: Text
    """Its kind, such as `google_calendar`."""
    external_id: Text
    """Its id there, often an e-mail address."""


class CalVideoDeclared(Section):
    """Switches of Cal Video."""

    disable_recording_for_organizer: bool = False
    """Whether the host cannot record."""
    disable_recording_for_guests: bool = False
    """Whether guests cannot record."""
    redirect_url_on_exit: Url | None = None
    """Where people go when they leave the call."""
    enable_automatic_recording: bool = False
    """Whether recording begins with the call."""
    enable_automatic_transcription: bool = False
    """Whether transcription begins with the call."""
    disable_transcription_for_guests: bool = False
    """Whether guests cannot transcribe."""
    disable_transcription_for_organizer: bool = False
    """Whether the host cannot transcribe."""


class BookingFieldDeclared(Section):
    """A question to the guest: one of your own, or one of Cal.com's that shall be otherwise.

    Cal.com's own have no type: `name`, `email`, `location`, `title`, `notes`, `guests`, `rescheduleReason`,
    `attendeePhoneNumber`.
    """

    slug: FieldSlug
    """Name of the answer in webhooks and bookings; for Cal.com's own, theirs."""
    type: models.BookingFieldType | None = None
    """What kind of answer, for questions of your own."""
    label: Text | None = None
    """The question; your own need one."""
    placeholder: Text | None = None
    """What stands in the empty field."""
    required: bool | None = None
    """Whether it must be answered."""
    hidden: bool | None = None
    """Whether it is left out of the page; a link can still fill it in."""
    disable_on_prefill: bool = False
    """Whether an answer that the link brings along cannot be changed."""
    options: list[Text] = Field(default_factory=list)
    """Answers to choose from, for `select`, `multiselect`, `checkbox` and `radio`."""

    @model_validator(mode="after")
    def _fits_together(self) -> BookingFieldDeclared:
        return _as_the_channel_takes_it(self, models.BookingField, options=tuple(self.options))


class EventTypeDeclared(Section):
    """Something that can be booked; known by its slug."""

    slug: Slug
    """Last part of its link, in kebab-case, by which it is found again."""
    title: Text
    """Its name on the booking page."""
    length_minutes: Length
    """How long a meeting is."""
    locations: Annotated[list[LocationDeclared], NotEmpty]
    """Where it takes place; with several, the guest chooses. Without any, Cal.com would take Cal Video."""
    description: str | None = None
    """Text on the booking page, in Markdown."""
    hidden: bool = False
    """Whether the profile page leaves it out; its own link works all the same."""
    schedule: str | None = None
    """Name of a schedule of the manifest; `null`: the default one."""
    buffer_before_minutes: Minutes = 0
    """Free time that is kept before a meeting."""
    buffer_after_minutes: Minutes = 0
    """Free time that is kept after a meeting."""
    slot_interval_minutes: Length | None = None
    """Distance between the starts that are offered; `null`: the length."""
    offset_start_minutes: Minutes = 0
    """How long after the full interval starts are offered."""
    minimum_notice_minutes: Minutes = 120
    """How long before its start a slot can be booked at the latest."""
    only_first_slot: bool = False
    """Whether each day offers only its first free slot."""
    booking_limits: Limits | None = None
    """How many bookings there may be; `null`: no limit."""
    duration_limits: Limits | None = None
    """How many minutes may be booked; `null`: no limit."""
    booking_window: Window | None = None
    """How far ahead can be booked; `null`: without end."""
    requires_confirmation: bool = False
    """Whether the host confirms each booking."""
    requires_email_verification: bool = False
    """Whether guests prove their e-mail address with a code; needs working mail."""
    lock_time_zone: bool = False
    """Whether guests see the times in the host's time zone and cannot change it."""
    custom_name: str | None = None
    """Name of the calendar entry, such as `{Event type title} with {Scheduler}`; `null`: Cal.com's own."""
    success_redirect_url: Url | None = None
    """Where guests go after booking; `null`: Cal.com's own page."""
    color: Colors | None = None
    """Colour of its entries; `null`: Cal.com's own."""
    seats: SeatsDeclared | None = None
    """Several guests in one slot; `null`: one booking a slot."""
    length_options: list[Length] | None = None
    """Lengths among which guests choose, `length_minutes` among them; `null`: only that."""
    booking_fields: list[BookingFieldDeclared] | None = None
    """Questions to the guest that differ from Cal.com's usual ones; `null`: the usual ones."""
    disable_guests: bool = False
    """Whether guests cannot bring others along."""
    active_bookings_limit: ActiveBookingsDeclared | None = None
    """How many bookings one guest may have before them; `null`: any number."""
    booker_layouts: LayoutsDeclared | None = None
    """Views of its booking page; `null`: the profile's."""
    confirmation_threshold: ThresholdDeclared | None = None
    """At how short a notice a required confirmation is wanted; `null`: always."""
    unconfirmed_blocks_slot: bool = False
    """Whether a slot is taken while its booking waits for the confirmation."""
    recurrence: RecurrenceDeclared | None = None
    """A booking repeats; `null`: it does not."""
    hide_calendar_notes: bool = False
    """Whether the calendar entry leaves the guest's notes out."""
    hide_calendar_event_details: bool = False
    """Whether the calendar entry is private."""
    hide_organizer_email: bool = False
    """Whether guests do not learn the host's e-mail address."""
    destination_calendar: CalendarDeclared | None = None
    """Connected calendar into which its bookings are written; `null`: the host's default one."""
    use_destination_calendar_email: bool = False
    """Whether that calendar's address stands as the organizer."""
    cal_video: CalVideoDeclared | None = None
    """Switches of Cal Video; `null`: Cal.com's own."""
    requires_authentication: bool = False
    """Whether only people with an account on the instance can book."""

    @field_validator("description", "custom_name")
    @classmethod
    def _without_ends(cls, value: str | None) -> str | None:
        # A block text of YAML ends with a line break that is not meant.
        return value.strip() or None if value is not None else None

    @model_validator(mode="after")
    def _fits_together(self) -> EventTypeDeclared:
        refusals: list[tuple[str, str, str | None]] = []
        if self.seats and self.requires_confirmation:
            refusals.append(("seats", "do not go together with requires_confirmation", "remove one of them"))
        if self.seats and len(self.locations) > 1:
            refusals.append(("seats", "allow one location only", "keep one location"))
        if self.length_options and self.length_minutes not in self.length_options:
            what = f"do not hold the length itself, {self.length_minutes}"
            refusals.append(("length_options", what, "add it"))
        for name in ("confirmation_threshold", "unconfirmed_blocks_slot"):
            if getattr(self, name) and not self.requires_confirmation:
                fix = "add requires_confirmation: true"
                refusals.append((name, "means nothing where nothing is confirmed", fix))
        refusals += _questions(self.booking_fields or [])
        if refusals:
            raise refused_together(refusals)
        return self


def _questions(fields: list[BookingFieldDeclared]) -> list[tuple[str, str, str | None]]:
    slugs = [field.slug for field in fields]
    refusals: list[tuple[str, str, str | None]] = [
        ("booking_fields", f"hold {slug} twice", "keep one of them")
        for slug in dict.fromkeys(slugs)
        if slugs.count(slug) > 1
    ]
    by_slug = {field.slug: field for field in fields}
    email, phone = by_slug.get("email"), by_slug.get("attendeePhoneNumber")
    reached_by_phone = phone is not None and phone.required is True and phone.hidden is not True
    if email and (email.hidden or email.required is False) and not reached_by_phone:
        what = "leave the guest without an address: email is hidden or optional"
        fix = "make attendeePhoneNumber required, and hidden: false"
        refusals.append(("booking_fields", what, fix))
    return refusals


class WebhookDeclared(Section):
    """Where Cal.com sends what happens; known by its URL, within its event type or within the user."""

    url: Url
    """Where to send it. Each booking waits for a receiver that is slow or away."""
    triggers: Annotated[list[Trigger], NotEmpty]
    """What to send, such as `[BOOKING_CREATED, BOOKING_CANCELLED]`."""
    active: bool = True
    """Whether anything is sent."""
    secret: Annotated[SecretReference | str | None, NotInClear] = None
    """Signs each delivery; `!secret NAME` or `!env NAME`, never in clear."""
    event_type: str | None = None
    """Slug of the event type of the manifest that it belongs to; without one it belongs to the user."""
    payload_template: str | None = None
    """Body to send instead of Cal.com's own, in its template language."""
    time: Annotated[int, Field(ge=1)] | None = None
    """How long the delayed triggers wait."""
    time_unit: TimeUnit | None = None
    """Unit of `time`."""

    @field_validator("triggers")
    @classmethod
    def _each_once(cls, value: list[str]) -> list[str]:
        twice = sorted({trigger for trigger in value if value.count(trigger) > 1})
        if twice:
            raise refused(f"names {', '.join(twice)} twice", "keep one of them")
        return value

    @model_validator(mode="after")
    def _triggers_fit(self) -> WebhookDeclared:
        delayed = [trigger for trigger in self.triggers if trigger in DELAYED_TRIGGERS]
        refusals: list[tuple[str, str, str | None]] = []
        for name in ("time", "time_unit"):
            if delayed and getattr(self, name) is None:
                refusals.append((name, "is missing", f"{delayed[0]} needs it"))
            elif not delayed and getattr(self, name) is not None:
                refusals.append((name, "belongs to delayed triggers, and there is none", "remove it"))
        unheard = [trigger for trigger in self.triggers if trigger in USER_TRIGGERS]
        if self.event_type is not None and unheard:
            what = f"{unheard[0]} does not concern an event type"
            refusals.append(("triggers", what, "declare it in a webhook without event_type"))
        if refusals:
            raise refused_together(refusals)
        return self


class ProfileDeclared(Section):
    """What a user sets about themselves."""

    name: Text | None = None
    """Full name, as guests see it."""
    bio: str | None = None
    """Text on the profile page."""
    locale: Annotated[str, AfterValidator(_locale)] | None = None
    """Language of the app and of what it writes to the host, such as `en` or `de`."""
    time_zone: TimeZone | None = None
    """IANA time zone of the user, such as Europe/Berlin; schedules have their own."""
    week_start: Weekday | None = None
    """First day of the week in calendars."""
    time_format: Literal[12, 24] | None = None
    """Hours of the clock."""
    theme: Theme | None = None
    """Theme of the booking pages; `null`: the guest's system's."""
    brand_color: Color | None = None
    """Colour of the booking pages in the light theme, as '#rrggbb' in quotes; `null`: Cal.com's own."""
    dark_brand_color: Color | None = None
    """The same in the dark theme."""
    hide_branding: bool = False
    """Whether booking pages leave out who made the software."""
    booker_layouts: LayoutsDeclared | None = None
    """Views of the booking pages; `null`: all, beginning with the month."""

    @field_validator("name", "locale", "time_zone", "week_start", "time_format")
    @classmethod
    def _not_null(cls, value: Any) -> Any:
        if value is None:
            raise refused("cannot be null", "remove the key, or give a value")
        return value


class UserDeclared(Section):
    """What another user of an instance shall have."""

    user: UserName
    """E-mail address or user name of a user who is there already."""
    profile: ProfileDeclared | None = None
    """The user's own settings."""
    schedules: list[ScheduleDeclared] = Field(default_factory=list)
    """Schedules of this user."""
    event_types: list[EventTypeDeclared] = Field(default_factory=list)
    """Event types of this user."""
    webhooks: list[WebhookDeclared] = Field(default_factory=list)
    """Webhooks of this user and of its event types."""
    api_key_limits: list[KeyLimit] = Field(default_factory=list)
    """Limits of API keys of this user."""


class ManifestFile(Section):
    """A seed manifest."""

    profile: ProfileDeclared | None = None
    """The user's own settings."""
    schedules: list[ScheduleDeclared] = Field(default_factory=list)
    """Schedules of the user."""
    event_types: list[EventTypeDeclared] = Field(default_factory=list)
    """Event types of the user."""
    webhooks: list[WebhookDeclared] = Field(default_factory=list)
    """Webhooks of the user and of its event types."""
    api_key_limits: list[KeyLimit] = Field(default_factory=list)
    """Limits of API keys of the user, on instances with API v2 that calstack deployed."""
    users: list[UserDeclared] = Field(default_factory=list)
    """Other users, on instances that calstack deployed; all above is the administrator's."""
