"""An event type in API v2's form (2024-06-14), and in the older one of the web app's own page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..core import event_types
from ..core.payloads import iso
from ..database import Row
from . import booking_field_forms, location_forms
from .event_type_input import FREQUENCIES, PERIODS

PERIOD_NAMES = {inner: outer for outer, inner in PERIODS.items()}

SAME_NAME = (
    "disableGuests", "slotInterval", "minimumBookingNotice", "beforeEventBuffer", "afterEventBuffer", "price",
    "currency", "lockTimeZoneToggleOnBookingPage", "forwardParamsSuccessRedirect", "successRedirectUrl",
    "isInstantEvent", "scheduleId", "onlyShowFirstAvailableSlot", "offsetStart",
    "requiresBookerEmailVerification", "hideCalendarNotes", "hideCalendarEventDetails", "hideOrganizerEmail",
    "hidden", "bookingRequiresAuthentication",
)  # fmt: skip

OLD_COLUMNS = (
    "id", "teamId", "userId", "metadata", "description", "interfaceLanguage", "hidden", "slug", "length",
    "title", "requiresConfirmation", "canSendCalVideoTranscriptionEmails", "requiresConfirmationForFreeEmail",
    "requiresConfirmationWillBlockSlot", "autoTranslateDescriptionEnabled", "position", "offsetStart",
    "profileId", "eventName", "parentId", "timeZone", "periodStartDate", "periodEndDate", "periodDays",
    "periodCountCalendarDays", "lockTimeZoneToggleOnBookingPage", "lockedTimeZone",
    "requiresBookerEmailVerification", "disableGuests", "disableCancelling", "disableRescheduling",
    "minimumRescheduleNotice", "allowReschedulingCancelledBookings", "hideCalendarNotes",
    "minimumBookingNotice", "beforeEventBuffer", "afterEventBuffer", "seatsPerTimeSlot",
    "onlyShowFirstAvailableSlot", "allowReschedulingPastBookings", "hideOrganizerEmail", "showOptimizedSlots",
    "seatsShowAttendees", "seatsShowAvailabilityCount", "scheduleId", "instantMeetingScheduleId", "price",
    "currency", "slotInterval", "successRedirectUrl", "isInstantEvent",
    "instantMeetingExpiryTimeOffsetInSeconds", "assignAllTeamMembers", "isRRWeightsEnabled",
    "rescheduleWithSameRoundRobinHost", "recurringEvent", "locations", "bookingFields",
    "useEventTypeDestinationCalendarEmail", "secondaryEmailId", "bookingLimits", "durationLimits",
    "eventTypeColor", "hideCalendarEventDetails", "rrSegmentQueryValue", "assignRRMembersUsingSegment",
    "maxLeadThreshold", "useEventLevelSelectedCalendars", "customReplyToEmail", "restrictionScheduleId",
    "useBookerTimezone",
)  # fmt: skip


def shown(event_type: Row, owner: Row, video: Row | None) -> dict[str, Any]:
    """One event type with all its fields."""
    metadata = dict(event_type["metadata"] or {})
    layouts, threshold = (
        metadata.pop(name, None) for name in ("bookerLayouts", "requiresConfirmationThreshold")
    )
    lengths = metadata.get("multipleDuration")
    optional = {
        "lengthInMinutesOptions": lengths,
        "customName": event_type["eventName"],
        "bookingLimitsCount": by_period(event_type["bookingLimits"]),
        "bookingLimitsDuration": by_period(event_type["durationLimits"]),
        "bookerLayouts": layouts and short_layouts(layouts),
        "color": color(event_type["eventTypeColor"]),
    }
    return {
        "id": event_type["id"],
        "ownerId": event_type["userId"],
        "lengthInMinutes": event_type["length"],
        "title": event_type["title"],
        "slug": event_type["slug"],
        "description": event_type["description"] or "",
        "locations": location_forms.shown(event_type["locations"]),
        "bookingFields": booking_field_forms.shown(event_type["bookingFields"]),
        "recurrence": recurrence(event_type["recurringEvent"]),
        "metadata": metadata,
        "users": [face(owner)],
        "bookingWindow": window(event_type),
        "confirmationPolicy": policy(event_type, threshold),
        "seats": seats(event_type),
        "useDestinationCalendarEmail": event_type["useEventTypeDestinationCalendarEmail"],
        "calVideoSettings": video and with_texts(video),
        "bookerActiveBookingsLimit": active_limit(event_type),
        **{name: event_type[name] for name in SAME_NAME},
        **{name: value for name, value in optional.items() if value is not None},
    }


def listed(event_type: Row, owner: Row) -> dict[str, Any]:
    """One event type of a list: without hidden questions, and without the settings of Cal Video."""
    whole = shown(event_type, owner, None)
    del whole["calVideoSettings"]
    whole["bookingFields"] = [field for field in whole["bookingFields"] if field.get("hidden") is not True]
    return whole


def with_texts(row: Row) -> dict[str, Any]:
    """A row with its instants as text."""
    return {name: iso(value) if isinstance(value, datetime) else value for name, value in row.items()}


def face(user: Row) -> dict[str, Any]:
    """The user of an event type."""
    names = ("id", "name", "username", "avatarUrl", "brandColor", "darkBrandColor", "weekStart")
    return {name: user[name] for name in names} | {"metadata": {}}


def by_period(limits: dict[str, int] | None) -> dict[str, int] | None:
    """Limits under the API's names."""
    return None if limits is None else {PERIOD_NAMES[name]: number for name, number in limits.items()}


