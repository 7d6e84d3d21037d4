"""Checks of what a request carries, with the words of the real app's validator (zod 3).

A check takes a value and a path, returns the value in its checked form and appends what is wrong to
`problems`. Checks are small functions put together: `optional(text(minimum=1))`.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from .superjson import UNDEFINED, Undefined

Path = tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: zod's code, where, its words, and what else zod tells of it."""

    code: str
    path: Path
    message: str
    before: dict[str, Any] = field(default_factory=dict)

    def as_zod(self) -> dict[str, Any]:
        """The issue in zod's own form and order of keys."""
        issue = dict(self.before)
        head = {"validation": issue.pop("validation")} if "validation" in issue else {}
        if self.code == "invalid_type":
            return {"code": self.code, **issue, "path": list(self.path), "message": self.message}
        return {**head, "code": self.code, **issue, "message": self.message, "path": list(self.path)}


class InvalidError(Exception):
    """A value that its check refused."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


Check = Callable[[Any, Path, list[Problem]], Any]


def checked(check: Check, value: Any) -> Any:
    """The value in its checked form. Raises InvalidError with everything that is wrong."""
    problems: list[Problem] = []
    result = check(value, (), problems)
    if problems:
        raise InvalidError(problems)
    return result


def kind_of(value: Any) -> str:
    """The name of a value's type, as zod calls it."""
    if isinstance(value, Undefined):
        return "undefined"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, datetime):
        return "date"
    return "array" if isinstance(value, list) else "object"


def wrong_type(expected: str, value: Any, path: Path, problems: list[Problem]) -> Any:
    """Note that a value is missing or of another type."""
    received = kind_of(value)
    message = "Required" if received == "undefined" else f"Expected {expected}, received {received}"
    problems.append(Problem("invalid_type", path, message, {"expected": expected, "received": received}))
    return value


def anything(value: Any, _path: Path, _problems: list[Problem]) -> Any:
    """Let everything pass."""
    return value


def text(minimum: int = 0, message: str | None = None) -> Check:
    """A string of at least so many characters."""

    def check(value: Any, path: Path, problems: list[Problem]) -> Any:
        if not isinstance(value, str):
            return wrong_type("string", value, path, problems)
        if len(value) < minimum:
            words = message or f"String must contain at least {minimum} character(s)"
            size = {"minimum": minimum, "type": "string", "inclusive": True, "exact": False}
            problems.append(Problem("too_small", path, words, size))
        return value

    return check


def url(value: Any, path: Path, problems: list[Problem]) -> Any:
    """A string that parses as a URL."""
    if not isinstance(value, str):
        return wrong_type("string", value, path, problems)
    try:
        parts = urlsplit(value)
        usable = bool(parts.scheme and (parts.hostname or parts.scheme not in ("http", "https")))
    except ValueError:
        usable = False
    if not usable or any(letter.isspace() for letter in value):
        problems.append(Problem("invalid_string", path, "Invalid url", {"validation": "url"}))
    return value


def number(minimum: int | None = None, whole: bool = True, maximum: int | None = None) -> Check:
    """A number within its bounds, whole unless said otherwise."""

    def check(value: Any, path: Path, problems: list[Problem]) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return wrong_type("number", value, path, problems)
        if whole and value != int(value):
            noted = {"expected": "integer", "received": "float"}
            problems.append(Problem("invalid_type", path, "Expected integer, received float", noted))
        elif minimum is not None and value < minimum:
            size = {"minimum": minimum, "type": "number", "inclusive": True, "exact": False}
            problems.append(
                Problem("too_small", path, f"Number must be greater than or equal to {minimum}", size)
            )
        elif maximum is not None and value > maximum:
            size = {"maximum": maximum, "type": "number", "inclusive": True, "exact": False}
            problems.append(Problem("too_big", path, f"Number must be less than or equal to {maximum}", size))
        return int(value) if whole else value

    return check


