from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.errors import InputError
from deploy.lab import distribution, engine


@pytest.fixture
def pid_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "engine" / "dockerd.pid"
    file.parent.mkdir()
    monkeypatch.setattr(engine, "PID_FILE", file)
    return file


@pytest.fixture
def engine_like(pid_file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that names the file as an engine of ours does."""
    idle = "echo up; while :; do sleep 0.05; done"
    process = subprocess.Popen(
        ["sh", "-c", idle, "dockerd", "--pidfile", str(pid_file)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    pid_file.write_text(str(process.pid))
    yield process
    process.kill()
    process.communicate()


def test_only_an_engine_that_calstack_started_is_stopped(
    engine_like: subprocess.Popen[bytes], pid_file: Path
) -> None:
    assert engine.own_engine_pid() == engine_like.pid
    assert engine.stop_own_engine()
    assert not pid_file.parent.exists()
    assert not engine.stop_own_engine()


@pytest.mark.parametrize("content", ["", "no number", "999999999", "{self}"])
def test_a_process_of_somebody_else_is_never_taken_for_ours(pid_file: Path, content: str) -> None:
    pid_file.write_text(content.replace("{self}", str(os.getpid())))
    assert engine.own_engine_pid() is None


def test_an_engine_elsewhere_that_does_not_answer_is_not_replaced_by_one_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(InputError, match="DOCKER_HOST"):
        engine.ensure_engine(print)


@pytest.mark.parametrize(
    ("log", "meaning"),
    [
        (
            "failed to start daemon: failed to create NAT chain DOCKER: iptables failed: "
            "iptables -t nat -N DOCKER: Could not fetch rule set generation id: Permission denied",
            "no iptables NAT",
        ),
        ("failed to start daemon: Devices cgroup isn't mounted", "cgroups"),
        ("failed to start daemon: error creating default bridge: operation not supported", "bridges"),
        ("failed to start daemon: write /var/lib/docker: no space left on device", "disk is full"),
        ("failed to start daemon: something nobody has seen yet", "does not start\n"),
    ],
)
def test_a_log_of_an_engine_is_read_for_what_the_machine_lacks(log: str, meaning: str) -> None:
    error = str(engine._not_started(f'level=error msg="noise"\n{log}', "/run/x/dockerd.log"))
    assert meaning in error
    assert log in error
    assert "/run/x/dockerd.log" in error


def test_without_apt_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "SYSTEM_PATH", "/nowhere")
    with pytest.raises(InputError, match=r"no apt.*docker\.io"):
        distribution.install(("docker.io",), "a Docker engine for the lab", print)


def test_only_root_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(InputError, match="only root") as caught:
        distribution.install(("docker.io", "iptables"), "a Docker engine for the lab", print)
    assert caught.value.fix == "sudo apt-get install --no-install-recommends docker.io iptables"
