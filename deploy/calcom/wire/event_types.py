"""Event types, field by field (FACTS §15)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pydantic import Field

from deploy.calcom.models import (
    BookingWindow,
    Color,
    EventType,
    EventTypeFields,
    Location,
    LocationType,
    PeriodLimits,
    Seats,
)
from deploy.calcom.wire import Wire


class LocationAnswer(Wire):
    """One entry of an event type's `locations`."""

    type: str
    address: str | None = None
    link: str | None = None
    phone: str | None = Field(None, alias="hostPhoneNumber")
    public: bool | None = Field(None, alias="displayLocationPublicly")

    def location(self) -> Location:
        """The location in calstack's words; apps are named as behind `integrations:`."""
        kind = _LOCATION_TYPES.get(self.type, "integration")
        integration = None
        if kind == "integration":
            integration = _CAL_VIDEO if self.type == _DAILY else self.type.removeprefix("integrations:")
        return Location(
            type=kind,
            address=self.address if kind == "address" else None,
            link=self.link if kind == "link" else None,
            phone=self.phone if kind == "phone" else None,
            integration=integration,
            public=bool(self.public),
        )


_LOCATION_TYPES: dict[str, LocationType] = {
    "inPerson": "address",
    "link": "link",
    "userPhone": "phone",
    "attendeeInPerson": "attendee_address",
    "phone": "attendee_phone",
    "somewhereElse": "attendee_defined",
}
_WEB_LOCATION_TYPES = {ours: theirs for theirs, ours in _LOCATION_TYPES.items()}
_CAL_VIDEO = "cal-video"
_DAILY = "integrations:daily"


def location_input(location: Location) -> dict[str, Any]:
    """A location as `eventTypesHeavy/update` takes it."""
    if location.type == "integration":
        app = location.integration or ""
        return {"type": _DAILY if app == _CAL_VIDEO else f"integrations:{app}"}
    data: dict[str, Any] = {"type": _WEB_LOCATION_TYPES[location.type]}
    if location.address is not None:
        data["address"] = location.address
    if location.link is not None:
        data["link"] = location.link
    if location.phone is not None:
        data["hostPhoneNumber"] = location.phone
    if location.type in ("address", "link", "phone"):
        data["displayLocationPublicly"] = location.public
    return data


class LimitsAnswer(Wire):
    """Booking or duration limits; `{}` and null both mean none."""

    day: int | None = Field(None, alias="PER_DAY")
    week: int | None = Field(None, alias="PER_WEEK")
    month: int | None = Field(None, alias="PER_MONTH")
    year: int | None = Field(None, alias="PER_YEAR")


class ColorAnswer(Wire):
    """`eventTypeColor`."""

    light: str = Field(alias="lightEventTypeColor")
    dark: str = Field(alias="darkEventTypeColor")


class EventTypeListed(Wire):
    """One entry of `eventTypes/list`, which does not say enough to compare."""

    id: int
    slug: str


class EventTypeAnswer(Wire):
    """The event type in `eventTypes/get`."""

    id: int
    title: str
    slug: str
    length_minutes: int = Field(alias="length")
    description: str | None
    hidden: bool
    locations: list[LocationAnswer]
    schedule_id: int | None = Field(alias="schedule")
    buffer_before_minutes: int = Field(alias="beforeEventBuffer")
    buffer_after_minutes: int = Field(alias="afterEventBuffer")
    slot_interval_minutes: int | None = Field(alias="slotInterval")
    offset_start_minutes: int = Field(alias="offsetStart")
    minimum_notice_minutes: int = Field(alias="minimumBookingNotice")
    only_first_slot: bool = Field(alias="onlyShowFirstAvailableSlot")
    booking_limits: LimitsAnswer | None = Field(alias="bookingLimits")
    duration_limits: LimitsAnswer | None = Field(alias="durationLimits")
    period_type: str = Field(alias="periodType")
    period_days: int | None = Field(alias="periodDays")
    period_calendar_days: bool | None = Field(alias="periodCountCalendarDays")
    period_start: dt.datetime | None = Field(alias="periodStartDate")
    period_end: dt.datetime | None = Field(alias="periodEndDate")
    requires_confirmation: bool = Field(alias="requiresConfirmation")
    requires_email_verification: bool = Field(alias="requiresBookerEmailVerification")
    lock_time_zone: bool = Field(alias="lockTimeZoneToggleOnBookingPage")
    custom_name: str | None = Field(alias="eventName")
    success_redirect_url: str | None = Field(alias="successRedirectUrl")
    color: ColorAnswer | None = Field(alias="eventTypeColor")
    seats_per_slot: int | None = Field(alias="seatsPerTimeSlot")
    seats_show_attendees: bool | None = Field(alias="seatsShowAttendees")
    seats_show_count: bool | None = Field(alias="seatsShowAvailabilityCount")

    def event_type(self) -> EventType:
        """The event type in calstack's words."""
        direct = {
            name: getattr(self, name)
            for name in EventTypeAnswer.model_fields
            if not name.startswith(("period_", "seats_"))
        }
        return EventType(
            **{
                **direct,
                "locations": tuple(item.location() for item in self.locations),
                "booking_limits": _limits(self.booking_limits),
                "duration_limits": _limits(self.duration_limits),
                "booking_window": self._window(),
                "color": Color(**dict(self.color)) if self.color else None,
                "seats": self._seats(),
            }
        )

    def _window(self) -> BookingWindow | None:
        # The database spells the type in lower case, the procedures in upper case (FACTS §15).
        kind = self.period_type.upper()
        if kind == "RANGE" and self.period_start and self.period_end:
            return BookingWindow(type="range", start=self.period_start.date(), end=self.period_end.date())
        if kind in ("ROLLING", "ROLLING_WINDOW"):
            return BookingWindow(
                type="calendar_days" if self.period_calendar_days else "business_days",
                days=self.period_days,
                rolling=kind == "ROLLING_WINDOW",
            )
        return None

    def _seats(self) -> Seats | None:
        if not self.seats_per_slot:
            return None
        return Seats(
            per_slot=self.seats_per_slot,
            show_attendees=bool(self.seats_show_attendees),
            show_available_count=self.seats_show_count is not False,
        )


