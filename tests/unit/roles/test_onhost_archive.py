from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from deploy.roles.onhost_archive import build


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    file = tmp_path / "onhost.pyz"
    file.write_bytes(build())
    return file


def test_the_same_sources_give_the_same_bytes() -> None:
    assert build() == build()


def test_it_holds_the_package_and_nothing_else(archive: Path) -> None:
    names = zipfile.ZipFile(archive).namelist()
    assert names == sorted(names)
    assert {"__main__.py", "onhost/__init__.py", "onhost/__main__.py", "onhost/jobs.py"} <= set(names)
    assert all(name == "__main__.py" or name.startswith("onhost/") for name in names)
    assert all(name.endswith(".py") for name in names)


def test_it_runs_with_nothing_but_the_standard_library(archive: Path, tmp_path: Path) -> None:
    asked = [sys.executable, "-I", "-S", str(archive), "lock", "status", "--file", str(tmp_path / "no.lock")]
    ran = subprocess.run(asked, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert ran.stdout == '{"held": false, "holder": null}\n'
    assert archive.read_bytes().startswith(b"#!/usr/bin/python3\n")
