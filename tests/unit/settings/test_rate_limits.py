"""How limits are written, and what they become."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.errors import InputError
from deploy.settings.load import load_inventory
from deploy.settings.rate_limits import RateLimits
from tests.unit.settings.folders import inventory_in


def limits(tmp_path: Path, text: str) -> RateLimits:
    return inventory_in(tmp_path, more=f"rate_limits: {text}\n").hosts["cal1"].rate_limits


def told(tmp_path: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        limits(tmp_path, text)
    return str(caught.value)


def test_defaults_let_an_office_of_fifty_book_or_sign_in_within_a_minute() -> None:
    amounts = {name: tuple(map(int, rate.split("/"))) for name, rate in RateLimits().amounts().items()}
    assert amounts["pages"][0] * 60 // amounts["pages"][1] >= 50 * 18
    assert amounts["bookings"][0] * 60 // amounts["bookings"][1] >= 50
    assert amounts["sign_in"][0] >= 50
    assert amounts["slots"][0] >= 50 * 5
    assert amounts["prefetches"] == amounts["pages"]


def test_each_limit_may_be_off(tmp_path: Path) -> None:
    given = limits(tmp_path, "{sign_in: off, bookings: off, slots: off, pages: off}")
    assert given.amounts() == {"api_key": "120/60"}


def test_the_api_has_one_window_for_all_its_defaults(tmp_path: Path) -> None:
    text = told(tmp_path, "{api: {anonymous_window_seconds: 10}}")
    assert "rate_limits.api.anonymous_window_seconds: is not a setting" in text


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("{pages: {limit: 0, window_seconds: 60}}", "rate_limits.pages.limit", "at least 1"),
        ("{pages: {limit: 9, window_seconds: 0}}", "rate_limits.pages.window_seconds", "at least 1"),
        ("{pages: {limit: 9, window_seconds: 90000}}", "rate_limits.pages.window_seconds", "at most 86400"),
        ("{pages: {limit: 9}}", "rate_limits.pages.window_seconds", "is missing"),
        ("{pages: none}", "rate_limits.pages", "must be off, or a section"),
        ("{pages: false}", "rate_limits.pages", "must be off, or a section"),
        ("{pages: }", "rate_limits.pages", "is empty"),
        ("{pages: {limit: 9, window: 60}}", "rate_limits.pages.window", "did you mean"),
        ("{exempt: [10.0.0.1/8]}", "rate_limits.exempt[0]", "write 10.0.0.0/8"),
        ("{exempt: [office]}", "rate_limits.exempt[0]", "is not an address or network"),
    ],
)
def test_nonsense_is_refused_at_its_place(tmp_path: Path, text: str, place: str, says: str) -> None:
    message = told(tmp_path, text)
    assert f"cal1.yaml:6: {place}: " in message
    assert says in message
    assert "AddressLimit" not in message
    assert "literal" not in message


def test_a_limit_that_one_person_would_meet_is_pointed_out(tmp_path: Path) -> None:
    inventory_in(tmp_path, more="rate_limits: {pages: {limit: 10, window_seconds: 60}}\n")
    (warning,) = load_inventory(str(tmp_path)).warnings
    assert warning == "cal1: rate_limits.pages.limit is 10; one person who signs in sends 18 such requests"
