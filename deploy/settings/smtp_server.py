"""A mail server as an smtp:// or smtps:// URL names it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

TLS_FROM_THE_START = 465
"""The one port at which Cal.com speaks TLS from the first byte (FACTS §2, Email)."""


@dataclass(frozen=True)
class SmtpServer:
    """Where mail is handed in, and as whom."""

    host: str
    port: int
    user: str | None
    password: str | None

    @classmethod
    def from_url(cls, url: str) -> SmtpServer:
        """The parts of a URL, percent-decoded.

        Raises ValueError with the reason, which never repeats the URL: it may hold a password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
            host = parts.hostname
        except ValueError:
            message = "is not a URL"
            raise ValueError(message) from None
        if parts.scheme not in ("smtp", "smtps"):
            message = "does not begin with smtp:// or smtps://"
            raise ValueError(message)
        if not host or not re.fullmatch(r"[A-Za-z0-9.:_-]+", host):
            message = "names no mail server"
            raise ValueError(message)
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            message = "carries something behind the host and port, which Cal.com would not see"
            raise ValueError(message)
        if port is None:
            port = TLS_FROM_THE_START if parts.scheme == "smtps" else 587
        if port == 0:
            message = "has port 0"
            raise ValueError(message)
        if parts.scheme == "smtps" and port != TLS_FROM_THE_START:
            message = (
                f"wants TLS from the start (smtps) at port {port}, which Cal.com does at port 465 alone: "
                f"smtp:// with port {port} uses STARTTLS"
            )
            raise ValueError(message)
        if parts.scheme == "smtp" and port == TLS_FROM_THE_START:
            message = "wants STARTTLS (smtp) at port 465, where TLS begins at once: write smtps://"
            raise ValueError(message)
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        return cls(host, port, user, password)
