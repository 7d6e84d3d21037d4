"""Which subscriber addresses are refused: from early 2026 on, those of cloud metadata (FACTS §11)."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

# The check came after the 6.0.12 snapshot; 6.2.0 is the next release that is known.
CHECKED_SINCE = (6, 1, 0)

METADATA_HOSTS = {"metadata", "metadata.google.internal", "metadata.goog", "instance-data"}
METADATA_ADDRESSES = {
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
}


def problem_of(address: str, version: tuple[int, ...]) -> str | None:
    """Why a self-hosted instance of this version refuses an address, or None; private ones are allowed."""
    if version < CHECKED_SINCE:
        return None
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return "Invalid URL"
    if parts.scheme not in ("http", "https") or not host:
        return "Invalid URL"
    if host in METADATA_HOSTS or is_metadata(host):
        return "Blocked hostname"
    return None


def is_metadata(host: str) -> bool:
    """Whether a host is written as one of the addresses under which clouds give away credentials."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address) in METADATA_ADDRESSES
