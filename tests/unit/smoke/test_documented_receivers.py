"""The receivers that docs/webhooks.md offers, and the sample that it warns of, on recorded deliveries."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[2]
DOCS = (TESTS.parent / "docs" / "webhooks.md").read_text(encoding="utf-8")
RECORDED = TESTS / "contract" / "recordings" / "webhook_deliveries.json"
DELIVERIES: list[dict[str, Any]] = json.loads(RECORDED.read_text(encoding="utf-8"))
SECRET = "m33t"
GENUINE = [delivery for delivery in DELIVERIES if delivery["secret"] == SECRET]
"""BOOKING_CREATED, and MEETING_STARTED and MEETING_ENDED, which have no `payload`."""


def code_in(language: str) -> str:
    """The first example of the page in that language."""
    found = re.search(rf"^```{language}\n(.*?)^```", DOCS, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


@pytest.fixture(params=["python", "javascript"])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    """Where a documented receiver listens."""
    interpreter = sys.executable if request.param == "python" else shutil.which("node")
    if interpreter is None:
        pytest.skip("there is no Node.js here")
    program = tmp_path / ("receiver.py" if request.param == "python" else "receiver.js")
    program.write_text(code_in(request.param), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = int(probe.getsockname()[1])
    process = subprocess.Popen(
        [interpreter, str(program)],
        env={**os.environ, "WEBHOOK_SECRET": SECRET, "PORT": str(number)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(number, process)
        yield number
    finally:
        process.kill()
        process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, "the example does not run"
            assert time.monotonic() < end, "the example does not listen"
            time.sleep(0.02)
        else:
            return


def post(port: int, body: bytes, signature: str | None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/", body, {} if signature is None else {"X-Cal-Signature-256": signature})
    status = connection.getresponse().status
    connection.close()
    return status


def test_receivers_take_recorded_deliveries_and_nothing_else(port: int) -> None:
    for delivery in GENUINE:
        body, signature = base64.b64decode(delivery["body_base64"]), signature_of(delivery)
        assert post(port, body, signature) == 200
        assert post(port, body + b" ", signature) == 401
        for other in ("no-secret-provided", "", None, signature.upper(), "\xe9"):
            assert post(port, body, other) == 401


def test_the_receivers_have_ten_lines() -> None:
    for language in ("python", "javascript"):
        assert len(code_in(language).splitlines()) <= 11


@pytest.mark.parametrize("delivery", [one for one in DELIVERIES if one["secret"]])
def test_the_sample_that_writes_the_json_again_fails(delivery: dict[str, Any]) -> None:
    raw = base64.b64decode(delivery["body_base64"])
    written_again = json.dumps(json.loads(raw)).encode()

    def signed(body: bytes) -> bool:
        made = hmac.new(delivery["secret"].encode(), body, hashlib.sha256).hexdigest()
        return made == signature_of(delivery)

    assert signed(raw)
    assert json.loads(written_again) == json.loads(raw), "the same content"
    assert written_again != raw, "in other bytes: json.dumps puts spaces behind commas and colons"
    assert not signed(written_again)


def signature_of(delivery: dict[str, Any]) -> str:
    return str(delivery["headers"]["X-Cal-Signature-256"])
