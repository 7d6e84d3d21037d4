from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.actions.webhook import judge
from deploy.calcom.signatures import sign

RECORDED = Path(__file__).parents[2] / "contract" / "recordings" / "webhook_deliveries.json"
DELIVERIES: list[dict[str, Any]] = json.loads(RECORDED.read_text(encoding="utf-8"))
SIGNED = [delivery for delivery in DELIVERIES if delivery["secret"]]


def parts_of(delivery: dict[str, Any]) -> tuple[bytes, str, str]:
    return (
        base64.b64decode(delivery["body_base64"]),
        delivery["headers"]["X-Cal-Signature-256"],
        delivery["secret"] or "any",
    )


@pytest.mark.parametrize("delivery", SIGNED)
def test_every_recorded_delivery_is_genuine(delivery: dict[str, Any]) -> None:
    assert judge(*parts_of(delivery)).genuine


@pytest.mark.parametrize("delivery", SIGNED)
def test_a_body_that_was_parsed_and_written_again_is_named(delivery: dict[str, Any]) -> None:
    body, signature, secret = parts_of(delivery)
    verdict = judge(json.dumps(json.loads(body)).encode(), signature, secret)
    assert (verdict.name, verdict.genuine) == ("body-changed", False)
    assert "parsed and written again" in verdict.what


def test_a_line_end_at_the_end_is_named() -> None:
    body, signature, secret = parts_of(SIGNED[0])
    assert "line end was added" in judge(body + b"\n", signature, secret).what


def test_another_secret_is_named() -> None:
    body, signature, _ = parts_of(SIGNED[0])
    assert judge(body, signature, "another").name == "wrong-secret"


def test_a_webhook_without_a_secret_is_named() -> None:
    unsigned = next(delivery for delivery in DELIVERIES if not delivery["secret"])
    assert judge(*parts_of(unsigned)).name == "unsigned"


@pytest.mark.parametrize("signature", ["", "sha256=abc", "é" * 64, "A" * 64])
def test_what_cannot_be_a_signature_is_named(signature: str) -> None:
    assert judge(b"{}", signature, "x").name == "not-a-signature"


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 100_000, b'"\\ud800"', b"1" * 5000, b"\r\n"])
def test_odd_bodies_are_judged_all_the_same(body: bytes) -> None:
    assert judge(body, sign(body, "x"), "x").genuine
    assert not judge(body, sign(body, "y"), "x").genuine


def verify(signature: str, stdin: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "deploy.cli", "webhook", "verify", "--signature", signature, *options]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)


def test_the_command_reads_secret_and_body_from_standard_input() -> None:
    body, signature, secret = parts_of(SIGNED[0])
    done = verify(signature, secret.encode() + b"\n" + body, "--secret-stdin")
    assert done.returncode == 0, done.stderr
    assert b"genuine" in done.stderr
    assert secret.encode() not in done.stderr


def test_the_command_reads_the_body_from_a_file(tmp_path: Path) -> None:
    body, signature, secret = parts_of(SIGNED[0])
    file = tmp_path / "body"
    file.write_bytes(json.dumps(json.loads(body)).encode())
    done = verify(signature, secret.encode(), "--secret-stdin", "--body", str(file))
    assert done.returncode == 1
    assert b"parsed and written again" in done.stderr


def test_the_command_says_it_for_programs() -> None:
    body, signature, _ = parts_of(SIGNED[0])
    done = verify(signature, b"another\n" + body, "--secret-stdin", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert (document["genuine"], document["verdict"]) == (False, "wrong-secret")


def test_the_secret_must_be_given_once() -> None:
    assert verify("0" * 64, b"{}").returncode == 2
