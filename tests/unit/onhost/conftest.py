from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.roles.periodic_endpoints import jobs_json
from tests.unit.onhost.web import Web, serving

JobsFile = Callable[..., Path]


@pytest.fixture
def web() -> Iterator[Web]:
    with serving(Web()) as running:
        yield running


@pytest.fixture
def jobs_file(tmp_path: Path, web: Web) -> JobsFile:
    """Writes the jobs file that deploy writes, but for directories of the test's own and the fake app."""

    def write(*, ping_url: str | None = None, **changes: dict[str, Any]) -> Path:
        document = json.loads(
            jobs_json("cal.example.com", cron_api_key="the-key", cron_secret="the-secret", ping_url=ping_url)
        )
        document["origin"] = web.origin
        document["directories"] = {name: str(tmp_path / name) for name in ("stamps", "logs", "locks")}
        for job in document["jobs"].values():
            job["jitter_seconds"] = 0
        for name, values in changes.items():
            document["jobs"][name.replace("_", "-")].update(values)
        file = tmp_path / "jobs.json"
        file.write_text(json.dumps(document))
        return file

    return write
