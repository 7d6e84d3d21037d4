"""One builder at a time: two labs that start together share what is built instead of building it twice."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.lab.lab import cache_folder


@contextmanager
def build_lock(name: str) -> Iterator[None]:
    """Hold the lock of that name, for this process and thread; wait for whoever has it.

    The kernel gives it back when the holder ends, however it ends.
    """
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
