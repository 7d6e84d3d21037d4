"""Mails as a smoke test reads them, wherever they were caught."""

from __future__ import annotations

import email
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Mail:
    """One mail: who it was for, by the envelope, and its bytes (RFC 5322)."""

    recipients: tuple[str, ...]
    content: bytes

    def is_for(self, address: str) -> bool:
        """Whether it was sent to this address."""
        return address.lower() in (recipient.lower() for recipient in self.recipients)

    def mentions(self, text: str) -> bool:
        """Whether the text stands in one of its parts, such as a booking's uid in a link; ASCII only."""
        for part in email.message_from_bytes(self.content).walk():
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes) and text.encode("ascii") in payload:
                return True
        return False


Mailbox = Callable[[], Sequence[Mail]]
"""Reads all mails that arrived since the test began."""