def short_layouts(layouts: dict[str, Any]) -> dict[str, Any]:
    """Booker layouts under the API's names."""
    return {
        "defaultLayout": layouts["defaultLayout"].removesuffix("_view"),
        "enabledLayouts": [layout.removesuffix("_view") for layout in layouts["enabledLayouts"]],
    }


def color(stored: Any) -> dict[str, Any] | None:
    """The two colours."""
    if not isinstance(stored, dict):
        return None
    return {
        "darkThemeHex": stored.get("darkEventTypeColor"),
        "lightThemeHex": stored.get("lightEventTypeColor"),
    }


def recurrence(stored: dict[str, Any] | None) -> dict[str, Any] | None:
    """A recurrence, or null."""
    if not stored:
        return None
    frequency = FREQUENCIES[stored["freq"]] if stored["freq"] < len(FREQUENCIES) else None
    return {
        "disabled": False,
        "interval": stored["interval"],
        "occurrences": stored["count"],
        "frequency": frequency,
    }


def window(event_type: Row) -> dict[str, Any]:
    """The booking window."""
    kind = event_type["periodType"]
    if kind == "range":
        ends = (event_type["periodStartDate"], event_type["periodEndDate"])
        return {"type": "range", "value": [moment and moment.date().isoformat() for moment in ends]}
    if kind == "unlimited":
        return {"disabled": True}
    return {
        "type": "calendarDays" if event_type["periodCountCalendarDays"] else "businessDays",
        "value": event_type["periodDays"],
        "rolling": kind == "rolling_window",
    }


def policy(event_type: Row, threshold: dict[str, Any] | None) -> dict[str, Any]:
    """The confirmation policy."""
    blocks = bool(event_type["requiresConfirmationWillBlockSlot"])
    if threshold and threshold.get("unit"):
        notice = {"unit": threshold["unit"], "count": threshold["time"]}
        return {"type": "time", "noticeThreshold": notice, "blockUnconfirmedBookingsInBooker": blocks}
    if event_type["requiresConfirmation"]:
        return {"type": "always", "blockUnconfirmedBookingsInBooker": blocks}
    return {"disabled": True}


def seats(event_type: Row) -> dict[str, Any]:
    """The seats."""
    if not event_type["seatsPerTimeSlot"]:
        return {"disabled": True}
    return {
        "disabled": False,
        "seatsPerTimeSlot": event_type["seatsPerTimeSlot"],
        "showAttendeeInfo": bool(event_type["seatsShowAttendees"]),
        "showAvailabilityCount": bool(event_type["seatsShowAvailabilityCount"]),
    }


def active_limit(event_type: Row) -> dict[str, Any]:
    """How many bookings ahead one guest may have."""
    number, offer = (
        event_type["maxActiveBookingsPerBooker"],
        event_type["maxActiveBookingPerBookerOfferReschedule"],
    )
    if number is None and not offer:
        return {"disabled": True}
    limit = {} if number is None else {"maximumActiveBookings": number}
    return {**limit, "offerReschedule": bool(offer)}


def in_old_shape(event_type: Row, owner: Row) -> dict[str, Any]:
    """One event type as the oldest version lists it."""
    description = event_type["description"]
    row = with_texts({name: event_type[name] for name in OLD_COLUMNS})
    return row | {
        "schedulingType": event_types.spoken(event_type["schedulingType"]),
        "periodType": event_types.spoken(event_type["periodType"]),
        "owner": {"timeZone": owner["timeZone"]},
        "instantMeetingParameters": event_type["instantMeetingParameters"] or [],
        "aiPhoneCallConfig": None,
        "instantMeetingSchedule": None,
        "hashedLink": [],
        "children": [],
        "hosts": [],
        "team": None,
        **({"safeDescription": f"<p>{description}</p>\n"} if description else {}),
        "userIds": [owner["id"]],
    }
