"""Questions to the guest in Cal.com's inner form, as the web channel and the database have it (FACTS §15).

The form is always the whole list: what Cal.com asks of everybody first, then one's own questions, then the
rest of Cal.com's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from deploy.calcom.models import SYSTEM_DEFAULTS, BookingField, plain_booking_fields
from deploy.calcom.wire import Wire

_OF_CALCOM = [{"id": "default", "type": "default", "label": "Default"}]
_OF_THE_USER = [{"id": "user", "type": "user", "label": "User", "fieldRequired": True}]
_FULL_NAME = {"name": "fullName", "type": "text", "label": "your_name", "required": True}
_FIRST_AND_LAST_NAME = [
    {"name": "firstName", "type": "text", "label": "", "required": True, "placeholder": ""},
    {"name": "lastName", "type": "text", "label": "", "required": False, "placeholder": ""},
]

_BEFORE = ("name", "email", "location")
_AFTER = ("title", "notes", "guests", "rescheduleReason")
_SYSTEM: dict[str, dict[str, Any]] = {
    "name": {
        "name": "name",
        "type": "name",
        "variant": "fullName",
        "editable": "system",
        "required": True,
        "defaultLabel": "your_name",
    },
    "email": {
        "name": "email",
        "type": "email",
        "editable": "system-but-optional",
        "required": True,
        "defaultLabel": "email_address",
    },
    "location": {
        "name": "location",
        "type": "radioInput",
        "editable": "system",
        "required": False,
        "defaultLabel": "location",
        "getOptionsAt": "locations",
        "optionsInputs": {
            "phone": {"type": "phone", "required": True, "placeholder": ""},
            "somewhereElse": {"type": "text", "required": True, "placeholder": ""},
            "attendeeInPerson": {"type": "address", "required": True, "placeholder": ""},
        },
        "hideWhenJustOneOption": True,
    },
    "title": {
        "name": "title",
        "type": "text",
        "hidden": True,
        "editable": "system-but-optional",
        "required": True,
        "defaultLabel": "what_is_this_meeting_about",
        "defaultPlaceholder": "",
    },
    "notes": {
        "name": "notes",
        "type": "textarea",
        "editable": "system-but-optional",
        "required": False,
        "defaultLabel": "additional_notes",
        "defaultPlaceholder": "share_additional_notes",
    },
    "guests": {
        "name": "guests",
        "type": "multiemail",
        "hidden": False,
        "editable": "system-but-optional",
        "required": False,
        "defaultLabel": "additional_guests",
        "defaultPlaceholder": "email",
    },
    "rescheduleReason": {
        "name": "rescheduleReason",
        "type": "textarea",
        "views": [{"id": "reschedule", "label": "Reschedule View"}],
        "editable": "system-but-optional",
        "required": False,
        "defaultLabel": "reason_for_reschedule",
        "defaultPlaceholder": "reschedule_placeholder",
    },
    "attendeePhoneNumber": {
        "name": "attendeePhoneNumber",
        "type": "phone",
        "hidden": True,
        "editable": "system-but-optional",
        "required": False,
        "defaultLabel": "phone_number",
    },
}


class BookingFieldAnswer(Wire):
    """One question as the procedures answer it."""

    name: str
    type: str
    label: str | None = None
    placeholder: str | None = None
    required: bool | None = None
    hidden: bool | None = None
    disable_on_prefill: bool = Field(False, alias="disableOnPrefill")
    options: list[dict[str, Any]] | None = None


def read_booking_fields(answers: Sequence[BookingFieldAnswer] | None) -> tuple[BookingField, ...]:
    """What differs from Cal.com's default; kinds of questions that cannot be declared are left out."""
    told = (answer for answer in answers or () if not _is_cal_com_s(answer))
    return plain_booking_fields([field for answer in told if (field := booking_field(answer)) is not None])


def _is_cal_com_s(answer: BookingFieldAnswer) -> bool:
    """Whether a question is one of the eight as Cal.com makes them, of which most answers consist."""
    if answer.name not in _SYSTEM or answer.placeholder or answer.disable_on_prefill:
        return False
    required, hidden = SYSTEM_DEFAULTS[answer.name]
    return (
        (not answer.label or answer.label == _SYSTEM[answer.name]["defaultLabel"])
        and answer.required in (None, required)
        and answer.hidden in (None, hidden)
    )


