"""A small HTTP server on loopback that answers as a test says and remembers what it was asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Web:
    """What to answer, and what was asked: `METHOD path`, headers and body."""

    status: int = 200
    content_type: str = "application/json"
    body: bytes = b'{"ok": true}'
    delay_seconds: float = 0.0
    trickle_seconds: float = 0.0
    """Pause before each byte of the body."""
    port: int = 0
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(web: Web) -> Iterator[Web]:
    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            web.asked.append(f"{self.command} {self.path}")
            web.headers.append(dict(self.headers.items()))
            web.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
            time.sleep(web.delay_seconds)
            try:
                self.send_response(web.status)
                self.send_header("Content-Type", web.content_type)
                self.send_header("Content-Length", str(len(web.body)))
                self.end_headers()
                for byte in web.body if web.trickle_seconds else b"":
                    time.sleep(web.trickle_seconds)
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                if not web.trickle_seconds:
                    self.wfile.write(web.body)
            except OSError:
                return

        do_GET = do_POST = handle_any  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    web.port = server.server_address[1]
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
