from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from deploy.calcom.booking import BookingRequest
from deploy.calcom.errors import CalcomError
from deploy.calcom.guest import Guest
from deploy.calcom.http import RetryPolicy, open_client
from deploy.calcom.models import PublicEvent
from deploy.errors import CalstackError
from deploy.smoke.faults import EXPLANATIONS, diagnose

NOW = dt.datetime(2026, 11, 24, 7, 0, tzinfo=dt.UTC)
ONCE = RetryPolicy(attempts=1)


def fault_of(client: httpx.Client) -> str:
    """What a real client's real error comes out as."""
    with pytest.raises(CalcomError) as caught:
        Guest(client, policy=ONCE).event("ada", "intro")
    fault = diagnose(caught.value, "open its page")
    assert "\n" not in fault.what
    return fault.name


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nobody_listens(free_port: int) -> None:
    assert (
        fault_of(open_client("https://cal.example.test", connect_to=("127.0.0.1", free_port)))
        == "connection-refused"
    )


def test_a_name_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv("NO_PROXY", "*")
    assert fault_of(open_client("https://cal.example.test")) == "name-unknown"


StartServer = Callable[[str, int], tuple[int, Path]]


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts a server with a self-signed certificate for a name, ending some days from now; gives its PEM."""
    servers = []

    def start(name: str, days: int) -> tuple[int, Path]:
        certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
        write_certificate(certificate, key, name, days)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return int(server.server_address[1]), certificate

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def write_certificate(certificate: Path, key: Path, name: str, days: int) -> None:
    secret = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=30))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    key.write_bytes(secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.mark.parametrize(
    ("name", "days", "trusted", "fault"),
    [
        ("cal.example.test", 2, False, "tls-not-trusted"),
        ("cal.example.test", -1, True, "tls-expired"),
        ("other.example.test", 2, True, "tls-wrong-name"),
    ],
)
def test_a_certificate_that_is_not_good(
    tls_server: StartServer, name: str, days: int, trusted: bool, fault: str
) -> None:
    port, certificate = tls_server(name, days)
    ca_file = certificate if trusted else None
    client = open_client("https://cal.example.test", ca_file=ca_file, connect_to=("127.0.0.1", port))
    assert fault_of(client) == fault


@pytest.fixture
def talker() -> Iterator[Callable[[bytes | None], int]]:
    """A server on loopback that says the same to everybody, and hangs up; None: says nothing at all."""
    sockets: list[socket.socket] = []

    def start(says: bytes | None) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)

        def talk() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                sockets.append(connection)
                connection.settimeout(5)
                connection.recv(65536)
                if says is not None:
                    connection.sendall(says)
                    connection.close()

        threading.Thread(target=talk, daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    for each in sockets:
        each.close()


def test_a_port_that_speaks_no_tls(talker: Callable[[bytes | None], int]) -> None:
    port = talker(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert fault_of(open_client("https://cal.example.test", connect_to=("127.0.0.1", port))) == "tls-failed"


def test_a_connection_that_breaks(talker: Callable[[bytes | None], int]) -> None:
    assert fault_of(open_client(f"http://127.0.0.1:{talker(b'')}")) == "connection-broke"


def test_no_answer_in_time(talker: Callable[[bytes | None], int]) -> None:
    assert fault_of(open_client(f"http://127.0.0.1:{talker(None)}", answer_seconds=0.2)) == "no-answer"


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (503, "app-down"),
        (502, "app-down"),
        (429, "too-many-requests"),
        (403, "refused-by-proxy"),
        (500, "app-failed"),
        (200, "other-version"),
    ],
)
def test_a_page_instead_of_the_apps_answer(status: int, fault: str) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, html="<h1>No</h1>"))
    assert fault_of(httpx.Client(base_url="https://cal.example.test", transport=transport)) == fault


@pytest.mark.parametrize(
    ("status", "message", "fault"),
    [
        (409, "no_available_users_found_error", "slot-taken"),
        (400, "invalid_type in 'responses,phone': Required", "booking-refused"),
        (401, "No cloudflare token - please try again", "wants-a-human"),
        (404, "event type not found", "event-page-missing"),
        (500, "Internal Server Error", "app-failed"),
    ],
)
def test_what_the_app_says_to_a_booking(status: int, message: str, fault: str) -> None:
    event = PublicEvent(
        id=1, title="x", slug="intro", username="ada", length_minutes=15, locations=(),
        requires_confirmation=False, seats_per_slot=None,
    )  # fmt: skip
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json={"message": message}))
    guest = Guest(httpx.Client(base_url="https://cal.example.test", transport=transport), policy=ONCE)
    with pytest.raises(CalcomError) as caught:
        guest.book(BookingRequest(event=event, start=NOW, name="x", email="x@example.test"))
    found = diagnose(caught.value, "book")
    assert found.name == fault
    assert message in found.what


def test_what_the_host_did_not_do_keeps_its_own_fix() -> None:
    fault = diagnose(CalstackError("psql failed", where="cal1", fix="start the database"), "clear away")
    assert (fault.name, fault.what, fault.fix) == ("host-failed", "cal1: psql failed", "start the database")
    assert fault.cause == EXPLANATIONS["host-failed"].cause


def test_the_docs_name_every_fault() -> None:
    text = (Path(__file__).parents[3] / "docs" / "smoke.md").read_text(encoding="utf-8")
    assert [name for name in EXPLANATIONS if f"`{name}`" not in text] == []
