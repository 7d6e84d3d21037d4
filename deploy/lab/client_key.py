"""The key that opens the lab's hosts, and the file that lets ssh know them; both stay on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from deploy.lab.lab import Lab


def ensure_client_key(lab: Lab) -> str:
    """The public half of the lab's client key, as a line of authorized_keys; the pair is made where missing.

    A file that is no key any more (a full disk, a killed copy) is replaced: hosts learn the new one.
    """
    lab.state.mkdir(parents=True, exist_ok=True)
    lab.state.chmod(0o700)
    try:
        key = load_ssh_private_key(lab.key_file.read_bytes(), password=None)
    except (FileNotFoundError, ValueError):
        key = Ed25519PrivateKey.generate()
        text = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        _write(lab.key_file, text.decode())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f"{public} {lab.identity}"


def write_known_hosts(lab: Lab, lines: Iterable[str]) -> None:
    """Replace the lab's known_hosts file as a whole."""
    _write(lab.known_hosts_file, "".join(f"{line}\n" for line in lines))


def _write(file: Path, text: str) -> None:
    """Write it so that nobody else can read it at any moment; a kill leaves the old file or the new one."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    fresh.replace(file)
