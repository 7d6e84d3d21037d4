"""superjson: dates, what is undefined, and objects that appear twice."""

from __future__ import annotations

from datetime import UTC, datetime

from deploy.lab.standin.web.superjson import UNDEFINED, dumped, loaded

NOON = datetime(2026, 12, 7, 12, tzinfo=UTC)


def test_dates_are_noted_by_their_path() -> None:
    assert dumped({"a": [{"at": NOON}], "b": 1}) == {
        "json": {"a": [{"at": "2026-12-07T12:00:00.000Z"}], "b": 1},
        "meta": {"values": {"a.0.at": ["Date"]}},
    }


def test_dots_in_names_are_escaped() -> None:
    assert dumped({"a.b": NOON})["meta"] == {"values": {"a\\.b": ["Date"]}}


def test_undefined_is_null_with_a_note() -> None:
    assert dumped(UNDEFINED) == {"json": None, "meta": {"values": ["undefined"]}}
    assert dumped({"a": UNDEFINED}) == {"json": {"a": None}, "meta": {"values": {"a": ["undefined"]}}}


def test_an_object_that_appears_twice_is_noted_at_its_shortest_path() -> None:
    days = [1, 2]
    value = {"hours": [{"days": days}], "days": days}
    assert dumped(value)["meta"] == {"referentialEqualities": {"days": ["hours.0.days"]}}


def test_equal_but_different_objects_are_not_noted() -> None:
    assert "meta" not in dumped({"a": [1], "b": [1]})


def test_what_lies_inside_a_repeated_object_is_not_noted() -> None:
    face = {"inner": {"id": 1}}
    assert dumped([face, face])["meta"] == {"referentialEqualities": {"0": ["1"]}}


def test_inputs_are_brought_back() -> None:
    envelope = {
        "json": {"schedule": [[], [{"start": "1970-01-01T09:00:00.000Z"}]], "gone": None},
        "meta": {"values": {"schedule.1.0.start": ["Date"], "gone": ["undefined"]}},
    }
    assert loaded(envelope) == {"schedule": [[], [{"start": datetime(1970, 1, 1, 9, tzinfo=UTC)}]]}
    assert loaded({"json": None, "meta": {"values": ["undefined"]}}) is UNDEFINED


def test_notes_that_lead_nowhere_do_no_harm() -> None:
    assert loaded({"json": {"a": 1}, "meta": {"values": {"b.c": ["Date"], "a": ["Date"]}}}) == {"a": 1}
