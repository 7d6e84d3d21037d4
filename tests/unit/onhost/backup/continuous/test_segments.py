from __future__ import annotations

import pytest

from deploy.onhost.backup.continuous.segments import first_gap, is_history, number_at, offset, segment

SIZE = 16 << 20


def test_segments_are_counted_across_the_files_of_4_gb() -> None:
    last, following = segment("0000000100000000000000FF", SIZE), segment("000000010000000100000000", SIZE)
    assert last is not None
    assert following is not None
    assert following.number == last.number + 1 == 256


def test_the_timeline_does_not_change_the_number() -> None:
    old, new = segment("00000001000000000000000A.partial", SIZE), segment("00000002000000000000000A", SIZE)
    assert old is not None
    assert new is not None
    assert (old.number, old.partial, new.number, new.partial) == (10, True, 10, False)


@pytest.mark.parametrize("name", ["00000002.history", "hba.conf", "00000001000000000000000a", ".copy", ""])
def test_other_files_are_no_segments(name: str) -> None:
    assert segment(name, SIZE) is None
    assert is_history(name) == name.endswith(".history")


def test_a_position_lies_in_its_segment() -> None:
    assert offset("1/2000028") == (1 << 32) + 0x2000028
    assert number_at("1/2000028", SIZE) == 258


def test_the_first_gap() -> None:
    assert first_gap([1, 2, 3, 5], 1, 3) is None
    assert first_gap([1, 2, 3, 5, 7], 2, 7) == 4
