"""A mail server that keeps what it is given and passes nothing on. Runs on a lab host, by itself.

`python3 mail_sink.py ADDRESS PORT FOLDER` appends each mail to FOLDER/mails.jsonl, one line
`{"recipients": […], "content_base64": "…"}` a mail, newest last. While FOLDER/refuse exists it refuses every
recipient, as a server does that does not know the sender. Standard library alone; SMTP as in RFC 5321 §4.1,
without extensions.
"""

from __future__ import annotations

import base64
import json
import re
import socketserver
import sys
import threading
from io import BufferedIOBase
from pathlib import Path

_MOST_KEPT_BYTES = 16 * 1024 * 1024
_MOST_MAIL_BYTES = 1024 * 1024
_PATIENCE_SECONDS = 60
_ADDRESS = re.compile(rb"<([^<>]*)>")


class Box:
    """The mails, in a file that is begun anew before it grows without end."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "mails.jsonl"
        self._refuse = folder / "refuse"
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def refuses(self) -> bool:
        """Whether recipients are to be refused now."""
        return self._refuse.exists()

    def keep(self, recipients: list[str], content: bytes) -> None:
        """Append one mail."""
        mail = {"recipients": recipients, "content_base64": base64.b64encode(content).decode()}
        with self._lock:
            if self._file.exists() and self._file.stat().st_size > _MOST_KEPT_BYTES:
                self._file.replace(self._file.with_suffix(".old"))
            with self._file.open("a", encoding="ascii") as file:
                file.write(json.dumps(mail) + "\n")


class Conversation(socketserver.StreamRequestHandler):
    """One client's commands, until it leaves."""

    timeout = _PATIENCE_SECONDS
    server: Server

    def handle(self) -> None:
        """Answer each command; mails are kept once they are whole."""
        recipients: list[str] = []
        self._say("220 lab mail sink")
        while line := self.rfile.readline(2048):
            verb = line[:4].upper().rstrip()
            if verb == b"QUIT":
                self._say("221 bye")
                return
            if verb == b"RCPT":
                self._recipient(line, recipients)
            elif verb == b"DATA":
                self._data(recipients)
                recipients = []
            elif verb in (b"EHLO", b"HELO", b"MAIL", b"RSET", b"NOOP"):
                if verb != b"NOOP":
                    recipients = []
                self._say("250 ok")
            else:
                self._say("502 not here")

    def _recipient(self, line: bytes, recipients: list[str]) -> None:
        address = _ADDRESS.search(line)
        if address is None:
            self._say("501 no address")
        elif self.server.box.refuses:
            self._say("550 5.7.1 refused")
        else:
            recipients.append(address[1].decode("utf-8", errors="replace"))
            self._say("250 ok")

    def _data(self, recipients: list[str]) -> None:
        if not recipients:
            self._say("503 no recipients")
            return
        self._say("354 go on")
        content = _read_content(self.rfile)
        if content is None:
            self._say("552 too large, or cut off")
            return
        self.server.box.keep(recipients, content)
        self._say("250 kept")

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


def _read_content(source: BufferedIOBase) -> bytes | None:
    """The mail up to the lone dot, the doubled dots undone (RFC 5321 §4.5.2); None if it is not whole."""
    content = bytearray()
    while line := source.readline(65536):
        if line == b".\r\n":
            return bytes(content) if len(content) <= _MOST_MAIL_BYTES else None
        if len(content) <= _MOST_MAIL_BYTES:
            content += line[1:] if line.startswith(b".") else line
    return None


class Server(socketserver.ThreadingTCPServer):
    """Listens, with one box for all."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: str, port: int, box: Box) -> None:
        self.box = box
        super().__init__((address, port), Conversation)


def main(arguments: list[str]) -> None:
    """Serve until killed."""
    address, port, folder = arguments
    with Server(address, int(port), Box(Path(folder))) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
