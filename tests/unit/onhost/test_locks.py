from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.onhost.__main__ import main
from deploy.onhost.failures import OnhostError
from deploy.onhost.locks import HostLock, LockHeldError, status

HOLD = """
import sys, time
from pathlib import Path
from deploy.onhost.locks import HostLock
with HostLock(who="ada@desk", what="restore", path=Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calcom-host.lock"


def hold(path: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_the_lock_excludes_a_second_process_and_says_who_holds_it(path: Path) -> None:
    holder = hold(path)
    try:
        with pytest.raises(LockHeldError, match=f"restore by ada@desk .process {holder.pid}. since 20"):
            HostLock(who="me", what="deploy", path=path).acquire()
        seen = status(path)
        assert seen.held
        assert seen.holder is not None
        assert seen.holder.pid == holder.pid
    finally:
        holder.kill()
        holder.wait()


def test_a_killed_holder_leaves_no_lock(path: Path) -> None:
    holder = hold(path)
    holder.kill()
    holder.wait()
    assert path.read_text() != ""
    assert not status(path).held
    with HostLock(who="me", what="deploy", path=path):
        assert json.loads(path.read_text())["what"] == "deploy"


def test_waiting_for_the_lock(path: Path) -> None:
    holder = hold(path)
    waiting = HostLock(who="me", what="deploy", path=path, wait_seconds=10)
    subprocess.Popen(["sh", "-c", f"sleep 0.7; kill {holder.pid}"])
    begun = time.monotonic()
    waiting.acquire()
    assert 0.4 < time.monotonic() - begun < 5
    waiting.release()
    holder.wait()


def test_released_means_free_and_empty(path: Path) -> None:
    lock = HostLock(who="me", what="deploy", path=path)
    with lock:
        assert status(path).held
    assert not status(path).held
    assert path.read_text() == ""
    lock.release()


def test_the_shell_holds_the_same_lock(path: Path) -> None:
    line = json.dumps({"who": "eve@laptop", "what": "deploy", "since": "2026-11-24T06:54:10Z", "pid": 4711})
    shell = subprocess.Popen(
        [
            "sh",
            "-c",
            f"exec 9>>{path} && flock -w 1 9 && printf '%s\\n' '{line}' >{path} && echo held && read x",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert shell.stdout is not None
    assert shell.stdout.readline() == "held\n"
    with pytest.raises(LockHeldError, match="deploy by eve@laptop"):
        HostLock(who="me", what="restore", path=path).acquire()
    shell.communicate("\n")
    assert not status(path).held


def test_looking_at_the_lock_never_refuses_it_to_anybody(path: Path) -> None:
    # Looking takes a shared lock for an instant; this one is a long look.
    look = subprocess.Popen(
        ["sh", "-c", f"exec 9>>{path}; flock -s 9; echo looking; sleep 0.2"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert look.stdout is not None
    look.stdout.readline()
    with HostLock(who="me", what="deploy", path=path):
        assert status(path).held
    look.wait()


def test_a_holder_without_a_name(path: Path) -> None:
    path.write_text("not json")
    shell = subprocess.Popen(
        ["sh", "-c", f"exec 9>>{path}; flock 9; echo held; exec sleep 30"], stdout=subprocess.PIPE, text=True
    )
    assert shell.stdout is not None
    shell.stdout.readline()
    try:
        with pytest.raises(LockHeldError, match="left no name"):
            HostLock(who="me", what="deploy", path=path).acquire()
    finally:
        shell.kill()
        shell.wait()


def test_a_link_in_the_way_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OnhostError, match="cannot open the lock"):
        HostLock(who="me", what="deploy", path=path).acquire()
    assert not (tmp_path / "elsewhere").exists()


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(OnhostError, match="No such file"):
        HostLock(who="me", what="deploy", path=tmp_path / "no" / "lock").acquire()


def test_only_its_owner_can_open_the_lock(path: Path) -> None:
    path.touch(mode=0o644)
    with HostLock(who="me", what="deploy", path=path):
        assert path.stat().st_mode & 0o777 == 0o600


def test_lock_status_on_the_command_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock", "status", "--file", str(path)]) == 0
    assert json.loads(capsys.readouterr().out) == {"held": False, "holder": None}
    with HostLock(who="me", what="deploy", path=path):
        assert main(["lock", "status", "--file", str(path)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["held"]
    assert said["holder"]["who"] == "me"
