"""The questions of a booking form: the ones every event type has, and whether answers fit them."""

from __future__ import annotations

import re
from typing import Any

from ..database import Row

# As the real app tells addresses: a local part, an @, a dotted domain, nothing odd at the ends.
EMAIL = re.compile(
    r"^(?!\.)(?!.*\.\.)[A-Za-z0-9_'+\-.]*[A-Za-z0-9_+\-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$"
)

Field = dict[str, Any]


def system_field(name: str, kind: str, label: str, required: bool = False, **more: Any) -> Field:
    """One field that the app itself brings."""
    editable = more.pop("editable", "system-but-optional")
    return {
        "name": name,
        "type": kind,
        "defaultLabel": label,
        **({"defaultPlaceholder": more.pop("placeholder")} if "placeholder" in more else {}),
        "required": required,
        **more,
        "editable": editable,
        "sources": [{"id": "default", "type": "default", "label": "Default"}],
    }


def system_fields() -> list[Field]:
    """The fields of an event type that stores none of its own, in the form's order."""

    def option(kind: str) -> Field:
        return {"type": kind, "required": True, "placeholder": ""}

    return [
        system_field("name", "name", "your_name", True, editable="system"),
        system_field("email", "email", "email_address", True),
        system_field("attendeePhoneNumber", "phone", "phone_number", hidden=True),
        system_field(
            "location",
            "radioInput",
            "location",
            getOptionsAt="locations",
            optionsInputs={
                "attendeeInPerson": option("address"),
                "somewhereElse": option("text"),
                "phone": option("phone"),
            },
            hideWhenJustOneOption=True,
            editable="system",
        ),
        system_field("title", "text", "what_is_this_meeting_about", True, placeholder="", hidden=True),
        system_field("notes", "textarea", "additional_notes", placeholder="share_additional_notes"),
        system_field("guests", "multiemail", "additional_guests", placeholder="email", hidden=False),
        system_field(
            "rescheduleReason",
            "textarea",
            "reason_for_reschedule",
            placeholder="reschedule_placeholder",
            views=[{"label": "Reschedule View", "id": "reschedule"}],
        ),
    ]


def fields_of(event_type: Row) -> list[Field]:
    """The fields of an event type: its own with the system's that they lack, else the system's."""
    own: list[Field] | None = event_type["bookingFields"]
    if not own:
        return system_fields()
    known = {field["name"] for field in own}
    # The one that API v2 does not store comes first (recorded in its webhooks).
    return [*(field for field in system_fields() if field["name"] not in known), *own]


def is_system(field: Field) -> bool:
    """Whether the app brought this field, rather than the host."""
    return str(field.get("editable", "user")).startswith("system")


def label_of(field: Field) -> str:
    """The label under which an answer is sent on: the host's words, or the key of a translated text."""
    return str(field.get("label") or field.get("defaultLabel") or field["name"])


def is_asked(field: Field, rescheduling: bool) -> bool:
    """Whether the form shows this field, first booking or rescheduling."""
    views = field.get("views")
    if views and not any(view["id"] == ("reschedule" if rescheduling else "booking") for view in views):
        return False
    return not field.get("hidden")


def answer_problems(fields: list[Field], responses: dict[str, Any], rescheduling: bool) -> list[str]:
    """What is wrong with a guest's answers, as `{field}problem`, in the fields' order."""
    problems = []
    for field in fields:
        if not is_asked(field, rescheduling):
            continue
        name, value = field["name"], responses.get(field["name"])
        if field.get("required") and not value:
            problems.append(f"{{{name}}}error_required_field")
            continue
        addresses = {"email": [value] if value else [], "multiemail": value or []}.get(field["type"], [])
        if any(not EMAIL.match(str(address)) for address in addresses):
            problems.append(f"{{{name}}}email_validation_error")
    return problems
