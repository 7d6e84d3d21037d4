from __future__ import annotations

import datetime as dt
from typing import Any

import httpx
import pytest

from deploy.calcom import errors
from deploy.calcom.trpc import iso_milliseconds, read_answer, superjson
from deploy.calcom.wire.users import UserAnswer


def answer(status: int, body: Any, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=body, headers=headers)


def failed(status: int, message: str, code: str, **data: Any) -> httpx.Response:
    return answer(status, {"error": {"json": {"message": message, "data": {"code": code, **data}}}})


def test_dates_are_named_by_their_path() -> None:
    noon = dt.datetime(2026, 12, 24, 12, tzinfo=dt.UTC)
    assert superjson({"id": 1, "hours": [[], [{"start": noon}]], "to": noon}) == {
        "json": {
            "id": 1,
            "hours": [[], [{"start": "2026-12-24T12:00:00.000Z"}]],
            "to": "2026-12-24T12:00:00.000Z",
        },
        "meta": {"values": {"hours.1.0.start": ["Date"], "to": ["Date"]}},
    }


def test_without_dates_there_is_no_meta() -> None:
    assert superjson({"id": 1}) == {"json": {"id": 1}}


def test_times_of_other_zones_become_utc() -> None:
    berlin = dt.timezone(dt.timedelta(hours=1))
    assert iso_milliseconds(dt.datetime(2026, 12, 24, 0, 30, tzinfo=berlin)) == "2026-12-23T23:30:00.000Z"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidInput),
        (401, errors.NotSignedIn),
        (403, errors.NotAllowed),
        (404, errors.NotFound),
        (409, errors.Refused),
        (500, errors.ServerFailed),
    ],
)
def test_each_status_is_its_own_error(status: int, kind: type[errors.Refused]) -> None:
    with pytest.raises(kind) as caught:
        read_answer("me/get", failed(status, "NO", "SOME_CODE"), UserAnswer)
    assert (caught.value.status, caught.value.code, caught.value.message) == (status, "SOME_CODE", "NO")
    assert caught.value.where == "me/get"


def test_field_errors_are_told() -> None:
    zod = {"formErrors": [], "fieldErrors": {"title": ["too short"]}}
    with pytest.raises(errors.InvalidInput, match="title: too short") as caught:
        read_answer("x/y", failed(400, "Invalid input", "BAD_REQUEST", zodError=zod), UserAnswer)
    assert caught.value.field_errors == {"title": ("too short",)}


class TestThisVersionAnswersDifferently:
    def shape(self, response: httpx.Response) -> errors.UnexpectedShape:
        with pytest.raises(errors.UnexpectedShape) as caught:
            read_answer("me/get", response, UserAnswer)
        return caught.value

    def test_a_missing_field_is_named(self) -> None:
        error = self.shape(answer(200, {"result": {"data": {"json": {"id": 1}}}}))
        assert (error.procedure, error.came) == ("me/get", "nothing there")
        assert error.expected.startswith("username")
        assert "answers differently" in str(error)

    def test_a_value_is_never_shown(self) -> None:
        error = self.shape(answer(200, {"result": {"data": {"json": {"id": "s3cret"}}}}))
        assert "s3cret" not in str(error)
        assert error.came == "a str"

    def test_no_envelope(self) -> None:
        assert "result.data.json" in self.shape(answer(200, {"hello": 1})).expected

    def test_a_page(self) -> None:
        error = self.shape(httpx.Response(200, html="<html>"))
        assert error.came == "status 200 with text/html; charset=utf-8"

    def test_another_error_envelope(self) -> None:
        self.shape(answer(500, {"error": {"json": {"message": 5}}}))
