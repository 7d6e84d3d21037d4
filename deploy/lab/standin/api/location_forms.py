"""Locations: the API's form into the stored one, and back (FACTS §15)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from ..database import Connection, one
from .errors import refusal
from .validation import BOOLEAN, STRING, URL, Check, Field, longer_than, one_of, problems_of

Location = dict[str, Any]

# A location's type in the API, in the table, and the name under which its own detail stands in both.
DETAILED = {
    "address": ("inPerson", "address", "address"),
    "link": ("link", "link", "link"),
    "phone": ("userPhone", "phone", "hostPhoneNumber"),
}
BARE = {
    "attendeeAddress": "attendeeInPerson",
    "attendeePhone": "phone",
    "attendeeDefined": "somewhereElse",
    "organizersDefaultApp": "conferencing",
}
CAL_VIDEO = "cal-video"
INTEGRATIONS = {
    CAL_VIDEO: "integrations:daily",
    "google-meet": "integrations:google:meet",
    "office365-video": "integrations:office365_video",
    "zoom": "integrations:zoom",
}
SUPPORTED = (
    "cal-video", "google-meet", "zoom", "whereby-video", "whatsapp-video", "webex-video", "telegram-video",
    "tandem", "sylaps-video", "skype-video", "sirius-video", "signal-video", "shimmer-video",
    "salesroom-video", "roam-video", "riverside-video", "ping-video", "office365-video", "mirotalk-video",
    "jitsi", "jelly-video", "jelly-conferencing", "huddle", "facetime-video", "element-call-video",
    "eightxeight-video", "discord-video", "demodesk-video", "campfire-video",
)  # fmt: skip
# This one is a team's alone.
OF_TEAMS = "organizersDefaultApp"
# Slugs of apps that differ from the names of their integrations.
APP_SLUGS = {"office365-video": "msteams"}

NORTH_AMERICAN = re.compile(r"^\+1[2-9]\d{2}[2-9]\d{6}$")
INTERNATIONAL = re.compile(r"^\+[2-9]\d{6,14}$")


def is_phone_number(value: Any) -> bool:
    """Whether this can be a telephone number in international form."""
    if not isinstance(value, str):
        return False
    digits = re.sub(r"[\s().-]", "", value)
    if digits.startswith("+1"):
        return bool(NORTH_AMERICAN.match(digits)) and digits[2:5] != "555"
    return bool(INTERNATIONAL.match(digits))


PHONE = Check("isPhoneNumber", is_phone_number, "{} must be a valid phone number")
CHECKS = {"address": (longer_than(1), STRING), "link": (URL,), "phone": (PHONE,)}


def refuse_wrong(given: Any) -> list[Location]:
    """The list of locations as it was given. Raises ApiError for the first thing that is wrong."""
    if not isinstance(given, list):
        raise refusal(400, "'locations' must be an array.")
    if not given:
        raise refusal(400, "'locations' must contain at least 1 location.")
    for entry in given:
        if not isinstance(entry, dict | list):
            raise refusal(400, "Each object in 'locations' must be an object.")
        location = entry if isinstance(entry, dict) else {}
        kind = location.get("type")
        if not kind:
            raise refusal(400, "Each object in 'locations' must have a 'type' property.")
        if kind in DETAILED:
            name = DETAILED[kind][1]
            fields: tuple[Field, ...] = (
                Field(name, CHECKS[name], False),
                Field("public", (BOOLEAN,), False),
            )
        elif kind == "integration":
            fields = (Field("integration", (one_of(*SUPPORTED, name="isIn"),), False),)
        elif kind in BARE and kind != OF_TEAMS:
            fields = ()
        else:
            raise refusal(
                400,
                f"Unsupported location type '{kind}'. Valid types are address, link, integration, and phone.",
            )
        problems = problems_of(fields, location)
        if problems:
            words = ", ".join(text for problem in problems for text in problem["constraints"].values())
            raise refusal(400, f"Validation failed for {kind} location: {words}")
    return given


def refuse_unconnected(connection: Connection, user_id: int, locations: Sequence[Location]) -> None:
    """Raise ApiError for an integration whose app the user has not connected; Cal Video is everybody's."""
    for location in locations:
        name = location.get("integration")
        if location["type"] != "integration" or name == CAL_VIDEO:
            continue
        slug = APP_SLUGS.get(str(name), str(name))
        connected = one(
            connection,
            'SELECT 1 AS found FROM "Credential" WHERE "userId" = %s AND "appId" = %s',
            (user_id, slug),
        )
        if connected is None:
            raise refusal(400, f"{slug} not connected.")


def stored(locations: Sequence[Location]) -> list[Location]:
    """Locations in the form of the table."""
    return [stored_location(location) for location in locations]


def stored_location(location: Location) -> Location:
    """One location in the form of the table."""
    kind = location["type"]
    if kind in DETAILED:
        inner, name, inner_name = DETAILED[kind]
        return {"type": inner, inner_name: location[name], "displayLocationPublicly": location["public"]}
    if kind == "integration":
        name = location["integration"]
        return {"type": INTEGRATIONS.get(name) or f"integrations:{name.replace('-', '_')}"}
    return {"type": BARE[kind]}


def shown(locations: Sequence[Location] | None) -> list[Location]:
    """Stored locations in the API's form."""
    return [shown_location(location) for location in locations or []]


def shown_location(location: Location) -> Location:
    """One location in the API's form."""
    kind = location.get("type", "")
    for outer, (inner, name, inner_name) in DETAILED.items():
        if kind == inner and inner_name in location:
            public = bool(location.get("displayLocationPublicly"))
            return {"type": outer, name: location[inner_name], "public": public}
    for outer, inner in BARE.items():
        if kind == inner:
            return {"type": outer}
    if kind.startswith("integrations:"):
        names = {inner: outer for outer, inner in INTEGRATIONS.items()}
        name = names.get(kind) or kind.removeprefix("integrations:").replace("_", "-")
        return {"type": "integration", "integration": name}
    return {"type": "unknown", "location": json.dumps(location, separators=(",", ":"))}
