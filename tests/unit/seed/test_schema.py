from __future__ import annotations

import json
import re

from deploy.calcom import models
from deploy.seed.schema import FILE, schema, schema_text
from deploy.seed.triggers import TRIGGERS


def test_the_file_is_current() -> None:
    assert FILE.read_text("utf-8") == schema_text(), "run: python -m deploy.seed.reference"


def test_every_key_says_what_it_means() -> None:
    document = schema()
    for section in (document, *document["$defs"].values()):
        for key, described in section.get("properties", {}).items():
            assert described.get("description"), key


def test_an_editor_learns_what_can_be_chosen() -> None:
    defs = schema()["$defs"]
    assert defs["WebhookDeclared"]["properties"]["triggers"]["items"]["enum"] == list(TRIGGERS)
    assert defs["DayHours"]["properties"]["days"]["items"]["enum"] == list(models.WEEKDAYS)
    assert defs["EventTypeDeclared"]["required"] == ["slug", "title", "length_minutes", "locations"]
    assert schema()["additionalProperties"] is False


def test_patterns_are_of_the_kind_that_editors_know() -> None:
    patterns = re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', schema_text())
    assert patterns
    for pattern in patterns:
        assert "(?P" not in json.loads(pattern)
        re.compile(json.loads(pattern))
