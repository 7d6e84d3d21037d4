"""Passes a dump on to restic and takes its measure: `onhost dump-stream REPORT -- COMMAND …`.

restic starts this and reads its standard output. It ends with COMMAND's own exit code, so that restic keeps
nothing of a dump that failed; what it says about the bytes that passed lies in REPORT afterwards.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Sequence

from .. import programs
from ..failures import OnhostError

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Measure:
    """What passed."""

    bytes: int
    sha256: str
    begins_with: str
    """The first bytes, hexadecimal; a custom-format dump begins with PGDMP."""
    code: int
    """Exit code of the command."""
    errors: str
    """Its last words."""


def pass_on(command: Sequence[str], report: Path, sink: BinaryIO) -> int:
    """Run the command, copy its output to `sink`, and write the measure; its exit code comes back."""
    errors: list[bytes] = []
    digest, count, head = hashlib.sha256(), 0, b""
    with programs.Running(command) as process:
        process.input.close()
        reader = threading.Thread(target=lambda: errors.append(process.errors.read()), daemon=True)
        reader.start()
        while block := process.output.read(_BLOCK):
            sink.write(block)
            digest.update(block)
            count += len(block)
            head = head or block[:8]
        sink.flush()
        code = process.wait()
        reader.join(10)
    words = b"".join(errors).decode(errors="replace").strip()
    measure = Measure(count, digest.hexdigest(), head.hex(), code, words[-600:])
    report.write_text(json.dumps(asdict(measure)), encoding="utf-8")
    return code if code >= 0 else 128 - code


def measure_of(report: Path) -> Measure | None:
    """What a stream has reported; None where it did not come to its end."""
    try:
        return Measure(**json.loads(report.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def command_for(report: Path, command: Sequence[str]) -> list[str]:
    """Argument list that runs this for a command, with the Python and the archive that run now."""
    archive = Path(sys.argv[0])
    start = [str(archive)] if archive.suffix == ".pyz" else ["-m", __name__.rpartition(".backup")[0]]
    python = shutil.which(sys.executable) or sys.executable
    return [python, *start, "dump-stream", str(report), "--", *command]


def main(report: Path, command: Sequence[str]) -> int:
    """The command `dump-stream`."""
    try:
        return pass_on(command, report, sys.stdout.buffer)
    except BrokenPipeError as error:
        raise OnhostError("restic stopped reading the dump") from error
