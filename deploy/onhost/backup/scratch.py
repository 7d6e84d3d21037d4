"""A PostgreSQL for one drill or recovery: a container without a network, bounded, and always removed."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from types import TracebackType
from typing import Mapping, Sequence

from .. import programs
from ..failures import OnhostError
from .postgres import Server

LABEL = "calstack.scratch"
"""On each container: the process that made it, as `PID:STARTED`."""
_START_SECONDS = 60.0
_QUICK_SECONDS = 60.0


class ScratchError(OnhostError):
    """The scratch database does not run; `log` is what it said last."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class Scratch:
    """A server of that image for the `with` block; `server` talks to its database `calcom`.

    It is empty, or it is that of the files in `data`, which PostgreSQL's user has to own. `folders` are seen
    inside under their own names; `settings` are PostgreSQL's. Raises ScratchError where it does not accept
    connections within `start_seconds`.
    """

    def __init__(
        self,
        image: str,
        *,
        memory_mb: int = 512,
        data: Path | None = None,
        folders: Sequence[Path] = (),
        settings: Mapping[str, str] | None = None,
        start_seconds: float = _START_SECONDS,
    ) -> None:
        self._image = image
        self._memory_mb = memory_mb
        self._data = data
        self._folders = folders
        self._settings = settings or {}
        self._start_seconds = start_seconds
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

    def log(self) -> str:
        """All that the server has said."""
        said = programs.run(["docker", "logs", self._name], limit_seconds=_QUICK_SECONDS)
        return said.output.decode(errors="replace") + said.errors

    def _start(self) -> None:
        mounts = [f"type=bind,source={folder},target={folder}" for folder in self._folders]
        if self._data is not None:
            mounts.append(f"type=bind,source={self._data},target=/var/lib/postgresql/data")
        # Nothing here has to survive a crash.
        settings = {
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "shared_buffers": f"{self._memory_mb // 4}MB",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "autovacuum": "off",
            "max_wal_size": "256MB",
            **self._settings,
        }
        # What is restored may be hostile: it can reach nothing, and nobody needs its password.
        done = programs.run(
            [
                *("docker", "run", "--detach", "--name", self._name),
                *("--label", f"{LABEL}={process(os.getpid())}"),
                *("--network", "none", "--pull", "never", "--user", "999:999", "--cap-drop", "ALL"),
                *("--security-opt", "no-new-privileges:true", "--pids-limit", "128"),
                *("--memory", f"{self._memory_mb}m", "--memory-swap", f"{self._memory_mb}m"),
                *("--shm-size", f"{self._memory_mb // 4}m", "--log-driver", "json-file"),
                *("--tmpfs", "/run/postgresql:uid=999,gid=999,mode=0755"),
                *("-e", "POSTGRES_USER=calcom", "-e", "POSTGRES_DB=calcom"),
                *("-e", "POSTGRES_HOST_AUTH_METHOD=trust", "-e", "PGDATA=/var/lib/postgresql/data"),
                *(item for mount in mounts for item in ("--mount", mount)),
                self._image,
                "postgres",
                *(item for name, value in settings.items() for item in ("-c", f"{name}={value}")),
            ],
            limit_seconds=_QUICK_SECONDS,
        )
        if done.code != 0:
            raise ScratchError(f"no scratch database could be started: {done.last_words}")

    def _wait(self) -> None:
        # Over TCP, where the server that only prepares a new database does not listen yet.
        ready = ["docker", "exec", self._name, "pg_isready", "-q", "-h", "127.0.0.1", "-U", "calcom"]
        running = ["docker", "inspect", "--format", "{{.State.Running}}", self._name]
        deadline = time.monotonic() + self._start_seconds
        while programs.run(ready, limit_seconds=_QUICK_SECONDS).code != 0:
            runs = programs.run(running, limit_seconds=_QUICK_SECONDS).output.strip() == b"true"
            if not runs or time.monotonic() > deadline:
                log = self.log()
                last = " | ".join(line.strip() for line in log.splitlines()[-3:])
                raise ScratchError(f"the scratch database did not start: {last}", log)
            time.sleep(0.2)

    def _remove(self) -> None:
        programs.run(["docker", "rm", "--force", "--volumes", self._name], limit_seconds=_QUICK_SECONDS)


def image_of(server: Server) -> str:
    """Id of the image that a server runs, so that a scratch database has the same version."""
    found = programs.run(
        ["docker", "inspect", "--format", "{{.Image}}", server.container], limit_seconds=_QUICK_SECONDS
    )
    return found.output.decode().strip()


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
        container for container, maker in made_by.items() if process(int(maker.split(":")[0])) != maker
    ]
    if containers:
        programs.run(["docker", "rm", "--force", "--volumes", *containers], limit_seconds=_QUICK_SECONDS)
    return len(containers)


def process(pid: int) -> str:
    """`PID:STARTED`, which no later process is called; `PID:` where there is none (proc(5), field 22)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return f"{pid}:"
    return f"{pid}:{fields[19]}"
