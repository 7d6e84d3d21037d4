"""Booking fields: the API's form into the stored one, and back (FACTS §15)."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

from ..core.booking_fields import Field, is_system, system_fields
from .errors import refusal
from .validation import ARRAY, BOOLEAN, STRING, problems_of
from .validation import Field as Property

# What a system field is known by in the API: some by their type, some by their slug.
BY_TYPE = {"name": "name", "splitName": "name", "email": "email"}
BY_SLUG = ("title", "location", "notes", "guests", "rescheduleReason")
PHONE = "attendeePhoneNumber"
BEFORE, AFTER = ("name", "email", "location"), ("title", "notes", "guests", "rescheduleReason")

WITH_OPTIONS = ("select", "multiselect", "checkbox", "radio")
WITH_PLACEHOLDER = ("phone", "address", "text", "number", "textarea", "multiemail", "url", "select")
CUSTOM = (
    "phone", "address", "text", "number", "textarea", "select", "multiselect", "multiemail", "checkbox",
    "radio", "boolean", "url",
)  # fmt: skip
# Labels of these are shown as HTML.
HTML_LABELS = ("boolean", "url")

USER_SOURCE = [{"id": "user", "type": "user", "label": "User", "fieldRequired": True}]

SWITCHES = (
    Property("required", (BOOLEAN,)),
    Property("hidden", (BOOLEAN,)),
    Property("disableOnPrefill", (BOOLEAN,)),
)
WORDS = (Property("label", (STRING,)), Property("placeholder", (STRING,)))
SPLIT_NAME = (
    *(Property(name, (STRING,)) for name in (
        "firstNameLabel", "firstNamePlaceholder", "lastNameLabel", "lastNamePlaceholder")),
    Property("lastNameRequired", (BOOLEAN,)),
    Property("disableOnPrefill", (BOOLEAN,)),
)  # fmt: skip


def stored_system_fields() -> dict[str, Field]:
    """The system's fields as API v2 stores them, by name; the attendee's phone is stored only when asked"
    " for."""
    fields = {field["name"]: field for field in system_fields()}
    fields["name"] |= {
        "variant": "fullName",
        "variantsConfig": {
            "variants": {
                "fullName": {
                    "fields": [{"name": "fullName", "type": "text", "label": "your_name", "required": True}]
                },
                "firstAndLastName": {
                    "fields": [
                        {
                            "name": "firstName",
                            "type": "text",
                            "label": "",
                            "required": True,
                            "placeholder": "",
                        },
                        {
                            "name": "lastName",
                            "type": "text",
                            "label": "",
                            "required": False,
                            "placeholder": "",
                        },
                    ]
                },
            }
        },
    }
    return fields


def refuse_wrong(given: Any) -> list[dict[str, Any]]:
    """The list of fields as it was given. Raises ApiError for the first thing that is wrong."""
    if not isinstance(given, list):
        raise refusal(400, "'bookingFields' must be an array.")
    if not given:
        raise refusal(400, "'bookingFields' must contain at least 1 booking field.")
    slugs: set[str] = set()
    for field in given:
        if not isinstance(field, dict):
            raise refusal(400, "'bookingFields' must be an array.")
        kind, slug = field.get("type"), field.get("slug")
        needs_type, needs_slug = slug not in BY_SLUG, kind not in BY_TYPE
        if needs_type and not kind:
            raise refusal(
                400,
                "All booking fields except ones with slug equal to title, notes, guests, rescheduleReason and"
                " location must have a 'type' property.",
            )
        if needs_slug and not slug:
            raise refusal(
                400,
                "Each booking field except ones with type equal to name, splitName, email must have a 'slug'"
                " property.",
            )
        if str(slug) in slugs:
            raise refusal(
                400, f"Duplicate bookingFields slug '{slug}' found. All bookingFields slugs must be unique."
            )
        if needs_slug:
            slugs.add(str(slug))
        if needs_type and kind not in BY_TYPE and kind not in CUSTOM:
            raise refusal(400, f"Unsupported booking field type '{kind}'.")
        problems = problems_of(properties_of(str(kind), slug), field)
        if problems:
            words = ", ".join(text for problem in problems for text in problem["constraints"].values())
            raise refusal(400, f"Validation failed for {kind or slug} booking field: {words}")
    return given


def properties_of(kind: str, slug: Any) -> Sequence[Property]:
    """What one field may carry."""
    if kind == "splitName":
        return SPLIT_NAME
    if kind in BY_TYPE or slug in BY_SLUG:
        return (*WORDS, *SWITCHES)
    required = (
        Property("slug", (STRING,), False),
        Property("label", (STRING,), False),
        Property("required", (BOOLEAN,), False),
    )
    options = (Property("options", (ARRAY,), False),) if kind in WITH_OPTIONS else ()
    return (*required, *WORDS[1:], *SWITCHES[1:], *options)


def stored(given: Sequence[dict[str, Any]]) -> list[Field]:
    """The whole stored list: the system's fields, changed where they were given, with the custom ones"
    " inside."""
    system = stored_system_fields()
    custom: list[Field] = []
    for field in given:
        name = BY_TYPE.get(field.get("type", "")) or field.get("slug")
        if name in (*BEFORE, *AFTER):
            system[name] = changed_system(system[name], field)
        elif name == PHONE and field.get("type") == "phone":
            phone = with_given(system[PHONE], field) | {"required": field["required"]}
            custom.append(phone | {"hidden": bool(field.get("hidden"))})
        else:
            custom.append(custom_field(field))
    return [*(system[name] for name in BEFORE), *custom, *(system[name] for name in AFTER)]


