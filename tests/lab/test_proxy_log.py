"""What the access log tells, and what it does not."""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.lab.entrance import Entrance

pytestmark = pytest.mark.docker


def test_log_is_json_without_queries_and_keys_in_paths(entrance: Entrance) -> None:
    entrance.ask("/ada/intro?token=very-secret", headers="Authorization: Bearer very-secret\r\n")
    entrance.ask("/auth/forgot-password/very-secret", headers="Cookie: session=very-secret\r\n")
    entrance.ask("/auth/forgot-password/very-secret", port=80)
    entrance.ask("/api/book/event", method="POST", body=b"very-secret")
    entrance.inner("/api/cron/x?apiKey=very-secret")
    time.sleep(0.3)
    log = entrance.proxy.logs().decode()
    assert "very-secret" not in log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    last = [line for line in lines if line.get("path") == "/ada/intro"][-1]
    assert last["status"] == 200
    assert last["method"] == "GET"
    assert last["entrance"] == "public"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", last["time"])
