"""A maintenance as the host remembers it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import pytest

from deploy.maintenance import Maintenance, parse

NOW = dt.datetime(2026, 11, 24, 9, 30, 12, 345, tzinfo=dt.UTC)
SECRET = "c2VjcmV0"


def begun(**more: object) -> Maintenance:
    return Maintenance.begin("ada@desk", NOW, **more)  # type: ignore[arg-type]


def shown(maintenance: Maintenance) -> list[str]:
    """The four parts that HAProxy takes: digest of the key, end, page, text for scripts."""
    return maintenance.as_map(SECRET).splitlines()[0].removeprefix("state ").split("|")


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"message": 'Ümzug: "5 > 3" & \\ done'},
        {"until": NOW.replace(microsecond=0) + dt.timedelta(hours=1)},
    ],
)
def test_what_is_written_is_what_is_read(more: dict[str, object]) -> None:
    maintenance = begun(**more)
    assert parse(maintenance.as_map(SECRET)) == maintenance


def test_no_map_and_an_empty_one_are_no_maintenance() -> None:
    assert parse("") is None
    assert parse("# nothing here\n") is None


@pytest.mark.parametrize("text", ["state on\n", "state on\nsince yesterday\nby ada\nnumber 1\n"])
def test_a_broken_map_is_not_taken_for_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"since|isoformat"):
        parse(text)


def test_the_key_is_not_in_the_map_and_its_digest_is() -> None:
    maintenance = begun()
    key = maintenance.operator_key(SECRET)
    assert len(key) == 40
    assert key not in maintenance.as_map(SECRET)
    assert shown(maintenance)[0] == hashlib.sha256(key.encode()).hexdigest()
    assert (
        maintenance.operator_link("https://cal.test", SECRET) == f"https://cal.test/calstack-enter?key={key}"
    )


def test_each_maintenance_has_a_key_of_its_own() -> None:
    assert begun().operator_key(SECRET) != begun().operator_key(SECRET)
    assert begun().operator_key(SECRET) != begun().operator_key("another")


def test_guests_read_the_message_and_the_end_and_scripts_as_well() -> None:
    end = dt.datetime(2026, 11, 24, 10, 0, tzinfo=dt.UTC)
    _, until, page, told = shown(begun(message='<b>"Ümzug" | 2</b>', until=end))
    assert until == str(int(end.timestamp()))
    assert page == (
        "<p>&lt;b&gt;&quot;Ümzug&quot; &#124; 2&lt;/b&gt;</p>"
        "<p>It is expected to be back by 2026-11-24 10:00 UTC.</p>"
    )
    assert json.loads(f'"{told}"') == (
        '<b>"Ümzug" | 2</b> It is expected to be back by 2026-11-24 10:00 UTC.'
    )


def test_it_is_told_in_one_sentence() -> None:
    assert begun(message="Moving").told() == (
        "maintenance is on since 2026-11-24 09:30 UTC (by ada@desk): guests see a page, saying 'Moving'"
    )
