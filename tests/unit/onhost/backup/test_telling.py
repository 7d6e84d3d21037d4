"""Who is told, when, and when not."""

from __future__ import annotations

import json
import socket
import socketserver
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.onhost.backup import state, telling
from deploy.onhost.backup.telling import Mail, News, Telling
from tests.unit.onhost.web import Web, serving

INSTANCE = "cal.example.com"
NOW = datetime(2026, 11, 24, 2, 17, tzinfo=UTC)


@pytest.fixture
def web() -> Iterator[Web]:
    with serving(Web()) as running:
        yield running


@dataclass
class Host:
    """A host that tells what the tests let happen, a day after the other."""

    folder: Path
    telling: Telling
    repositories: Sequence[str] = ("disk", "offsite")
    day: int = 0

    def job(self, lines: Sequence[str] = (), failures: Sequence[str] = (), name: str = "backup") -> list[str]:
        self.day += 1
        news = News.of(name, lines, failures, self.repositories)
        now = NOW + timedelta(days=self.day)
        return telling.tell(self.telling, self.folder, INSTANCE, self.repositories, 26, news, now)


@pytest.fixture
def host(tmp_path: Path, web: Web) -> Host:
    return Host(tmp_path / "state", Telling(webhook=f"{web.origin}/hook/S3CRET"))


def heard(web: Web) -> list[str]:
    return [json.loads(body)["text"] for body in web.bodies]


GOOD = ["disk: run-1 stored", "offsite: run-1 stored"]
BAD = ["offsite: the repository offsite: connection refused"]


def test_once_when_it_begins_to_fail_once_when_it_is_well_again(host: Host, web: Web) -> None:
    assert host.job(GOOD) == []
    assert heard(web) == []
    for _ in range(3):
        assert host.job(GOOD[:1], BAD) == []
    assert heard(web) == [
        "cal.example.com: backup (offsite) fails: the repository offsite: connection refused"
    ]
    host.job(GOOD)
    host.job(GOOD)
    assert heard(web)[1:] == [
        "cal.example.com: backup (offsite) is well again (it failed since 2026-11-26T02:17:00Z): run-1 stored"
    ]
    assert web.headers[0]["Content-Type"] == "application/json"


def test_each_repository_and_each_job_counts_by_itself(host: Host, web: Web) -> None:
    host.job(GOOD[:1], BAD)
    host.job([], ["disk: full", *BAD])
    host.job(GOOD[:1], ["offsite: run-1, 3 h old, damaged"], name="drill")
    assert [text.split(": ")[1] for text in heard(web)] == [
        "backup (offsite) fails",
        "backup (disk) fails",
        "drill (offsite) fails",
    ]


def test_a_job_that_could_not_begin_is_told_of_and_hides_no_repository(host: Host, web: Web) -> None:
    host.job(GOOD[:1], BAD)
    host.job([], ["the service db does not run"])
    host.job(GOOD[:1], BAD)
    assert [text.split(": ")[1] for text in heard(web)] == [
        "backup (offsite) fails",
        "backup fails",
        "backup is well again (it failed since 2026-11-26T02:17:00Z)",
    ]


def test_nothing_is_lost_while_the_receiver_is_down(host: Host, web: Web) -> None:
    web.status = 503
    (problem,) = host.job([], BAD)
    assert problem == "the webhook was not reached: it answered 503; it is told after the next job"
    assert "S3CRET" not in problem
    host.job(GOOD)
    web.status = 200
    web.bodies.clear()
    assert host.job(GOOD) == []
    assert [text.split(": ")[1] for text in heard(web)] == [
        "backup (offsite) fails",
        "backup (offsite) is well again (it failed since 2026-11-25T02:17:00Z)",
    ]
    host.job(GOOD)
    assert len(heard(web)) == 2


def test_a_redirect_is_no_delivery(host: Host, web: Web) -> None:
    web.status = 302
    assert "it answered 302" in host.job([], BAD)[0]


def test_a_receiver_that_hangs_costs_its_limit_and_gets_it_later(
    host: Host, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "LIMIT_SECONDS", 0.3)
    web.delay_seconds = 1.0
    begun = time.monotonic()
    assert "no answer within 0.3 s" in host.job([], BAD)[0]
    assert time.monotonic() - begun < 0.9
    web.delay_seconds = 0
    monkeypatch.setattr(telling, "LIMIT_SECONDS", 10.0)
    assert host.job([], BAD) == []
    assert "backup (offsite) fails" in heard(web)[-1]


def test_a_repository_that_was_taken_out_is_not_told_of(host: Host, web: Web) -> None:
    host.job([], BAD)
    host.repositories = ("disk",)
    host.job(["disk: run-2 stored"])
    assert len(heard(web)) == 1
    assert "offsite" not in (host.folder / "telling.state").read_text(encoding="utf-8").split('"unsent"')[0]


