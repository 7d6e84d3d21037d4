"""Checks of bodies and queries, with the words of the real API's validator (class-validator).

A `Field` names a property and its checks; a failing check has a name and a message. Two forms of refusal
exist: the general one lists every error as an object, that of bookings and slots is one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from ..core.booking_fields import EMAIL as ADDRESS
from ..web.validation import is_time_zone
from .errors import invalid, refusal

ISO_DATE = re.compile(
    r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$"
)  # fmt: skip


class Missing:
    """A property that was not sent."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing()


@dataclass(frozen=True)
class Check:
    """One constraint: its name, whether a value meets it, and the message, in which `{}` is the property."""

    name: str
    holds: Callable[[Any], bool]
    message: str


@dataclass(frozen=True)
class Field:
    """A property: its checks, whether it may be absent, and the fields of the object, or objects, that it is.

    Where the fields depend on the object, as those of a part that can be switched off, `nested` tells them.
    """

    name: str
    checks: tuple[Check, ...] = ()
    optional: bool = True
    nested: tuple[Field, ...] | Callable[[dict[str, Any]], tuple[Field, ...]] = ()
    whole: tuple[Whole, ...] = ()
    listed: bool = False
    """A list of such objects is meant; the validator looks at one alone as well."""

    def fields_of(self, value: dict[str, Any]) -> tuple[Field, ...]:
        """The fields of the object that this property is."""
        return self.nested(value) if callable(self.nested) else self.nested


@dataclass(frozen=True)
class Whole:
    """A rule over a whole object: the name under which it is told of, and that of the constraint."""

    name: str
    holds: Callable[[dict[str, Any]], bool]
    message: str
    constraint: str = ""


def is_whole_number(value: Any) -> bool:
    """Whether JavaScript would call this an integer."""
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, float) and value.is_integer()
    )


def is_number(value: Any) -> bool:
    """Whether JavaScript would call this a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def number_of(text: str) -> int | str:
    """The number with which a text of a query begins, as JavaScript reads it; the text where it has none."""
    begins = re.match(r"\s*[+-]?\d{1,15}", text)
    return max(-(2**31), min(int(begins[0]), 2**31 - 1)) if begins else text


def is_iso_date(value: Any) -> bool:
    """Whether this is a date or an instant that exists, in ISO 8601."""
    if not isinstance(value, str) or not ISO_DATE.match(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_web_url(value: Any) -> bool:
    """Whether this is an address with a dotted host, a scheme being optional."""
    if not isinstance(value, str) or any(letter.isspace() for letter in value):
        return False
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme in ("http", "https", "ftp") and bool(re.match(r"^([\w-]+\.)+[A-Za-z]{2,}$", host))


STRING = Check("isString", lambda value: isinstance(value, str), "{} must be a string")
BOOLEAN = Check("isBoolean", lambda value: isinstance(value, bool), "{} must be a boolean value")
INTEGER = Check("isInt", is_whole_number, "{} must be an integer number")
NUMBER = Check("isNumber", is_number, "{} must be a number conforming to the specified constraints")
OBJECT = Check("isObject", lambda value: isinstance(value, dict), "{} must be an object")
ARRAY = Check("isArray", lambda value: isinstance(value, list), "{} must be an array")
ZONE = Check(
    "isTimeZone",
    lambda value: isinstance(value, str) and is_time_zone(value),
    "{} must be a valid IANA time-zone",
)
ISO_DATE_STRING = Check("isDateString", is_iso_date, "{} must be a valid ISO 8601 date string")
URL = Check("isUrl", is_web_url, "{} must be a URL address")
EMAIL = Check(
    "isEmail",
    lambda value: isinstance(value, str) and bool(ADDRESS.match(value)),
    "{} must be an email",
)
DEFINED = Check(
    "isDefined",
    lambda value: value is not None and value is not MISSING,
    "{} should not be null or undefined",
)
NOT_EMPTY = Check(
    "arrayNotEmpty", lambda value: isinstance(value, list) and bool(value), "{} should not be empty"
)
NOT_EMPTY_LIST = Check(
    "arrayMinSize",
    lambda value: isinstance(value, list) and bool(value),
    "{} must contain at least 1 elements",
)
UNIQUE = Check(
    "arrayUnique",
    lambda value: isinstance(value, list) and len(value) == len({repr(each) for each in value}),
    "All {}'s elements must be unique",
)


def longer_than(minimum: int) -> Check:
    """A text of so many characters."""
    return Check(
        "minLength",
        lambda value: isinstance(value, str) and len(value) >= minimum,
        f"{{}} must be longer than or equal to {minimum} characters",
    )


def at_least(minimum: int) -> Check:
    """A number not below another."""
    return Check(
        "min", lambda value: is_number(value) and value >= minimum, f"{{}} must not be less than {minimum}"
    )


def at_most(maximum: int) -> Check:
    """A number not above another."""
    return Check(
        "max", lambda value: is_number(value) and value <= maximum, f"{{}} must not be greater than {maximum}"
    )


def one_of(*values: Any, message: str | None = None, name: str = "isEnum") -> Check:
    """One of a few values."""
    words = message or f"{{}} must be one of the following values: {', '.join(map(str, values))}"
    return Check(name, lambda value: any(value is each or value == each for each in values), words)


def each(check: Check, message: str | None = None) -> Check:
    """A list whose every entry meets a check."""
    return Check(
        check.name,
        lambda value: isinstance(value, list) and all(check.holds(entry) for entry in value),
        message or f"each value in {check.message}",
    )


def matching(pattern: str, message: str) -> Check:
    """A text of a form."""
    form = re.compile(pattern)
    return Check("matches", lambda value: isinstance(value, str) and bool(form.match(value)), message)


def problems_of(
    fields: Sequence[Field], given: dict[str, Any], whole: Sequence[Whole] = ()
) -> list[dict[str, Any]]:
    """Everything that is wrong, in the validator's own form and in the order of the fields."""
    found = []
    known = only_known(fields, given)
    broken = [rule for rule in whole if not rule.holds(given)]
    for field in fields:
        value = given.get(field.name, MISSING)
        if field.optional and (value is MISSING or value is None):
            continue
        failed = {rule.constraint: rule.message for rule in broken if rule.name == field.name} | {
            check.name: check.message.replace("{}", field.name)
            for check in field.checks
            if not check.holds(value)
        }
        found += problem_of(field, field.name, known, value, failed)
    return found


