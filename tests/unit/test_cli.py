"""The command as a person meets it: exit codes, messages, help. In processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
COMMANDS = (
    "lab down",
    "lab info",
    "lab up",
    "deploy",
    "render",
    "verify",
    "seed",
    "smoke",
    "certificate authority",
    "certificate renew",
    "certificate show",
    "secrets list",
    "secrets set",
    "secrets show",
)


def calstack(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The example inventory, filled in, of a server that nobody has: port 1 of this machine."""
    folder = tmp_path / "mine"
    subprocess.run(["cp", "-r", str(REPOSITORY / "inventories" / "example"), str(folder)], check=True)
    host = folder / "hosts" / "cal1.yaml"
    host.write_text(
        host.read_text("utf-8")
        .replace("address: CHANGE-ME", "address: 127.0.0.1\n  port: 1")
        .replace("domain: CHANGE-ME", "domain: book.example.org"),
        "utf-8",
    )
    defaults = folder / "defaults.yaml"
    text = defaults.read_text("utf-8").replace("email: CHANGE-ME", "email: ann@example.org")
    defaults.write_text(text.replace("url: CHANGE-ME", "url: smtps://ann@mail.example.org:465"), "utf-8")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    shown = calstack(*command.split(), "--help")
    assert shown.returncode == 0
    assert f"Usage: calstack {command} " in shown.stdout
    assert f"Example: calstack {command}" in shown.stdout


def test_make_alone_lists_the_verbs() -> None:
    shown = subprocess.run(["make"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for verb in ("deploy", "render", "verify", "seed", "smoke", "lab-up", "lab-down", "test"):
        assert f"make {verb} " in shown


def test_an_unknown_inventory_is_wrong_input() -> None:
    said = calstack("deploy", "--inventory", "nowhere")
    assert said.returncode == 2
    assert "there is no inventory nowhere" in said.stderr
    assert "Traceback" not in said.stderr


def test_an_unknown_host_is_wrong_input(mine: Path) -> None:
    said = calstack("render", "--inventory", str(mine), "--limit", "cal9")
    assert said.returncode == 2
    assert "choose from: cal1" in said.stderr


def test_a_missing_secret_stops_before_anything_is_connected(mine: Path, tmp_path: Path) -> None:
    said = calstack("deploy", "--inventory", str(mine), CALSTACK_IDENTITY=str(tmp_path / "identity.txt"))
    assert said.returncode == 2
    assert "calstack secrets set smtp_password" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_job_that_does_not_exist_stops_before_anything_is_connected(mine: Path) -> None:
    with (mine / "defaults.yaml").open("a", encoding="utf-8") as defaults:
        defaults.write("\njobs:\n  disable: [bookin-reminder]\n")
    said = calstack("deploy", "--inventory", str(mine))
    assert said.returncode == 2
    assert "booking-reminder" in said.stderr


def test_a_server_that_does_not_answer_is_named(mine: Path, tmp_path: Path) -> None:
    identity = str(tmp_path / "identity.txt")
    stored = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "secrets", "set", "smtp_password", "--inventory", str(mine)],
        cwd=REPOSITORY,
        env={**os.environ, "CALSTACK_IDENTITY": identity},
        input="not-a-real-password\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert "not-a-real-password" not in stored.stdout + stored.stderr
    said = calstack("deploy", "--inventory", str(mine), CALSTACK_IDENTITY=identity)
    assert said.returncode == 1
    assert "cannot connect to 127.0.0.1:1" in said.stderr
    assert "->" in said.stderr
    assert "Traceback" not in said.stderr


def test_render_needs_no_host_no_identity_and_shows_no_secret(mine: Path, tmp_path: Path) -> None:
    into = tmp_path / "rendered files"
    said = calstack(
        "render",
        "--inventory",
        str(mine),
        "--into",
        str(into),
        CALSTACK_IDENTITY=str(tmp_path / "never-made.txt"),
    )
    assert said.returncode == 0, said.stderr
    environment = (into / "cal1" / "opt" / "calcom" / "web.env").read_text("utf-8")
    assert "NEXTAUTH_SECRET=" in environment
    assert "<nextauth_secret>" in environment
    assert (into / "cal1" / "opt" / "calcom" / "compose.yaml").is_file()
    assert not (tmp_path / "never-made.txt").exists()


def test_secrets_list_as_json_has_no_values(mine: Path, tmp_path: Path) -> None:
    said = calstack(
        "secrets", "list", "--json", "--inventory", str(mine), CALSTACK_IDENTITY=str(tmp_path / "id.txt")
    )
    listed = json.loads(said.stdout)["secrets"]
    assert {"name": "smtp_password", "origin": "missing"}.items() <= listed[0].items()
    assert all("value" not in secret for secret in listed)