def test_what_was_said_is_root_s_alone_and_a_damaged_note_is_begun_anew(host: Host, web: Web) -> None:
    host.job([], BAD)
    file = host.folder / "telling.state"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("{", encoding="utf-8")
    assert host.job([], BAD) == []
    assert len(heard(web)) == 2


@dataclass
class MailServer:
    """Takes mail on loopback, as smtplib speaks."""

    port: int = 0
    lines: list[str] = field(default_factory=list)


@contextmanager
def mail_server() -> Iterator[MailServer]:
    server = MailServer()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 mail\r\n")
            content = False
            for line in self.rfile:
                text = line.decode().rstrip("\r\n")
                server.lines.append(text)
                if content:
                    content = text != "."
                    if not content:
                        self.wfile.write(b"250 kept\r\n")
                elif text.lower() == "data":
                    content = True
                    self.wfile.write(b"354 go on\r\n")
                else:
                    self.wfile.write(b"221 bye\r\n" if text.lower() == "quit" else b"250 mail\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as listening:
        server.port = listening.server_address[1]
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield server
        listening.shutdown()


def test_a_mail_says_it_in_its_subject(host: Host) -> None:
    with mail_server() as server:
        mail = Mail(
            "127.0.0.1", server.port, "noreply@cal.example.com", ["ada@example.org", "bo@example.org"]
        )
        host.telling = Telling(mail=mail)
        assert host.job([], BAD) == []
    assert "Subject: cal.example.com: backup (offsite) fails" in server.lines
    assert "rcpt TO:<bo@example.org>" in server.lines
    text = "\n".join(server.lines).replace("=\n", "")  # quoted-printable folds long lines so
    assert "\ncal.example.com: backup (offsite) fails: the repository offsite: connection refused\n" in text


def test_one_receiver_that_is_down_does_not_keep_the_other_from_it(host: Host, web: Web) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        mail = Mail("127.0.0.1", closed.getsockname()[1], "noreply@cal.example.com", ["ada@example.org"])
        host.telling = replace(host.telling, mail=mail)
        (problem,) = host.job([], BAD)
    assert problem.startswith("the mail was not reached: ")
    assert len(heard(web)) == 1
    with mail_server() as server:
        host.telling = replace(host.telling, mail=replace(mail, port=server.port))
        assert host.job([], BAD) == []
    assert "Subject: cal.example.com: backup (offsite) fails" in server.lines
    assert len(heard(web)) == 1


def test_the_metrics_say_what_prometheus_has_to_know(host: Host, tmp_path: Path) -> None:
    file = tmp_path / "calcom_backup.prom"
    host.telling = Telling(metrics_file=file)
    known = state.Known(
        run="20261124T021700Z-aaaaaa",
        finished="2026-11-24T02:18:00Z",
        bytes=4711,
        seconds=3.5,
        proven_run="20261123T021700Z-aaaaaa",
        proven_at="2026-11-23T03:43:00Z",
        drilled="2026-11-24T03:43:00Z",
        drill_seconds=12.25,
        verdict="damaged",
    )
    state.write(host.folder, "offsite", known)
    assert host.job(GOOD[:1], BAD) == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    lines = file.read_text(encoding="utf-8").splitlines()
    of = '{domain="cal.example.com",repository="offsite"}'
    for line in (
        f"calcom_backup_last_run_timestamp_seconds{of} 1795486680",
        f"calcom_backup_last_run_duration_seconds{of} 3.5",
        f"calcom_backup_last_run_bytes{of} 4711",
        f"calcom_backup_last_drill_duration_seconds{of} 12.25",
        'calcom_backup_last_drill_verdict{domain="cal.example.com",verdict="damaged",repository="offsite"} 1',
        'calcom_backup_last_drill_verdict{domain="cal.example.com",verdict="proven",repository="offsite"} 0',
        'calcom_backup_job_failing{domain="cal.example.com",job="backup",repository="offsite"} 1',
        'calcom_backup_job_failing{domain="cal.example.com",job="backup",repository="disk"} 0',
        'calcom_backup_max_age_seconds{domain="cal.example.com"} 93600',
    ):
        assert line in lines
    samples = [line for line in lines if not line.startswith("#")]
    assert len(samples) == len({sample.rpartition(" ")[0] for sample in samples}), "no series stands twice"


def test_a_metrics_file_without_its_folder_is_said_and_fails_nothing(host: Host, tmp_path: Path) -> None:
    host.telling = Telling(metrics_file=tmp_path / "missing" / "file.prom")
    assert host.job(GOOD) == [
        f"the metrics were not written: {tmp_path}/missing/file.prom: No such file or directory"
    ]
