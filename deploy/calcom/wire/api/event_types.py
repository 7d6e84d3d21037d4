"""Event types over API v2: CreateEventTypeInput_2024_06_14, field by field (FACTS §15)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field

from deploy.calcom.models import (
    ActiveBookingsLimit,
    BookerLayouts,
    BookingField,
    BookingWindow,
    CalVideoSettings,
    Color,
    EventType,
    EventTypeFields,
    Location,
    LocationType,
    NoticeThreshold,
    PeriodLimits,
    PublicEvent,
    Recurrence,
    Seats,
    plain_booking_fields,
)
from deploy.calcom.wire import Wire, alike
from deploy.calcom.wire.booking_fields import BookingFieldAnswer, booking_field

_DISABLED = {"disabled": True}

_LOCATION_TYPES: dict[str, LocationType] = {
    "address": "address",
    "link": "link",
    "phone": "phone",
    "attendeeAddress": "attendee_address",
    "attendeePhone": "attendee_phone",
    "attendeeDefined": "attendee_defined",
    "integration": "integration",
}
_API_LOCATION_TYPES = {ours: theirs for theirs, ours in _LOCATION_TYPES.items()}


class LocationAnswer(Wire):
    """One entry of `locations`; kinds that API v2 cannot name itself come as `unknown`."""

    type: str
    address: str | None = None
    link: str | None = None
    phone: str | None = None
    integration: str | None = None
    public: bool | None = None

    def location(self) -> Location:
        """The location in calstack's words."""
        kind = _LOCATION_TYPES.get(self.type)
        if kind is None:
            return Location(type="integration", integration=self.type)
        return Location(**{**dict(self), "type": kind, "public": bool(self.public)})


class QuestionAnswer(Wire):
    """One entry of `bookingFields`."""

    type: str
    slug: str
    label: str | None = None
    placeholder: str | None = None
    required: bool | None = None
    hidden: bool | None = None
    disable_on_prefill: bool = Field(False, alias="disableOnPrefill")
    options: list[str] | None = None

    def question(self) -> BookingField | None:
        """The question in calstack's words; None for a kind that cannot be declared."""
        return booking_field(
            BookingFieldAnswer.model_validate(
                {
                    "name": self.slug,
                    "type": self.type,
                    "label": self.label,
                    "placeholder": self.placeholder,
                    "required": self.required,
                    "hidden": self.hidden,
                    "disableOnPrefill": self.disable_on_prefill,
                    "options": [{"value": option} for option in self.options or ()],
                }
            )
        )


class LimitsAnswer(Wire):
    """Booking or duration limits, which may be empty or `disabled`."""

    day: int | None = None
    week: int | None = None
    month: int | None = None
    year: int | None = None


class ActiveAnswer(Wire):
    """`bookerActiveBookingsLimit`, or `disabled`."""

    maximum: int | None = Field(None, alias="maximumActiveBookings")
    offer: bool | None = Field(None, alias="offerReschedule")

    def limit(self) -> ActiveBookingsLimit | None:
        """The limit in calstack's words."""
        return alike.active_limit(self.maximum, self.offer)


class WindowAnswer(Wire):
    """`bookingWindow`, or `disabled`."""

    type: Literal["businessDays", "calendarDays", "range"] | None = None
    value: int | tuple[dt.date, dt.date] | None = None
    rolling: bool | None = None


class LayoutsAnswer(Wire):
    """`bookerLayouts`."""

    default: Literal["month", "week", "column"] = Field(alias="defaultLayout")
    enabled: tuple[Literal["month", "week", "column"], ...] = Field(alias="enabledLayouts")


class ThresholdAnswer(Wire):
    """`noticeThreshold` of a confirmation policy."""

    unit: Literal["hours", "minutes"]
    count: int


class PolicyAnswer(Wire):
    """`confirmationPolicy`, or `disabled`."""

    type: Literal["always", "time"] | None = None
    threshold: ThresholdAnswer | None = Field(None, alias="noticeThreshold")
    blocks: bool = Field(False, alias="blockUnconfirmedBookingsInBooker")


class RecurrenceAnswer(Wire):
    """`recurrence`, or `disabled`."""

    interval: int | None = None
    occurrences: int | None = None
    frequency: Literal["yearly", "monthly", "weekly"] | None = None


class ColorAnswer(Wire):
    """`color`."""

    light: str = Field(alias="lightThemeHex")
    dark: str = Field(alias="darkThemeHex")


