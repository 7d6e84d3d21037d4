"""What is closed to the public stays closed however it is written; everything else is left alone."""

from __future__ import annotations

import pytest

from tests.lab.entrance import Entrance
from tests.lab.spellings import CLOSED, REFUSALS, spellings

pytestmark = pytest.mark.docker


@pytest.mark.parametrize("path", CLOSED)
def test_closed_path_is_refused_from_outside_in_every_spelling(entrance: Entrance, path: str) -> None:
    before = len(entrance.seen_by_app())
    answers = entrance.ask_each(spellings(path))
    assert {why: answer.status for why, answer in answers.items() if answer.status not in REFUSALS} == {}
    assert entrance.seen_by_app()[before:] == []


@pytest.mark.parametrize("path", CLOSED)
def test_closed_path_is_refused_over_http2(entrance: Entrance, path: str) -> None:
    targets = {why: target for why, target in spellings(path).items() if not why.startswith("in full")}
    before = len(entrance.seen_by_app())
    answers = entrance.over_http2(list(targets.values()))
    assert len(answers) == len(targets)
    assert {version for _, version, _ in answers} == {"2"}
    wrong = {why: answer for why, answer in zip(targets, answers, strict=True) if answer[0] not in REFUSALS}
    assert wrong == {}
    assert entrance.seen_by_app()[before:] == []


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD", "OPTIONS"])
def test_closed_path_is_refused_for_every_method(entrance: Entrance, method: str) -> None:
    assert entrance.ask("/api/auth/setup", method=method).status in REFUSALS


def test_refused_prefetch_gets_a_plain_answer_that_ends_there(entrance: Entrance) -> None:
    answer = entrance.ask("/signup?_rsc=1x2y", headers="RSC: 1\r\nNext-Router-Prefetch: 1\r\n")
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/plain")
    assert "location" not in answer.headers


@pytest.mark.parametrize("path", CLOSED)
def test_closed_path_is_open_at_the_inner_entrance(entrance: Entrance, path: str) -> None:
    answer = entrance.inner(f"{path}?a=b", method="POST", body=b"{}")
    assert answer.seen["target"] == f"{path}?a=b"


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/ada/intro",
        "/ada/intro?date=2026-12-01&month=2026-12&back=%2Fapi%2Fcron%2Fx",
        "/ada/intro?name=100%&note=a;b,c",
        "/ada/intro/embed?embed=demo&embedType=inline",
        "/ada/a;b",
        "/ada/gr%C3%BC%C3%9Fe",
        "/team/auth/setup-call",
        "/signup-demo/30min",
        "/signups",
        "/ada/signup",
        "/cron/tasks",
        "/docs-team/intro",
        "/ada/docs",
        "/metricsteam",
        "/api/v2/bookings",
        "/d/x%40y/intro",
        "/booking/abc?cancel=true",
        "/auth/login?callbackUrl=https%3A%2F%2Fcal1.example.test%2Fsignup",
        "/auth/forgot-password",
        "/api/auth/session",
        "/api/auth/callback/credentials",
        "/api/trpc/slots/getSchedule?batch=1&input=%7B%220%22%3A%7B%22json%22%3A%7B%7D%7D%7D",
        "/api/trpc/features/map,me/get?batch=1",
        "/api/trpc/viewer/me.get%2Cbookings.list?batch=1",
        "/api/book/event",
        "/api/tasker",
        "/_next/static/chunks/app/(use-page-wrapper)/auth/setup/page-1a2b.js",
        "/_next/static/chunks/app/%5Buser%5D/%5Btype%5D/page-1a2b.js",
        "/_next/static/chunks/pages/signup-1a2b.js",
        "/_next/image?url=%2Fapi%2Favatar%2Fabc.png&w=64&q=75",
        "/_next/image",
        "/embed/embed.js",
    ],
)
def test_everything_else_reaches_the_app_as_it_was_written(entrance: Entrance, target: str) -> None:
    assert entrance.ask(target).seen["target"] == target


def test_app_sees_the_spelling_that_was_judged(entrance: Entrance) -> None:
    assert entrance.ask("//x/../%61da/./intro").seen["target"] == "/ada/intro"
