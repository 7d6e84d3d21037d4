"""A PostgreSQL for one drill: a container without a network, bounded, and always removed."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from types import TracebackType

from .. import programs
from ..failures import OnhostError
from .postgres import Server

LABEL = "calstack.scratch"
"""On each container: the process that made it, as `PID:STARTED`."""
_START_SECONDS = 60.0
_QUICK_SECONDS = 60.0


class Scratch:
    """An empty server of that image for the `with` block; `server` talks to its database `calcom`."""

    def __init__(self, image: str, *, memory_mb: int = 512) -> None:
        self._image = image
        self._memory_mb = memory_mb
        self._name = f"calcom-scratch-{secrets.token_hex(4)}"
        self.server = Server(self._name, "calcom", "calcom")

    def __enter__(self) -> Server:
        try:
            self._start()
            self._wait()
        except BaseException:
            self._remove()
            raise
        return self.server

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _start(self) -> None:
        # What is restored may be hostile: it can reach nothing, and nobody needs its password.
        done = programs.run(
            [
                *("docker", "run", "--detach", "--name", self._name),
                *("--label", f"{LABEL}={_process(os.getpid())}"),
                *("--network", "none", "--pull", "never", "--user", "999:999", "--cap-drop", "ALL"),
                *("--security-opt", "no-new-privileges:true", "--pids-limit", "128"),
                *("--memory", f"{self._memory_mb}m", "--memory-swap", f"{self._memory_mb}m"),
                *("--shm-size", f"{self._memory_mb // 4}m", "--log-driver", "json-file"),
                *("--tmpfs", "/run/postgresql:uid=999,gid=999,mode=0755"),
                *("-e", "POSTGRES_USER=calcom", "-e", "POSTGRES_DB=calcom"),
                *("-e", "POSTGRES_HOST_AUTH_METHOD=trust"),
                self._image,
                # Nothing here has to survive a crash.
                *("postgres", "-c", "fsync=off", "-c", "synchronous_commit=off"),
                *("-c", "full_page_writes=off"),
                *("-c", f"shared_buffers={self._memory_mb // 4}MB", "-c", "wal_level=minimal"),
                *("-c", "max_wal_senders=0", "-c", "autovacuum=off", "-c", "max_wal_size=256MB"),
            ],
            limit_seconds=_QUICK_SECONDS,
        )
        if done.code != 0:
            raise OnhostError(f"no scratch database could be started: {done.last_words}")

    def _wait(self) -> None:
        # Over TCP, where the server that only prepares a new database does not listen yet.
        ready = ["docker", "exec", self._name, "pg_isready", "-q", "-h", "127.0.0.1", "-U", "calcom"]
        deadline = time.monotonic() + _START_SECONDS
        while programs.run(ready, limit_seconds=_QUICK_SECONDS).code != 0:
            if time.monotonic() > deadline:
                log = programs.run(
                    ["docker", "logs", "--tail", "5", self._name], limit_seconds=_QUICK_SECONDS
                )
                raise OnhostError(f"the scratch database did not start: {log.last_words}")
            time.sleep(0.2)

    def _remove(self) -> None:
        programs.run(["docker", "rm", "--force", "--volumes", self._name], limit_seconds=_QUICK_SECONDS)


def remove_leftovers() -> int:
    """Remove scratch databases whose maker was killed; how many."""
    listed = programs.run(
        [
            *("docker", "ps", "--all", "--no-trunc", "--filter", f"label={LABEL}"),
            *("--format", f'{{{{.ID}}}} {{{{.Label "{LABEL}"}}}}'),
        ],
        limit_seconds=_QUICK_SECONDS,
    )
    made_by = dict(line.split(" ", 1) for line in listed.output.decode().splitlines())
    containers = [
        container for container, maker in made_by.items() if _process(int(maker.split(":")[0])) != maker
    ]
    if containers:
        programs.run(["docker", "rm", "--force", "--volumes", *containers], limit_seconds=_QUICK_SECONDS)
    return len(containers)


def _process(pid: int) -> str:
    """`PID:STARTED`, which no later process is called; `PID:` where there is none (proc(5), field 22)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return f"{pid}:"
    return f"{pid}:{fields[19]}"
