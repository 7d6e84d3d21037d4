"""Backups that nobody starts: cron does, as on any host."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.deployed_lab import DeployedLab

pytestmark = pytest.mark.docker

_ONHOST = "python3 /opt/calcom/onhost.pyz"
_FILE = "/etc/cron.d/calcom-test-schedule"


def runs(lab: DeployedLab) -> list[str]:
    (repository,) = json.loads(lab.on_host(f"{_ONHOST} backup list"))["repositories"]
    return [run["run"] for run in repository["runs"]]


def stamp(lab: DeployedLab) -> dict[str, Any]:
    listed = json.loads(lab.on_host(f"{_ONHOST} stamps --json"))["jobs"]
    (found,) = [job["stamp"] for job in listed if job["name"] == "backup"]
    return found or {}


def test_cron_makes_a_run_by_itself(deployed_lab: DeployedLab) -> None:
    before, last = runs(deployed_lab), stamp(deployed_lab).get("finished")
    # The very line of the host, every minute instead of every night.
    deployed_lab.on_host(
        r"sed -nE '/^[A-Z]+=/p; s/^(\S+ ){5}(root .* job backup)$/* * * * * \2/p' /etc/cron.d/calcom-jobs "
        f">{_FILE}.new && grep -q 'job backup' {_FILE}.new && mv {_FILE}.new {_FILE}"
    )
    try:
        deadline = time.monotonic() + 150
        while stamp(deployed_lab).get("finished") == last and time.monotonic() < deadline:
            time.sleep(3)
    finally:
        deployed_lab.on_host(f"rm -f {_FILE} {_FILE}.new")
    made = stamp(deployed_lab)
    assert made["outcome"] == "done", made
    new = [run for run in runs(deployed_lab) if run not in before]
    assert new, "a new run is in the repository"
    assert new[0] in made["message"]
