"""One HTTP call of the app through the inner entrance, bounded as a whole."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

_MOST_ANSWER_BYTES = 64 * 1024
_MOST_EXCERPT_CHARACTERS = 200


class CallError(Exception):
    """There was no answer; the message says why and what to check."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    excerpt: str
    """The answer in one short line; empty for pages and binary answers."""


def call(
    origin: str, host: str, method: str, path: str, *, limit_seconds: float, authorization: str | None = None
) -> Answer:
    """Send one request and read its answer, all within `limit_seconds`; raises `CallError`.

    `origin` is the inner entrance, `host` the instance's public name. The app builds links from the public
    https address, hence X-Forwarded-Proto.
    """
    entrance = urlsplit(origin)
    address = (entrance.hostname or "", entrance.port or 80)
    headers = {"Host": host, "X-Forwarded-Proto": "https", "User-Agent": "calstack", "Connection": "close"}
    if authorization is not None:
        headers["Authorization"] = authorization
    if method != "GET":
        headers["Content-Length"] = "0"
    connection = http.client.HTTPConnection(*address, timeout=limit_seconds)
    watch = _Deadline(limit_seconds)
    try:
        with watch:
            connection.connect()
            watch.guards(connection.sock)
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            body = response.read(_MOST_ANSWER_BYTES)
    except ConnectionRefusedError as error:
        raise CallError(
            f"nothing listens on {address[0]}:{address[1]}; is it up? docker compose -p calcom ps proxy"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        if watch.passed or isinstance(error, TimeoutError):
            raise CallError(
                f"no answer within {limit_seconds:g} s; the app may still be at work: "
                "docker compose -p calcom logs --since 15m web"
            ) from error
        raise CallError(f"the connection broke: {type(error).__name__}: {error}") from error
    finally:
        connection.close()
    if watch.passed:
        raise CallError(f"the answer did not end within {limit_seconds:g} s")
    return Answer(response.status, _excerpt(response.headers.get_content_type(), body))


class _Deadline:
    """Cuts the connection when the time is over; a socket's own timeout bounds each read, not their sum."""

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def guards(self, connected: socket.socket) -> None:
        """What to cut; until it is known, connecting has its own timeout of the same length."""
        self._socket = connected

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _cut(self) -> None:
        self.passed = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # closed in the meantime: there is nothing left to cut
                self._socket.shutdown(socket.SHUT_RDWR)


def _excerpt(content_type: str, body: bytes) -> str:
    if content_type == "application/json":
        try:
            text = json.dumps(json.loads(body), ensure_ascii=False)
        except ValueError:
            text = body.decode("utf-8", "replace")
    elif content_type == "text/plain":
        text = body.decode("utf-8", "replace")
    else:
        text = ""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(line) <= _MOST_EXCERPT_CHARACTERS:
        return line
    return line[: _MOST_EXCERPT_CHARACTERS - 1] + "…"
