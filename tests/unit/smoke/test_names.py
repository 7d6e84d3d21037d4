from __future__ import annotations

import datetime as dt

import pytest

from deploy.smoke.names import SlugsOfRuns, is_over, new_run

NOW = dt.datetime(2026, 11, 24, 7, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize("alone", [True, False])
def test_two_runs_of_one_second_have_two_names(alone: bool) -> None:
    assert new_run(NOW, alone=alone) != new_run(NOW, alone=alone)


@pytest.mark.parametrize(
    ("theirs_alone", "ours_alone", "minutes", "over"),
    [
        (True, True, 0, True),  # the host's lock is ours, so whoever had it is gone
        (True, False, 5, False),
        (False, True, 5, False),
        (False, False, 5, False),
        (False, False, 31, True),
        (True, False, 31, True),
        (False, False, -31, True),  # a clock that was wrong must not keep it for years
    ],
)
def test_what_belongs_to_a_run_that_may_be_at_work_is_left_alone(
    theirs_alone: bool, ours_alone: bool, minutes: float, over: bool
) -> None:
    theirs = new_run(NOW - dt.timedelta(minutes=minutes), alone=theirs_alone)
    assert is_over(theirs, NOW, alone=ours_alone) == over


@pytest.mark.parametrize("name", ["1f0c93ab", "", "x-y", "s6b0546e0-1f0c93ab-more"])
def test_other_names_are_of_older_versions(name: str) -> None:
    assert is_over(name, NOW, alone=False)


def test_slugs_of_others_are_not_chosen() -> None:
    chosen = SlugsOfRuns(lambda run: run != "no")
    assert "calstack-smoke-yes" in chosen
    for slug in ("calstack-smoke-no", "intro", "my-calstack-smoke-yes", None):
        assert slug not in chosen
