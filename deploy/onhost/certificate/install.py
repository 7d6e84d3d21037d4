"""Puts a certificate into the proxy's folder and into the running proxy, without a reload.

The file comes first: after a restart the proxy serves what the file holds. Before that, the running proxy
has to accept it, so that no file is left behind that a restart would choke on. Commands: HAProxy's
management guide, section 9.3.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ..failures import OnhostError
from ..proxy_runtime import ask
from .settings import Settings

_SUCCESS = "Success!"


def install(settings: Settings, content: bytes) -> None:
    """Serve this bundle from now on, which has been checked; raises OnhostError, and the old one stays."""
    proxy = _Proxy(settings)
    before = settings.file.read_bytes() if settings.file.exists() else None
    # A name that begins with a dot is none that the proxy would load.
    staged = settings.file.with_name(f".{settings.file.name}.new")
    try:
        _write(staged, content, settings.owner)
        unheard = proxy.offer(content)
        staged.replace(settings.file)
        _sync(settings.file.parent)
    except OSError as error:
        raise OnhostError(
            f"the certificate cannot be written to {settings.file}: {error.strerror}"
        ) from error
    finally:
        staged.unlink(missing_ok=True)
    if unheard:
        raise OnhostError(f"the certificate lies there for the proxy's next start; {unheard}")
    try:
        proxy.accept()
    except OnhostError:
        _put_back(settings, before)
        raise


def _put_back(settings: Settings, content: bytes | None) -> None:
    if content is None:
        settings.file.unlink(missing_ok=True)
        return
    staged = settings.file.with_name(f".{settings.file.name}.old")
    _write(staged, content, settings.owner)
    staged.replace(settings.file)


class _Proxy:
    """The running proxy's certificate store, as far as this one certificate goes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name = settings.loaded_as
        self._is_new = False

    def offer(self, content: bytes) -> str | None:
        """Begin a transaction with it; why the proxy did not answer at all, or None where it accepted.

        Raises OnhostError, with the transaction gone, where it is refused.
        """
        try:
            known = [line.lstrip("*") for line in self._ask("show ssl cert").splitlines()]
        except OnhostError as error:
            return str(error)
        self._is_new = self._name not in known
        self._ask(f"abort ssl cert {self._name}")  # what a run that was killed left
        if self._is_new:
            self._ask(f"new ssl cert {self._name}")
        said = self._ask(f"set ssl cert {self._name} <<\n{content.decode('ascii')}")
        if "Transaction" not in said:
            self._give_up()
            raise OnhostError(f"the proxy refuses the certificate: {_one_line(said)}")
        return None

    def accept(self) -> None:
        """End the transaction, and name the certificate to the entrance where it is its first."""
        said = self._ask(f"commit ssl cert {self._name}")
        if _SUCCESS not in said:
            self._give_up()
            raise OnhostError(f"the proxy does not take the certificate: {_one_line(said)}")
        if self._is_new:
            said = self._ask(f"add ssl crt-list {Path(self._name).parent} {self._name}")
            if _SUCCESS not in said:
                self._give_up()
                raise OnhostError(f"the proxy's entrance does not take the certificate: {_one_line(said)}")

    def _give_up(self) -> None:
        with contextlib.suppress(OnhostError):
            self._ask(f"abort ssl cert {self._name}")
            if self._is_new:
                self._ask(f"del ssl cert {self._name}")

    def _ask(self, command: str) -> str:
        return ask(command, self._settings.socket)


def _write(file: Path, content: bytes, owner: int) -> None:
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o400)
    with os.fdopen(descriptor, "wb") as output:
        output.write(content)
        output.flush()
        os.fchown(descriptor, owner, owner)
        os.fsync(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
