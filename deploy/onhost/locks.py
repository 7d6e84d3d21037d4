"""Locks of a host: flock(2) on a file that says in one JSON line who holds it since when.

The kernel releases a flock when its holder dies, so no lock is ever stale; what stands in the file counts
only while somebody holds it. A shell takes part with flock(1), and with no Python on the host:

    exec 9>>/run/lock/calcom-host.lock && flock -w 1 9 && printf '%s\n' "$holder" > /run/lock/calcom-host.lock

where `$holder` is `{"who": "ada@desk", "what": "deploy", "since": "2026-11-24T06:54:10Z", "pid": 4711}`.
Nobody ever removes or replaces the file: a lock on a removed file excludes nobody.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from .clock import to_text, utc_now
from .failures import OnhostError

HOST_LOCK = Path("/run/lock/calcom-host.lock")

_PATIENCE_SECONDS = 0.5
"""How long an attempt that must not wait still tries: looking at a lock takes it for an instant."""

_PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Holder:
    """Who holds a lock; what the lock's file says."""

    who: str
    what: str
    since: str
    """UTC, RFC 3339."""
    pid: int

    def __str__(self) -> str:
        return f"{self.what} by {self.who} (process {self.pid}) since {self.since}"


class LockHeldError(OnhostError):
    """Somebody else holds the lock; `holder` is None where the file does not say who."""

    def __init__(self, path: Path, holder: Holder | None) -> None:
        super().__init__(f"{path} is held: {holder or 'by a process that left no name'}")
        self.holder = holder


class FileLock:
    """One lock; use it as a context manager or with `acquire` and `release`.

    The file is made 0600, since whoever can open a file can flock it, and is opened without following links,
    since /run/lock is writable by everybody.
    """

    def __init__(self, path: Path, *, who: str, what: str, wait_seconds: float = 0.0) -> None:
        self._path = path
        self._who = who
        self._what = what
        self._wait_seconds = wait_seconds
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; raises `LockHeldError` when it is not free within `wait_seconds`."""
        try:
            descriptor = _open(self._path, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError as error:
            raise OnhostError(f"cannot make the lock {self._path}: {error.strerror}") from error
        try:
            if not _flock_within(descriptor, max(self._wait_seconds, _PATIENCE_SECONDS)):
                raise LockHeldError(self._path, _read_holder(descriptor))
            os.fchmod(descriptor, 0o600)  # a shell may have made it, with its umask
            _write(descriptor, Holder(self._who, self._what, to_text(utc_now()), os.getpid()))
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; does nothing when it is not held."""
        if self._descriptor is None:
            return
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = None

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class HostLock(FileLock):
    """The one lock of a host that deploy, backup, restore and migration take."""

    def __init__(self, *, who: str, what: str, wait_seconds: float = 0.0, path: Path = HOST_LOCK) -> None:
        super().__init__(path, who=who, what=what, wait_seconds=wait_seconds)


@dataclass(frozen=True)
class LockStatus:
    """Whether a lock is held, and by whom where the file says so."""

    held: bool
    holder: Holder | None

    def to_json(self) -> str:
        """One JSON line: `{"held": bool, "holder": {who, what, since, pid} | null}`."""
        return json.dumps({"held": self.held, "holder": asdict(self.holder) if self.holder else None})


def status(path: Path = HOST_LOCK) -> LockStatus:
    """Look at a lock without keeping it; a file that does not exist is a free lock."""
    try:
        descriptor = _open(path, os.O_RDONLY)
    except FileNotFoundError:
        return LockStatus(held=False, holder=None)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return LockStatus(held=True, holder=_read_holder(descriptor))
        return LockStatus(held=False, holder=None)
    finally:
        os.close(descriptor)


def _open(path: Path, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise OnhostError(
            f"cannot open the lock {path}: {error.strerror}; it must be a plain file of root's"
        ) from error


def _flock_within(descriptor: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE_SECONDS)
        else:
            return True


def _write(descriptor: int, holder: Holder) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, (json.dumps(asdict(holder)) + "\n").encode(), 0)


def _read_holder(descriptor: int) -> Holder | None:
    try:
        said = json.loads(os.pread(descriptor, 4096, 0))
        return Holder(str(said["who"]), str(said["what"]), str(said["since"]), int(said["pid"]))
    except (ValueError, KeyError, TypeError):
        return None
