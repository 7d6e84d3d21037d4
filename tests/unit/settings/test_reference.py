from __future__ import annotations

import json

import pytest

from deploy.settings import reference


def test_the_page_and_the_schema_are_current() -> None:
    assert reference.main([]) == 0, "run: python -m deploy.settings.reference --write"


def test_the_page_names_every_setting() -> None:
    page = reference.page()
    for key in ("`domain`", "`known_hosts_file`", "`start_period_seconds`", "`resend_api_key`", "## lab"):
        assert key in page
    assert "FACTS" not in page


def test_the_schema_lets_each_file_leave_things_to_the_other() -> None:
    assert '"required"' not in json.dumps(reference.schema())


def test_the_schema_takes_a_tagged_secret_as_text() -> None:
    choices = reference.schema()["$defs"]["SecretReference"]["anyOf"]
    assert choices[0]["type"] == "string"


def test_stale_files_are_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(reference, "PAGE", reference.PAGE.with_name("no-such-page.md"))
    assert reference.main([]) == 1
    assert "--write" in capsys.readouterr().out
