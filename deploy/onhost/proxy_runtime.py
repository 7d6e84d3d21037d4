"""Talks to the running HAProxy over its runtime socket (HAProxy, management guide, section 9.3)."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Sequence, TextIO

from .failures import OnhostError

SOCKET = Path("/var/lib/calcom/proxy/admin.sock")
_SLOWEST_ANSWER_SECONDS = 10


def ask(command: str, path: Path = SOCKET) -> str:
    """What HAProxy answers to one command, without the empty lines around it.

    A command with a payload (`set ssl cert FILE <<` and lines below it) ends with an empty line. Raises
    OnhostError where nobody answers; what HAProxy thinks of the command stands in its answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_SLOWEST_ANSWER_SECONDS)
        try:
            connection.connect(str(path))
            connection.sendall(command.rstrip("\n").encode() + (b"\n\n" if "\n" in command else b"\n"))
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError as error:
            raise OnhostError(
                f"the proxy does not answer at {path} ({error.strerror or error}); is its container running?"
            ) from error
    return answer.decode(errors="replace").strip("\n")


def main(source: TextIO, sink: TextIO, path: Path = SOCKET) -> int:
    """The command `proxy`: a JSON list of commands in, a JSON list of their answers out."""
    commands: Sequence[str] = json.load(source)
    json.dump([ask(command, path) for command in commands], sink)
    return 0
