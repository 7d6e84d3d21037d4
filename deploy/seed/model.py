"""What may stand in `seed.yaml`: every key with its type, its rule and what it means.

The reference in `docs/seed.md` is generated from here (`deploy/seed/reference.py`). A key that is left out is
not managed: what the instance holds there stays. Times are in minutes, days and months as in the calendar.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from deploy.calcom.models import TimeUnit, Weekday
from deploy.seed.triggers import DELAYED_TRIGGERS, TRIGGERS, USER_TRIGGERS
from deploy.settings.model import SecretReference, Section
from deploy.settings.rules import nearest, refused, refused_together, time_zone
from deploy.settings.yaml_source import EnvironmentText

_RANGE = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*([01]\d|2[0-3]):([0-5]\d)")
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_URL = re.compile(
    r"https?://(?P<user>[^\s/@]*@)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:[/?#]\S*)?"
)
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


Entry = TypeVar("Entry")


def _time_range(value: str) -> str:
    found = _RANGE.fullmatch(value.strip())
    if found is None:
        fix = "a day ends at 23:59" if "24:00" in value else "write it like 09:00-17:00, with leading zeros"
        raise refused("is not a time range HH:MM-HH:MM", fix)
    start, end = f"{found[1]}:{found[2]}", f"{found[3]}:{found[4]}"
    if start >= end:
        raise refused(
            f"ends at {end}, not after its start at {start}",
            "hours over midnight are two ranges: until 23:59, and from 00:00 on the next day",
        )
    return f"{start}-{end}"


def _no_overlap(ranges: list[str]) -> list[str]:
    inside_a_day = sorted(ranges)
    for before, after in itertools.pairwise(inside_a_day):
        if before[6:] > after[:5]:
            raise refused(f"overlap: {before} and {after}", "join them to one range")
    return inside_a_day


def _slug(value: str) -> str:
    if _SLUG.fullmatch(value):
        return value
    meant = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")
    # Cal.com would change it on its own and the next run would not find it again.
    raise refused(
        "is not a slug: small letters and digits, in words joined by single hyphens",
        f"write it like {meant or 'intro-call'}",
    )


def _url(value: str) -> str:
    found = _URL.fullmatch(value)
    if found is None:
        raise refused("is not an http or https URL", "write it like https://example.com/hooks/cal")
    if found["user"]:
        raise refused("carries a user or password in clear", "let the receiver check the signature instead")
    return value


def _color(value: str) -> str:
    if not _COLOR.fullmatch(value):
        raise refused("is not a colour", "write it like '#292929', in quotes")
    return value.lower()


def _date(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            raise refused("is not a date", "write it like 2026-12-24") from None
    return value


def _text(value: str) -> str:
    if not value.strip():
        raise refused("is empty", "write some text, or remove the key")
    return value.strip()


def _trigger(value: str) -> str:
    if value not in TRIGGERS:
        meant = nearest(value, TRIGGERS)
        raise refused(
            f"{value[:60]} is not a trigger",
            f"did you mean {meant}?" if meant else f"there are: {', '.join(TRIGGERS)}",
        )
    return value


def _not_empty(value: list[Entry]) -> list[Entry]:
    if not value:
        raise refused("is empty", "name one at least")
    return value


def _user(value: str) -> str:
    if not re.fullmatch(r"[^\s@/]+(?:@[^\s@/]+)?", value):
        raise refused("is neither an e-mail address nor a user name", "write it like ada@example.com or ada")
    return value.lower()


def _phone(value: str) -> str:
    if not re.fullmatch(r"\+[0-9]{6,15}", value):
        raise refused("is not a phone number", "write it like +4930901820, with the country and no spaces")
    return value


def _integration(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9_-]+(?::[a-z0-9_-]+)*", value):
        raise refused("is not the name of an app", "write it like cal-video, zoom or google:meet")
    return value


def _not_in_clear(value: Any) -> Any:
    if value is None or isinstance(value, dict | EnvironmentText):
        return value
    raise refused(
        "is a secret in clear" if isinstance(value, str) else "must be !secret NAME or !env NAME",
        "write !secret NAME here, and keep the value under that name in the inventory's secrets",
    )


Text = Annotated[str, AfterValidator(_text)]
Slug = Annotated[str, AfterValidator(_slug)]
Url = Annotated[str, AfterValidator(_url)]
Times = Annotated[list[Annotated[str, AfterValidator(_time_range)]], AfterValidator(_no_overlap)]
Date = Annotated[dt.date, BeforeValidator(_date)]
Minutes = Annotated[int, Field(ge=0, le=525_600)]
AtLeastOne = Annotated[int, Field(ge=1)]


class DayHours(Section):
    """Hours that some weekdays share."""

    days: Annotated[list[Weekday], AfterValidator(_not_empty)]
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
    time_zone: Annotated[str, AfterValidator(time_zone)]
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
    phone: Annotated[str, AfterValidator(_phone)] | None = None
    """Phone number as +4930901820, for the type `phone`."""
    integration: Annotated[str, AfterValidator(_integration)] | None = None
    """App, for the type `integration`: `cal-video`, `zoom`, `google:meet` …; the instance must have it."""
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

    light: Annotated[str, AfterValidator(_color)]
    """In the light theme."""
    dark: Annotated[str, AfterValidator(_color)]
    """In the dark theme."""


class SeatsDeclared(Section):
    """Several guests share one slot."""

    per_slot: AtLeastOne
    """How many guests."""
    show_attendees: bool = False
    """Whether guests see each other."""
    show_available_count: bool = True
    """Whether the page says how many seats are left."""


class EventTypeDeclared(Section):
    """Something that can be booked; known by its slug."""

    slug: Slug
    """Last part of its link, in kebab-case, by which it is found again."""
    title: Text
    """Its name on the booking page."""
    length_minutes: Annotated[int, Field(ge=1, le=1440)]
    """How long a meeting is."""
    locations: Annotated[list[LocationDeclared], AfterValidator(_not_empty)]
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
    slot_interval_minutes: Annotated[int, Field(ge=1, le=1440)] | None = None
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
        if refusals:
            raise refused_together(refusals)
        return self


class WebhookDeclared(Section):
    """Where Cal.com sends what happens; known by its URL, within its event type or within the user."""

    url: Url
    """Where to send it. Each booking waits for a receiver that is slow or away."""
    triggers: Annotated[list[Annotated[str, AfterValidator(_trigger)]], AfterValidator(_not_empty)]
    """What to send, such as `[BOOKING_CREATED, BOOKING_CANCELLED]`."""
    active: bool = True
    """Whether anything is sent."""
    secret: Annotated[SecretReference | str | None, BeforeValidator(_not_in_clear)] = None
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


class UserDeclared(Section):
    """What another user of an instance shall have."""

    user: Annotated[str, AfterValidator(_user)]
    """E-mail address or user name of a user who is there already."""
    schedules: list[ScheduleDeclared] = Field(default_factory=list)
    """Schedules of this user."""
    event_types: list[EventTypeDeclared] = Field(default_factory=list)
    """Event types of this user."""
    webhooks: list[WebhookDeclared] = Field(default_factory=list)
    """Webhooks of this user and of its event types."""


class ManifestFile(Section):
    """A seed manifest."""

    schedules: list[ScheduleDeclared] = Field(default_factory=list)
    """Schedules of the user."""
    event_types: list[EventTypeDeclared] = Field(default_factory=list)
    """Event types of the user."""
    webhooks: list[WebhookDeclared] = Field(default_factory=list)
    """Webhooks of the user and of its event types."""
    users: list[UserDeclared] = Field(default_factory=list)
    """Other users, on instances that calstack deployed; all above is the administrator's."""
