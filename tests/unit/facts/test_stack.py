from __future__ import annotations

import json

from deploy.facts.stack import ImageIds, StackState


def test_what_is_wanted_and_what_runs_are_read_from_one_answer() -> None:
    container = {
        "Config": {
            "Labels": {
                "com.docker.compose.service": "web",
                "com.docker.compose.config-hash": "abc",
            }
        },
        "Image": "sha256:1",
        "State": {"Running": True, "Health": {"Status": "healthy"}, "StartedAt": "2026-11-24T08:00:00Z"},
    }
    stack = StackState().process(["db 111", "web abc", "---", json.dumps(container)])
    assert stack.wanted == {"db": "111", "web": "abc"}
    assert stack.services["web"].health == "healthy"
    assert stack.services["web"].image_id == "sha256:1"


def test_a_host_without_a_project_has_nothing() -> None:
    stack = StackState().process(["---"])
    assert (stack.wanted, stack.services) == ({}, {})


def test_an_image_that_is_missing_has_no_id() -> None:
    assert ImageIds().process(["one sha256:1", "two "]) == {"one": "sha256:1"}
