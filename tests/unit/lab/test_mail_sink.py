from __future__ import annotations

import base64
import json
import smtplib
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from deploy.lab.mail_sink import Box, Server
from deploy.smoke.mails import Mail


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server("127.0.0.1", 0, Box(tmp_path)) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def send(server: Server, text: str, *recipients: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@x.test", ", ".join(recipients), "Bestätigt"
    message.set_content(text)
    with smtplib.SMTP("127.0.0.1", int(server.server_address[1]), timeout=5) as client:
        client.send_message(message)


def kept(folder: Path) -> list[Mail]:
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in (folder / "mails.jsonl").read_text().splitlines()
    ]
    return [Mail(tuple(line["recipients"]), base64.b64decode(line["content_base64"])) for line in lines]


def test_what_is_sent_can_be_read(server: Server, tmp_path: Path) -> None:
    long_line = "x" * 300
    send(server, f"Grüße\n.\n..dots\n{long_line}https://cal.test/booking/abc", "ada@x.test", "jane@acme.test")
    send(server, "another", "ada@x.test")
    first, second = kept(tmp_path)
    assert first.recipients == ("ada@x.test", "jane@acme.test")
    assert first.is_for("Jane@acme.test")
    assert not second.is_for("jane@acme.test")
    assert first.mentions("/booking/abc"), "though it is encoded, and in the midst of a long line"
    assert first.mentions("..dots")
    assert not second.mentions("/booking/abc")


def test_it_can_be_told_to_refuse(server: Server, tmp_path: Path) -> None:
    (tmp_path / "refuse").touch()
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(server, "x", "ada@x.test")
    assert not (tmp_path / "mails.jsonl").exists()
    (tmp_path / "refuse").unlink()
    send(server, "x", "ada@x.test")
    assert len(kept(tmp_path)) == 1


def test_a_client_that_breaks_off_leaves_no_mail(server: Server, tmp_path: Path) -> None:
    with smtplib.SMTP("127.0.0.1", int(server.server_address[1]), timeout=5) as client:
        client.helo()
        assert client.docmd("DATA")[0] == 503
        assert client.docmd("VRFY x")[0] == 502
        client.mail("a@x.test")
        client.rcpt("b@x.test")
        client.docmd("DATA")
        client.send(b"Subject: half\r\n")
        assert client.sock is not None
        client.close()
    send(server, "x", "ada@x.test")
    assert [mail.recipients for mail in kept(tmp_path)] == [("ada@x.test",)]