class EventTypeGot(Wire):
    """`eventTypes/get`."""

    event_type: EventTypeAnswer = Field(alias="eventType")


class EventTypeCreated(Wire):
    """`eventTypesHeavy/create`."""

    event_type: EventTypeListed = Field(alias="eventType")


class EventTypeBefore(Wire):
    """`eventTypesHeavy/update`: some fields of the state *before*, so nothing is read from it."""

    event_type: dict[str, Any] = Field(alias="eventType")


def _limits(answer: LimitsAnswer | None) -> PeriodLimits | None:
    limits = PeriodLimits(**dict(answer)) if answer else None
    return None if limits == PeriodLimits() else limits


EVENT_TYPE_NAMES = {
    "title": "title",
    "slug": "slug",
    "length_minutes": "length",
    "description": "description",
    "hidden": "hidden",
    "schedule_id": "schedule",
    "buffer_before_minutes": "beforeEventBuffer",
    "buffer_after_minutes": "afterEventBuffer",
    "slot_interval_minutes": "slotInterval",
    "offset_start_minutes": "offsetStart",
    "minimum_notice_minutes": "minimumBookingNotice",
    "only_first_slot": "onlyShowFirstAvailableSlot",
    "requires_confirmation": "requiresConfirmation",
    "requires_email_verification": "requiresBookerEmailVerification",
    "lock_time_zone": "lockTimeZoneToggleOnBookingPage",
    "custom_name": "eventName",
    "success_redirect_url": "successRedirectUrl",
}
"""Fields that only have another name over the web channel."""

CREATE_NAMES = ("title", "slug", "length_minutes", "description", "hidden")
"""What `eventTypesHeavy/create` takes; the rest follows with `eventTypesHeavy/update`."""


def event_type_input(fields: EventTypeFields) -> dict[str, Any]:
    """The part of `eventTypesHeavy/update`'s input that says what to change; unknown keys it refuses."""
    data: dict[str, Any] = {}
    for name in EventTypeFields.model_fields:
        if name not in fields.model_fields_set:
            continue
        value = getattr(fields, name)
        if name in EVENT_TYPE_NAMES:
            data[EVENT_TYPE_NAMES[name]] = value
        elif name == "locations":
            data["locations"] = [location_input(item) for item in value or ()]
        elif name in ("booking_limits", "duration_limits"):
            key = "bookingLimits" if name == "booking_limits" else "durationLimits"
            data[key] = _limits_input(value)
        elif name == "booking_window":
            data.update(_window_input(value))
        elif name == "color":
            data["eventTypeColor"] = value and {
                "lightEventTypeColor": value.light,
                "darkEventTypeColor": value.dark,
            }
        elif name == "seats":
            data.update(_seats_input(value))
    return data


def _limits_input(limits: PeriodLimits | None) -> dict[str, int]:
    named = dict(limits) if limits else {}
    return {f"PER_{period.upper()}": most for period, most in named.items() if most is not None}


def _window_input(window: BookingWindow | None) -> dict[str, Any]:
    if window is None:
        return {"periodType": "UNLIMITED"}
    if window.type == "range":
        return {
            "periodType": "RANGE",
            "periodStartDate": _midnight(window.start),
            "periodEndDate": _midnight(window.end),
        }
    return {
        "periodType": "ROLLING_WINDOW" if window.rolling else "ROLLING",
        "periodDays": window.days,
        "periodCountCalendarDays": window.type == "calendar_days",
    }


def _midnight(day: dt.date | None) -> dt.datetime | None:
    return None if day is None else dt.datetime.combine(day, dt.time(0), dt.UTC)


def _seats_input(seats: Seats | None) -> dict[str, Any]:
    if seats is None:
        return {"seatsPerTimeSlot": None}
    return {
        "seatsPerTimeSlot": seats.per_slot,
        "seatsShowAttendees": seats.show_attendees,
        "seatsShowAvailabilityCount": seats.show_available_count,
    }
