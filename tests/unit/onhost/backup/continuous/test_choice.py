from __future__ import annotations

import pytest

from deploy.onhost.backup.continuous.choice import NoWayBackError, way_to
from tests.unit.onhost.backup.continuous.timeline import base, day, held, piece

BASES = [base("a", 1), base("a1", 3, "a"), base("b", 8)]


def test_the_newest_base_before_the_moment_is_taken() -> None:
    found = held(BASES, [piece(1, 12)])
    assert [taken.id for taken in way_to(day(4), found).pieces] == ["a", "a1"]
    assert [taken.id for taken in way_to(day(2), found).pieces] == ["a"]
    assert [taken.id for taken in way_to(None, found).pieces] == ["b"]


def test_the_log_is_taken_in_as_few_pieces_as_can_be() -> None:
    log = [piece(1, 2), piece(1, 4), piece(3, 5), piece(4, 9), piece(9, 11)]
    assert [(taken.first, taken.last) for taken in way_to(day(7), held(BASES, log)).log] == [(3, 5), (4, 9)]


def test_a_lost_full_base_leads_back_to_an_older_one_and_is_told() -> None:
    found = held([base("a", 1), base("b1", 9, "b")], [piece(1, 12)])
    way = way_to(day(10), found)
    assert [taken.id for taken in way.pieces] == ["a"]
    assert "b, the full one below it, is missing" in way.remarks[0]


def test_a_gap_behind_the_moment_does_no_harm_and_one_before_it_does() -> None:
    found = held([base("a", 1)], [piece(1, 4), piece(6, 9)])
    assert way_to(day(3), found).base.id == "a"
    with pytest.raises(
        NoWayBackError, match=r"gap behind the base .* the way leads up to 2026-11-05 01:00:00 UTC"
    ):
        way_to(day(7), found)


def test_a_time_in_which_nothing_happened_is_no_time_in_which_something_is_missing() -> None:
    found = held([base("a", 1)], [piece(1, 4)])
    with pytest.raises(NoWayBackError, match="the log is whole up to 2026-11-05 01:00:00 UTC"):
        way_to(day(6), found)
    assert way_to(day(6), found, certain={"one": day(7)}).until == day(7)
    with pytest.raises(NoWayBackError, match="the log is whole up to 2026-11-05"):
        way_to(day(6), found, certain={"another": day(7)})


def test_the_newest_of_several_databases_has_to_be_named() -> None:
    found = held([base("a", 1), base("b", 8, system="two")], [piece(1, 5), piece(8, 9, system="two")])
    with pytest.raises(
        NoWayBackError,
        match=r"several databases.* say a moment: .*2026-11-06T01:00:00.000000\+00:00, 2026-11-10T01",
    ):
        way_to(None, found)
    assert way_to(None, found, "one").base.id == "a"
    assert way_to(day(9), found).base.id == "b"


def test_nothing_there_is_said() -> None:
    with pytest.raises(NoWayBackError, match="there is no base yet"):
        way_to(None, held([], [piece(1, 2)]))
    with pytest.raises(NoWayBackError, match="the log from the base a on is missing"):
        way_to(None, held([base("a", 1)], []))
