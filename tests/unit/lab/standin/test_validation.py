"""Refusals in the words of the real app's validator."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.lab.standin.web.superjson import UNDEFINED
from deploy.lab.standin.web.validation import (
    Check,
    InvalidError,
    boolean,
    checked,
    flattened,
    many,
    mapping,
    nullish,
    number,
    one_of,
    optional,
    sentence,
    shape,
    text,
    time_zone,
    url,
)  # fmt: skip


def problems(check: Check, value: Any) -> dict[str, Any]:
    with pytest.raises(InvalidError) as refused:
        checked(check, value)
    return flattened(refused.value.problems)


@pytest.mark.parametrize(
    ("check", "value", "words"),
    [
        (text(), UNDEFINED, "Required"),
        (text(), 1, "Expected string, received number"),
        (text(1), "", "String must contain at least 1 character(s)"),
        (number(), "no", "Expected number, received string"),
        (number(), None, "Expected number, received null"),
        (number(), 1.5, "Expected integer, received float"),
        (number(0), -1, "Number must be greater than or equal to 0"),
        (boolean, "true", "Expected boolean, received string"),
        (url, "not a url", "Invalid url"),
        (url, "http://", "Invalid url"),
        (time_zone, "Mars/Base", "Invalid timezone. Must be a valid IANA timezone string."),
        (one_of("A", "B"), "C", "Invalid enum value. Expected 'A' | 'B', received 'C'"),
        (many(text()), {}, "Expected array, received object"),
    ],
)
def test_a_wrong_field_is_told_under_its_name(check: Check, value: Any, words: str) -> None:
    assert problems(shape({"field": check}), {"field": value})["fieldErrors"] == {"field": [words]}


def test_what_may_be_missing_may_be_missing() -> None:
    check = shape({"a": optional(text()), "b": nullish(text())})
    assert checked(check, {"b": None}) == {"b": None}


def test_unknown_fields_are_dropped_or_refused() -> None:
    assert checked(shape({"a": text()}), {"a": "", "b": 1}) == {"a": ""}
    found = problems(shape({"a": text()}, strict=True), {"a": "", "b": 1})
    assert found["formErrors"] == ["Unrecognized key(s) in object: 'b'"]


def test_the_booking_endpoint_tells_it_in_one_line() -> None:
    check = shape({"start": text(), "metadata": mapping(text())})
    with pytest.raises(InvalidError) as refused:
        checked(check, {"metadata": {"source": 1}})
    assert sentence(refused.value.problems) == (
        "invalid_type in 'start': Required; "
        "invalid_type in 'metadata,source': Expected string, received number"
    )


def test_addresses_inside_a_private_network_are_addresses() -> None:
    assert checked(url, "http://n8n:5678/webhook/x") == "http://n8n:5678/webhook/x"
