from __future__ import annotations

import datetime as dt

from deploy.calcom.models import Override, Schedule, ScheduleFields, TimeRange
from deploy.calcom.trpc import superjson
from deploy.calcom.wire.schedules import ScheduleAnswer, schedule_input

MORNING = TimeRange(start=dt.time(9), end=dt.time(12))
CURRENT = Schedule(
    id=3,
    name="Office",
    time_zone="Europe/Berlin",
    is_default=False,
    availability={"monday": (MORNING,)},
    overrides=(Override(date=dt.date(2026, 12, 24), ranges=(MORNING,)),),
)
NOBODY = {"start": "2026-12-25T00:00:00.000Z", "end": "2026-12-25T00:00:00.000Z"}


def test_what_is_not_named_goes_along_as_it_is() -> None:
    data = superjson(schedule_input(CURRENT, ScheduleFields(time_zone="UTC")))["json"]
    assert (data["name"], data["timeZone"]) == ("Office", "UTC")
    assert data["schedule"][1] == [{"start": "1970-01-01T09:00:00.000Z", "end": "1970-01-01T12:00:00.000Z"}]
    assert data["schedule"][0] == []
    assert len(data["dateOverrides"]) == 1


def test_the_default_is_only_ever_taken() -> None:
    assert "isDefault" not in schedule_input(CURRENT, ScheduleFields(is_default=False))
    assert schedule_input(CURRENT, ScheduleFields(is_default=True))["isDefault"] is True


def test_a_day_off_is_a_range_from_midnight_to_midnight() -> None:
    fields = ScheduleFields(overrides=(Override(date=dt.date(2026, 12, 25), ranges=()),))
    assert superjson(schedule_input(CURRENT, fields))["json"]["dateOverrides"] == [NOBODY]


def test_a_day_off_is_read_back_as_one() -> None:
    row = {"days": [], "startTime": NOBODY["start"], "endTime": NOBODY["end"], "date": NOBODY["start"]}
    answer = ScheduleAnswer.model_validate(
        {"id": 3, "name": "Office", "timeZone": "UTC", "isDefault": True, "schedule": [row]}
    )
    assert answer.schedule().overrides == (Override(date=dt.date(2026, 12, 25), ranges=()),)


def test_hours_are_in_order_however_the_rows_come() -> None:
    rows = [
        {
            "days": [1, 2],
            "startTime": f"1970-01-01T{start}:00Z",
            "endTime": f"1970-01-01T{end}:00Z",
            "date": None,
        }
        for start, end in (("13:00", "17:00"), ("09:00", "12:00"))
    ]
    answer = ScheduleAnswer.model_validate(
        {"id": 3, "name": "Office", "timeZone": "UTC", "isDefault": True, "schedule": rows}
    )
    hours = answer.schedule().availability
    assert [str(item) for item in hours["tuesday"]] == ["09:00-12:00", "13:00-17:00"]
    assert list(hours) == ["monday", "tuesday"]
