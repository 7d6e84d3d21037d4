"""The single values of a manifest: each rule is a function that returns the value or says why not."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from deploy.seed.triggers import TRIGGERS
from deploy.settings.rules import CLOSED_NAMES, nearest, refused
from deploy.settings.yaml_source import EnvironmentText

_RANGE = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*([01]\d|2[0-3]):([0-5]\d)")
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_URL = re.compile(
    r"https?://(?P<user>[^\s/@]*@)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:[/?#]\S*)?"
)
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


Entry = TypeVar("Entry")


def _time_range(value: str) -> str:
    found = _RANGE.fullmatch(value.strip())
    if found is None:
        fix = "a day ends at 23:59" if "24:00" in value else "write it like 09:00-17:00, with leading zeros"
        raise refused("is not a time range HH:MM-HH:MM", fix)
    start, end = f"{found[1]}:{found[2]}", f"{found[3]}:{found[4]}"
    if start >= end:
        raise refused(
            f"ends at {end}, not after its start at {start}",
            "hours over midnight are two ranges: until 23:59, and from 00:00 on the next day",
        )
    return f"{start}-{end}"


def _no_overlap(ranges: list[str]) -> list[str]:
    inside_a_day = sorted(ranges)
    for before, after in itertools.pairwise(inside_a_day):
        if before[6:] > after[:5]:
            raise refused(f"overlap: {before} and {after}", "join them to one range")
    return inside_a_day


def _slug(value: str) -> str:
    if _SLUG.fullmatch(value):
        return value
    meant = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")
    # Cal.com would change it on its own and the next run would not find it again.
    raise refused(
        "is not a slug: small letters and digits, in words joined by single hyphens",
        f"write it like {meant or 'intro-call'}",
    )


def _url(value: str) -> str:
    found = _URL.fullmatch(value)
    if found is None:
        raise refused("is not an http or https URL", "write it like https://example.com/hooks/cal")
    if found["user"]:
        raise refused("carries a user or password in clear", "let the receiver check the signature instead")
    return value


def _color(value: str) -> str:
    if not _COLOR.fullmatch(value):
        raise refused("is not a colour", "write it like '#292929', in quotes")
    return value.lower()


def _date(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            raise refused("is not a date", "write it like 2026-12-24") from None
    return value


def _text(value: str) -> str:
    if not value.strip():
        raise refused("is empty", "write some text, or remove the key")
    return value.strip()


def _trigger(value: str) -> str:
    if value not in TRIGGERS:
        meant = nearest(value, TRIGGERS)
        raise refused(
            f"{value[:60]} is not a trigger",
            f"did you mean {meant}?" if meant else f"there are: {', '.join(TRIGGERS)}",
        )
    return value


def _not_empty(value: list[Entry]) -> list[Entry]:
    if not value:
        raise refused("is empty", "name one at least")
    return value


def _user(value: str) -> str:
    if not re.fullmatch(r"[^\s@/]+(?:@[^\s@/]+)?", value):
        raise refused("is neither an e-mail address nor a user name", "write it like ada@example.com or ada")
    if value.lower() in CLOSED_NAMES:
        raise refused(
            f"is a name that the proxy refuses, so nobody could book at /{value.lower()}",
            "let this user take another name in Cal.com, and write that",
        )
    return value.lower()


def _field_slug(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*", value):
        raise refused(
            "is not the slug of a question: letters, digits, single hyphens", "write it like how-many"
        )
    return value


def _phone(value: str) -> str:
    if not re.fullmatch(r"\+[0-9]{6,15}", value):
        raise refused("is not a phone number", "write it like +4930901820, with the country and no spaces")
    return value


def _integration(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9_-]+(?::[a-z0-9_-]+)*", value):
        raise refused("is not the name of an app", "write it like cal-video, zoom or google:meet")
    return value


def _not_in_clear(value: Any) -> Any:
    if value is None or isinstance(value, dict | EnvironmentText):
        return value
    raise refused(
        "is a secret in clear" if isinstance(value, str) else "must be !secret NAME or !env NAME",
        "write !secret NAME here, and keep the value under that name in the inventory's secrets",
    )


def _in_editors(**rules: Any) -> WithJsonSchema:
    """What the schema for editors says of a text, since it cannot hold a function."""
    return WithJsonSchema({"type": "string", **rules})


Text = Annotated[str, AfterValidator(_text), _in_editors(minLength=1)]
Slug = Annotated[str, AfterValidator(_slug), _in_editors(pattern=f"^{_SLUG.pattern}$")]
Url = Annotated[str, AfterValidator(_url), _in_editors(pattern="^https?://")]
TimeRangeText = Annotated[
    str,
    AfterValidator(_time_range),
    _in_editors(pattern=r"^([01]\d|2[0-3]):[0-5]\d\s*-\s*([01]\d|2[0-3]):[0-5]\d$"),
]
Times = Annotated[list[TimeRangeText], AfterValidator(_no_overlap)]
Date = Annotated[dt.date, BeforeValidator(_date)]
Minutes = Annotated[int, Field(ge=0, le=525_600)]
AtLeastOne = Annotated[int, Field(ge=1)]
Length = Annotated[int, Field(ge=1, le=1440)]
FieldSlug = Annotated[str, AfterValidator(_field_slug), _in_editors(pattern="^[A-Za-z0-9_-]+$")]
Color = Annotated[str, AfterValidator(_color), _in_editors(pattern=f"^{_COLOR.pattern}$")]
Phone = Annotated[str, AfterValidator(_phone), _in_editors(pattern=r"^\+[0-9]{6,15}$")]
Integration = Annotated[str, AfterValidator(_integration)]
Trigger = Annotated[str, AfterValidator(_trigger), _in_editors(enum=list(TRIGGERS))]
UserName = Annotated[str, AfterValidator(_user)]
NotInClear = BeforeValidator(_not_in_clear)
NotEmpty = AfterValidator(_not_empty)