class SeatsAnswer(Wire):
    """`seats`, or `disabled`."""

    per_slot: int | None = Field(None, alias="seatsPerTimeSlot")
    show_attendees: bool | None = Field(None, alias="showAttendeeInfo")
    show_available_count: bool | None = Field(None, alias="showAvailabilityCount")

    def seats(self) -> Seats | None:
        """The seats in calstack's words."""
        return alike.seats(self.per_slot, self.show_attendees, self.show_available_count)


class EventTypeAnswer(alike.AlikeEventType):
    """An event type, in lists too; what is at its default may be missing."""

    length_minutes: int = Field(alias="lengthInMinutes")
    length_options: tuple[int, ...] = Field((), alias="lengthInMinutesOptions")
    locations: list[LocationAnswer]
    questions: list[QuestionAnswer] = Field(alias="bookingFields")
    schedule_id: int | None = Field(alias="scheduleId")
    booking_limits: LimitsAnswer | None = Field(None, alias="bookingLimitsCount")
    duration_limits: LimitsAnswer | None = Field(None, alias="bookingLimitsDuration")
    active: ActiveAnswer | None = Field(None, alias="bookerActiveBookingsLimit")
    window: WindowAnswer | None = Field(None, alias="bookingWindow")
    layouts: LayoutsAnswer | None = Field(None, alias="bookerLayouts")
    policy: PolicyAnswer | None = Field(None, alias="confirmationPolicy")
    recurring: RecurrenceAnswer | None = Field(None, alias="recurrence")
    custom_name: str | None = Field(None, alias="customName")
    success_redirect_url: str | None = Field(None, alias="successRedirectUrl")
    colors: ColorAnswer | None = Field(None, alias="color")
    places: SeatsAnswer | None = Field(None, alias="seats")
    calendar: alike.CalendarAnswer | None = Field(None, alias="destinationCalendar")
    use_destination_calendar_email: bool = Field(alias="useDestinationCalendarEmail")
    video: alike.CalVideoAnswer | None = Field(None, alias="calVideoSettings")
    requires_authentication: bool = Field(False, alias="bookingRequiresAuthentication")

    def event_type(self) -> EventType:
        """The event type in calstack's words."""
        policy = self.policy or PolicyAnswer.model_validate({})
        return EventType(
            **{
                **self.direct(),
                # Null in the database is an empty text here.
                "description": self.description or None,
                "custom_name": self.custom_name or None,
                "locations": tuple(item.location() for item in self.locations),
                "booking_fields": plain_booking_fields(
                    [question for item in self.questions if (question := item.question()) is not None]
                ),
                "booking_limits": alike.limits(self.booking_limits),
                "duration_limits": alike.limits(self.duration_limits),
                "active_bookings_limit": self.active and self.active.limit(),
                "booking_window": self._window(),
                "booker_layouts": self.layouts and BookerLayouts(**dict(self.layouts)),
                "requires_confirmation": policy.type is not None,
                "confirmation_threshold": policy.threshold and NoticeThreshold(**dict(policy.threshold)),
                "unconfirmed_blocks_slot": policy.blocks,
                "recurrence": self._recurrence(),
                "color": self.colors and Color(**dict(self.colors)),
                "seats": self.places and self.places.seats(),
                "destination_calendar": self.calendar and self.calendar.calendar(),
                "cal_video": self.video and self.video.settings(),
            }
        )

    def public_event(self, username: str) -> PublicEvent:
        """The event type as a guest sees it."""
        event_type = self.event_type()
        return PublicEvent(
            id=self.id,
            title=self.title,
            slug=self.slug,
            username=username,
            length_minutes=self.length_minutes,
            length_options=tuple(self.length_options or ()),
            locations=event_type.locations,
            requires_confirmation=event_type.requires_confirmation,
            seats_per_slot=event_type.seats.per_slot if event_type.seats else None,
        )

    def _window(self) -> BookingWindow | None:
        window = self.window
        if window is None or window.type is None:
            return None
        if isinstance(window.value, tuple):
            return BookingWindow(type="range", start=window.value[0], end=window.value[1])
        return BookingWindow(
            type="calendar_days" if window.type == "calendarDays" else "business_days",
            days=window.value,
            rolling=bool(window.rolling),
        )

    def _recurrence(self) -> Recurrence | None:
        answer = self.recurring
        if answer is None or not (answer.frequency and answer.interval and answer.occurrences):
            return None
        return Recurrence(
            frequency=answer.frequency, interval=answer.interval, occurrences=answer.occurrences
        )


