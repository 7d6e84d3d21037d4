"""A tiny app behind the proxy that says what reached it. Runs inside a container: standard library only.

What ends in `/seen` tells every request so far, and in `/looks` whom the looks at `/health` said they came
from; everything else is answered with a description of the request itself. `?sleep=SECONDS` waits first,
`?status=STATUS` is answered with that status, `?answer-NAME=VALUE` puts a header into the answer, and
`?login=STATUS` is what the sign-in page answers from then on. The port may stand in the command line.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from urllib.parse import parse_qs, urlsplit

SEEN: list[dict[str, object]] = []
LOOKS: list[str | None] = []
LOGIN = [200]
PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 3000


class Handler(BaseHTTPRequestHandler):
    """Answers every method alike."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        """Describe the request in JSON."""
        body = self.body()
        if self.path == "/auth/login":
            return self.send(b"sign in", LOGIN[0])
        if self.path == "/health":
            LOOKS.append(self.headers.get("cf-connecting-ip"))
            return self.send(b"OK")
        if self.path.endswith("/looks"):
            return self.send(json.dumps(LOOKS).encode())
        if self.path.endswith("/seen"):
            return self.send(json.dumps(SEEN).encode())
        request = {
            "method": self.command,
            "target": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "body_length": len(body),
        }
        SEEN.append(request)
        query = parse_qs(urlsplit(self.path).query)
        time.sleep(float(query.get("sleep", ["0"])[0]))
        headers = {
            name.removeprefix("answer-"): values[0]
            for name, values in query.items()
            if name.startswith("answer-")
        }
        LOGIN[0] = int(query.get("login", LOGIN)[0])
        return self.send(json.dumps(request).encode(), int(query.get("status", ["200"])[0]), headers)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

    def do_HEAD(self) -> None:
        """Headers alone."""
        self.send(b"")

    def body(self) -> bytes:
        """The whole body, announced or in chunks."""
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        chunks = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return chunks

    def send(
        self, content: bytes, status: int = 200, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """A plain answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Powered-By", "something")
        self.send_header("X-Port", str(PORT))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


ThreadingHTTPServer(("0.0.0.0", PORT), Handler).serve_forever()  # noqa: S104
