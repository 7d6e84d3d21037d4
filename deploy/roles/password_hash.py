"""Passwords as the proxy's configuration may hold them."""

from __future__ import annotations

import base64
import hashlib

import bcrypt

from deploy.errors import InputError

_COST = 5
"""2^5 rounds, about 2 ms: HAProxy counts them out for each request, and answers nobody else meanwhile."""
_LONGEST = 72
"""Bytes; bcrypt looks at no more."""
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BCRYPT = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def hashed(password: str, *, salt: str) -> str:
    """The bcrypt hash of a password as crypt(5) writes it.

    The same from call to call, so that a second deploy finds nothing to do. `salt` is therefore something
    secret that stays and is no part of the password. Raises InputError for a password of more than 72 bytes.
    """
    if len(password.encode()) > _LONGEST:
        raise InputError(
            f"a password of proxy.admin_access has more than {_LONGEST} bytes",
            fix="store a shorter one with `calstack secrets set`",
        )
    raw = base64.b64encode(hashlib.sha256(salt.encode()).digest()[:16]).decode().rstrip("=")
    settings = f"$2b${_COST:02d}${raw.translate(str.maketrans(_BASE64, _BCRYPT))}"
    return bcrypt.hashpw(password.encode(), settings.encode()).decode()
