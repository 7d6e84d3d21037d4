"""What all tests share: an engine for those that need one, stopped again if this run started it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.lab import engine
from tests.deployed_lab import deployed_lab

__all__ = ["deployed_lab", "docker_engine"]


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[None]:
    """A Docker engine that answers; where this run had to start one, it is stopped at the end."""
    there_before = engine.connect_if_any() is not None
    engine.ensure_engine(lambda _: None)
    yield
    if not there_before:
        engine.stop_own_engine()


@pytest.fixture(autouse=True)
def _engine_where_marked(request: pytest.FixtureRequest) -> None:
    """A test marked `docker` finds an engine, and this run stops the one that it started."""
    if request.node.get_closest_marker("docker") is not None:
        request.getfixturevalue("docker_engine")
