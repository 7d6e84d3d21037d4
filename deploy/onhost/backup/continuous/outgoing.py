"""Holds what was received still, so that restic reads files that nobody renames or writes meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Container, Sequence

from ...failures import OnhostError
from .segments import PARTIAL, Segment, is_history, segment

_ATTEMPTS = 10


@dataclass(frozen=True)
class Held:
    """What lies ready to be sent, of one database system."""

    folder: Path
    segments: Sequence[Segment]
    """In the log's order; never empty."""
    content: str
    """Differs whenever something was received."""

    @property
    def first(self) -> int:
        """Number of the first segment."""
        return self.segments[0].number

    @property
    def last(self) -> int:
        """Number of the last segment."""
        return self.segments[-1].number


def hold(received: Path, folder: Path) -> Held | None:
    """Make `folder` hold what `received` does; None where nothing was received yet.

    Whole segments are linked, since nobody writes them any more; the one that is being written is copied.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for _ in range(_ATTEMPTS):
        # A segment is renamed when it is full: then look again.
        with contextlib.suppress(FileNotFoundError):
            return _hold(received, folder)
    raise OnhostError(f"{received} changes faster than it can be read")


def _hold(received: Path, folder: Path) -> Held | None:
    sizes = {path.name: path.stat().st_size for path in received.iterdir()}
    # The receiver gives a segment its whole size before it writes into it.
    segments = sorted(
        found
        for name, size in sizes.items()
        if size and (found := segment(name, size)) is not None and _counts(found, sizes)
    )
    if not segments:
        return None
    wanted = {found.name for found in segments} | {name for name in sizes if is_history(name)}
    content = "-"
    for name in sorted(wanted):
        if name.endswith(PARTIAL):
            content = str((received / name).stat().st_mtime_ns)
            shutil.copy2(received / name, folder / ".copy")
            (folder / ".copy").replace(folder / name)
        elif not (folder / name).exists():
            os.link(received / name, folder / name)
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()
    return Held(folder, segments, f"{segments[0].name} {segments[-1].name} {content}")


def _counts(found: Segment, names: Container[str]) -> bool:
    return not (found.partial and found.name.removesuffix(PARTIAL) in names)
