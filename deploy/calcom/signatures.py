"""Signatures of webhook deliveries: HMAC-SHA256 over the raw body (FACTS §5)."""

from __future__ import annotations

import hashlib
import hmac

HEADER = "X-Cal-Signature-256"
NO_SECRET = "no-secret-provided"  # noqa: S105 - what Cal.com sends in place of a signature
"""The header's value for a webhook without a secret."""


def sign(body: bytes, secret: str) -> str:
    """The signature that Cal.com sends with `body`: lower-case hex."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_signed(body: bytes, signature: str | None, secret: str | None) -> bool:
    """Whether a delivery is what a webhook with this secret sends.

    `body` must be the bytes as they came: JSON that was parsed and written again differs in them. `signature`
    is the header's value, None where there was none; `secret` None means a webhook without a secret.
    """
    expected = NO_SECRET if secret is None else sign(body, secret)
    # Compared as bytes, since compare_digest refuses text that is not ASCII, which a stranger may send.
    return signature is not None and hmac.compare_digest(expected.encode(), signature.strip().encode())
