from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.calcom import errors
from deploy.calcom.http import RetryPolicy, open_client, retry_after_seconds, send

PUBLIC_NAME = "cal1.calstack.test"


class Sleeps(list[float]):
    """Takes the place of sleeping, and remembers."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def client_of(*answers: httpx.Response | Exception) -> tuple[httpx.Client, list[httpx.Request]]:
    left, seen = list(answers), []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        now = left.pop(0)
        if isinstance(now, Exception):
            raise now
        return now

    return httpx.Client(base_url="https://cal.example.test", transport=httpx.MockTransport(answer)), seen


def status(code: int, **headers: str) -> httpx.Response:
    return httpx.Response(code, headers={name.replace("_", "-"): value for name, value in headers.items()})


class TestTryingAgain:
    def policy(self, sleeps: Sleeps, attempts: int = 4) -> RetryPolicy:
        return RetryPolicy(attempts=attempts, first_wait=0.1, longest_wait=5, sleep=sleeps)

    def test_broken_connections_and_5xx_of_idempotent_calls(self) -> None:
        sleeps = Sleeps()
        http, seen = client_of(httpx.ReadError("broke"), status(502), status(200))
        assert send(http, "GET", "/", idempotent=True, policy=self.policy(sleeps)).status_code == 200
        assert (len(seen), len(sleeps)) == (3, 2)

    def test_pauses_are_random_and_bounded(self) -> None:
        sleeps = Sleeps()
        http, _ = client_of(*[status(502) for _ in range(12)])
        send(http, "GET", "/", idempotent=True, policy=self.policy(sleeps, attempts=12))
        assert len(set(sleeps)) > 1
        assert max(sleeps) <= 5

    @pytest.mark.parametrize("lost", [httpx.ReadError("broke"), httpx.ReadTimeout("late")])
    def test_others_are_not_sent_twice(self, lost: Exception) -> None:
        http, seen = client_of(lost, status(200))
        with pytest.raises(errors.NoAnswer) as caught:
            send(http, "POST", "/book", idempotent=False, policy=self.policy(Sleeps()))
        assert len(seen) == 1
        assert caught.value.maybe_done

    def test_a_5xx_of_others_is_the_answer(self) -> None:
        http, seen = client_of(status(500), status(200))
        answer = send(http, "POST", "/book", idempotent=False, policy=self.policy(Sleeps()))
        assert (answer.status_code, len(seen)) == (500, 1)

    def test_what_never_left_is_sent_again_always(self) -> None:
        http, seen = client_of(httpx.ConnectError("refused"), status(200))
        send(http, "POST", "/book", idempotent=False, policy=self.policy(Sleeps()))
        assert len(seen) == 2

    def test_unreachable(self) -> None:
        http, _ = client_of(*[httpx.ConnectError("refused")] * 4)
        with pytest.raises(errors.NoAnswer, match="cannot be reached: refused") as caught:
            send(http, "GET", "/", idempotent=True, policy=self.policy(Sleeps()))
        assert not caught.value.maybe_done

    def test_the_last_5xx_is_returned(self) -> None:
        http, _ = client_of(*[status(503)] * 4)
        answer = send(http, "GET", "/", idempotent=True, policy=self.policy(Sleeps()))
        assert answer.status_code == 503

    @pytest.mark.parametrize(("asked", "sent"), [("1", 2), ("600", 1)])
    def test_a_maintenance_is_waited_for_if_it_is_short(self, asked: str, sent: int) -> None:
        http, seen = client_of(status(503, retry_after=asked), status(200))
        send(http, "GET", "/", idempotent=True, policy=self.policy(Sleeps()))
        assert len(seen) == sent

    def test_429_waits_as_long_as_it_says_and_is_sent_again_always(self) -> None:
        sleeps = Sleeps()
        http, seen = client_of(status(429, retry_after="3"), status(200))
        send(http, "POST", "/book", idempotent=False, policy=self.policy(sleeps))
        assert len(seen) == 2
        assert 3 <= sleeps[0] <= 3.1

    def test_429_that_asks_for_more_than_we_wait(self) -> None:
        http, seen = client_of(status(429, retry_after="600"), status(200))
        with pytest.raises(errors.TooManyRequests) as caught:
            send(http, "GET", "/", idempotent=True, policy=self.policy(Sleeps()))
        assert (caught.value.retry_after, len(seen)) == (600, 1)

    def test_429_without_end(self) -> None:
        http, seen = client_of(*[status(429)] * 4)
        with pytest.raises(errors.TooManyRequests):
            send(http, "GET", "/", idempotent=True, policy=self.policy(Sleeps()))
        assert len(seen) == 4


class TestRetryAfter:
    def test_a_date(self) -> None:
        soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=30)
        seconds = retry_after_seconds(status(429, retry_after=f"{soon:%a, %d %b %Y %H:%M:%S GMT}"))
        assert seconds is not None
        assert 27 < seconds <= 30

    @pytest.mark.parametrize("value", ["", "soon", "-5"])
    def test_nothing_useful(self, value: str) -> None:
        assert retry_after_seconds(status(429, retry_after=value)) is None


# --- connecting to another address than the name's


class Authority:
    """A certificate authority of the test, and one server certificate of it."""

    def __init__(self, folder: Path, name: str) -> None:
        now = dt.datetime.now(dt.UTC)
        ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])

        def certificate(
            subject: x509.Name, public_key: ec.EllipticCurvePublicKey, *, is_authority: bool
        ) -> x509.CertificateBuilder:
            return (
                x509.CertificateBuilder()
                .subject_name(subject)
                .issuer_name(ca_name)
                .public_key(public_key)
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - dt.timedelta(days=1))
                .not_valid_after(now + dt.timedelta(days=1))
                .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            )

        authority = certificate(ca_name, ca_key.public_key(), is_authority=True).sign(ca_key, hashes.SHA256())
        server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        server = (
            certificate(server_name, key.public_key(), is_authority=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        self.file = folder / "ca.pem"
        self.file.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
        self.chain = folder / "server.pem"
        self.chain.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + server.public_bytes(serialization.Encoding.PEM)
        )


@contextmanager
def server(seen: list[tuple[str | None, str]], chain: Path | None = None) -> Iterator[tuple[str, int]]:
    """A web server on a loopback port; notes the name in TLS and the Host header of each request."""
    names: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((names[-1] if names else None, self.headers["host"]))
            self.send_response(200)
            self.send_header("content-length", "2")
            self.send_header("set-cookie", "a=b; Path=/; Secure")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if chain is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        context.sni_callback = lambda _socket, name, _context: names.append(name)
        listening.socket = context.wrap_socket(listening.socket, server_side=True)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield "127.0.0.1", listening.server_address[1]
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), PUBLIC_NAME)


class TestConnectTo:
    def test_the_public_name_stays_in_tls_certificate_and_host(self, authority: Authority) -> None:
        seen: list[tuple[str | None, str]] = []
        with (
            server(seen, authority.chain) as address,
            open_client(f"https://{PUBLIC_NAME}", ca_file=authority.file, connect_to=address) as http,
        ):
            assert http.get("/").text == "ok"
            assert http.cookies["a"] == "b"
        assert seen == [(PUBLIC_NAME, PUBLIC_NAME)]

    def test_a_certificate_of_another_name_is_refused_at_once(self, authority: Authority) -> None:
        sleeps = Sleeps()
        with (
            server([], authority.chain) as address,
            open_client("https://other.calstack.test", ca_file=authority.file, connect_to=address) as http,
            pytest.raises(errors.NoAnswer, match="is not trusted"),
        ):
            send(http, "GET", "/", idempotent=True, policy=RetryPolicy(sleep=sleeps))
        assert sleeps == []

    def test_an_unknown_authority_is_refused(self, authority: Authority) -> None:
        with (
            server([], authority.chain) as address,
            open_client(f"https://{PUBLIC_NAME}", connect_to=address) as http,
            pytest.raises(errors.NoAnswer, match="is not trusted"),
        ):
            send(http, "GET", "/", idempotent=True, policy=RetryPolicy(attempts=1))

    def test_plain_http_through_a_tunnel(self) -> None:
        seen: list[tuple[str | None, str]] = []
        with server(seen) as address, open_client(f"http://{PUBLIC_NAME}", connect_to=address) as http:
            assert http.get("/").text == "ok"
        assert seen == [(None, PUBLIC_NAME)]

    def test_no_other_host_is_ever_called(self) -> None:
        with (
            server([]) as address,
            open_client(f"http://{PUBLIC_NAME}", connect_to=address) as http,
            pytest.raises(httpx.UnsupportedProtocol),
        ):
            http.get("http://elsewhere.calstack.test/")

    def test_nobody_listens(self, authority: Authority) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            free = unused.getsockname()
        with (
            open_client(f"https://{PUBLIC_NAME}", ca_file=authority.file, connect_to=free) as http,
            pytest.raises(errors.NoAnswer, match=f"https://{PUBLIC_NAME} cannot be reached"),
        ):
            send(http, "GET", "/", idempotent=True, policy=RetryPolicy(attempts=1))


@pytest.mark.parametrize("url", ["cal.example.test", "ftp://cal.example.test", "https://"])
def test_no_url(url: str) -> None:
    with pytest.raises(errors.CalcomError, match="is not an http or https URL"):
        open_client(url)


def test_an_authority_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(errors.CalcomError) as caught:
        open_client("https://cal.example.test", ca_file=tmp_path / "none.pem")
    assert caught.value.where == str(tmp_path / "none.pem")


def test_loopback_ignores_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with server([]) as address, open_client(f"http://127.0.0.1:{address[1]}") as http:
        assert http.get("/").text == "ok"
