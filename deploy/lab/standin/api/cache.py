"""Redis, as API v2 uses it: counters and cached rows through one client, background jobs through another."""

from __future__ import annotations

import socket
import ssl
import time
from urllib.parse import unquote, urlsplit

import redis

from .settings import ApiSettings

CONNECT_SECONDS = 5


class QueueHangsError(Exception):
    """A call to the queue came to no end."""


def client(url: str) -> redis.Redis:
    """A client for a Redis URL; what stands behind its `?` is the real client's own business."""
    parts = urlsplit(url)
    return redis.Redis(
        host=parts.hostname or "localhost",
        port=parts.port or 6379,
        db=int(parts.path.strip("/") or 0),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        ssl=parts.scheme == "rediss",
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=CONNECT_SECONDS,
        decode_responses=True,
    )


class Queue:
    """The queue of billing jobs, to which every made, moved and cancelled booking adds one (FACTS §3).

    Its URL gets `?tls=true` behind it in production; where that is read as a wish for TLS and the server
    speaks none, each call hangs, after the booking was written.
    """

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._works: bool | None = None

    def add(self) -> None:
        """Add a job. Raises QueueHangsError after as long as a client may be expected to wait."""
        if self._works is None:
            self._works = not self._settings.queue_wants_tls or self._speaks_tls()
        if not self._works:
            time.sleep(self._settings.queue_patience)
            raise QueueHangsError

    def _speaks_tls(self) -> bool:
        parts = urlsplit(self._settings.queue_url)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            with (
                socket.create_connection(
                    (parts.hostname or "localhost", parts.port or 6379), CONNECT_SECONDS
                ) as plain,
                context.wrap_socket(plain),
            ):
                return True
        except OSError:
            return False