def booking_field(answer: BookingFieldAnswer) -> BookingField | None:
    """One question in calstack's words; None for a kind that cannot be declared."""
    if answer.name in _SYSTEM:
        fixed = answer.name in ("name", "location")
        return BookingField(
            slug=answer.name,
            # The default label of the name field is also written where the label belongs.
            label=None if answer.label == _SYSTEM[answer.name]["defaultLabel"] else answer.label,
            placeholder=answer.placeholder,
            required=None if fixed else answer.required,
            hidden=None if fixed or answer.name == "guests" else answer.hidden,
            disable_on_prefill=answer.disable_on_prefill,
        )
    try:
        return BookingField.model_validate(
            {
                "slug": answer.name,
                "type": answer.type,
                "label": answer.label or answer.name,
                "placeholder": answer.placeholder,
                "required": answer.required,
                "hidden": answer.hidden,
                "disable_on_prefill": answer.disable_on_prefill,
                "options": tuple(str(option.get("value")) for option in answer.options or ()),
            }
        )
    except ValueError:
        return None


def booking_fields_input(fields: Sequence[BookingField], *, guests_hidden: bool) -> list[dict[str, Any]]:
    """The whole list, as API v2 would have written it for the same questions."""
    changed = {field.slug: field for field in fields}
    before = [_system(slug, changed.get(slug)) for slug in _BEFORE]
    own = [
        _system(field.slug, field) if field.is_system else _own(field)
        for field in fields
        if field.slug not in (*_BEFORE, *_AFTER)
    ]
    after = [_system(slug, changed.get(slug)) for slug in _AFTER]
    if guests_hidden:
        after = with_guests(after, hidden=True)
    return [*before, *own, *after]


def can_be_declared(whole: Sequence[Mapping[str, Any]]) -> bool:
    """Whether `booking_fields_input` could write these questions without losing anything of them."""
    return all(
        item.get("variant", "fullName") == "fullName"
        if item.get("name") in _SYSTEM
        else booking_field(BookingFieldAnswer.model_validate(item)) is not None and not set(item) - _KNOWN
        for item in whole
    )


def with_guests(whole: Sequence[Mapping[str, Any]], *, hidden: bool) -> list[dict[str, Any]]:
    """The same questions, with the one for further guests hidden or shown."""
    return [
        {**item, "hidden": hidden, "disableOnPrefill": item.get("disableOnPrefill", False)}
        if item.get("name") == "guests"
        else dict(item)
        for item in whole
    ]


_KNOWN = {
    *("name", "type", "label", "placeholder", "required", "hidden", "disableOnPrefill", "options"),
    *("sources", "editable", "labelAsSafeHtml"),
}


def _system(slug: str, field: BookingField | None) -> dict[str, Any]:
    data = {**_SYSTEM[slug], "sources": _OF_CALCOM}
    full_name = dict(_FULL_NAME)
    if field is not None:
        words = {"label": field.label, "placeholder": field.placeholder}
        said = {key: value for key, value in words.items() if value is not None}
        data.update(said)
        if slug != "location":
            data["disableOnPrefill"] = field.disable_on_prefill
        if slug == "name":
            full_name.update(said)
        elif slug != "location":
            data["required"] = _SYSTEM[slug]["required"] if field.required is None else field.required
            data["hidden"] = _SYSTEM[slug].get("hidden", False) if field.hidden is None else field.hidden
    if slug == "name":
        data["variantsConfig"] = {
            "variants": {
                "fullName": {"fields": [full_name]},
                "firstAndLastName": {"fields": _FIRST_AND_LAST_NAME},
            }
        }
    return data


def _own(field: BookingField) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": field.slug,
        "type": field.type,
        "label": field.label,
        "hidden": bool(field.hidden),
        "sources": _OF_THE_USER,
        "editable": "user",
        "required": bool(field.required),
        "disableOnPrefill": field.disable_on_prefill,
    }
    if field.type not in ("multiselect", "checkbox", "radio", "boolean"):
        data["placeholder"] = field.placeholder or ""
    if field.options:
        data["options"] = [{"label": option, "value": option} for option in field.options]
    if field.type in ("url", "boolean"):
        data["labelAsSafeHtml"] = f"<p>{field.label}</p>\n"
    return data
