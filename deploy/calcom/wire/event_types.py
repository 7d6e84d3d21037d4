"""Event types as the web app's procedures spell them, field by field (FACTS §15)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field

from deploy.calcom.models import (
    INTEGRATIONS,
    ActiveBookingsLimit,
    BookerLayouts,
    BookingWindow,
    CalVideoSettings,
    Color,
    EventType,
    EventTypeFields,
    Location,
    LocationType,
    NoticeThreshold,
    PeriodLimits,
    Recurrence,
    Seats,
)
from deploy.calcom.wire import Wire, alike
from deploy.calcom.wire.booking_fields import (
    BookingFieldAnswer,
    booking_fields_input,
    can_be_declared,
    read_booking_fields,
    with_guests,
)


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
            integration = self.type.removeprefix("integrations:")
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


def location_input(location: Location) -> dict[str, Any]:
    """A location as `eventTypesHeavy/update` takes it."""
    if location.type == "integration":
        app = location.integration or ""
        return {"type": f"integrations:{INTEGRATIONS.get(app, app)}"}
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


class LayoutsAnswer(Wire):
    """`bookerLayouts` in an event type's and `defaultBookerLayouts` in a user's metadata."""

    default: str = Field(alias="defaultLayout")
    enabled: list[str] = Field(alias="enabledLayouts")

    def layouts(self) -> BookerLayouts:
        """The layouts in calstack's words."""
        return BookerLayouts.model_validate(
            {
                "default": self.default.removesuffix("_view"),
                "enabled": tuple(item.removesuffix("_view") for item in self.enabled),
            }
        )


def layouts_input(layouts: BookerLayouts) -> dict[str, Any]:
    """Layouts as they stand in metadata."""
    return {
        "defaultLayout": f"{layouts.default}_view",
        "enabledLayouts": [f"{item}_view" for item in layouts.enabled],
    }


class ThresholdAnswer(Wire):
    """`requiresConfirmationThreshold` in metadata."""

    count: int = Field(alias="time")
    unit: Literal["hours", "minutes"]


class MetadataAnswer(Wire):
    """What of an event type's metadata is calstack's business."""

    length_options: list[int] | None = Field(None, alias="multipleDuration")
    layouts: LayoutsAnswer | None = Field(None, alias="bookerLayouts")
    threshold: ThresholdAnswer | None = Field(None, alias="requiresConfirmationThreshold")


class RecurrenceAnswer(Wire):
    """`recurringEvent`; frequencies are iCalendar's of rrule.js, 0 for a year to 2 for a week."""

    interval: int
    count: int
    frequency: int = Field(alias="freq")


_FREQUENCIES: tuple[Literal["yearly", "monthly", "weekly"], ...] = ("yearly", "monthly", "weekly")


class EventTypeListed(Wire):
    """One entry of `eventTypes/list`, which does not say enough to compare."""

    id: int
    slug: str


