"""What the access log tells, and what it does not."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import docker
import pytest

from tests.lab.entrance import CERTIFICATE, Entrance, running_entrance, write_configuration
from tests.unit.roles.hosts import host_context

pytestmark = pytest.mark.docker

FILES = {
    200: "/_next/static/chunks/app/(booking)/%5Buser%5D/page-1a2b.js",
    404: "/_next/static/chunks/of-another-version.js?status=404",
}
"""Files of Next's own folder, by what the app answers."""


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


def logged_statuses(entrance: Entrance) -> list[int]:
    """What was answered to the requests for these files that stand in the log."""
    for status, target in FILES.items():
        assert entrance.ask(target).status == status
    entrance.ask("/ada/last")
    end = time.monotonic() + 10
    while '"/ada/last"' not in (log := entrance.proxy.logs().decode()):
        assert time.monotonic() < end
        time.sleep(0.1)
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [line["status"] for line in lines if line.get("path", "").startswith("/_next/static/")]


def test_of_next_s_own_files_those_are_logged_that_fail(entrance: Entrance) -> None:
    assert logged_statuses(entrance) == [404]


def test_all_of_them_are_where_that_is_wanted(
    client: docker.DockerClient, haproxy: str, tmp_path: Path
) -> None:
    host = host_context(certificate=CERTIFICATE, proxy={"log_files": True})
    with running_entrance(client, haproxy, write_configuration(tmp_path, host)) as entrance:
        assert logged_statuses(entrance) == [200, 404]
