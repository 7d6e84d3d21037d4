"""`eventTypes` and `eventTypesHeavy`: reading, making, changing and deleting event types (FACTS §14, §15)."""

from __future__ import annotations

from typing import Any

from ...core import booking_fields, event_types, schedules, webhooks
from ...core.identifiers import slugify
from ...database import Row, one
from ..superjson import UNDEFINED
from ..trpc import Call, Router, mutation, query
from ..validation import (
    anything,
    boolean,
    date,
    many,
    mapping,
    nullish,
    number,
    one_of,
    optional,
    shape,
    text,
)  # fmt: skip
from .people_as_sent import avatar, profile

LOCATIONS = many(mapping(anything))
LIMITS = nullish(mapping(anything))

CREATION = {
    "title": text(1),
    "slug": text(),
    "description": nullish(text()),
    "length": number(),
    "hidden": optional(boolean),
    "locations": optional(LOCATIONS),
    "metadata": nullish(mapping(anything)),
    "minimumBookingNotice": optional(number(0)),
    "slotInterval": nullish(number(0)),
    "beforeEventBuffer": optional(number(0)),
    "afterEventBuffer": optional(number(0)),
    "disableGuests": optional(boolean),
    "scheduleId": optional(number()),
    "calVideoSettings": nullish(mapping(anything)),
    "teamId": nullish(number()),
    "schedulingType": nullish(text()),
}

# The columns that an update sets under their own names.
COLUMNS = {
    "title": optional(text(1)),
    "slug": optional(text()),
    "description": nullish(text()),
    "interfaceLanguage": nullish(text()),
    "length": optional(number(1)),
    "hidden": optional(boolean),
    "position": optional(number()),
    "locations": nullish(LOCATIONS),
    "eventName": nullish(text()),
    "bookingFields": nullish(many(mapping(anything))),
    "timeZone": nullish(text()),
    "periodType": optional(one_of("UNLIMITED", "ROLLING", "ROLLING_WINDOW", "RANGE")),
    "periodStartDate": nullish(date),
    "periodEndDate": nullish(date),
    "periodDays": nullish(number()),
    "periodCountCalendarDays": nullish(anything),
    "lockTimeZoneToggleOnBookingPage": optional(boolean),
    "lockedTimeZone": nullish(text()),
    "requiresConfirmation": optional(boolean),
    "requiresConfirmationWillBlockSlot": optional(boolean),
    "requiresConfirmationForFreeEmail": optional(boolean),
    "requiresBookerEmailVerification": optional(boolean),
    "canSendCalVideoTranscriptionEmails": optional(boolean),
    "autoTranslateDescriptionEnabled": optional(boolean),
    "autoTranslateInstantMeetingTitleEnabled": optional(boolean),
    "recurringEvent": nullish(mapping(anything)),
    "disableGuests": optional(boolean),
    "hideCalendarNotes": optional(boolean),
    "hideCalendarEventDetails": optional(boolean),
    "minimumBookingNotice": optional(number(0)),
    "beforeEventBuffer": optional(number(0)),
    "afterEventBuffer": optional(number(0)),
    "seatsPerTimeSlot": nullish(number()),
    "onlyShowFirstAvailableSlot": optional(boolean),
    "showOptimizedSlots": nullish(boolean),
    "disableCancelling": nullish(boolean),
    "disableRescheduling": nullish(boolean),
    "minimumRescheduleNotice": nullish(number()),
    "seatsShowAttendees": nullish(boolean),
    "seatsShowAvailabilityCount": nullish(boolean),
    "allowReschedulingCancelledBookings": nullish(boolean),
    "allowReschedulingPastBookings": optional(boolean),
    "price": optional(number()),
    "currency": optional(text()),
    "slotInterval": nullish(number()),
    "metadata": nullish(mapping(anything)),
    "successRedirectUrl": nullish(text()),
    "forwardParamsSuccessRedirect": nullish(boolean),
    "bookingLimits": LIMITS,
    "durationLimits": LIMITS,
    "offsetStart": optional(number(0)),
    "isInstantEvent": optional(boolean),
    "instantMeetingExpiryTimeOffsetInSeconds": optional(number()),
    "instantMeetingParameters": optional(many(text())),
    "assignAllTeamMembers": optional(boolean),
    "assignRRMembersUsingSegment": optional(boolean),
    "rrSegmentQueryValue": nullish(anything),
    "useEventTypeDestinationCalendarEmail": optional(boolean),
    "useEventLevelSelectedCalendars": optional(boolean),
    "isRRWeightsEnabled": optional(boolean),
    "maxLeadThreshold": nullish(number()),
    "includeNoShowInRRCalculation": optional(boolean),
    "hideOrganizerEmail": optional(boolean),
    "maxActiveBookingsPerBooker": nullish(number()),
    "maxActiveBookingPerBookerOfferReschedule": optional(boolean),
    "customReplyToEmail": nullish(text()),
    "eventTypeColor": nullish(mapping(anything)),
    "rescheduleWithSameRoundRobinHost": optional(boolean),
    "secondaryEmailId": nullish(number()),
    "useBookerTimezone": optional(boolean),
    "restrictionScheduleId": nullish(number()),
    "bookingRequiresAuthentication": optional(boolean),
    "rrHostSubsetEnabled": optional(boolean),
}