EVENT_TYPE_NAMES = {
    **alike.ALIKE_NAMES,
    "length_minutes": "lengthInMinutes",
    "schedule_id": "scheduleId",
    "custom_name": "customName",
    "use_destination_calendar_email": "useDestinationCalendarEmail",
}
"""Fields that only have another name over API v2."""

_TEXTS = ("description", "custom_name")
"""An empty text takes them away for certain; what null does to a field was not recorded."""
_POLICY = ("requires_confirmation", "confirmation_threshold", "unconfirmed_blocks_slot")
_QUESTIONS = ("booking_fields", "disable_guests")


def completed(fields: EventTypeFields, current: EventType) -> EventTypeFields:
    """The fields with those of `current` that API v2 wants beside them.

    A confirmation policy is written whole; and hiding the guests resets the questions that do not come along.
    """
    missing = {
        name: getattr(current, name)
        for group in (_POLICY, _QUESTIONS)
        if fields.model_fields_set.intersection(group)
        for name in group
        if name not in fields.model_fields_set
    }
    return fields.model_copy(update=missing)


def builds_on_current(fields: EventTypeFields) -> bool:
    """Whether `completed` would add anything."""
    return any(
        0 < len(fields.model_fields_set.intersection(group)) < len(group) for group in (_POLICY, _QUESTIONS)
    )


def event_type_input(fields: EventTypeFields) -> dict[str, Any]:
    """Body of `POST` and `PATCH /v2/event-types`; of an event type that is there, `completed` first."""
    data: dict[str, Any] = {}
    for name in EventTypeFields.model_fields:
        if name not in fields.model_fields_set:
            continue
        value = getattr(fields, name)
        if name in EVENT_TYPE_NAMES:
            data[EVENT_TYPE_NAMES[name]] = "" if value is None and name in _TEXTS else value
        elif name not in (*_POLICY, "booking_fields"):
            data.update(_COMPOSED[name](value))
    if "booking_fields" in fields.model_fields_set:
        data["bookingFields"] = _questions_input(fields)
    if fields.model_fields_set.intersection(_POLICY):
        data["confirmationPolicy"] = _policy_input(fields)
    return data


def location_input(location: Location) -> dict[str, Any]:
    """A location as API v2 takes it."""
    data: dict[str, Any] = {"type": _API_LOCATION_TYPES[location.type]}
    for name in ("address", "link", "phone", "integration"):
        value = getattr(location, name)
        if value is not None:
            data[name] = value
    if location.type in ("address", "link", "phone"):
        data["public"] = location.public
    return data


def _locations_input(locations: tuple[Location, ...] | None) -> dict[str, Any]:
    # An empty list is refused; left out, a new event type gets Cal Video where its app has keys, else none.
    return {"locations": [location_input(item) for item in locations]} if locations else {}


def question_input(field: BookingField) -> dict[str, Any]:
    """A question as API v2 takes it, in one of the 19 shapes of its `bookingFields`."""
    data: dict[str, Any] = {}
    if field.type is not None:
        data = {
            "type": field.type,
            "slug": field.slug,
            "label": field.label,
            "required": bool(field.required),
            "hidden": bool(field.hidden),
            "disableOnPrefill": field.disable_on_prefill,
        }
        if field.type not in ("multiselect", "checkbox", "radio", "boolean"):
            data["placeholder"] = field.placeholder or ""
        if field.options:
            data["options"] = list(field.options)
        return data
    if field.slug in ("name", "email"):
        # Named by their type; their texts must be there.
        data = {"type": field.slug, "label": field.label or "", "placeholder": field.placeholder or ""}
    elif field.slug == "attendeePhoneNumber":
        data = {
            "type": "phone",
            "slug": field.slug,
            "label": field.label or "",
            "placeholder": field.placeholder or "",
            "required": bool(field.required),
            "hidden": field.hidden is not False,
        }
    else:
        data = {"slug": field.slug}
    said = {
        "label": field.label,
        "placeholder": field.placeholder,
        "required": field.required,
        "hidden": field.hidden,
        "disableOnPrefill": field.disable_on_prefill or None,
    }
    data.update({name: value for name, value in said.items() if value is not None})
    return _with_defaults(field.slug, data)


