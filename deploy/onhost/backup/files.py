"""The files of a run: one tar archive, made in memory, since they are small; and what lies in it."""

from __future__ import annotations

import fnmatch
import hashlib
import io
import os
import stat
import tarfile
from pathlib import Path
from typing import Iterable, Iterator, Sequence

from ..failures import OnhostError
from .manifest import KeptFile

_MOST_BYTES = 512 << 20
"""Far above what configuration takes; more is a mistake in the list of paths, and would fill the memory."""


def collect(paths: Sequence[str], exclude: Sequence[str]) -> tuple[bytes, dict[str, KeptFile]]:
    """A tar archive of all files below these paths, and a description of each by its path.

    `exclude` holds patterns as of a shell. Sockets, devices and what vanishes meanwhile are left out; links
    are kept as links. Raises OnhostError where a path does not exist, or there is too much.
    """
    described: dict[str, KeptFile] = {}
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in _files(paths, exclude):
            entry = archive.gettarinfo(str(path), arcname=str(path).lstrip("/"))
            if entry is None:
                continue
            if not entry.isreg():
                archive.addfile(entry)
                continue
            content = path.read_bytes()
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
            described[str(path)] = KeptFile(
                bytes=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                mode=entry.mode,
                owner=entry.uid,
                group=entry.gid,
            )
            if target.tell() > _MOST_BYTES:
                raise OnhostError(
                    f"the files below {', '.join(paths)} are larger than {_MOST_BYTES >> 20} MiB; "
                    "leave out what is large (backups.exclude)"
                )
    return target.getvalue(), described


def differences(archive: bytes, described: dict[str, KeptFile]) -> list[str]:
    """What an archive lacks or holds differently from its description, a line each."""
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            for entry in opened:
                content = opened.extractfile(entry) if entry.isreg() else None
                if content is not None:
                    found[f"/{entry.name}"] = hashlib.sha256(content.read()).hexdigest()
    except (tarfile.TarError, EOFError) as error:
        return [f"the archive of the files cannot be read: {error}"]
    lines = [f"the file {path} is missing" for path in described if path not in found]
    lines += [
        f"the file {path} is not what it was"
        for path, file in described.items()
        if path in found and found[path] != file.sha256
    ]
    return lines


def content_of(archive: bytes, path: str) -> bytes:
    """A file of an archive, by its path on the host; raises OnhostError where there is none."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        try:
            content = opened.extractfile(path.lstrip("/"))
        except KeyError:
            content = None
        if content is None:
            raise OnhostError(f"the run has no file {path}")
        return content.read()


def _files(paths: Iterable[str], exclude: Sequence[str]) -> Iterator[Path]:
    for top in paths:
        if not os.path.lexists(top):
            raise OnhostError(f"{top} does not exist, so it cannot be backed up")
        for path in sorted(_walk(Path(top))):
            kept = not any(fnmatch.fnmatchcase(str(path), pattern) for pattern in exclude)
            if kept and not stat.S_ISSOCK(path.lstat().st_mode):
                yield path


def _walk(top: Path) -> Iterator[Path]:
    yield top
    if top.is_dir() and not top.is_symlink():
        yield from top.rglob("*")
