"""The key that opens the lab's hosts, and the file that lets ssh know them; both stay on this machine."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from deploy.lab.lab import Lab
from deploy.private_file import write_private


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
        write_private(lab.key_file, text)
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f"{public} {lab.identity}"


def write_known_hosts(lab: Lab, lines: Iterable[str]) -> None:
    """Replace the lab's known_hosts file as a whole."""
    write_private(lab.known_hosts_file, "".join(f"{line}\n" for line in lines).encode())
