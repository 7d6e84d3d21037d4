"""The files of the image: shims that know their calls, and scripts that carry on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

IMAGE = Path(__file__).parents[4] / "deploy" / "lab" / "standin" / "image"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with a `standin` that tells how it was called, before the shims in the path."""
    program = tmp_path / "bin" / "standin"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "standin $*"\n')
    program.chmod(0o755)
    return program.parent


def run(programs: Path, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    path = f"{programs}:{IMAGE / 'usr/local/bin'}:{os.environ['PATH']}"
    return subprocess.run(
        command, env={"PATH": path}, capture_output=True, text=True, check=False, timeout=60, cwd=cwd
    )


@pytest.mark.parametrize(
    ("command", "step"),
    [
        ("npx prisma migrate deploy --schema /calcom/packages/prisma/schema.prisma", "migrate"),
        ("npx ts-node --transpile-only /calcom/scripts/seed-app-store.ts", "seed-app-store"),
        ("yarn start", "serve"),
    ],
)
def test_the_official_calls_reach_the_stand_in(programs: Path, command: str, step: str) -> None:
    assert run(programs, *command.split()).stdout == f"standin {step}\n"


@pytest.mark.parametrize("command", ["npx prisma studio", "yarn build"])
def test_other_calls_are_refused(programs: Path, command: str) -> None:
    done = run(programs, *command.split())
    assert done.returncode == 127
    assert "knows only" in done.stderr


def test_the_public_address_is_written_over_the_built_one(programs: Path, tmp_path: Path) -> None:
    file = tmp_path / "apps" / "web" / "public" / "embed.js"
    file.parent.mkdir(parents=True)
    file.write_text('var a = "http://localhost:3000/x";')
    script = str(IMAGE / "calcom/scripts/replace-placeholder.sh")
    run(programs, script, "http://localhost:3000", "https://cal.test", cwd=tmp_path)
    assert file.read_text() == 'var a = "https://cal.test/x";'


def test_waiting_without_a_host_only_complains(programs: Path) -> None:
    done = run(programs, str(IMAGE / "calcom/scripts/wait-for-it.sh"), "")
    assert done.returncode == 1
    assert "host and port" in done.stderr


def test_scripts_can_be_executed() -> None:
    for file in [*(IMAGE / "usr/local/bin").iterdir(), *(IMAGE / "calcom/scripts").glob("*.sh")]:
        assert os.access(file, os.X_OK), file