def _with_defaults(slug: str, data: dict[str, Any]) -> dict[str, Any]:
    # What is not said API v2 takes for false, which is not how Cal.com has these two.
    if slug == "email":
        data.setdefault("required", True)
    if slug == "title":
        data.setdefault("required", True)
        data.setdefault("hidden", True)
    return data


def _questions_input(fields: EventTypeFields) -> list[dict[str, Any]]:
    questions = [question_input(item) for item in fields.booking_fields or ()]
    if fields.disable_guests is None:
        # An empty list is refused; one question as it is anyway makes all of them so.
        return questions or [question_input(BookingField(slug="notes"))]
    # The question and the switch must say the same, whichever of them a version looks at.
    guests = next((item for item in questions if item.get("slug") == "guests"), {"slug": "guests"})
    others = [item for item in questions if item is not guests]
    return [*others, {**guests, "hidden": fields.disable_guests}]


def _policy_input(fields: EventTypeFields) -> dict[str, Any]:
    # A threshold or a blocking switch alone means a confirmation, where nothing says otherwise.
    wanted = fields.requires_confirmation
    if wanted is None:
        wanted = fields.confirmation_threshold is not None or bool(fields.unconfirmed_blocks_slot)
    if not wanted:
        return _DISABLED
    policy: dict[str, Any] = {
        "type": "time" if fields.confirmation_threshold else "always",
        "blockUnconfirmedBookingsInBooker": bool(fields.unconfirmed_blocks_slot),
    }
    if fields.confirmation_threshold:
        policy["noticeThreshold"] = dict(fields.confirmation_threshold)
    return policy


def _limits_input(limits: PeriodLimits | None) -> dict[str, Any]:
    named = {period: most for period, most in dict(limits or {}).items() if most is not None}
    return named or _DISABLED


def _window_input(window: BookingWindow | None) -> dict[str, Any]:
    if window is None:
        return _DISABLED
    if window.type == "range":
        return {"type": "range", "value": [str(window.start), str(window.end)]}
    kind = "calendarDays" if window.type == "calendar_days" else "businessDays"
    return {"type": kind, "value": window.days, "rolling": window.rolling}


def _layouts_input(layouts: BookerLayouts | None) -> dict[str, Any] | None:
    if layouts is None:
        return None
    return {"defaultLayout": layouts.default, "enabledLayouts": list(layouts.enabled)}


def _active_input(limit: ActiveBookingsLimit | None) -> dict[str, Any]:
    if limit is None:
        return _DISABLED
    return {"maximumActiveBookings": limit.maximum, "offerReschedule": limit.offer_reschedule}


def _recurrence_input(recurrence: Recurrence | None) -> dict[str, Any]:
    return _DISABLED if recurrence is None else dict(recurrence)


def _seats_input(seats: Seats | None) -> dict[str, Any]:
    if seats is None:
        return _DISABLED
    return {
        "seatsPerTimeSlot": seats.per_slot,
        "showAttendeeInfo": seats.show_attendees,
        "showAvailabilityCount": seats.show_available_count,
    }


def _color_input(color: Color | None) -> dict[str, Any] | None:
    return None if color is None else {"lightThemeHex": color.light, "darkThemeHex": color.dark}


def _cal_video_input(settings: CalVideoSettings | None) -> dict[str, Any] | None:
    switches = alike.cal_video_input(settings)
    # None is no URL to the validation.
    return switches and {name: value for name, value in switches.items() if value is not None}


_COMPOSED: Mapping[str, Callable[[Any], dict[str, Any]]] = MappingProxyType(
    {
        "locations": _locations_input,
        "booking_limits": lambda value: {"bookingLimitsCount": _limits_input(value)},
        "duration_limits": lambda value: {"bookingLimitsDuration": _limits_input(value)},
        "active_bookings_limit": lambda value: {"bookerActiveBookingsLimit": _active_input(value)},
        "booking_window": lambda value: {"bookingWindow": _window_input(value)},
        "booker_layouts": lambda value: {"bookerLayouts": _layouts_input(value)},
        # An empty list is refused, as of locations.
        "length_options": lambda value: {"lengthInMinutesOptions": list(value)} if value else {},
        "recurrence": lambda value: {"recurrence": _recurrence_input(value)},
        "color": lambda value: {"color": _color_input(value)},
        "seats": lambda value: {"seats": _seats_input(value)},
        "destination_calendar": lambda value: {"destinationCalendar": alike.calendar_input(value)},
        "cal_video": lambda value: {"calVideoSettings": _cal_video_input(value)},
    }
)
"""Fields of several parts, and how each is said."""