# What an update may carry beside columns: other tables, or parts that only teams have.
BESIDE = {
    "id": number(),
    "schedule": nullish(number()),
    "calVideoSettings": nullish(mapping(anything)),
    **dict.fromkeys(
        (
            "users", "hosts", "children", "customInputs", "destinationCalendar", "hashedLink", "hostGroups",
            "multiplePrivateLinks", "aiPhoneCallConfig", "instantMeetingSchedule", "instantMeetingScheduleId",
            "teamId", "userId", "schedulingType", "fieldTranslations", "seatsAvailable", "scheduleName",
            "restrictionSchedule",
        ),
        optional(anything),
    ),
}  # fmt: skip


def listed(call: Call, _given: Any) -> list[dict[str, Any]]:
    """The user's own event types, hidden ones included, in short."""
    names = ("id", "title", "description", "length", "schedulingType", "slug", "hidden", "metadata")
    own = map(event_types.as_sent, event_types.listed(call.connection, call.host["id"]))
    return [{name: event_type[name] for name in names} for event_type in own]


def groups(call: Call, _given: Any) -> dict[str, Any]:
    """Whose event types the user may see: their own, since there are no teams here."""
    user = call.host
    face = {
        "slug": user["username"],
        "name": user["name"],
        "image": avatar(call.instance, user),
        "eventTypesLockedByOrg": False,
    }
    return {
        "eventTypeGroups": [
            {
                "teamId": None,
                "bookerUrl": call.instance.settings.public_url,
                "membershipRole": None,
                "profile": face,
                "metadata": {"membershipCount": 1, "readOnly": False},
            }
        ],
        "profiles": [
            {
                **face,
                "membershipCount": 1,
                "readOnly": False,
                "teamId": None,
                "membershipRole": None,
                "canCreateEventTypes": UNDEFINED,
                "canUpdateEventTypes": UNDEFINED,
                "canDeleteEventTypes": UNDEFINED,
            }
        ],
        "teamPermissions": {},
    }


