"""The title of a booking, in the host's language (FACTS §16: never match on titles)."""

from __future__ import annotations

from ..database import Row

BETWEEN = {
    "en": "{event} between {host} and {guest}",
    "de": "{event} zwischen {host} und {guest}",
    "es": "{event} entre {host} y {guest}",
    "fr": "{event} entre {host} et {guest}",
    "it": "{event} tra {host} e {guest}",
    "nl": "{event} tussen {host} en {guest}",
    "pt": "{event} entre {host} e {guest}",
}


def booking_title(event_type: Row, host_name: str, guest_name: str, locale: str | None, location: str) -> str:
    """The type's own title template with its names filled in, else the sentence of the host's language."""
    template: str | None = event_type["eventName"]
    if not template:
        sentence = BETWEEN.get((locale or "en").split("-")[0], BETWEEN["en"])
        return sentence.format(event=event_type["title"], host=host_name, guest=guest_name)
    names = {
        "Event type title": event_type["title"],
        "Organiser": host_name,
        "Organizer": host_name,
        "Scheduler": guest_name,
        "Location": location,
        "USER": guest_name,
        "HOST": host_name,
        "ATTENDEE": guest_name,
        "LOCATION": location,
        "HOST/ATTENDEE": guest_name,
        "Event duration": f"{event_type['length']} mins",
        "Scheduler first name": guest_name.split(" ")[0],
        "Organiser first name": host_name.split(" ")[0],
    }
    for name, value in names.items():
        template = template.replace("{" + name + "}", value)
    return template
