"""Make sure of a Docker engine: one that answers is used and never touched.

Where there is none, the distribution's is installed; where no init system would start it, calstack starts it
itself, and only such an engine is ever stopped again.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

from deploy.errors import CalstackError, InputError
from deploy.lab import distribution
from deploy.lab.build_lock import build_lock
from deploy.lab.lab import Report

PID_FILE = Path("/run/calstack-lab/dockerd.pid")
"""Process id of the engine that calstack started; absent while there is none."""

LOG_FILE = PID_FILE.with_name("dockerd.log")
"""What that engine says."""

START_LIMIT = 60.0
"""Seconds that an engine may take until it answers; 2 to 4 were measured."""

_SOCKET = "/var/run/docker.sock"
_TIMEOUT = 300  # seconds; an import of a root or the build of an image is one call

# What dockerd says where the kernel lacks something, and what that means for the reader.
_KERNEL_FAULTS = (
    (r"cgroup.*(isn't mounted|does not exist|not mounted)", "its control groups (cgroups) are not mounted"),
    (
        r"iptables.*(can't initialize|Permission denied|No chain|not supported|No such file)",
        "it allows no iptables NAT (iptable_nat, nf_nat or nf_tables)",
    ),
    (r"create bridge|bridge.*(not supported|operation not permitted)", "it has no network bridges (bridge)"),
    (r"no space left", "its disk is full"),
    (r"overlay.*not supported|driver not supported", "it has no overlay file system (overlay)"),
    (r"operation not permitted|permission denied", "it forbids what an engine has to do"),
)


def connect() -> docker.DockerClient:
    """A client of the engine that answers.

    Raises `InputError` where one exists that may not be used or does not answer, and `CalstackError` where
    there is none.
    """
    client = _answering()
    if client is None:
        raise CalstackError(
            "no Docker engine answers on this machine", fix="make deploy, or: calstack lab up"
        )
    return client


def connect_if_any() -> docker.DockerClient | None:
    """A client of the engine that answers; None where no engine runs."""
    return _answering()


def ensure_engine(report: Report) -> docker.DockerClient:
    """A client of an engine, which is installed (14 s) and started (3 s) where there is none.

    Raises `InputError` where this machine or user cannot have one, `CalstackError` where it does not start.
    """
    client = _answering()
    if client is None:
        with build_lock("engine"):
            client = _answering() or _begin(report)
    return client


def architecture(client: docker.DockerClient) -> str:
    """The processor that containers of this engine run on, as `uname -m` names it."""
    return str(client.info()["Architecture"])


@contextmanager
def refusals_explained() -> Iterator[None]:
    """Turn what the engine refuses, or its sudden end, into a `CalstackError` with its own words."""
    try:
        yield
    except APIError as error:
        raise CalstackError(
            f"the Docker engine refuses: {error.explanation or error}",
            fix="see that the disk has room and the engine is well: docker info; its log says more",
        ) from error
    except (DockerException, RequestException) as error:
        raise CalstackError(
            f"the Docker engine does not answer any more: {error}",
            fix="see that it runs (docker info), then start again",
        ) from error


def stop_own_engine() -> bool:
    """Stop the engine that calstack started, and so all containers in it; True if there was one."""
    pid = own_engine_pid()
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + 30
    while own_engine_pid() == pid:
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    shutil.rmtree(PID_FILE.parent)
    return True


def own_engine_pid() -> int | None:
    """Process id of the engine that calstack started; None where none runs."""
    try:
        pid = int(PID_FILE.read_text(encoding="ascii"))
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    # The id may be somebody else's by now: only a process that names our file is ours.
    return pid if str(PID_FILE).encode() in words else None


def _answering() -> docker.DockerClient | None:
    elsewhere = os.environ.get("DOCKER_HOST")
    try:
        return docker.from_env(timeout=_TIMEOUT)
    except DockerException as error:
        if elsewhere:
            raise InputError(
                f"DOCKER_HOST names an engine that does not answer: {elsewhere}",
                fix="start that engine, or unset DOCKER_HOST to use one on this machine",
            ) from error
    if _socket_is_closed_to_us():
        raise InputError(
            f"there is a Docker engine, and this user may not use it ({_SOCKET})",
            fix="run this as root, or let an administrator add you to the group docker",
        )
    return None


def _socket_is_closed_to_us() -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(_SOCKET)
        except PermissionError:
            return True
        except OSError:
            return False
    return False


def _begin(report: Report) -> docker.DockerClient:
    if not distribution.has_program("dockerd"):
        # mmdebstrap is wanted a moment later, to make images from packages: one call of apt for all.
        distribution.install(("docker.io", "iptables", "mmdebstrap"), "a Docker engine for the lab", report)
    elif os.geteuid() != 0:
        raise InputError("the Docker engine of this machine does not run", fix="sudo systemctl start docker")
    # Installing it has started it where an init system allows that.
    client = _answering()
    if client is not None:
        return client
    if _init_is_systemd():
        report("starting the Docker engine (systemctl start docker)")
        done = subprocess.run(["systemctl", "start", "docker"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            journal = subprocess.run(
                ["journalctl", "-u", "docker", "-n", "40", "-o", "cat"],
                capture_output=True,
                text=True,
                check=False,
            )
            raise _not_started(journal.stdout or done.stderr, "journalctl -u docker")
        return _wait(None)
    report("starting the Docker engine (dockerd: there is no init system here that would)")
    return _wait(_start_own())


def _start_own() -> subprocess.Popen[bytes]:
    PID_FILE.parent.mkdir(mode=0o755, exist_ok=True)
    with LOG_FILE.open("wb") as log:
        # A session of its own, so that Ctrl-C in this terminal does not reach it.
        return subprocess.Popen(
            ["dockerd", "--pidfile", str(PID_FILE)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
            env={**os.environ, "PATH": distribution.SYSTEM_PATH},
        )


def _wait(started: subprocess.Popen[bytes] | None) -> docker.DockerClient:
    end = time.monotonic() + START_LIMIT
    while time.monotonic() < end and (started is None or started.poll() is None):
        client = _answering()
        if client is not None:
            return client
        time.sleep(0.1)
    if started is None:
        raise _not_started("", "journalctl -u docker")
    started.terminate()
    raise _not_started(LOG_FILE.read_text(encoding="utf-8", errors="replace"), str(LOG_FILE))


def _not_started(log: str, where: str) -> CalstackError:
    """The error for an engine that does not start, with what its log means where that is known."""
    lines = log.splitlines()
    last = "\n".join([line for line in lines if line.startswith("failed to start daemon")] or lines[-3:])
    meanings = [meaning for pattern, meaning in _KERNEL_FAULTS if re.search(pattern, last, re.IGNORECASE)]
    reason = f"; this machine cannot run one: {meanings[0]}" if meanings else ""
    return CalstackError(
        f"the Docker engine does not start{reason}\n{last}".rstrip(),
        fix=f"its log: {where}; docs/lab.md lists what the kernel must allow. Without a lab: make deploy "
        "INVENTORY=name on real servers",
    )


def _init_is_systemd() -> bool:
    # The test of sd_booted(3).
    return Path("/run/systemd/system").is_dir()
