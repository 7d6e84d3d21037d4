"""The comparison finds what is not alike: one that lets everything pass proves nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from .replaying.likeness import Comparison, Names
from .replaying.player import cookie_form, media_type
from .replaying.recordings import RecordingError, read

BOOKING = {
    "id": 1,
    "uid": "5LEdKJCaEYMSXHr5StFHh1",
    "userId": 1,
    "title": "Web intro between Ada Admin and Jane Smith",
    "startTime": "2026-12-07T08:00:00.000Z",
    "createdAt": "2026-11-23T23:19:13.422Z",
    "paid": False,
    "rating": None,
    "attendees": [{"id": 1, "email": "jane@acme.test", "bookingId": 1}],
}
OWN = BOOKING | {
    "id": 7,
    "uid": "dyZgibfGycmvv8FWQRTYu9",
    "createdAt": "2026-11-23T23:19:20.001Z",
    "attendees": [{"id": 9, "email": "jane@acme.test", "bookingId": 7}],
}


def differences(recorded: Any, own: Any, names: Names | None = None) -> list[str]:
    comparison = Comparison(names or Names(), "/api/book/event", Counter())
    comparison.values(recorded, own)
    return comparison.differences


def test_what_a_server_makes_up_may_differ() -> None:
    assert differences(BOOKING, OWN) == []


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Another title"},
        {"startTime": "2026-12-07T08:30:00.000Z"},
        {"paid": None},
        {"rating": 0},
        {"uid": "no uid"},
        {"createdAt": "yesterday"},
        {"attendees": []},
        {"attendees": [{"id": 9, "email": "jane@acme.test", "bookingId": 8}]},
        {"attendees": [{"id": 9, "email": "john@acme.test", "bookingId": 7}]},
        {"more": 1},
    ],
    ids=lambda change: str(next(iter(change.items()))),
)
def test_anything_else_is_a_difference(change: dict[str, Any]) -> None:
    assert differences(BOOKING, OWN | change)


def test_a_missing_key_is_a_difference() -> None:
    assert differences(BOOKING, {name: value for name, value in OWN.items() if name != "rating"})


def test_an_id_stands_for_the_same_one_from_then_on() -> None:
    names = Names()
    assert differences(BOOKING, OWN, names) == []
    assert differences(BOOKING, OWN, names) == []
    assert differences(BOOKING, OWN | {"id": 8}, names)
    assert differences(BOOKING, OWN | {"uid": "82y54s17gvDnkMoSdNegao"}, names)


def test_two_ids_do_not_become_one() -> None:
    recorded = [{"userId": 1}, {"userId": 2}]
    assert differences(recorded, [{"userId": 5}, {"userId": 6}]) == []
    assert differences(recorded, [{"userId": 5}, {"userId": 5}])


def test_uids_are_put_into_paths() -> None:
    names = Names()
    differences(BOOKING, OWN, names)
    assert names.own_text("/booking/5LEdKJCaEYMSXHr5StFHh1") == "/booking/dyZgibfGycmvv8FWQRTYu9"


def test_lists_are_compared_in_order() -> None:
    slots = [{"time": "2026-12-07T08:00:00.000Z"}, {"time": "2026-12-07T08:30:00.000Z"}]
    assert differences(slots, list(reversed(slots)))


def test_cookies_are_compared_by_name_and_attributes() -> None:
    recorded = "next-auth.session-token=<value>; Path=/; Expires=Wed, 23 Dec 2026 23:19:11 GMT; HttpOnly"
    assert cookie_form(recorded) == cookie_form(
        "next-auth.session-token=abc; Path=/; Expires=Thu, 24 Dec 2026 00:00:00 GMT; HttpOnly"
    )
    assert cookie_form(recorded) != cookie_form("next-auth.session-token=abc; Path=/; HttpOnly")
    assert cookie_form(recorded) != cookie_form(recorded.replace("; HttpOnly", ""))


def test_content_types_are_compared_without_parameters() -> None:
    assert media_type("text/html; charset=utf-8") == media_type("text/html") != media_type("text/plain")


def test_steps_of_several_folders_are_merged_by_number(tmp_path: Any) -> None:
    for name, steps in (("a", (0, 2)), ("b", (1,))):
        folder = tmp_path / name / "web"
        folder.mkdir(parents=True)
        entries = ", ".join(f'{{"step": {step}, "request": {{}}, "response": {{}}}}' for step in steps)
        (folder / "site.json").write_text(f"[{entries}]")
    found = read([tmp_path / "a", tmp_path / "b"])
    assert [step.number for step in found.replayable["web"][0].steps] == [0, 1, 2]


def test_a_folder_without_recordings_is_refused(tmp_path: Any) -> None:
    with pytest.raises(RecordingError):
        read([tmp_path])
