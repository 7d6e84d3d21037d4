"""Pours a file of a repository into a program, and takes its measure on the way."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import Sequence

from .. import programs
from .restic import RepositoryError, Restic

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Poured:
    """What came out of the repository, and how the program took it."""

    bytes: int
    sha256: str
    code: int
    """Exit code of the program; 0 where there was none."""
    last_words: str


def pour(
    restic: Restic, snapshot: str, name: str, command: Sequence[str] | None, *, limit_seconds: float
) -> Poured:
    """Read a file of a snapshot to its end, and give it to a program where one is named.

    Raises RepositoryError where the repository does not hand out all of it, also where that takes longer than
    `limit_seconds`.
    """
    reading, environment = restic.reading(snapshot, name)
    with programs.Running(reading, environment=environment) as source:
        source.input.close()
        try:
            poured = pass_to(source, command, limit_seconds=limit_seconds)
        except programs.ProgramHungError as error:
            what = f"the repository {restic.repository.name} did not hand out {name}"
            raise RepositoryError("hung", f"{what} within {limit_seconds:g} s") from error
        errors = source.errors.read().decode(errors="replace")
        if source.wait() != 0:
            raise restic.error(programs.Finished(source.wait(), b"", errors))
    return poured


def pass_to(source: programs.Running, command: Sequence[str] | None, *, limit_seconds: float) -> Poured:
    """Read what a program writes to its end, and give it to another one where one is named.

    Raises ProgramHungError, with the first program ended, when that takes longer than `limit_seconds`.
    """
    hung = threading.Event()
    timer = threading.Timer(limit_seconds, _cut, (source, hung))
    timer.start()
    try:
        count, digest, code, words = _copy(source, command)
    finally:
        timer.cancel()
    if hung.is_set():
        raise programs.ProgramHungError(f"the program did not end within {limit_seconds:g} s")
    return Poured(count, digest, code, words)


def _cut(source: programs.Running, hung: threading.Event) -> None:
    hung.set()
    source.end()


def _copy(source: programs.Running, command: Sequence[str] | None) -> tuple[int, str, int, str]:
    digest, count = hashlib.sha256(), 0
    if command is None:
        while block := source.output.read(_BLOCK):
            digest.update(block)
            count += len(block)
        return count, digest.hexdigest(), 0, ""
    with programs.Running(command) as sink:
        said: list[bytes] = []
        readers = [
            threading.Thread(target=sink.output.read, daemon=True),
            threading.Thread(target=lambda: said.append(sink.errors.read()), daemon=True),
        ]
        for reader in readers:
            reader.start()
        takes = True
        while block := source.output.read(_BLOCK):
            digest.update(block)
            count += len(block)
            if takes:
                try:
                    sink.input.write(block)
                except BrokenPipeError:
                    takes = False  # read on: whether the repository is whole is a question of its own
        try:
            sink.input.close()
        except BrokenPipeError:
            takes = False
        code = sink.wait()
        for reader in readers:
            reader.join(10)
        lines = b"".join(said).decode(errors="replace").strip().splitlines()
    return count, digest.hexdigest(), code, " | ".join(lines[:3])
