"""The examples of docs/api.md, run as they stand there, against what a real Cal.com answered."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

import deploy.calcom.http

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
RECORDINGS = ROOT / "tests" / "contract" / "recordings"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def recorded(file: str, step: int) -> dict[str, Any]:
    steps = json.loads((RECORDINGS / f"{file}.json").read_text(encoding="utf-8"))
    return next(dict(one["response"]) for one in steps if one["step"] == step)


class Instance:
    """Answers each call as the real one did; keeps what was sent."""

    ANSWERS: ClassVar[dict[str, tuple[str, int]]] = {
        "GET /api/v2/me": ("api/auth", 0),
        "GET /api/v2/event-types": ("api/event_types", 25),
        "GET /api/v2/event-types/9": ("api/event_types", 26),
        "GET /api/v2/slots": ("api/slots", 0),
        "POST /api/v2/slots/reservations": ("api/slots", 10),
        "POST /api/v2/bookings": ("api/bookings", 0),
    }

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.taken: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {request.url.path}"
        body: Any = json.loads(request.content) if request.content else None
        self.sent.append((call, body))
        answer = recorded(*self.ANSWERS[call])
        if call == "POST /api/v2/bookings" and body["start"] in self.taken:
            answer = recorded("api/bookings", 1)
        if call == "GET /api/v2/slots":
            # The recorder asked for the whole day; 14:00 was not free then.
            answer["body"]["data"] = {
                date: [slot for slot in slots if slot["start"] >= request.url.params["start"]]
                for date, slots in answer["body"]["data"].items()
            }
        return httpx.Response(answer["status"], headers=answer["headers"], json=answer["body"])


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch) -> Instance:
    """What `open_client` of an example reaches."""
    reached = Instance()

    def open_client(base_url: str) -> httpx.Client:
        return httpx.Client(base_url=base_url, transport=httpx.MockTransport(reached))

    monkeypatch.setattr(deploy.calcom.http, "open_client", open_client)
    return reached


def run(*examples: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, "docs/api.md", "exec"), names)  # noqa: S102 - our own page
    return names


def flow() -> tuple[str, str, str]:
    """The three blocks of the booking flow."""
    at = next(number for number, text in enumerate(EXAMPLES) if "def check_out" in text)
    return EXAMPLES[at], EXAMPLES[at + 1], EXAMPLES[at + 2]


def test_the_booking_flow_books_the_first_free_slot(
    instance: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    run(*flow())
    assert [call for call, _ in instance.sent] == [
        "GET /api/v2/event-types",
        "GET /api/v2/slots",
        "POST /api/v2/slots/reservations",
        "POST /api/v2/bookings",
    ]
    assert instance.sent[2][1] == {"eventTypeId": 9, "slotStart": "2026-12-07T14:20:00Z"}
    assert instance.sent[3][1] == {
        "eventTypeId": 9,
        "start": "2026-12-07T14:20:00Z",
        "attendee": {"name": "Jane Smith", "email": "jane@acme.test", "timeZone": "Europe/Berlin"},
        "metadata": {"source": "custom-checkout", "orderId": "42"},
    }
    assert capsys.readouterr().out == "r7o1Yhp9zNivvZkixohfHo accepted\n"


def test_the_booking_flow_takes_the_next_slot_when_somebody_was_faster(instance: Instance) -> None:
    instance.taken = ["2026-12-07T14:20:00Z", "2026-12-07T14:40:00Z"]
    run(*flow())
    starts = [body["start"] for call, body in instance.sent if call == "POST /api/v2/bookings"]
    assert starts == [*instance.taken, "2026-12-07T15:20:00Z"]


def test_the_webhook_of_that_booking_closes_the_order(instance: Instance) -> None:
    names = run(*flow())
    deliveries = json.loads((RECORDINGS / "webhook_deliveries.json").read_text(encoding="utf-8"))
    delivery = deliveries[0]
    body = base64.b64decode(delivery["body_base64"])
    on_webhook = names["on_webhook"]
    assert on_webhook(body, delivery["headers"], "another secret") == 401
    assert on_webhook(body, {}, delivery["secret"]) == 401
    assert names["paid_orders"] == {}
    assert on_webhook(body, delivery["headers"], delivery["secret"]) == 200
    assert names["paid_orders"] == {"42": names["booking"].uid}
    assert instance.sent[-1][0] == "POST /api/v2/bookings"


@pytest.mark.usefixtures("instance")
def test_every_other_example_runs() -> None:
    others = [text for text in EXAMPLES if text not in flow()]
    assert len(others) == 3
    for example in others:
        run(example)


def test_every_error_of_the_page_exists() -> None:
    from deploy.calcom import errors

    table = PAGE.partition("## Errors")[2].partition("## Rate limits")[0]
    names = set(re.findall(r"`([A-Z][A-Za-z]+)`", table)) - {"CalcomError", "RetryPolicy"}
    assert len(names) >= 15
    for name in names:
        assert issubclass(getattr(errors, name), errors.CalcomError), name
