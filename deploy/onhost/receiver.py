"""Receives the webhooks of a smoke test for as long as the test holds its end of the channel.

The control machine starts it over ssh, writes one JSON line of options

    {"bind": "172.30.0.1", "port": 0, "path": "/3f…", "limit_seconds": 300}

and reads JSON lines: `{"event": "listening", "port": N}`, then one
`{"event": "delivery", "headers": {…}, "body_base64": "…", "received_at": "…"}` a delivery, at last
`{"event": "ended", "reason": "…"}`, or instead of all that `{"event": "error", "message": "…"}`. It ends
when its input closes (the ssh connection is gone), on SIGTERM and SIGINT, and when the time is over, and
leaves nothing behind. It knows no secret: the bytes travel as they came, the signature is checked over there.
"""

from __future__ import annotations

import base64
import hmac
import json
import queue
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TextIO

from .clock import to_text, utc_now

_MOST_BODY_BYTES = 1024 * 1024
_SHORTEST_PATH_CHARACTERS = 17
"""A slash and 16 characters: the path is what keeps strangers' requests out of the report."""
_MOST_LIMIT_SECONDS = 3600
_SLOWEST_REQUEST_SECONDS = 10


@dataclass(frozen=True)
class Options:
    """What the control machine asks for."""

    bind: str
    port: int
    path: str
    limit_seconds: float

    @classmethod
    def from_line(cls, line: str) -> Options:
        """Read the line of options; raises ValueError saying what is wrong with it."""
        try:
            said = json.loads(line)
            options = cls(
                str(said["bind"]), int(said["port"]), str(said["path"]), float(said["limit_seconds"])
            )
        except KeyError as error:
            raise ValueError(f"the options lack {error}") from error
        except TypeError as error:
            raise ValueError(
                "the options are not a JSON object of bind, port, path, limit_seconds"
            ) from error
        if not options.path.startswith("/") or len(options.path) < _SHORTEST_PATH_CHARACTERS:
            raise ValueError("the path must be / and at least 16 characters that cannot be guessed")
        if not 0 < options.limit_seconds <= _MOST_LIMIT_SECONDS:
            raise ValueError(f"limit_seconds must lie between 0 and {_MOST_LIMIT_SECONDS}")
        return options


def run(source: TextIO, sink: TextIO) -> int:
    """Serve until something ends it; the exit code is 1 when it could not even start."""
    ending: queue.SimpleQueue[str] = queue.SimpleQueue()
    report = _Reporter(sink, ending)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: ending.put("terminated"))
    try:
        options = Options.from_line(source.readline())
        server = _Server(options, report)
    except ValueError as error:
        report.event("error", message=str(error))
        return 1
    except OSError as error:
        report.event("error", message=f"cannot listen on {options.bind}:{options.port}: {error.strerror}")
        return 1

    with server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        threading.Thread(target=_watch_input, args=(source, ending), daemon=True).start()
        report.event("listening", port=server.server_address[1])
        reason = _wait_for(ending, options.limit_seconds)
        server.shutdown()
    report.event("ended", reason=reason)
    return 0


def main() -> int:
    """The command `receiver`: options from standard input, events to standard output."""
    return run(sys.stdin, sys.stdout)


def _watch_input(source: TextIO, ending: queue.SimpleQueue[str]) -> None:
    while source.readline():
        pass
    ending.put("input closed")


def _wait_for(ending: queue.SimpleQueue[str], limit_seconds: float) -> str:
    try:
        return ending.get(timeout=limit_seconds)
    except queue.Empty:
        return "time is over"


class _Reporter:
    """Writes whole lines; an output that is gone ends the receiver, since nobody listens any more."""

    def __init__(self, sink: TextIO, ending: queue.SimpleQueue[str]) -> None:
        self._sink = sink
        self._ending = ending
        self._lock = threading.Lock()

    def event(self, event: str, **details: Any) -> None:
        with self._lock:
            try:
                self._sink.write(json.dumps({"event": event, **details}) + "\n")
                self._sink.flush()
            except (OSError, ValueError):
                self._ending.put("output closed")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # the base class takes 5, and refuses what comes at the same moment beyond that

    def __init__(self, options: Options, report: _Reporter) -> None:
        self.address_family = socket.AF_INET6 if ":" in options.bind else socket.AF_INET
        self.path = options.path
        self.report = report
        super().__init__((options.bind, options.port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that hangs up is its own affair; the base class would print a traceback."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _SLOWEST_REQUEST_SECONDS

    def do_POST(self) -> None:
        if not hmac.compare_digest(self.path.encode(), self.server.path.encode()):
            self._answer(404)
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self._answer(411)
            return
        if int(length) > _MOST_BODY_BYTES:
            self._answer(413)
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            return
        received_at = to_text(utc_now())
        # Cal.com waits for this answer inside the guest's booking request, so it comes before all else.
        self._answer(200)
        self.server.report.event(
            "delivery",
            headers=dict(self.headers.items()),
            body_base64=base64.b64encode(body).decode(),
            received_at=received_at,
        )

    def do_GET(self) -> None:
        self._answer(404)

    do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815

    def _answer(self, status: int) -> None:
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.flush()

    def version_string(self) -> str:
        """Nothing of Python's version."""
        return "calstack"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """No access log: standard error is ssh's, and deliveries are reported anyway."""