def create(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """A new event type; answers with its whole row."""
    values = {
        name: value
        for name, value in given.items()
        if name not in ("teamId", "schedulingType", "calVideoSettings")
    }
    values["slug"] = slugify(values["slug"])
    event_type = event_types.create(call.connection, call.host, call.instance.now(), values)
    if given.get("calVideoSettings"):
        event_types.set_video_settings(
            call.connection, event_type["id"], call.instance.now(), given["calVideoSettings"]
        )
    return {
        "eventType": {**event_types.as_sent(event_type), "calVideoSettings": given.get("calVideoSettings")}
    }


def change(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Change an event type; answers with the state before, so whoever wants the new one reads it."""
    before = event_types.owned(call.connection, call.host["id"], given["id"])
    video_before = event_types.video_settings(call.connection, before["id"])
    values = {name: value for name, value in given.items() if name in COLUMNS}
    if "slug" in values:
        values["slug"] = slugify(values["slug"])
    if "schedule" in given:
        if given["schedule"] is not None:
            schedules.owned(call.connection, call.host["id"], given["schedule"])
        values["scheduleId"] = given["schedule"]
    if "periodCountCalendarDays" in values and values["periodCountCalendarDays"] is not None:
        values["periodCountCalendarDays"] = values["periodCountCalendarDays"] in (True, "1", 1, "true")
    event_types.change(call.connection, before, call.instance.now(), values)
    if "calVideoSettings" in given:
        event_types.set_video_settings(
            call.connection, before["id"], call.instance.now(), given["calVideoSettings"]
        )
    return {
        "eventType": {
            "title": before["title"],
            "locations": before["locations"],
            "description": before["description"],
            "seatsPerTimeSlot": before["seatsPerTimeSlot"],
            "recurringEvent": before["recurringEvent"],
            "maxActiveBookingsPerBooker": before["maxActiveBookingsPerBooker"],
            "fieldTranslations": [],
            "isRRWeightsEnabled": before["isRRWeightsEnabled"],
            "hosts": [],
            "aiPhoneCallConfig": None,
            "calVideoSettings": video_before,
            "children": [],
            "workflows": [],
            "hostGroups": [],
            "team": None,
        }
    }


def delete(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Delete an event type."""
    event_type = event_types.owned(call.connection, call.host["id"], given["id"])
    event_types.delete(call.connection, event_type["id"])
    return {"id": event_type["id"]}


def get(call: Call, given: dict[str, Any]) -> dict[str, Any]:
    """Everything that the editor of one event type needs."""
    event_type = event_types.owned(call.connection, call.host["id"], given["id"])
    return {
        "eventType": edited(call, event_type),
        "locationOptions": location_options(),
        "destinationCalendar": None,
        "team": None,
        "teamMembers": [],
        "currentUserMembership": None,
        "isUserOrganizationAdmin": False,
    }


# Columns that the editor does not get, or gets in another form.
NOT_EDITED = {
    "position", "profileId", "parentId", "scheduleId", "instantMeetingScheduleId",
    "bookingRequiresAuthentication", "rrHostSubsetEnabled", "createdAt", "updatedAt",
}  # fmt: skip


def edited(call: Call, event_type: Row) -> dict[str, Any]:
    """An event type in the editor's form: the row with its schedule, its user and its full fields."""
    user = call.host
    row = event_types.as_sent(event_type)
    schedule = one(call.connection, 'SELECT name FROM "Schedule" WHERE id = %s', (event_type["scheduleId"],))
    hooks = webhooks.listed(call.connection, user["id"], event_type["id"])
    apps = {"apps": {"giphy": {"enabled": False, "thankYouPage": ""}}}
    return {name: value for name, value in row.items() if name not in NOT_EDITED} | {
        "aiPhoneCallConfig": None,
        "customInputs": [],
        "fieldTranslations": [],
        "hashedLink": [],
        "bookingFields": booking_fields.fields_of(event_type),
        "owner": {"id": user["id"], "timeZone": user["timeZone"]},
        "parent": None,
        "hostGroups": [],
        "team": None,
        "users": [
            {
                "name": user["name"],
                "avatarUrl": user["avatarUrl"],
                "username": user["username"],
                "id": user["id"],
                "email": user["email"],
                "locale": user["locale"],
                "defaultScheduleId": user["defaultScheduleId"],
                "isPlatformManaged": user["isPlatformManaged"],
                "timeZone": user["timeZone"],
                "nonProfileUsername": user["username"],
                "profile": profile(user),
                "avatar": avatar(call.instance, user),
            }
        ],
        "schedule": event_type["scheduleId"],
        "instantMeetingSchedule": None,
        "restrictionSchedule": None,
        "hosts": [],
        "children": [],
        "destinationCalendar": None,
        "webhooks": [webhooks.as_sent(each) for each in hooks],
        "workflows": [],
        "calVideoSettings": event_types.video_settings(call.connection, event_type["id"]),
        "restrictionScheduleName": None,
        "scheduleName": schedule["name"] if schedule else None,
        "metadata": apps | (event_type["metadata"] or {}),
        "bookerUrl": call.instance.settings.public_url,
    }


def location_options() -> list[dict[str, Any]]:
    """Where an event may take place, as the editor's menu groups it."""

    def option(value: str, label: str, icon: str, custom_label: Any) -> dict[str, Any]:
        return {"label": label, "value": value, "icon": icon, "supportsCustomLabel": custom_label}

    video = {
        "value": "integrations:daily",
        "label": "Cal Video (Default)",
        "disabled": False,
        "icon": "/app-store/dailyvideo/icon.svg",
        "slug": "daily-video",
        "credentialId": 0,
        "teamName": "Default",
    }
    pin, phone, link = "/map-pin-dark.svg", "/phone.svg", "/link.svg"
    return [
        {
            "label": "Conferencing",
            "options": [video, option("conferencing", "Organizer's default app", link, True)],
        },
        {
            "label": "in person",
            "options": [
                option("attendeeInPerson", "In Person (Attendee Address)", pin, True),
                option("inPerson", "In Person (Organizer Address)", pin, UNDEFINED),
            ],
        },
        {
            "label": "Other",
            "options": [
                option("somewhereElse", "Custom attendee location", "/message-pin.svg", True),
                option("link", "Link meeting", link, True),
            ],
        },
        {
            "label": "Phone",
            "options": [
                option("phone", "Attendee Phone Number", phone, UNDEFINED),
                option("userPhone", "Organizer Phone Number", phone, UNDEFINED),
            ],
        },
    ]


ROUTER: Router = {
    "list": query(listed),
    "get": query(get, shape({"id": number()})),
    "getUserEventGroups": query(groups, anything),
    "delete": mutation(delete, shape({"id": number()})),
}

HEAVY_ROUTER: Router = {
    "create": mutation(create, shape(CREATION)),
    "update": mutation(change, shape(COLUMNS | BESIDE, strict=True)),
}