def changed_system(system: Field, given: dict[str, Any]) -> Field:
    """A system field with what was given of it."""
    if given.get("type") == "splitName":
        return split_name(system, given)
    if system["name"] == "location":
        return system | ({"label": given["label"]} if given.get("label") else {})
    field = with_given(system, given)
    if system["name"] == "name":
        field = copy.deepcopy(field)
        full = field["variantsConfig"]["variants"]["fullName"]["fields"][0]
        full.pop("label")
        full |= {name: given[name] for name in ("label", "placeholder") if given.get(name) is not None}
        return field
    required = bool(given.get("required", system["name"] == "email"))
    return field | {"required": required, "hidden": bool(given.get("hidden"))}


def with_given(field: Field, given: dict[str, Any]) -> Field:
    """A field with the words and the switch that all kinds have."""
    words = {name: given[name] for name in ("label", "placeholder") if given.get(name) is not None}
    return field | words | {"disableOnPrefill": bool(given.get("disableOnPrefill"))}


def split_name(system: Field, given: dict[str, Any]) -> Field:
    """The name in two boxes."""
    field = copy.deepcopy(system) | {
        "variant": "firstAndLastName",
        "disableOnPrefill": bool(given.get("disableOnPrefill")),
    }
    first, last = field["variantsConfig"]["variants"]["firstAndLastName"]["fields"]
    first |= {
        "label": given.get("firstNameLabel") or "",
        "placeholder": given.get("firstNamePlaceholder") or "",
    }
    last |= {
        "label": given.get("lastNameLabel") or "",
        "placeholder": given.get("lastNamePlaceholder") or "",
        "required": bool(given.get("lastNameRequired")),
    }
    return field


def custom_field(given: dict[str, Any]) -> Field:
    """A host's own question."""
    kind = given["type"]
    field: Field = {
        "name": given["slug"],
        "type": kind,
        "label": given["label"],
        "sources": USER_SOURCE,
        "editable": "user",
        "required": bool(given.get("required")),
        "disableOnPrefill": bool(given.get("disableOnPrefill")),
        "hidden": bool(given.get("hidden")),
    }
    if kind in HTML_LABELS:
        field["labelAsSafeHtml"] = f"<p>{given['label']}</p>\n"
    if kind in WITH_PLACEHOLDER and given.get("placeholder") is not None:
        field["placeholder"] = given["placeholder"]
    if kind in WITH_OPTIONS:
        field["options"] = [{"label": option, "value": option} for option in given["options"]]
    return field


def with_guests_hidden(given: Sequence[dict[str, Any]] | None, hidden: bool) -> list[dict[str, Any]]:
    """The given fields with the guests' one hidden or shown."""
    fields = [dict(field) for field in given or []]
    for field in fields:
        if field.get("slug") == "guests":
            field["hidden"] = hidden
            return fields
    return [*fields, {"slug": "guests", "hidden": hidden}]


def shown(fields: Sequence[Field] | None) -> list[dict[str, Any]]:
    """Stored fields in the API's form; a type that stores none has the system's."""
    if fields is None:
        system = stored_system_fields()
        fields = [system[name] for name in (*BEFORE, *AFTER)]
    return [shown_field(field) for field in fields]


def shown_field(field: Field) -> dict[str, Any]:
    """One field in the API's form."""
    name, kind = field["name"], field["type"]
    switches = {"disableOnPrefill": bool(field.get("disableOnPrefill")), "hidden": bool(field.get("hidden"))}
    if not is_system(field):
        if kind not in CUSTOM:
            return unknown(field)
        options = {}
        if kind in WITH_OPTIONS:
            options = {"options": [option["value"] for option in field.get("options") or []]}
        placeholder = {"placeholder": field["placeholder"]} if "placeholder" in field else {}
        return {
            "isDefault": False,
            "type": kind,
            "slug": name,
            "label": field.get("label") or "",
            "required": bool(field.get("required")),
            **placeholder,
            **options,
            **switches,
        }
    if name not in (*BEFORE, *AFTER, PHONE):
        return unknown(field)
    if name == "name":
        return shown_name(field)
    words = {key: field[key] for key in ("label", "placeholder") if field.get(key) is not None}
    shape = {"isDefault": True, "type": kind, "slug": name, "required": bool(field.get("required"))}
    if name == "location":
        label = {"label": words["label"]} if "label" in words else {}
        return {**shape, "hidden": bool(field.get("hidden")), **label}
    return {**shape, **words, **switches}


def shown_name(field: Field) -> dict[str, Any]:
    """The name's field in the API's form: in one piece, or in two."""
    variants = (field.get("variantsConfig") or {}).get("variants") or {}
    if field.get("variant") == "firstAndLastName":
        first, last = variants["firstAndLastName"]["fields"]
        return {
            "isDefault": True,
            "type": "splitName",
            "slug": "splitName",
            "firstNameLabel": first.get("label"),
            "firstNamePlaceholder": first.get("placeholder"),
            "lastNameLabel": last.get("label"),
            "lastNamePlaceholder": last.get("placeholder"),
            "lastNameRequired": bool(last.get("required")),
            "disableOnPrefill": bool(field.get("disableOnPrefill")),
        }
    full = (variants.get("fullName") or {}).get("fields") or [{"label": "your_name"}]
    return {
        "isDefault": True,
        "type": "name",
        "slug": "name",
        "required": bool(field.get("required")),
        **{key: full[0][key] for key in ("label", "placeholder") if full[0].get(key) is not None},
        "disableOnPrefill": bool(field.get("disableOnPrefill")),
    }


def unknown(field: Field) -> dict[str, Any]:
    """A field that the API has no form for."""
    return {"type": "unknown", "slug": "unknown", "bookingField": json.dumps(field, separators=(",", ":"))}
