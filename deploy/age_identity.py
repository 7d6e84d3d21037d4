"""The key that opens an inventory's secrets; it lies outside every repository."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyrage  # type: ignore[import-untyped]  # ships no types

from deploy.errors import InputError

VARIABLE = "CALSTACK_IDENTITY"
"""Environment variable with the path of another identity file."""


@dataclass(frozen=True)
class Identity:
    """The age identities of one file (https://age-encryption.org/v1, X25519); the first one encrypts."""

    path: Path
    keys: tuple[pyrage.x25519.Identity, ...]

    @property
    def recipients(self) -> list[pyrage.x25519.Recipient]:
        """Public keys of all identities in the file."""
        return [key.to_public() for key in self.keys]


def identity_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the identity lies: CALSTACK_IDENTITY, else calstack/identity.txt in the user's configuration."""
    named = environment.get(VARIABLE)
    try:
        if named:
            return Path(named).expanduser().absolute()
        configuration = environment.get("XDG_CONFIG_HOME")
        base = Path(configuration) if configuration else Path("~/.config").expanduser()
    except RuntimeError:
        raise InputError(
            "there is no home directory, so nobody knows where the identity lies",
            fix=f"set {VARIABLE} to the path of the identity file",
        ) from None
    return base.absolute() / "calstack" / "identity.txt"


def read_identity(path: Path) -> Identity | None:
    """The identity in this file, or None where there is no file.

    Raises InputError where it is not an identity, or others can read it.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise InputError("the identity is not a file", where=str(path), fix=f"set {VARIABLE} to the file")
        if mode & 0o077:
            raise InputError(
                f"others can read the identity (mode {mode & 0o777:04o})",
                where=str(path),
                fix=f"chmod 600 {path}",
            )
        text = path.read_text("ascii")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"the identity cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError:
        raise _malformed(path) from None
    keys: list[pyrage.x25519.Identity] = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            try:
                keys.append(pyrage.x25519.Identity.from_str(line.strip()))
            except pyrage.IdentityError:
                raise _malformed(path) from None
    if not keys:
        raise _malformed(path)
    return Identity(path, tuple(keys))


def _malformed(path: Path) -> InputError:
    return InputError(
        "this is not an age identity: it has no line that begins with AGE-SECRET-KEY-1, or a damaged one",
        where=str(path),
        fix=f"put your copy of it there, or set {VARIABLE} to the right file",
    )


def make_identity(path: Path) -> Identity:
    """A new identity, in a file of its own that only its owner can read; one that is there is taken instead.

    Raises InputError where the file cannot be made.
    """
    key = pyrage.x25519.Identity.generate()
    text = f"# created: {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n# public key: {key.to_public()}\n{key}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".identity-") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            try:
                os.link(file.name, path)  # complete or not there, whoever else makes one at this moment
            except FileExistsError:
                return read_identity(path) or make_identity(path)
    except OSError as error:
        raise InputError(
            f"the identity cannot be written: {error.strerror}",
            where=str(path),
            fix=f"set {VARIABLE} to a path that can be written",
        ) from None
    return Identity(path, (key,))
