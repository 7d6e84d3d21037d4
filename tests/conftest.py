"""What all tests share: an engine for those that need one, stopped again if this run started it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from deploy.lab import engine
from tests.deployed_lab import deployed_lab, lab_of

if TYPE_CHECKING:
    from tests.workers import KeepingTogether

__all__ = ["deployed_lab", "docker_engine"]

STARTED_ENGINE = "calstack_started_engine"
"""Under this name a worker tells the process above it that it has started an engine."""

_started: list[bool] = []
"""Whether an engine was started, from each process that needed one."""


@pytest.fixture(scope="session")
def docker_engine() -> None:
    """A Docker engine that answers; where this run had to start one, it is stopped after the last test."""
    there_before = engine.connect_if_any() is not None
    engine.ensure_engine(lambda _: None)
    _started.append(not there_before)


@pytest.fixture(autouse=True)
def _engine_where_marked(request: pytest.FixtureRequest) -> None:
    """A test marked `docker` finds an engine, and this run stops the one that it started."""
    if request.node.get_closest_marker("docker") is not None:
        request.getfixturevalue("docker_engine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: the deployed labs, then whatever else needs an engine."""

    def rank(item: pytest.Item) -> int:
        if lab_of(item.path):
            return 0
        return 1 if item.get_closest_marker("docker") else 2

    items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> KeepingTogether:
    """Share the tests among several workers so that each lab is deployed once."""
    from tests.workers import KeepingTogether  # `calstack verify` comes by here too, and has no pytest-xdist

    config.option.loadscopereorder = False
    return KeepingTogether(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear from a worker that has ended; one that crashed says nothing."""
    _started.append(getattr(node, "workeroutput", {}).get(STARTED_ENGINE, False))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the engine that this run has started; only the process that outlives all workers may."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[STARTED_ENGINE] = any(_started)
    elif any(_started):
        engine.stop_own_engine()
