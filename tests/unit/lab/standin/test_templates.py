"""Payload templates of webhooks."""

from __future__ import annotations

import pytest

from deploy.lab.standin.core.templates import body_from, is_json

EVENT = {"triggerEvent": "PING", "title": 'Say "hi"', "attendees": [{"email": "jane@acme.test"}], "price": 0}


def test_fields_are_filled_in_by_their_path() -> None:
    template = '{"kind":"{{triggerEvent}}","who":"{{attendees.0.email}}"}'
    assert body_from(template, EVENT) == '{"kind":"PING","who":"jane@acme.test"}'


def test_unknown_fields_are_empty() -> None:
    assert body_from("a={{nothing}}&b={{price}}", EVENT) == "a=&b=0"


def test_json_that_came_out_broken_is_false() -> None:
    assert body_from('{"title":"{{title}}"}', EVENT) == "false"


@pytest.mark.parametrize(("template", "json"), [('{"a":1}', True), ("a=1", False)])
def test_the_template_decides_the_content_type(template: str, json: bool) -> None:
    assert is_json(template) is json
