"""A job's own log: one line a run, bounded in size, no logrotate needed."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from .clock import to_text

_MOST_BYTES = 1_000_000
"""Some five days of a job that runs every minute; the file before is kept as NAME.log.1."""


def append(directory: Path, name: str, instant: datetime, text: str) -> None:
    """Add a line to NAME.log in one write, so that two processes never mix theirs."""
    directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    file = directory / f"{name}.log"
    if file.exists() and file.stat().st_size >= _MOST_BYTES:
        file.replace(directory / f"{name}.log.1")
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        os.write(descriptor, f"{to_text(instant)} {' '.join(text.split())}\n".encode())
    finally:
        os.close(descriptor)
