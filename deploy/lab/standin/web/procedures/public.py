"""`public`: what a booking page shows to a guest before anything is booked (FACTS §14)."""

from __future__ import annotations

import html
import re
from typing import Any

from ...core import booking_fields, event_types, schedules
from ...core.identifiers import slugify
from ...database import Row, one
from ..superjson import UNDEFINED
from ..trpc import Call, Router, query
from ..validation import boolean, nullable, optional, shape, text
from .people_as_sent import avatar, profile

# Columns of an event type that a guest may see as they are.
SHOWN = (
    "id", "title", "interfaceLanguage", "eventName", "slug", "isInstantEvent", "instantMeetingParameters",
    "length", "disableGuests", "lockTimeZoneToggleOnBookingPage", "lockedTimeZone",
    "requiresConfirmation", "autoTranslateDescriptionEnabled", "requiresBookerEmailVerification",
    "recurringEvent", "price", "currency", "seatsPerTimeSlot", "disableCancelling", "disableRescheduling",
    "minimumRescheduleNotice", "allowReschedulingCancelledBookings", "seatsShowAvailabilityCount",
    "teamId", "successRedirectUrl", "forwardParamsSuccessRedirect", "periodDays", "periodEndDate",
    "periodStartDate", "periodCountCalendarDays", "hidden", "assignAllTeamMembers",
    "rescheduleWithSameRoundRobinHost",
)  # fmt: skip


def paragraphs(markdown: str | None) -> str:
    """A description as HTML: paragraphs, with everything that could be markup made harmless."""
    if not markdown:
        return ""
    blocks = re.split(r"\n\s*\n", markdown.strip())
    return "".join(f"<p>{html.escape(block, quote=False)}</p>\n" for block in blocks)


def event(call: Call, given: dict[str, Any]) -> dict[str, Any] | None:
    """The event type behind `/username/slug`, hidden or not; null where there is none."""
    found = event_types.by_slug(call.connection, given["username"], slugify(given["eventSlug"]))
    if found is None:
        return None
    return shown_event(call, *found)


def shown_event(call: Call, user: Row, event_type: Row) -> dict[str, Any]:
    """An event type in the guest's form."""
    row = event_types.as_sent(event_type)
    own, url = profile(user), call.instance.settings.public_url
    layouts = (user["metadata"] or {}).get("defaultBookerLayouts")
    face = {
        "brandColor": user["brandColor"],
        "darkBrandColor": user["darkBrandColor"],
        "theme": user["theme"],
    }
    hours = schedules.working_hours(call.connection, user, event_type["scheduleId"])
    schedule = one(
        call.connection,
        'SELECT id FROM "Schedule" WHERE id = %s',
        (event_type["scheduleId"] or user["defaultScheduleId"],),
    )
    return {name: row[name] for name in SHOWN} | {
        "description": paragraphs(event_type["description"]),
        "aiPhoneCallConfig": None,
        "schedulingType": row["schedulingType"],
        "locations": shown_locations(event_type["locations"]),
        "customInputs": [],
        "metadata": event_type["metadata"] or {},
        "fieldTranslations": [],
        "bookingFields": booking_fields.fields_of(event_type),
        "team": None,
        "workflows": [],
        "hosts": UNDEFINED,
        "owner": {
            "id": user["id"],
            "avatarUrl": user["avatarUrl"],
            "username": user["username"],
            "name": user["name"],
            "weekStart": user["weekStart"],
            **face,
            "metadata": user["metadata"],
            "organization": None,
            "defaultScheduleId": user["defaultScheduleId"],
            "nonProfileUsername": user["username"],
            "profile": own,
        },
        "schedule": {"id": schedule["id"], "timeZone": hours.time_zone} if schedule else None,
        "instantMeetingSchedule": None,
        "periodType": row["periodType"],
        "parent": None,
        "subsetOfHosts": [],
        "bookerLayouts": (event_type["metadata"] or {}).get("bookerLayouts") or layouts,
        "profile": {
            "username": user["username"],
            "name": user["name"],
            "weekStart": user["weekStart"],
            "image": avatar(call.instance, user),
            **face,
            "bookerLayouts": layouts,
        },
        "subsetOfUsers": [
            {
                "username": user["username"],
                "name": user["name"],
                "weekStart": user["weekStart"],
                "organizationId": None,
                "avatarUrl": user["avatarUrl"],
                "profile": own,
                "bookerUrl": url,
            }
        ],
        "users": UNDEFINED,
        "entity": {
            "fromRedirectOfNonOrgLink": False,
            "considerUnpublished": False,
            "orgSlug": None,
            "teamSlug": None,
            "name": None,
            "hideProfileLink": False,
        },
        "isDynamic": False,
        "showInstantEventConnectNowModal": False,
    }


def shown_locations(locations: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Locations as strangers may see them: an address only where the host shows it publicly."""
    private = ("address", "link", "hostPhoneNumber")
    return [
        location
        if location.get("displayLocationPublicly")
        else {name: value for name, value in location.items() if name not in private}
        for location in locations or []
    ]


ROUTER: Router = {
    "event": query(
        event,
        shape(
            {
                "username": text(),
                "eventSlug": text(),
                "isTeamEvent": optional(boolean),
                "org": nullable(text()),
                "fromRedirectOfNonOrgLink": optional(boolean),
            }
        ),
        guests=True,
    ),
}
