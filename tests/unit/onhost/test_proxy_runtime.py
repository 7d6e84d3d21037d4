"""What the host's own programs ask the running proxy."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.onhost import proxy_runtime
from deploy.onhost.failures import OnhostError


@pytest.fixture
def haproxy(tmp_path: Path) -> Iterator[tuple[Path, list[str]]]:
    """A socket that answers each connection with what it was asked, and what it was asked so far."""
    path = tmp_path / "admin.sock"
    asked: list[str] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                command = connection.recv(65536).decode()
                asked.append(command)
                connection.sendall(f"you said {command.splitlines()[0]}\n\n".encode())

    thread = threading.Thread(target=serve)
    thread.start()
    yield path, asked
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_each_command_has_its_answer(haproxy: tuple[Path, list[str]]) -> None:
    path, asked = haproxy
    sink = io.StringIO()
    assert proxy_runtime.main(io.StringIO(json.dumps(["show info", "show stat"])), sink, path) == 0
    assert json.loads(sink.getvalue()) == ["you said show info", "you said show stat"]
    assert asked == ["show info\n", "show stat\n"]


def test_a_payload_ends_with_an_empty_line(haproxy: tuple[Path, list[str]]) -> None:
    path, asked = haproxy
    proxy_runtime.ask("set ssl cert site.pem <<\nline one\nline two\n", path)
    assert asked == ["set ssl cert site.pem <<\nline one\nline two\n\n"]


def test_a_proxy_that_is_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(OnhostError, match=r"nothere\.sock \(No such file.*is its container running"):
        proxy_runtime.ask("show info", tmp_path / "nothere.sock")
