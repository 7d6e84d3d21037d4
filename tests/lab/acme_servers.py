"""Runs inside a container of the services' image: what stands around an ACME server in tests.

`acme_servers.py refuse KIND`: an ACME server over TLS on port 14000 that makes accounts and refuses every
order with the problem KIND (RFC 8555 section 6.7). `acme_servers.py dns MANAGEMENT`: a DNS provider in lego's
form `httpreq` on port 8080, which sets records at pebble-challtestsrv and wants a password.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ADDRESS = "https://ca.test:14000"
PASSWORD = "t0ken-of-the-user"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(
        self, status: int, document: Any, content_type: str = "application/json", **headers: str
    ) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Replay-Nonce", "nonce")
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))


class Refusing(_Handler):
    """Says no to every order."""

    kind = ""

    def do_GET(self) -> None:
        self.answer(200, {name: f"{ADDRESS}/{name}" for name in ("newNonce", "newAccount", "newOrder")})

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        self.body()
        if self.path == "/newAccount":
            self.answer(201, {"status": "valid"}, Location=f"{ADDRESS}/account/1")
            return
        problem = {
            "type": f"urn:ietf:params:acme:error:{self.kind}",
            "detail": "too many certificates already issued",
        }
        self.answer(429 if self.kind == "rateLimited" else 400, problem, "application/problem+json")


class Provider(_Handler):
    """Sets and removes TXT records."""

    management = ""

    def do_POST(self) -> None:
        asked = json.loads(self.body())
        password = base64.b64decode(self.headers.get("Authorization", "Basic ").split()[1]).decode()
        if password != f"calstack:{PASSWORD}":
            self.answer(401, {"error": f"who is {password}?"})
            return
        verb = "set-txt" if self.path == "/present" else "clear-txt"
        record = {"host": asked["fqdn"], "value": asked["value"]}
        connection = http.client.HTTPConnection(self.management)
        connection.request("POST", f"/{verb}", json.dumps(record))
        assert connection.getresponse().status == 200
        connection.close()
        self.answer(200, {})


if __name__ == "__main__":
    role, argument = sys.argv[1:]
    if role == "refuse":
        Refusing.kind = argument
        server = ThreadingHTTPServer(("", 14000), Refusing)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("/ca/cert.pem", "/ca/key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    else:
        Provider.management = argument
        server = ThreadingHTTPServer(("", 8080), Provider)
    server.serve_forever()
