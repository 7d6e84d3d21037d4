from __future__ import annotations

from deploy.seed.triggers import DELAYED_TRIGGERS, TRIGGERS, USER_TRIGGERS


def test_each_stands_there_once() -> None:
    assert len(set(TRIGGERS)) == len(TRIGGERS)


def test_the_special_ones_are_among_them() -> None:
    assert {*DELAYED_TRIGGERS, *USER_TRIGGERS} <= set(TRIGGERS)
