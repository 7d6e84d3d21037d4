from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from deploy.lab.build_lock import build_lock


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_a_second_builder_waits_for_the_first() -> None:
    order: list[str] = []

    def second() -> None:
        with build_lock("x"):
            order.append("second")

    waiting = threading.Thread(target=second)
    with build_lock("x"), build_lock("y"):
        waiting.start()
        waiting.join(0.1)
        order.append("first")
    waiting.join(5)
    assert order == ["first", "second"]


def test_a_killed_builder_holds_nobody_up() -> None:
    hold = "from deploy.lab.build_lock import *\nwith build_lock('x'): print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        holder.kill()
    with build_lock("x"):
        pass