class EventTypeAnswer(alike.AlikeEventType):
    """The event type in `eventTypes/get`."""

    length_minutes: int = Field(alias="length")
    locations: list[LocationAnswer]
    schedule_id: int | None = Field(alias="schedule")
    booking_limits: LimitsAnswer | None = Field(alias="bookingLimits")
    duration_limits: LimitsAnswer | None = Field(alias="durationLimits")
    period_type: str = Field(alias="periodType")
    period_days: int | None = Field(alias="periodDays")
    period_calendar_days: bool | None = Field(alias="periodCountCalendarDays")
    period_start: dt.datetime | None = Field(alias="periodStartDate")
    period_end: dt.datetime | None = Field(alias="periodEndDate")
    requires_confirmation: bool = Field(alias="requiresConfirmation")
    custom_name: str | None = Field(alias="eventName")
    success_redirect_url: str | None = Field(alias="successRedirectUrl")
    color: ColorAnswer | None = Field(alias="eventTypeColor")
    seats_per_slot: int | None = Field(alias="seatsPerTimeSlot")
    seats_show_attendees: bool | None = Field(alias="seatsShowAttendees")
    seats_show_count: bool | None = Field(alias="seatsShowAvailabilityCount")
    booking_fields: list[BookingFieldAnswer] | None = Field(alias="bookingFields")
    max_active: int | None = Field(alias="maxActiveBookingsPerBooker")
    max_active_offer: bool = Field(alias="maxActiveBookingPerBookerOfferReschedule")
    metadata: MetadataAnswer | None
    unconfirmed_blocks_slot: bool = Field(alias="requiresConfirmationWillBlockSlot")
    recurrence: RecurrenceAnswer | None = Field(alias="recurringEvent")
    destination_calendar: alike.CalendarAnswer | None = Field(alias="destinationCalendar")
    use_destination_calendar_email: bool = Field(alias="useEventTypeDestinationCalendarEmail")
    cal_video: alike.CalVideoAnswer | None = Field(alias="calVideoSettings")
    # 6.0.2 takes it and does not give it back (`eventTypes/get` of the recordings): None is "not told".
    requires_authentication: bool | None = Field(None, alias="bookingRequiresAuthentication")

    def event_type(self) -> EventType:
        """The event type in calstack's words."""
        metadata = self.metadata or MetadataAnswer.model_validate({})
        return EventType(
            **{
                **self.direct(),
                "custom_name": self.custom_name or None,
                "locations": tuple(item.location() for item in self.locations),
                "booking_limits": alike.limits(self.booking_limits),
                "duration_limits": alike.limits(self.duration_limits),
                "booking_window": self._window(),
                "color": Color(**dict(self.color)) if self.color else None,
                "seats": alike.seats(self.seats_per_slot, self.seats_show_attendees, self.seats_show_count),
                "booking_fields": read_booking_fields(self.booking_fields),
                "active_bookings_limit": alike.active_limit(self.max_active, self.max_active_offer),
                "length_options": tuple(metadata.length_options or ()),
                "booker_layouts": metadata.layouts and metadata.layouts.layouts(),
                "confirmation_threshold": metadata.threshold and NoticeThreshold(**dict(metadata.threshold)),
                "recurrence": self._recurrence(),
                "destination_calendar": self.destination_calendar and self.destination_calendar.calendar(),
                "cal_video": self.cal_video and self.cal_video.settings(),
            }
        )

    def _recurrence(self) -> Recurrence | None:
        answer = self.recurrence
        if answer is None or not 0 <= answer.frequency < len(_FREQUENCIES):
            return None
        return Recurrence(
            frequency=_FREQUENCIES[answer.frequency], interval=answer.interval, occurrences=answer.count
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


class EventTypeGot(Wire):
    """`eventTypes/get`."""

    event_type: EventTypeAnswer = Field(alias="eventType")


class EventTypeRaw(Wire):
    """`eventTypes/get` with all that is there, as the base of a change."""

    event_type: dict[str, Any] = Field(alias="eventType")


class EventTypeCreated(Wire):
    """`eventTypesHeavy/create`."""

    event_type: EventTypeListed = Field(alias="eventType")


class EventTypeBefore(Wire):
    """`eventTypesHeavy/update`: some fields of the state *before*, so nothing is read from it."""

    event_type: dict[str, Any] = Field(alias="eventType")


EVENT_TYPE_NAMES = {
    **alike.ALIKE_NAMES,
    "length_minutes": "length",
    "schedule_id": "schedule",
    "requires_confirmation": "requiresConfirmation",
    "custom_name": "eventName",
    "unconfirmed_blocks_slot": "requiresConfirmationWillBlockSlot",
    "use_destination_calendar_email": "useEventTypeDestinationCalendarEmail",
}
"""Fields that only have another name over the web channel."""

_IN_METADATA = ("length_options", "booker_layouts", "confirmation_threshold")
_QUESTIONS = ("booking_fields", "disable_guests")

CREATE_NAMES = ("title", "slug", "length_minutes", "description", "hidden")
"""What `eventTypesHeavy/create` takes; the rest follows with `eventTypesHeavy/update`."""


def builds_on_current(fields: EventTypeFields) -> bool:
    """Whether `event_type_input` must know what is there, since part of what it sends is replaced whole."""
    return any(name in fields.model_fields_set for name in (*_IN_METADATA, *_QUESTIONS))


def event_type_input(fields: EventTypeFields, current: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The part of `eventTypesHeavy/update`'s input that says what to change; unknown keys it refuses.

    `current` is the event type as `eventTypes/get` answers it, None for one that was just made. Of it the
    rest of the metadata and the questions are kept, since the procedure replaces both whole.
    """
    before = current or {}
    data: dict[str, Any] = {}
    for name in EventTypeFields.model_fields:
        if name not in fields.model_fields_set:
            continue
        value = getattr(fields, name)
        if name in EVENT_TYPE_NAMES:
            data[EVENT_TYPE_NAMES[name]] = value
        elif name not in _IN_METADATA and name != "booking_fields":
            data.update(_COMPOSED[name](value))
    if any(name in fields.model_fields_set for name in _IN_METADATA):
        data["metadata"] = _metadata_input(fields, before.get("metadata") or {})
    if any(name in fields.model_fields_set for name in _QUESTIONS):
        data.update(_questions_input(fields, before))
    return data


def _metadata_input(fields: EventTypeFields, before: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in before.items() if (key, value) != _ADDED_WHEN_READ}
    values = {
        "length_options": ("multipleDuration", list(fields.length_options or ())),
        "booker_layouts": (
            "bookerLayouts",
            fields.booker_layouts and layouts_input(fields.booker_layouts),
        ),
        "confirmation_threshold": (
            "requiresConfirmationThreshold",
            fields.confirmation_threshold
            and {"time": fields.confirmation_threshold.count, "unit": fields.confirmation_threshold.unit},
        ),
    }
    for name, (key, value) in values.items():
        if name in fields.model_fields_set:
            metadata.pop(key, None)
            if value:
                metadata[key] = value
    return metadata


_ADDED_WHEN_READ = ("apps", {"giphy": {"enabled": False, "thankYouPage": ""}})
"""What `eventTypes/get` puts into the metadata by itself; writing it back would store it."""


def _questions_input(fields: EventTypeFields, before: Mapping[str, Any]) -> dict[str, Any]:
    hidden = bool(
        fields.disable_guests if "disable_guests" in fields.model_fields_set else before.get("disableGuests")
    )
    held: list[dict[str, Any]] = before.get("bookingFields") or []
    if "booking_fields" in fields.model_fields_set:
        questions = fields.booking_fields or ()
    elif can_be_declared(held):
        questions = read_booking_fields([BookingFieldAnswer.model_validate(item) for item in held])
    else:
        return {"bookingFields": with_guests(held, hidden=hidden)}
    if not questions and not hidden and not held:
        return {}
    return {"bookingFields": booking_fields_input(questions, guests_hidden=hidden)}


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


def _active_limit_input(limit: ActiveBookingsLimit | None) -> dict[str, Any]:
    return {
        "maxActiveBookingsPerBooker": limit and limit.maximum,
        "maxActiveBookingPerBookerOfferReschedule": bool(limit and limit.offer_reschedule),
    }


def _recurrence_input(recurrence: Recurrence | None) -> dict[str, Any]:
    if recurrence is None:
        return {"recurringEvent": None}
    return {
        "recurringEvent": {
            "interval": recurrence.interval,
            "count": recurrence.occurrences,
            "freq": _FREQUENCIES.index(recurrence.frequency),
        }
    }


def _cal_video_input(settings: CalVideoSettings | None) -> dict[str, Any] | None:
    switches = alike.cal_video_input(settings)
    return switches and {**switches, "requireEmailForGuests": False}


def _color_input(color: Color | None) -> dict[str, Any]:
    return {
        "eventTypeColor": color and {"lightEventTypeColor": color.light, "darkEventTypeColor": color.dark}
    }


_COMPOSED: Mapping[str, Callable[[Any], dict[str, Any]]] = MappingProxyType(
    {
        "locations": lambda value: {"locations": [location_input(item) for item in value or ()]},
        "booking_limits": lambda value: {"bookingLimits": _limits_input(value)},
        "duration_limits": lambda value: {"durationLimits": _limits_input(value)},
        "booking_window": _window_input,
        "color": _color_input,
        "seats": _seats_input,
        "active_bookings_limit": _active_limit_input,
        "recurrence": _recurrence_input,
        "destination_calendar": lambda value: {"destinationCalendar": alike.calendar_input(value)},
        "cal_video": lambda value: {"calVideoSettings": _cal_video_input(value)},
    }
)
"""Fields of several parts, and how each is said."""
