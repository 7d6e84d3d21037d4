"""Whether what an instance holds is what is wanted: field by field, only the wanted ones.

Cal.com says the same thing in several ways (null and an empty text or object, triggers in any order, hours in
any grouping); what means the same is no difference, or a plan would never become empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from deploy.calcom.models import (
    BookerLayouts,
    CalVideoSettings,
    PeriodLimits,
    TimeRange,
    plain_booking_fields,
)

_NOT_ALWAYS_TOLD = frozenset({"requires_authentication"})
"""What a channel may take without giving it back; None is then "not told" and no difference."""


def differing_fields(wanted: BaseModel, current: BaseModel) -> list[str]:
    """Names of the fields that are set in `wanted` and mean something else in `current`, in its order."""
    hidden = untold_fields(wanted, current)
    return [
        name
        for name in type(wanted).model_fields
        if name in wanted.model_fields_set
        and name not in hidden
        and _differ(name, getattr(wanted, name), getattr(current, name))
    ]


def untold_fields(wanted: BaseModel, current: BaseModel) -> list[str]:
    """Names of the fields that are set in `wanted` and of which the channel does not say what they are."""
    return [
        name
        for name in sorted(_NOT_ALWAYS_TOLD & wanted.model_fields_set)
        if getattr(current, name, None) is None
    ]


def _differ(name: str, wanted: Any, current: Any) -> bool:
    # Most values are the very same, which takes less to see than what they mean.
    return bool(wanted != current) and _meaning(name, wanted) != _meaning(name, current)


def _meaning(name: str, value: Any) -> Any:
    rule = _RULES.get(name)
    return rule(value) if rule else value


def _text(value: str | None) -> str | None:
    return (value or "").strip() or None


def _limits(value: PeriodLimits | None) -> PeriodLimits | None:
    return None if value == PeriodLimits() else value


def _hours(value: Mapping[str, tuple[TimeRange, ...]] | None) -> dict[str, tuple[TimeRange, ...]]:
    return {day: _in_order(ranges) for day, ranges in (value or {}).items() if ranges}


def _dates(value: tuple[Any, ...] | None) -> dict[Any, tuple[TimeRange, ...]]:
    return {override.date: _in_order(override.ranges) for override in value or ()}


def _in_order(ranges: tuple[TimeRange, ...]) -> tuple[TimeRange, ...]:
    return tuple(sorted(ranges, key=lambda item: (item.start, item.end)))


def _color(value: Any) -> Any:
    return value and (value.light.lower(), value.dark.lower())


def _layouts(value: BookerLayouts | None) -> Any:
    return value and (value.default, frozenset(value.enabled))


_RULES: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "description": _text,
        "custom_name": _text,
        "success_redirect_url": _text,
        "payload_template": _text,
        "secret": lambda value: value or None,
        "booking_limits": _limits,
        "duration_limits": _limits,
        "triggers": frozenset,
        "availability": _hours,
        "overrides": _dates,
        "color": _color,
        "brand_color": lambda value: value and value.lower(),
        "dark_brand_color": lambda value: value and value.lower(),
        "bio": _text,
        "hide_branding": bool,
        "length_options": lambda value: tuple(sorted(value or ())),
        "booking_fields": plain_booking_fields,
        "booker_layouts": _layouts,
        "cal_video": lambda value: None if value == CalVideoSettings() else value,
    }
)
