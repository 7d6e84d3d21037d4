from __future__ import annotations

from deploy.onhost.backup.continuous.retention import due
from tests.unit.onhost.backup.continuous.timeline import base, day, held, piece


def test_the_newest_full_bases_stay_with_all_that_follows_them() -> None:
    bases = [base("a", 1), base("a1", 2, "a"), base("b", 8), base("b1", 9, "b"), base("c", 15)]
    gone, log = due(held(bases, [piece(1, 30)]), keep_fulls=2)
    assert [found.id for found in gone] == ["a", "a1"]
    assert log == []


def test_an_incremental_base_made_beside_an_older_full_one_goes_with_it() -> None:
    gone, _ = due(held([base("a", 1), base("b", 8), base("c", 15)], []), keep_fulls=1)
    assert [found.id for found in gone] == ["a", "b"]


def test_the_log_goes_that_no_base_needs() -> None:
    log = [piece(1, 7), piece(7, 12), piece(12, 40)]
    _, gone = due(held([base("a", 1), base("b", 8), base("c", 15)], log), keep_fulls=2)
    assert gone == [log[0]]


def test_of_two_pieces_the_one_goes_whose_segments_are_all_in_the_later_one() -> None:
    log = [piece(1, 3, hour=1), piece(1, 4, hour=2), piece(2, 6, hour=3), piece(2, 7, hour=4)]
    _, gone = due(held([base("a", 1)], log), keep_fulls=2)
    assert gone == [log[0], log[2]]


def test_without_a_base_the_log_waits_for_one() -> None:
    _, gone = due(held([], [piece(1, 3)]), keep_fulls=2)
    assert gone == []


def test_the_log_of_a_database_that_is_gone_goes_with_its_bases() -> None:
    old = [piece(1, 9, system="old"), piece(9, 12, system="old")]
    new = [piece(1, 2, system="new", at=day(20))]
    bases = [base("a", 1, system="old"), base("b", 16, system="new"), base("c", 18, system="new")]
    gone, log = due(held(bases, [*old, *new]), keep_fulls=2)
    assert [found.id for found in gone] == ["a"]
    assert log == old


def test_the_newest_base_and_the_newest_piece_stay() -> None:
    only, log = [base("a", 1)], [piece(1, 3)]
    assert due(held(only, log), keep_fulls=1) == ([], [])
