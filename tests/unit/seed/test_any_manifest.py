"""Whatever stands in a manifest: it is refused in full before any request, or seeded and then as declared."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.actions.seed import seed_foreign
from deploy.calcom.channel import Channel
from deploy.errors import InputError
from deploy.seed.pull import pull
from tests.unit.seed.fake_channel import FakeChannel

SOUND: dict[str, Any] = yaml.safe_load("""\
profile: {name: Ada, time_zone: Europe/Berlin, week_start: monday, theme: dark, brand_color: '#aa0000'}
schedules:
  - name: Days
    time_zone: Europe/Berlin
    default: true
    availability: [{days: [monday, friday], times: ['09:00-12:30', '13:30-17:00']}]
    overrides: [{date: '2027-12-24', times: ['10:00-12:00']}, {date: '2027-12-25', times: []}]
event_types:
  - slug: plain
    title: Plain
    length_minutes: 30
    locations: [{type: attendee_phone}]
  - slug: full
    title: Full
    length_minutes: 30
    length_options: [15, 30]
    schedule: Days
    description: "Two lines\\n\\n**bold**"
    locations:
      - {type: link, link: 'https://meet.example.test/'}
      - {type: address, address: Street 1, public: false}
    buffer_before_minutes: 5
    booking_limits: {day: 2}
    booking_window: {type: range, start: '2027-01-01', end: '2027-02-01'}
    requires_confirmation: true
    confirmation_threshold: {count: 3, unit: hours}
    booker_layouts: {default: week, enabled: [month, week]}
    recurrence: {frequency: weekly, occurrences: 4}
    color: {light: '#aa2233', dark: '#445566'}
    booking_fields: [{slug: size, type: select, label: Size, options: [S, M]}, {slug: notes, required: true}]
    cal_video: {enable_automatic_recording: true}
webhooks:
  - {url: 'https://a.example.test/', triggers: [BOOKING_CREATED], active: false}
  - {url: 'https://b.example.test/', event_type: full, triggers: [AFTER_HOSTS_CAL_VIDEO_NO_SHOW], time: 5,
     time_unit: MINUTE}
""")
"""A manifest in which about everything stands that can."""

KEYS = sorted({str(key) for key in yaml.safe_dump(SOUND).replace("-", " ").replace(":", " ").split()})
HOSTILE: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 1.5, float("inf"), float("nan")),
        *(
            "",
            " ",
            "\n",
            "\x00",
            "\u2028",
            "\U0001f600",
            "ß",
            "é",
            "a" * 5000,
            "!secret x",
            "{{",
            "%s",
            "../..",
        ),
        *(
            "null",
            "no",
            "12:30",
            "24:00",
            "09:00-17:00",
            "2027-02-30",
            "0000-00-00",
            "Europe/Nowhere",
            "#12345",
        ),
        *("https://", "https://u:p@a/", "javascript:alert(1)", "default", "__class__", "monday", "link"),
        *([], {}, [[]], [{}], [None], {"secret": "x"}, {"type": "link"}, {"day": 0}),
    ]
)
ANYTHING = st.recursive(
    HOSTILE | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=5,
).map(copy.deepcopy)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place below the top."""
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for step, below in entries:
        yield (*path, step)
        yield from places(below, (*path, step))


PLACES = list(places(SOUND))


@st.composite
def manifests(draw: st.DrawFn) -> dict[str, Any]:
    """The sound one with something taken out, put elsewhere, doubled or replaced, up to three times."""
    content = copy.deepcopy(SOUND)
    for _ in range(draw(st.integers(0, 3))):
        *above, last = draw(st.sampled_from(PLACES))
        inside: Any = content
        try:
            for step in above:
                inside = inside[step]
            how = draw(st.sampled_from(("replace", "remove", "double", "add", "move")))
            if how == "replace":
                inside[last] = draw(ANYTHING)
            elif how == "remove":
                del inside[last]
            elif how == "move":
                inside[draw(st.sampled_from(KEYS))] = inside[last]
            elif how == "double" and isinstance(inside, list):
                inside.append(copy.deepcopy(inside[last]))
            elif how == "add" and isinstance(inside[last], dict):
                inside[last][draw(st.sampled_from(KEYS))] = draw(ANYTHING)
        except (KeyError, IndexError, TypeError):
            pass  # an earlier change took the place away
    return content


@dataclass
class Access:
    """An instance of somebody's that notes whether it was asked for anything."""

    held: FakeChannel = field(default_factory=FakeChannel)
    opened: int = 0

    @contextmanager
    def channel(self) -> Iterator[Channel]:
        self.opened += 1
        yield self.held


def seeds_or_refuses(text: str) -> None:
    access = Access()
    anybody: Any = access
    refused: InputError | None = None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "seed.yaml"
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            seed_foreign(anybody, [file])
        except InputError as error:
            refused = error
        if refused is None:
            assert seed_foreign(anybody, [file]).changes == []
            pull(access.held, lambda _value, name: name)
            return
    assert "Input should" not in str(refused), "pydantic's words are not for people"
    assert access.held.writes == []
    # What the channel cannot do is told once it is open; what is wrong with the manifest, before that.
    assert access.opened == 0 or not refused.problems, "it was opened before all was checked"


FEW = settings(max_examples=100, deadline=None)
MANY = settings(max_examples=5_000, deadline=None)


def as_text(content: dict[str, Any], block: bool) -> str:
    return yaml.safe_dump(content, allow_unicode=True) if block else json.dumps(content)


@FEW
@given(manifests(), st.booleans())
def test_nearly_sound(content: dict[str, Any], block: bool) -> None:
    seeds_or_refuses(as_text(content, block))


@pytest.mark.long
@MANY
@given(manifests(), st.booleans())
def test_nearly_sound_often(content: dict[str, Any], block: bool) -> None:
    seeds_or_refuses(as_text(content, block))


LINES = yaml.safe_dump(SOUND).splitlines(keepends=True)
PIECES = st.sampled_from(
    [*LINES, *"[]{}:-?*&!|>'\"#%@,\t\n ", "<<: *a\n", "&a ", "*a", "!secret ", "!env ", "---\n"]
)


@FEW
@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=40))
def test_hardly_yaml(text: str) -> None:
    seeds_or_refuses(text)


def test_the_sound_one_is_sound(tmp_path: Path) -> None:
    (tmp_path / "seed.yaml").write_text(as_text(SOUND, block=True))
    anybody: Any = Access()
    assert len(seed_foreign(anybody, [tmp_path / "seed.yaml"]).changes) == 6
