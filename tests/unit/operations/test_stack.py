from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.facts.stack import Service, Stack
from deploy.operations.stack import _runs_as_wanted

WEB = Service("hash", "sha256:1", running=True, health="healthy", started_at="2026-11-24T08:00:00Z")


def test_a_healthy_service_of_the_wanted_configuration_and_image_is_left_alone() -> None:
    assert _runs_as_wanted(Stack({"web": "hash"}, {"web": WEB}), "web", "sha256:1")


@pytest.mark.parametrize(
    "service",
    [
        replace(WEB, config_hash="another"),
        replace(WEB, image_id="sha256:2"),
        replace(WEB, running=False),
        replace(WEB, health="starting"),
        replace(WEB, health="unhealthy"),
    ],
)
def test_anything_else_is_brought_up(service: Service) -> None:
    assert not _runs_as_wanted(Stack({"web": "hash"}, {"web": service}), "web", "sha256:1")


def test_a_service_that_is_not_there_is_brought_up() -> None:
    assert not _runs_as_wanted(Stack({"web": "hash"}, {}), "web", "sha256:1")