def boolean(value: Any, path: Path, problems: list[Problem]) -> Any:
    """True or false."""
    return value if isinstance(value, bool) else wrong_type("boolean", value, path, problems)


def date(value: Any, path: Path, problems: list[Problem]) -> Any:
    """A date that travelled as one (superjson's `Date`)."""
    return value if isinstance(value, datetime) else wrong_type("date", value, path, problems)


def time_zone(value: Any, path: Path, problems: list[Problem]) -> Any:
    """The name of a time zone."""
    if not isinstance(value, str):
        return wrong_type("string", value, path, problems)
    if not is_time_zone(value):
        problems.append(Problem("custom", path, "Invalid timezone. Must be a valid IANA timezone string."))
    return value


def is_time_zone(name: str) -> bool:
    """Whether the time-zone database knows a name."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def one_of(*choices: str) -> Check:
    """One of several words."""

    def check(value: Any, path: Path, problems: list[Problem]) -> Any:
        if not isinstance(value, str):
            return wrong_type(" | ".join(f"'{choice}'" for choice in choices), value, path, problems)
        if value not in choices:
            allowed = " | ".join(f"'{choice}'" for choice in choices)
            problems.append(
                Problem(
                    "invalid_enum_value",
                    path,
                    f"Invalid enum value. Expected {allowed}, received '{value}'",
                    {"received": value, "options": list(choices)},
                )
            )
        return value

    return check


def many(each: Check) -> Check:
    """A list, every entry of which passes."""

    def check(value: Any, path: Path, problems: list[Problem]) -> Any:
        if not isinstance(value, list):
            return wrong_type("array", value, path, problems)
        return [each(entry, (*path, str(index)), problems) for index, entry in enumerate(value)]

    return check


def mapping(each: Check) -> Check:
    """An object with any keys, every value of which passes."""

    def check(value: Any, path: Path, problems: list[Problem]) -> Any:
        if not isinstance(value, dict):
            return wrong_type("object", value, path, problems)
        return {key: each(entry, (*path, key), problems) for key, entry in value.items()}

    return check


def optional(each: Check) -> Check:
    """What may be missing."""
    return lambda value, path, problems: (
        value if isinstance(value, Undefined) else each(value, path, problems)
    )


def nullable(each: Check) -> Check:
    """What may be null."""
    return lambda value, path, problems: None if value is None else each(value, path, problems)


def nullish(each: Check) -> Check:
    """What may be missing or null."""
    return optional(nullable(each))


def shape(fields: Mapping[str, Check], strict: bool = False) -> Check:
    """An object with these fields; others are dropped, or refused where `strict`."""

    def check(value: Any, path: Path, problems: list[Problem]) -> Any:
        if not isinstance(value, dict):
            return wrong_type("object", value, path, problems)
        result = {}
        for name, each in fields.items():
            found = each(value.get(name, UNDEFINED), (*path, name), problems)
            if not isinstance(found, Undefined):
                result[name] = found
        unknown = [name for name in value if name not in fields]
        if strict and unknown:
            names = ", ".join(f"'{name}'" for name in unknown)
            words = f"Unrecognized key(s) in object: {names}"
            problems.append(Problem("unrecognized_keys", path, words, {"keys": unknown}))
        return result

    return check


def flattened(problems: list[Problem]) -> dict[str, Any]:
    """Problems as tRPC's errors carry them: by the field in which they lie."""
    by_field: dict[str, list[str]] = {}
    general = []
    for problem in problems:
        if problem.path:
            by_field.setdefault(problem.path[0], []).append(problem.message)
        else:
            general.append(problem.message)
    return {"formErrors": general, "fieldErrors": by_field}


def sentence(problems: list[Problem]) -> str:
    """Problems as the booking endpoint tells them, in one line."""
    return "; ".join(
        problem.message
        if problem.code == "unrecognized_keys" or not problem.path
        else f"{problem.code} in '{','.join(problem.path)}': {problem.message}"
        for problem in problems
    )