def problem_of(
    field: Field, name: str, target: Any, value: Any, failed: dict[str, str]
) -> list[dict[str, Any]]:
    """The one problem of a property, or of an entry of its list, with those inside; or none."""
    children: list[dict[str, Any]] = []
    if field.nested and value is not MISSING and value is not None:
        if isinstance(value, list):
            kept = known_part(field, value)
            for index, entry in enumerate(value):
                # The real validator lets a null and a list pass here, on which the real handler breaks.
                wrong = {} if isinstance(entry, dict) else no_object(field)
                children += problem_of(field, str(index), kept, entry, wrong)
        elif isinstance(value, dict):
            children = problems_of(field.fields_of(value), value, field.whole)
        else:
            failed = failed | no_object(field)
    if not failed and not children:
        return []
    problem = {"target": target} | ({} if value is MISSING else {"value": known_part(field, value)})
    problem |= {"property": name, "children": children}
    return [problem | ({"constraints": failed} if failed else {})]


def no_object(field: Field) -> dict[str, str]:
    """What is said of a value that should have been an object."""
    each_value = "each value in " if field.listed else ""
    return {"nestedValidation": f"{each_value}nested property {field.name} must be either object or array"}


def known_part(field: Field, value: Any) -> Any:
    """A property's value without what nobody asked for."""
    if field.nested and isinstance(value, list):
        return [known_part(field, entry) for entry in value]
    if field.nested and isinstance(value, dict):
        return only_known(field.fields_of(value), value)
    return value


def only_known(fields: Sequence[Field], given: dict[str, Any]) -> dict[str, Any]:
    """What is left when all that nobody asked for is dropped, as the real API drops it (FACTS §4)."""
    return {field.name: known_part(field, given[field.name]) for field in fields if field.name in given}


def checked(fields: Sequence[Field], given: Any) -> dict[str, Any]:
    """The known properties of a body or query. Raises ApiError with everything that is wrong."""
    body = given if isinstance(given, dict) else {}
    problems = problems_of(fields, body)
    if problems:
        raise invalid(problems)
    known = only_known(fields, body)
    for field in fields:
        # The validator lets a list of objects pass where one is meant; JavaScript finds no property in it.
        if field.nested and not field.listed and isinstance(known.get(field.name), list):
            known[field.name] = {}
    return known


def sentences(fields: Sequence[Field], whole: Sequence[Whole], given: dict[str, Any]) -> list[str]:
    """What is wrong in the form of bookings and slots; here a property that nobody knows is wrong too."""
    known = {field.name for field in fields}
    wrong = [
        f"{name} property is wrong,property {name} should not exist " for name in given if name not in known
    ]
    for field in fields:
        value = given.get(field.name, MISSING)
        if field.optional and (value is MISSING or value is None):
            continue
        failed = [check.message.replace("{}", field.name) for check in field.checks if not check.holds(value)]
        if field.nested and value is not MISSING and not isinstance(value, dict | None):
            failed.append(f"nested property {field.name} must be either object or array")
        inner = (
            sentences(field.fields_of(value), field.whole, value)
            if field.nested and isinstance(value, dict)
            else []
        )
        if failed or inner:
            wrong.append(f"{field.name} property is wrong,{', '.join(failed)} {', '.join(inner)}")
    for rule in whole:
        if not rule.holds(given):
            wrong.append(f"{rule.name} property is wrong,{rule.message} ")
    return wrong


def checked_in_words(fields: Sequence[Field], whole: Sequence[Whole], given: Any) -> dict[str, Any]:
    """The properties of a body or query. Raises ApiError with one sentence for all that is wrong."""
    body = given if isinstance(given, dict) else {}
    wrong = sentences(fields, whole, body)
    if wrong:
        raise refusal(400, ", ".join(wrong))
    return only_known(fields, body)
