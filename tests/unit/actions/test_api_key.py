"""What API v2 says about calstack's own key, told apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from deploy.actions.api_key import api_verdict
from deploy.actions.instance import Instance
from deploy.errors import CalstackError
from deploy.secrets import placeholders
from deploy.settings.load import load_inventory


def refusal(message: str) -> dict[str, Any]:
    """The API's envelope (FACTS §4)."""
    return {"status": "error", "error": {"code": "UnauthorizedException", "message": message}}


class AnsweringInstance(Instance):
    """An instance whose inner entrance gives these answers, one after the other."""

    answers: list[httpx.Response | httpx.HTTPError]

    @contextmanager
    def inner_entrance(self, path: str = "") -> Iterator[httpx.Client]:  # noqa: ARG002 - the whole of it
        def answer(request: httpx.Request) -> httpx.Response:
            assert request.url.path == "/api/v2/me"
            assert request.headers["authorization"] == "Bearer cal_<api_key>"
            given = self.answers.pop(0)
            if isinstance(given, httpx.HTTPError):
                raise given
            return given

        with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://inner") as client:
            yield client


def instance(*answers: httpx.Response | httpx.HTTPError) -> AnsweringInstance:
    inventory, nowhere = load_inventory("lab"), None
    made = AnsweringInstance("cal1", inventory, inventory.hosts["cal1"], placeholders("cal1"), nowhere)  # type: ignore[arg-type]
    object.__setattr__(made, "answers", list(answers))
    return made


def test_a_key_that_opens_is_ready() -> None:
    assert api_verdict(instance(httpx.Response(200, json={"status": "success"}))) == "ready"


def test_an_api_that_still_starts_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    starting: list[httpx.Response | httpx.HTTPError] = [
        httpx.ConnectError("refused"),
        httpx.Response(503, text="restarting"),
        httpx.Response(502),
    ]
    assert api_verdict(instance(*starting, httpx.Response(200, json={}))) == "ready"


def test_a_build_that_wants_a_licence_is_known_by_its_words() -> None:
    answer = httpx.Response(401, json=refusal("Invalid or missing CALCOM_LICENSE_KEY environment variable"))
    assert api_verdict(instance(answer)) == "wants a licence"


def test_any_other_refusal_is_an_error_at_once() -> None:
    answer = httpx.Response(401, json=refusal("Your api key is not valid"))
    with pytest.raises(CalstackError, match=r"refuses its own key \(401\): Your api key is not valid"):
        api_verdict(instance(answer))


def test_an_api_that_never_answers_is_named_with_what_it_said_last() -> None:
    with pytest.raises(CalstackError, match="does not answer at /api/v2/me: bad luck") as caught:
        api_verdict(instance(httpx.Response(500, text="bad luck")), patience=0)
    assert "logs" in str(caught.value)
