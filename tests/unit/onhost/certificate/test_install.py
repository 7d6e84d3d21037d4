"""Putting a certificate into a proxy that takes it, refuses it at one step or another, or does not answer."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.onhost.certificate.install import install
from deploy.onhost.certificate.settings import Settings
from deploy.onhost.failures import OnhostError

NAME = "/usr/local/etc/haproxy/certificates/site.pem"
OLD, NEW = b"the old one\n", b"the new one\n"
GIVES_IN = {
    "show ssl cert": NAME,
    "set ssl cert": "Transaction created for certificate site.pem!",
    "commit ssl cert": "Committing site.pem.\nSuccess!",
    "add ssl crt-list": "Inserting certificate in crt-list.\nSuccess!",
}


@contextmanager
def proxy(settings: Settings, answers: dict[str, str]) -> Iterator[list[str]]:
    """A runtime socket that answers what the command begins with; what it was asked comes out."""
    asked: list[str] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(settings.socket))
    listener.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                command = connection.recv(65536).decode().splitlines()[0]
                asked.append(command)
                said = [answer for start, answer in answers.items() if command.startswith(start)]
                connection.sendall("".join(said).encode() + b"\n\n")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield asked
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "certificates"
    folder.mkdir()
    (folder / "site.pem").write_bytes(OLD)
    return Settings(
        mode="acme",
        names=("cal.example.test",),
        file=folder / "site.pem",
        owner=os.getuid(),
        loaded_as=NAME,
        socket=tmp_path / "admin.sock",
        entrance=("127.0.0.1", 443),
        red_below=0.2,
        acme=None,
    )


def lying_there(settings: Settings) -> dict[str, bytes]:
    """Every file of the proxy's folder, hidden ones too."""
    return {file.name: file.read_bytes() for file in settings.file.parent.iterdir()}


def test_what_the_proxy_takes_lies_there_and_is_served(settings: Settings) -> None:
    with proxy(settings, GIVES_IN) as asked:
        install(settings, NEW)
    assert lying_there(settings) == {"site.pem": NEW}
    assert asked[-1] == f"commit ssl cert {NAME}"


def test_a_commit_that_is_refused_puts_the_old_file_back(settings: Settings) -> None:
    refusing = GIVES_IN | {"commit ssl cert": "Can't commit: no memory\nfor it"}
    with (
        proxy(settings, refusing) as asked,
        pytest.raises(OnhostError, match="does not take the certificate: Can't commit: no memory for it"),
    ):
        install(settings, NEW)
    assert lying_there(settings) == {"site.pem": OLD}
    assert asked[-1] == f"abort ssl cert {NAME}", "nor does the next command find a transaction of ours"


def test_a_first_certificate_that_the_entrance_refuses_leaves_nothing(settings: Settings) -> None:
    settings.file.unlink()
    refusing = GIVES_IN | {"show ssl cert": "", "add ssl crt-list": "Can't edit the crt-list"}
    with proxy(settings, refusing) as asked, pytest.raises(OnhostError, match="entrance does not take"):
        install(settings, NEW)
    assert lying_there(settings) == {}
    assert asked[-1] == f"del ssl cert {NAME}", "or the next attempt would take it for one that is served"


def test_what_is_refused_at_once_never_lay_there(settings: Settings) -> None:
    before = settings.file.stat().st_ino
    refusing = GIVES_IN | {"set ssl cert": "unable to load certificate chain"}
    with (
        proxy(settings, refusing),
        pytest.raises(OnhostError, match="refuses the certificate: unable to load"),
    ):
        install(settings, NEW)
    assert lying_there(settings) == {"site.pem": OLD}
    assert settings.file.stat().st_ino == before


def test_for_a_proxy_that_does_not_answer_it_lies_ready(settings: Settings) -> None:
    with pytest.raises(OnhostError, match="lies there for the proxy's next start"):
        install(settings, NEW)
    assert lying_there(settings) == {"site.pem": NEW}
