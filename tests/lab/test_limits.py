"""Limits on a deployed host: settings, rows of the API and the running proxy agree."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from typing import Any

import pytest

from tests.deployed_lab import DeployedLab, results
from tests.lab.test_api import ask, changed

pytestmark = pytest.mark.docker


def limits(lab: DeployedLab, verb: str) -> dict[str, Any]:
    done = lab.calstack("limits", verb, "--json")
    assert done.returncode == 0, done.stderr
    (host,) = [host for host in json.loads(done.stdout)["hosts"] if host["host"] == "cal1"]
    assert isinstance(host, dict)
    return host


def proxy_process(lab: DeployedLab) -> str:
    """Which process of HAProxy answers, and since when: a reload or restart makes another."""
    asked = json.dumps(["show info"])
    info = lab.on_host(f"echo '{asked}' | python3 /opt/calcom/onhost.pyz proxy")
    lines = json.loads(info)[0].splitlines()
    return "".join(line for line in lines if line.startswith(("Pid:", "Start_time_sec:")))


def test_what_is_shown_is_in_force(deployed_lab: DeployedLab) -> None:
    shown = limits(deployed_lab, "show")["limits"]
    assert {limit["what"] for limit in shown} >= {"sign_in", "bookings", "slots", "pages", "api_key", "api"}
    assert all(limit["in_force"] for limit in shown)
    (own,) = [limit for limit in shown if limit["what"] == "api_key calstack"]
    assert (own["limit"], own["window_seconds"]) == (100_000, 60)
    read = deployed_lab.calstack("limits", "show")
    assert read.returncode == 0
    assert re.search(r"\bpages +each address +1200 +60 +proxy +yes", read.stderr)


def test_a_key_s_row_and_the_proxy_agree_and_neither_is_reloaded(deployed_lab: DeployedLab) -> None:
    key = secrets.token_hex(16)
    make_key = (
        'insert into \\"ApiKey\\" (id, \\"userId\\", note, \\"hashedKey\\") '
        "select 'limits-test', id, 'crawler', 'DIGEST' from users where role = 'ADMIN' limit 1"
    )
    deployed_lab.sql(make_key.replace("DIGEST", hashlib.sha256(key.encode()).hexdigest()))
    text = (
        "\nrate_limits:\n  pages: {limit: 1500, window_seconds: 60}\n"
        "  api:\n    keys: [{note: crawler, limit: 3, block_seconds: 1}]\n\napp:\n"
    )
    with changed(deployed_lab, {"\napp:\n": text}):
        before = proxy_process(deployed_lab)
        done = deployed_lab.calstack("deploy", "--json")
        assert done.returncode == 0, done.stderr
        changes = results(done)["cal1"]["changed"]
        assert "the proxy's limits of pages, prefetches set" in changes
        assert "limit of API key crawler set" in changes
        assert "the proxy's limits of single API keys set" in changes

        # All within one of the proxy's windows, which begin with each minute.
        time.sleep(max(0, time.time() % 60 - 45) and 61 - time.time() % 60)
        answers = [ask(deployed_lab, "/api/v2/me", f"cal_{key}") for _ in range(8)]
        assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 5
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers[3:])
        messages = [answer.json()["error"]["message"] for answer in answers[3:]]
        assert messages[:3] == ["CustomThrottlerGuard - Too many requests. Please try again later."] * 3
        assert all(message.startswith("Too many requests. Please try again in ") for message in messages[3:])

        shown = {limit["what"]: limit for limit in limits(deployed_lab, "show")["limits"]}
        assert (shown["pages"]["limit"], shown["pages"]["in_force"]) == (1500, True)
        assert (shown["api_key crawler"]["limit"], shown["api_key crawler"]["in_force"]) == (3, True)
        refused = {
            (one["what"], one["note"]): one["refused"] for one in limits(deployed_lab, "top")["refused"]
        }
        assert refused["api", "crawler"] == 3
        assert refused["api_key", "crawler"] == 2
        assert proxy_process(deployed_lab) == before

        again = deployed_lab.calstack("deploy", "--json")
        assert results(again)["cal1"]["changed"] == []
    deployed_lab.sql("delete from \\\"ApiKey\\\" where id = 'limits-test'")
