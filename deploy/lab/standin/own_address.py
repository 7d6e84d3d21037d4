"""The look-up that the sign-in page makes of its own public address (FACTS §14, hairpin).

The real app asks `NEXTAUTH_URL/csrf` whenever it renders the page, and logs CLIENT_FETCH_ERROR where the
container cannot reach its public name or does not trust the certificate. Here the page does not wait for it.
"""

from __future__ import annotations

import logging
import ssl
import urllib.error
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor

PATIENCE_SECONDS = 5

log = logging.getLogger("next-auth")


class OwnAddress:
    """Looks whether this instance reaches itself; one look at a time."""

    def __init__(self, nextauth_url: str, tls: ssl.SSLContext) -> None:
        self._url = f"{nextauth_url.rstrip('/')}/csrf"
        handlers = (urllib.request.HTTPSHandler(context=tls), urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="own-address")
        self._look: Future[None] | None = None

    def look(self) -> None:
        """Look soon, unless a look is under way."""
        if self._look is None or self._look.done():
            self._look = self._thread.submit(self._ask)

    def _ask(self) -> None:
        try:
            with self._opener.open(self._url, timeout=PATIENCE_SECONDS) as answer:
                answer.read()
        except (OSError, urllib.error.URLError, ValueError) as error:
            log.error("[error][CLIENT_FETCH_ERROR] %s: %s", self._url, error)

    def close(self) -> None:
        """Wait for the look under way."""
        self._thread.shutdown()
