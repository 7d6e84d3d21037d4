"""The sign-in page's look at its own public address leaves a trace where the address is out of reach."""

from __future__ import annotations

import logging
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deploy.lab.standin.own_address import OwnAddress


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/auth/csrf" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def looked(url: str, caplog: pytest.LogCaptureFixture) -> str:
    own_address = OwnAddress(url, ssl.create_default_context())
    with caplog.at_level(logging.ERROR):
        own_address.look()
        own_address.close()
    return caplog.text


def test_an_address_out_of_reach_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert "CLIENT_FETCH_ERROR" in looked("http://127.0.0.1:1/api/auth", caplog)


def test_an_address_that_answers_is_not(caplog: pytest.LogCaptureFixture) -> None:
    server = HTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.handle_request, daemon=True).start()
    assert looked(f"http://127.0.0.1:{server.server_address[1]}/api/auth", caplog) == ""
    server.server_close()
