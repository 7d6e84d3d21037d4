"""Nothing that is sent to the web app's procedures and guest doors makes the stand-in stumble.

What was recorded is sent again with parts of it taken out, replaced or added. Refusals are fine, also those
that the real app makes a 500 of; a failure that nobody thought of says "Internal server error".
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bench.instance import SeedableInstance, seedable_instance

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

RECORDINGS = Path(__file__).parent / "recordings"
KEEP_OUT = ("/api/auth/setup", "/api/trpc/users/delete", "/api/trpc/admin/lockUserAccount")
"""What would take the caller's own account away in the middle."""


@dataclass(frozen=True)
class Sent:
    """One recorded request; `content` is its JSON, in the address or in the body."""

    method: str
    path: str
    content: Any


def recorded() -> list[Sent]:
    """Each door once with each set of keys that was sent to it."""
    found: dict[tuple[str, str], Sent] = {}
    for file in sorted([*RECORDINGS.glob("web/*.json"), *RECORDINGS.glob("both/*.json")]):
        for step in json.loads(file.read_text()):
            request = step["request"]
            content, path = request["body"], request["path"].partition("?")[0]
            if request["params"] and "input" in request["params"]:
                content = json.loads(request["params"]["input"])
            opened = path.startswith(("/api/trpc/", "/api/book/", "/api/cancel"))
            if opened and path not in KEEP_OUT and "," not in path and isinstance(content, dict):
                inner = content.get("json", content)
                shape = sorted(inner) if isinstance(inner, dict) else str(type(inner))
                found[path, str(shape)] = Sent(request["method"], path, content)
    return list(found.values())


SENT = recorded()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place below the top."""
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for step, below in entries:
        yield (*path, step)
        yield from places(below, (*path, step))


# Neither numbers that no column holds nor NUL and halves of characters: with those the real app's database
# library fails as well, and its failures are passed on as a 500.
HOSTILE: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, 0, -1, 1, 9, 10_000, 1.5, -0.5),
        *("", " ", "\U0001f600", "a" * 5000, "%s", "../..", "<b>", "{{x}}", "__proto__"),
        *("9", "null", "24:00", "2026-02-30", "0000-00-00T00:00:00.000Z", "Europe/Nowhere", "UTC", "past"),
        *("2026-12-01T10:00:00.000Z", "https://", "http://127.0.0.1:9/x", "admin@example.test"),
        *("BOOKING_CREATED", "upcoming", "accepted"),
        *([], {}, [[]], [{}], [None], {"json": {}}, {"start": 1}, {"values": {"x": ["Date"]}}),
    ]
)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
ANYTHING = st.recursive(
    HOSTILE | st.integers(-100, 100_000) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
).map(copy.deepcopy)


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    """A recorded request with something taken out, added or replaced, up to three times."""
    sent = draw(st.sampled_from(SENT))
    content = copy.deepcopy(sent.content)
    for _ in range(draw(st.integers(1, 3))):
        there = list(places(content))
        if not there:
            break
        *above, last = draw(st.sampled_from(there))
        inside = content
        for step in above:
            inside = inside[step]
        how = draw(st.sampled_from(("replace", "remove", "add")))
        if how == "replace":
            inside[last] = draw(ANYTHING)
        elif how == "remove":
            del inside[last]
        elif isinstance(inside, dict):
            names = sorted({str(place[-1]) for place in there})
            inside[draw(st.sampled_from(names))] = draw(ANYTHING)
    return Sent(sent.method, sent.path, content)


@pytest.fixture(scope="module")
def instance() -> Iterator[SeedableInstance]:
    with seedable_instance() as running:
        yield running


@pytest.fixture(scope="module")
def client(instance: SeedableInstance) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=instance.url, trust_env=False, timeout=30) as http:
        yield http


def stands_it(instance: SeedableInstance, client: httpx.Client, sent: Sent) -> None:
    # JavaScript's own way of half a character in JSON is an escape, which ASCII carries.
    text = json.dumps(sent.content)
    given: dict[str, Any] = (
        {"params": {"input": text}} if sent.method == "GET" else {"content": text.encode("ascii")}
    )
    headers = {"cookie": instance.session, "content-type": "application/json"}
    answer = client.request(sent.method, sent.path, headers=headers, **given)
    said = answer.text.lower()
    assert answer.status_code < 500 or "internal server error" not in said, (sent, answer.status_code, said)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests())
def test_no_input_breaks_it(instance: SeedableInstance, client: httpx.Client, sent: Sent) -> None:
    stands_it(instance, client, sent)


@pytest.mark.long
@settings(max_examples=8_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests())
def test_no_input_breaks_it_in_the_long_run(
    instance: SeedableInstance, client: httpx.Client, sent: Sent
) -> None:
    stands_it(instance, client, sent)


def test_what_was_recorded_covers_the_doors() -> None:
    assert len({sent.path for sent in SENT}) > 25
