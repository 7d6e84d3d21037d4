"""Free slots: working hours, zones, busy times, notice."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from deploy.lab.standin.core.schedules import Range, WorkingHours
from deploy.lab.standin.core.slots import Interval, SlotRules, by_day, free_starts, joined, without

NOON_BEFORE = datetime(2026, 12, 6, 12, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-12-{text}:00+00:00")


def between(start: str, end: str) -> Interval:
    return Interval(at(start), at(end))


def hours(start: str, end: str, zone: str = "UTC", **more: dict[date, list[Range]]) -> WorkingHours:
    stretch = Range(time.fromisoformat(start), time.fromisoformat(end))
    return WorkingHours(zone, {weekday: [stretch] for weekday in range(1, 6)}, **more)


def starts(
    working: WorkingHours,
    rules: SlotRules,
    *busy: Interval,
    window: Interval | None = None,
    now: datetime = NOON_BEFORE,
    zone: str = "UTC",
) -> list[str]:
    found = free_starts(working, busy, window or between("07T00:00", "07T23:59"), rules, now, zone)
    return [f"{start:%H:%M}" for start in found]


def test_slots_fill_the_hours_to_the_end() -> None:
    assert starts(hours("09:00", "11:00"), SlotRules(30)) == ["09:00", "09:30", "10:00", "10:30"]


def test_hours_are_wall_time_of_the_schedule() -> None:
    assert starts(hours("09:00", "10:00", "Europe/Berlin"), SlotRules(30)) == ["08:00", "08:30"]


def test_hours_move_with_summer_time() -> None:
    window = Interval(datetime(2026, 7, 6, tzinfo=UTC), datetime(2026, 7, 6, 23, tzinfo=UTC))
    now = datetime(2026, 7, 1, tzinfo=UTC)
    working = hours("09:00", "10:00", "Europe/Berlin")
    assert starts(working, SlotRules(30), window=window, now=now) == ["07:00", "07:30"]


def test_2359_is_the_end_of_the_day() -> None:
    assert starts(hours("22:00", "23:59"), SlotRules(30))[-1] == "23:30"


def test_days_without_hours_are_closed() -> None:
    assert starts(hours("09:00", "10:00"), SlotRules(30), window=between("05T00:00", "06T23:59")) == []


def test_an_override_takes_the_place_of_the_day() -> None:
    override = {date(2026, 12, 7): [Range(time(14), time(15))]}
    assert starts(hours("09:00", "10:00", overrides=override), SlotRules(30)) == ["14:00", "14:30"]


def test_an_empty_override_closes_the_day() -> None:
    override = {date(2026, 12, 7): [Range(time(0), time(0))]}
    assert starts(hours("09:00", "10:00", overrides=override), SlotRules(30)) == []


def test_an_interval_shorter_than_the_length_lets_slots_overlap() -> None:
    assert starts(hours("09:00", "10:00"), SlotRules(30, interval=15)) == ["09:00", "09:15", "09:30"]


def test_busy_times_are_left_out_and_slots_start_round_again() -> None:
    found = starts(hours("09:00", "11:00"), SlotRules(30), between("07T09:00", "07T09:40"))
    assert found == ["10:00", "10:30"]


def test_slots_start_at_the_hours_of_the_guests_zone() -> None:
    found = starts(hours("09:00", "11:00"), SlotRules(60), zone="Asia/Kolkata")
    assert found == ["09:30"]


@pytest.mark.parametrize(("notice", "first"), [(0, "09:30"), (30, "10:00"), (60, "10:30"), (120, "")])
def test_notice_counts_from_now(notice: int, first: str) -> None:
    found = starts(hours("09:00", "11:00"), SlotRules(30, minimum_notice=notice), now=at("07T09:10"))
    assert (found or [""])[0] == first


def test_offset_moves_every_start() -> None:
    assert starts(hours("09:00", "10:30"), SlotRules(30, offset_start=5)) == ["09:05", "09:40"]


def test_slots_are_grouped_by_the_guests_days() -> None:
    days = by_day([at("07T22:30"), at("07T23:30")], "Europe/Berlin")
    assert {day: len(each) for day, each in days.items()} == {"2026-12-07": 1, "2026-12-08": 1}


def test_touching_intervals_are_joined_and_busy_ones_cut_out() -> None:
    day = joined([between("07T10:00", "07T12:00"), between("07T08:00", "07T10:00")])
    assert day == [between("07T08:00", "07T12:00")]
    assert without(day, [between("07T09:00", "07T09:30"), between("07T11:00", "07T13:00")]) == [
        between("07T08:00", "07T09:00"),
        between("07T09:30", "07T11:00"),
    ]
