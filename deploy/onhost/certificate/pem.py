"""What stands in a PEM file, read by openssl(1), since Python's standard library reads no certificates."""

from __future__ import annotations

import hashlib
import re
import ssl
import subprocess
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Sequence

from ..failures import OnhostError

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s.+?-----END \1-----", re.DOTALL)
_PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Certificate:
    """What a certificate says."""

    names: tuple[str, ...]
    issuer: str
    begins: datetime
    ends: datetime
    fingerprint: str
    """SHA-256 of the whole, hexadecimal."""

    @property
    def lifetime(self) -> timedelta:
        """From its first to its last moment."""
        return self.ends - self.begins

    def share_left(self, now: datetime) -> float:
        """How much of the lifetime is still to come; below 0 where it has ended."""
        return (self.ends - now) / self.lifetime

    def covers(self, name: str) -> bool:
        """Whether it is good for this name; a star stands for one label (RFC 6125, section 6.4.3)."""
        return name in self.names or f"*.{name.partition('.')[2]}" in self.names


def blocks(content: bytes) -> list[tuple[str, bytes]]:
    """Kind and text of each PEM block, in their order."""
    return [(found[1].decode(), found[0] + b"\n") for found in _BLOCK.finditer(content)]


def bundle(content: bytes) -> bytes:
    """The blocks alone, without the empty lines that would end a payload for HAProxy too early."""
    lines = b"".join(block for _, block in blocks(content)).splitlines()
    return b"".join(line.strip() + b"\n" for line in lines if line.strip())


def read(certificate: bytes) -> Certificate:
    """What the PEM of one certificate says; raises OnhostError where it is damaged."""
    said = _openssl(
        [
            "x509",
            "-noout",
            "-issuer",
            "-nameopt",
            "RFC2253",
            "-startdate",
            "-enddate",
            "-ext",
            "subjectAltName",
        ],
        certificate,
        "the certificate is damaged",
    )
    fields = dict(line.split("=", 1) for line in said.splitlines() if re.match(r"[A-Za-z]+=", line))
    der = ssl.PEM_cert_to_DER_cert(certificate.decode("ascii").strip())
    return Certificate(
        names=tuple(name.lower() for name in re.findall(r"DNS:([^,\s]+)", said)),
        issuer=fields["issuer"],
        begins=_instant(fields["notBefore"]),
        ends=_instant(fields["notAfter"]),
        fingerprint=hashlib.sha256(der).hexdigest(),
    )


def checked(content: bytes, names: Sequence[str], now: datetime) -> Certificate:
    """The first certificate of a bundle that HAProxy could serve for these names.

    Raises OnhostError that says why it could not: no certificate, no key or another one's, names that are
    missing, dates that are over, a chain that is out of order.
    """
    found = blocks(content)
    chain = [text for kind, text in found if kind == "CERTIFICATE"]
    keys = [text for kind, text in found if kind.endswith("PRIVATE KEY")]
    if not chain:
        raise OnhostError("there is no certificate in PEM form")
    if len(keys) != 1:
        raise OnhostError(f"there are {len(keys)} private keys beside the certificate instead of one")
    certificate = read(chain[0])
    if _public_key(["x509", "-noout", "-pubkey"], chain[0]) != _public_key(["pkey", "-pubout"], keys[0]):
        raise OnhostError("the private key does not belong to the certificate")
    missing = [name for name in names if not certificate.covers(name)]
    if missing:
        listed = ", ".join(certificate.names) or "no name"
        raise OnhostError(f"the certificate is for {listed}, not for {', '.join(missing)}")
    if not certificate.begins <= now < certificate.ends:
        raise OnhostError(f"the certificate is good from {certificate.begins} to {certificate.ends}, not now")
    _check_order(chain)
    return certificate


def _check_order(chain: Sequence[bytes]) -> None:
    said = [
        _openssl(
            ["x509", "-noout", "-subject", "-issuer", "-nameopt", "RFC2253"], text, "the chain is damaged"
        )
        for text in chain
    ]
    subjects, issuers = zip(
        *((line.partition("=")[2] for line in pair.splitlines()) for pair in said), strict=True
    )
    for position, (issuer, subject) in enumerate(zip(issuers, subjects[1:], strict=False), start=2):
        if issuer != subject:
            raise OnhostError(f"the chain is out of order: certificate {position} is not {issuer}")


def _public_key(command: Sequence[str], content: bytes) -> str:
    return _openssl(command, content, "the private key is damaged")


def _openssl(arguments: Sequence[str], content: bytes, otherwise: str) -> str:
    """Standard output of openssl(1); what is secret travels on its standard input."""
    try:
        done = subprocess.run(
            ["openssl", *arguments],
            input=content,
            capture_output=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OnhostError(f"openssl cannot be run: {error}") from error
    if done.returncode != 0:
        raise OnhostError(otherwise)
    return done.stdout.decode("utf-8", "replace")


def _instant(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), timezone.utc)
