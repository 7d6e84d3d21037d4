"""The rendered proxy, as a real HAProxy, in front of an app that tells what reached it."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import docker
import pytest
from docker.models.containers import Container

from deploy.lab import engine, images, inside
from deploy.rendering import ManagedFile
from deploy.roles import proxy
from deploy.roles.context import HostContext
from tests.lab.certificates import self_signed
from tests.unit.roles.hosts import DOMAIN, host_context

pytestmark = pytest.mark.docker

APP = Path(__file__).with_name("entrance_app.py")

CLOSED = (
    "/api/cron/webhookTriggers",
    "/api/cron/workflows/scheduleEmailReminders",
    "/api/tasks/cron",
    "/api/auth/setup",
    "/auth/setup",
    "/api/trpc/deploymentSetup/update",
    "/signup",
    "/auth/signup",
    "/api/auth/signup",
)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def seen(self) -> dict[str, Any]:
        """The request as it reached the app."""
        assert self.status == 200, (self.status, self.body)
        seen = json.loads(self.body)
        assert isinstance(seen, dict)
        return seen

    def reached_app_with(self, header: str) -> list[str]:
        return [value for name, value in self.seen["headers"] if name == header]


class Entrance:
    """The proxy's addresses and ways to talk to them."""

    def __init__(self, proxy: Container, app: Container, network: str) -> None:
        self.proxy = proxy
        self.app = app
        self.network = network
        proxy.reload()
        self.address: str = proxy.attrs["NetworkSettings"]["Networks"][network]["IPAddress"]

    def connect(self, port: int, sni: str | None = DOMAIN, **tls: Any) -> socket.socket:
        plain = socket.create_connection((self.address, port), timeout=30)
        if port != 443:
            return plain
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        for name, value in tls.items():
            setattr(context, name, value)
        return context.wrap_socket(plain, server_hostname=sni)

    def raw(self, request: bytes, port: int = 443, sni: str | None = DOMAIN) -> Answer:
        """Send these bytes over HTTP/1.1 and read one answer."""
        with self.connect(port, sni) as connection:
            connection.sendall(request)
            return read_answer(connection, has_body=not request.startswith(b"HEAD "))

    def ask(
        self,
        target: str,
        *,
        method: str = "GET",
        host: str = DOMAIN,
        headers: str = "",
        body: bytes = b"",
        port: int = 443,
        sni: str | None = DOMAIN,
    ) -> Answer:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{length}{headers}\r\n"
        return self.raw(head.encode("latin-1") + body, port, sni)

    def inner(self, target: str, **options: Any) -> Answer:
        return self.ask(target, port=8080, host="127.0.0.1:8080", **options)

    def over_http2(self, targets: list[str], *options: str) -> list[tuple[int, str, str]]:
        """Status, HTTP version and body for each target, asked by curl."""
        command = ["curl", "-sk", "--http2", "--resolve", f"{DOMAIN}:443:{self.address}"]
        for number, target in enumerate(targets):
            command += ["--next"] if number else []
            command += ["-sk", "--http2", "-w", "\n%{http_code} %{http_version}\n<end>\n", *options]
            command += ["--path-as-is", "--request-target", target, f"https://{DOMAIN}/"]
        exit_code, output = inside.run(self.app, *command)
        assert exit_code == 0, output
        found = re.findall(r"(.*?)\n(\d+) (\S+)\n<end>\n", output, re.S)
        return [(int(status), version, body) for body, status, version in found]

    @contextmanager
    def another_app(self) -> Iterator[Container]:
        """A second app for as long as the block lasts."""
        client = self.app.client
        assert client is not None
        second = create_app(client, f"{self.app.name}-2", self.app.image)
        try:
            client.networks.get(self.network).connect(second, aliases=["web"])
            second.start()
            yield second
        finally:
            second.remove(force=True)

    def seen_by_app(self) -> list[dict[str, Any]]:
        found = json.loads(self.inner("/seen").body)
        assert isinstance(found, list)
        return found


def read_answer(connection: socket.socket, *, has_body: bool = True) -> Answer:
    received = b""
    while b"\r\n\r\n" not in received:
        more = connection.recv(65536)
        assert more, f"closed after {received!r}"
        received += more
    head, body = received.split(b"\r\n\r\n", 1)
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines if ": " in line)}
    length = int(headers.get("content-length", "0")) if has_body else 0
    while len(body) < length:
        more = connection.recv(65536)
        assert more, "closed in the middle of a body"
        body += more
    return Answer(int(first.split()[1]), headers, body)


@pytest.fixture(scope="module")
def client() -> docker.DockerClient:
    return engine.connect()


@pytest.fixture(scope="module")
def haproxy(client: docker.DockerClient) -> str:
    given = os.environ.get("CALSTACK_HAPROXY_IMAGE")
    return given or images.ensure_service_image(client, images.HAPROXY)


@pytest.fixture(scope="module")
def entrance(
    client: docker.DockerClient, haproxy: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Entrance]:
    folder = write_configuration(tmp_path_factory.mktemp("proxy"), host_context(certificate=CERTIFICATE))
    with running_entrance(client, haproxy, folder) as entrance:
        yield entrance


CERTIFICATE = self_signed(DOMAIN, "*.elsewhere.test")


@contextmanager
def running_entrance(client: docker.DockerClient, haproxy: str, folder: Path) -> Iterator[Entrance]:
    """A proxy with the configuration in that folder, and an app that it finds under the name `web`."""
    python = images.ensure_service_image(client, images.HAPROXY)
    name = f"calstack-entrance-{uuid.uuid4().hex[:8]}"
    with ExitStack() as cleaning:
        network = client.networks.create(name)
        cleaning.callback(network.remove)
        app = create_app(client, f"{name}-app", python)
        cleaning.callback(app.remove, force=True)
        front = client.containers.create(
            haproxy,
            name=f"{name}-proxy",
            network=name,
            user="99:99",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            tmpfs={"/run/haproxy": "uid=99,gid=99,mode=0700"},
            volumes=[f"{folder}:/usr/local/etc/haproxy:ro"],
            mem_limit="256m",
        )
        cleaning.callback(front.remove, force=True)
        network.connect(app, aliases=["web"])
        app.start()
        front.start()
        entrance = Entrance(front, app, name)
        until_served(entrance)
        yield entrance


def create_app(client: docker.DockerClient, name: str, image: Any, port: int = 3000) -> Container:
    return client.containers.create(
        image,
        ["python3", "/app.py", str(port)],
        entrypoint=[],
        user="0",
        name=name,
        volumes=[f"{APP}:/app.py:ro"],
        stop_signal="SIGKILL",
    )


def write_configuration(folder: Path, host: HostContext) -> Path:
    folder.chmod(0o755)
    for item in proxy.files(host):
        if isinstance(item, ManagedFile):
            path = folder / item.path.removeprefix(f"{proxy.DIRECTORY}/")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(item.content)
    return folder


def until_served(entrance: Entrance, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if entrance.inner("/auth/login").status == 200:
                return
        except OSError:
            pass
        entrance.proxy.reload()
        log = entrance.proxy.logs().decode()
        assert entrance.proxy.status == "running", log
        assert time.monotonic() < end, log
        time.sleep(0.2)


# --- Closed paths


def spellings(path: str) -> dict[str, str]:
    """The same path as somebody might write it who hopes to get past."""
    first, _, rest = path[1:].partition("/")
    last = path.rpartition("/")[2]
    before_last = path.removesuffix(last)
    return {
        "as it is": path,
        "slash at the end": f"{path}/",
        "query": f"{path}?apiKey=guess",
        "fragment, encoded": f"{path}%23x",
        "question mark, encoded": f"{path}%3fx",
        "two slashes in front": f"/{path}",
        "two slashes within": path.replace("/", "//"),
        "dot segment": f"/.{path}",
        "dot segments within": path.replace("/", "/./"),
        "dot segment, encoded": f"/%2e{path}",
        "up again": f"/x/..{path}",
        "up again, encoded": f"/x/%2e%2e{path}",
        "up again, half encoded": f"/x/.%2E{path}",
        "up again, twice encoded": f"/x/%252e%252e{path}",
        "up again, slash encoded": f"/x/..%2f{path[1:]}",
        "beyond the root": f"/../..{path}",
        "one letter encoded": f"/%{ord(first[0]):02x}{path[2:]}",
        "last letter encoded": f"{path[:-1]}%{ord(path[-1]):02X}",
        "one letter twice encoded": f"/%25{ord(first[0]):02x}{path[2:]}",
        "one letter thrice encoded": f"/%2525{ord(first[0]):02x}{path[2:]}",
        "slash encoded": f"{before_last[:-1]}%2f{last}" if rest else f"/%2f{first}",
        "slash encoded, capital": f"{before_last[:-1]}%2F{last}" if rest else f"/%2F{first}",
        "slash twice encoded": f"{before_last[:-1]}%252f{last}" if rest else f"/%252f{first}",
        "slash thrice encoded": f"{before_last[:-1]}%25252f{last}" if rest else f"/%25252f{first}",
        "backslash": f"{before_last[:-1]}\\{last}" if rest else f"/\\{first}",
        "backslash encoded": f"{before_last[:-1]}%5c{last}" if rest else f"/%5C{first}",
        "parameter at the end": f"{path};a=1",
        "parameter within": f"/{first};a=1/{rest}" if rest else f"/;a=1/{first}",
        "semicolon encoded": f"{path}%3ba",
        "capitals": path.upper(),
        "one capital": f"/{first.capitalize()}{path[1 + len(first) :]}",
        "null byte": f"{path}%00",
        "tab": f"{path[:-1]}%09{path[-1]}",
        "line break": f"{path}%0a",
        "space": f"{path}%20",
        "broken encoding": f"{path}%zz",
        "broken encoding, once decoded": f"{path}%25zz",
        "data route": f"/_next/data/build{path}.json",
        "other form": f"{path}.json",
        "image": f"/_next/image?url={path}&w=64&q=75",
        "image, encoded": f"/_next/image?w=64&q=75&url={quote(path, safe='')}",
        "image, two slashes": f"/_next/%69mage?url=//{path[1:].replace('/', '//')}&w=64",
        "in full": f"https://{DOMAIN}{path}",
        "in full, two slashes": f"https://{DOMAIN}/{path}",
        "in full, other host": f"https://elsewhere.test{path}",
    }


# An encoded line break or broken encoding ends the name, or is none: the app knows no such path either.
REFUSALS = {400, 403, 404, 421}


@pytest.mark.parametrize("path", CLOSED)
def test_closed_path_is_refused_from_outside_in_every_spelling(entrance: Entrance, path: str) -> None:
    before = len(entrance.seen_by_app())
    answers = {why: entrance.ask(target) for why, target in spellings(path).items()}
    assert {why: answer.status for why, answer in answers.items() if answer.status not in REFUSALS} == {}
    assert entrance.seen_by_app()[before:] == []


@pytest.mark.parametrize("path", CLOSED)
def test_closed_path_is_refused_over_http2(entrance: Entrance, path: str) -> None:
    targets = {why: target for why, target in spellings(path).items() if not why.startswith("in full")}
    before = len(entrance.seen_by_app())
    answers = entrance.over_http2(list(targets.values()))
    assert len(answers) == len(targets)
    assert {version for _, version, _ in answers} == {"2"}
    wrong = {why: answer for why, answer in zip(targets, answers, strict=True) if answer[0] not in REFUSALS}
    assert wrong == {}
    assert entrance.seen_by_app()[before:] == []


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD", "OPTIONS"])
def test_closed_path_is_refused_for_every_method(entrance: Entrance, method: str) -> None:
    assert entrance.ask("/api/auth/setup", method=method).status in REFUSALS


def test_refused_prefetch_gets_a_plain_answer_that_ends_there(entrance: Entrance) -> None:
    answer = entrance.ask("/signup?_rsc=1x2y", headers="RSC: 1\r\nNext-Router-Prefetch: 1\r\n")
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/plain")
    assert "location" not in answer.headers


@pytest.mark.parametrize("path", CLOSED)
def test_closed_path_is_open_at_the_inner_entrance(entrance: Entrance, path: str) -> None:
    answer = entrance.inner(f"{path}?a=b", method="POST", body=b"{}")
    assert answer.seen["target"] == f"{path}?a=b"


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/ada/intro",
        "/ada/intro?date=2026-12-01&month=2026-12&back=%2Fapi%2Fcron%2Fx",
        "/ada/intro?name=100%&note=a;b,c",
        "/ada/intro/embed?embed=demo&embedType=inline",
        "/ada/a;b",
        "/ada/gr%C3%BC%C3%9Fe",
        "/team/auth/setup-call",
        "/signup-demo/30min",
        "/signups",
        "/ada/signup",
        "/cron/tasks",
        "/d/x%40y/intro",
        "/booking/abc?cancel=true",
        "/auth/login?callbackUrl=https%3A%2F%2Fcal1.example.test%2Fsignup",
        "/auth/forgot-password",
        "/api/auth/session",
        "/api/auth/callback/credentials",
        "/api/trpc/slots/getSchedule?batch=1&input=%7B%220%22%3A%7B%22json%22%3A%7B%7D%7D%7D",
        "/api/trpc/features/map,me/get?batch=1",
        "/api/trpc/viewer/me.get%2Cbookings.list?batch=1",
        "/api/book/event",
        "/api/tasker",
        "/_next/static/chunks/app/(use-page-wrapper)/auth/setup/page-1a2b.js",
        "/_next/static/chunks/app/%5Buser%5D/%5Btype%5D/page-1a2b.js",
        "/_next/static/chunks/pages/signup-1a2b.js",
        "/_next/image?url=%2Fapi%2Favatar%2Fabc.png&w=64&q=75",
        "/_next/image",
        "/embed/embed.js",
    ],
)
def test_everything_else_reaches_the_app_as_it_was_written(entrance: Entrance, target: str) -> None:
    assert entrance.ask(target).seen["target"] == target


def test_app_sees_the_spelling_that_was_judged(entrance: Entrance) -> None:
    assert entrance.ask("//x/../%61da/./intro").seen["target"] == "/ada/intro"


# --- Who is asked for


def test_plain_http_sends_to_https_and_keeps_path_and_query(entrance: Entrance) -> None:
    answer = entrance.ask("/ada/intro?a=b", port=80)
    assert (answer.status, answer.headers["location"]) == (301, f"https://{DOMAIN}/ada/intro?a=b")
    posted = entrance.ask("/api/book/event", port=80, method="POST", body=b"{}")
    assert posted.status == 308


def test_plain_http_sends_nobody_to_another_name(entrance: Entrance) -> None:
    assert entrance.ask("/", port=80, host="elsewhere.test").status == 421
    assert entrance.raw(b"GET / HTTP/1.0\r\n\r\n", port=80).status in (400, 421)


@pytest.mark.parametrize(
    "host", ["elsewhere.test", f"www.{DOMAIN}", f"{DOMAIN}.", f"{DOMAIN}.evil.test", "127.0.0.1", ""]
)
def test_another_host_name_is_refused(entrance: Entrance, host: str) -> None:
    assert entrance.ask("/", host=host).status in (400, 421)


@pytest.mark.parametrize("host", [f"{DOMAIN}:443", DOMAIN.upper()])
def test_other_ways_to_write_the_own_name_are_the_own_name(entrance: Entrance, host: str) -> None:
    assert entrance.ask("/", host=host).reached_app_with("host") == [DOMAIN]


def test_name_in_tls_and_name_in_http_must_agree(entrance: Entrance) -> None:
    # The certificate is good for this name too, so the handshake succeeds.
    assert entrance.ask("/", sni="shop.elsewhere.test").status == 421
    assert entrance.ask("/", sni="shop.elsewhere.test", host="shop.elsewhere.test").status == 421


@pytest.mark.parametrize("sni", ["unknown.test", None])
def test_no_handshake_for_unknown_or_no_names(entrance: Entrance, sni: str | None) -> None:
    with pytest.raises(ssl.SSLError):
        entrance.ask("/", sni=sni)


@pytest.mark.parametrize(
    "lines",
    [
        f"Host: {DOMAIN}\r\nHost: elsewhere.test",
        f"Host: elsewhere.test\r\nHost: {DOMAIN}",
        f"Host: {DOMAIN},elsewhere.test",
        f"host : {DOMAIN}",
    ],
)
def test_only_one_host_header_is_accepted(entrance: Entrance, lines: str) -> None:
    answer = entrance.raw(f"GET / HTTP/1.1\r\n{lines}\r\n\r\n".encode())
    assert answer.status in (400, 421)


def test_a_target_in_full_must_name_the_same_host(entrance: Entrance) -> None:
    assert entrance.ask("https://elsewhere.test/ada").status in (400, 421)
    assert entrance.ask("CONNECT", method="CONNECT").status in (400, 405)


def test_methods_that_the_app_does_not_serve_are_refused(entrance: Entrance) -> None:
    assert entrance.ask("/", method="TRACE").status == 405
    assert entrance.ask("*", method="OPTIONS").status == 400


# --- Headers

FORGED = """\
CF-Connecting-IP: 1.2.3.4
cf-connecting-ip: 1.2.3.5
X-Real-IP: 1.2.3.4
X-Forwarded-For: 1.2.3.4
X-Forwarded-Host: evil.test
X-Forwarded-Proto: http
X-Forwarded-Port: 81
X-Forwarded-Server: evil.test
X-Forwarded-Anything: 1.2.3.4
Forwarded: for=1.2.3.4;host=evil.test
True-Client-IP: 1.2.3.4
X-Client-IP: 1.2.3.4
X-Original-URL: /api/cron/x
X-Rewrite-URL: /api/cron/x
X-Middleware-Subrequest: middleware
CF_Connecting_IP: 1.2.3.4
X_Real_IP: 1.2.3.4
""".replace("\n", "\r\n")


@pytest.mark.parametrize("port", [443, 8080])
def test_clients_cannot_say_who_they_are(entrance: Entrance, port: int) -> None:
    seen = entrance.ask("/api/ip", headers=FORGED, port=port)
    own = {"x-forwarded-host": DOMAIN, "x-forwarded-proto": "https", "x-forwarded-port": "443"}
    headers: dict[str, str] = dict(seen.seen["headers"])
    address = headers["x-real-ip"]
    own |= dict.fromkeys(("x-real-ip", "cf-connecting-ip", "x-forwarded-for"), address)
    told = {
        name: value for name, value in seen.seen["headers"] if re.search("forward|ip$|client|url|_", name)
    }
    assert told == own
    assert not re.search(r"1\.2\.3\.|evil|middleware", json.dumps(seen.seen))
    for name in own:
        assert len(seen.reached_app_with(name)) == 1


def test_clients_cannot_say_who_they_are_over_http2(entrance: Entrance) -> None:
    options = [word for line in FORGED.split("\r\n")[:-1] for word in ("-H", line)]
    ((status, version, body),) = entrance.over_http2(["/api/ip"], *options)
    assert (status, version) == (200, "2")
    assert not re.search(r"1\.2\.3\.|evil|middleware", body)


def test_what_the_app_needs_passes(entrance: Entrance) -> None:
    answer = entrance.ask(
        "/api/x",
        headers="Authorization: Bearer abc\r\ncal-api-version: 2024-08-13\r\nCookie: a=b; c=d\r\nRSC: 1\r\n",
    )
    assert answer.reached_app_with("authorization") == ["Bearer abc"]
    assert answer.reached_app_with("cal-api-version") == ["2024-08-13"]
    assert answer.reached_app_with("cookie") == ["a=b; c=d"]
    assert answer.reached_app_with("rsc") == ["1"]


def test_inner_entrance_speaks_to_the_app_as_the_public_one_does(entrance: Entrance) -> None:
    answer = entrance.inner("/api/auth/setup")
    assert answer.reached_app_with("host") == [DOMAIN]
    assert answer.reached_app_with("x-forwarded-proto") == ["https"]
    assert answer.reached_app_with("x-forwarded-host") == [DOMAIN]


def test_browsers_are_told_to_stay_with_https_and_frames_are_left_to_the_app(entrance: Entrance) -> None:
    for target in ("/ada/intro", "/signup"):
        answer = entrance.ask(target)
        assert answer.headers["strict-transport-security"] == "max-age=63072000"
        assert not {"x-frame-options", "content-security-policy", "x-powered-by"} & set(answer.headers)
    assert "strict-transport-security" not in entrance.ask("/", port=80).headers


# --- Sizes


def test_large_cookies_pass(entrance: Entrance) -> None:
    cookie = "a=" + "x" * 20_000
    answer = entrance.ask("/ada", headers=f"Cookie: {cookie}\r\n")
    assert answer.reached_app_with("cookie") == [cookie]
    ((status, _, body),) = entrance.over_http2(["/ada"], "-H", f"Cookie: {cookie}")
    assert status == 200
    assert cookie in body


def test_headers_beyond_reason_are_refused(entrance: Entrance) -> None:
    assert entrance.ask("/ada", headers=f"Cookie: {'x' * 40_000}\r\n").status in (400, 431)


def test_an_avatar_of_some_megabytes_passes(entrance: Entrance) -> None:
    assert entrance.ask("/api/x", method="POST", body=b"x" * 9_000_000).seen["body_length"] == 9_000_000


def test_more_than_10_megabytes_are_refused(entrance: Entrance) -> None:
    head = f"POST /api/x HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 10485761\r\n\r\n"
    assert entrance.raw(head.encode()).status == 413


def chunked(method: str, size: int, headers: str = "") -> bytes:
    head = f"{method} /api/x HTTP/1.1\r\nHost: {DOMAIN}\r\n{headers}Transfer-Encoding: chunked\r\n\r\n"
    return (
        head.encode()
        + b"".join(b"3e8\r\n" + b"x" * 1000 + b"\r\n" for _ in range(size // 1000))
        + b"0\r\n\r\n"
    )


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_bodies_without_a_length_may_be_small_only(entrance: Entrance, method: str) -> None:
    cookie = f"Cookie: {'x' * 20_000}\r\n"
    assert entrance.raw(chunked(method, 15_000)).seen["body_length"] == 15_000
    assert entrance.raw(chunked(method, 15_000, cookie)).seen["body_length"] == 15_000
    assert entrance.raw(chunked(method, 40_000)).status == 413
    assert entrance.raw(chunked(method, 40_000, cookie)).status == 413


def test_bodies_without_a_length_may_be_small_only_over_http2(entrance: Entrance) -> None:
    post = ["-X", "POST", "-H", "Content-Length:", "-H", "Expect:", "--data-binary", "@/tmp/body"]
    for size, expected in ((15_000, 200), (60_000, 413)):
        entrance.app.exec_run(["sh", "-c", f"head -c {size} /dev/zero | tr '\\0' x > /tmp/body"])
        ((status, version, _),) = entrance.over_http2(["/api/x"], *post)
        assert (status, version) == (expected, "2")


def test_a_body_that_does_not_come_is_not_waited_for(entrance: Entrance) -> None:
    head = f"POST /api/x HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 100\r\n\r\nx"
    before = len(entrance.seen_by_app())
    start = time.monotonic()
    assert entrance.raw(head.encode()).status == 408
    assert 10 < time.monotonic() - start < 25
    assert entrance.seen_by_app()[before:] == []


def test_headers_that_trickle_in_are_not_waited_for(entrance: Entrance) -> None:
    start = time.monotonic()
    with entrance.connect(443) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {DOMAIN}\r\n".encode())
        connection.settimeout(1)
        while time.monotonic() - start < 20:
            try:
                connection.sendall(b"X-A: b\r\n")
                if connection.recv(1024):
                    break
            except TimeoutError:
                continue
    assert 8 < time.monotonic() - start < 15


# --- Delivery


def test_a_slow_answer_is_waited_for(entrance: Entrance) -> None:
    assert entrance.ask("/api/x?sleep=4", method="POST", body=b"{}").status == 200


def test_a_crowd_is_not_limited_and_each_post_arrives_once(entrance: Entrance) -> None:
    before = len(entrance.seen_by_app())
    with entrance.connect(443) as connection:
        for number in range(200):
            head = f"POST /api/book/event?n={number} HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 2\r\n\r\n"
            connection.sendall(head.encode() + b"{}")
            assert read_answer(connection).status == 200
    targets = [request["target"] for request in entrance.seen_by_app()[before:]]
    assert sorted(targets) == sorted(f"/api/book/event?n={number}" for number in range(200))


def test_replicas_come_and_go_without_a_lost_request(entrance: Entrance) -> None:
    statuses: list[int] = []
    done = threading.Event()
    # What a killed app was working on is lost, which draining is for; the requests after it must not be.
    in_flight = threading.Lock()

    def keep_asking() -> None:
        while not done.is_set():
            with in_flight:
                statuses.append(entrance.ask("/ada").status)
            time.sleep(0.01)

    asking = threading.Thread(target=keep_asking)
    asking.start()
    with entrance.another_app() as second:
        time.sleep(3)
        with in_flight:
            entrance.app.kill()
        time.sleep(3)
        entrance.app.start()
        time.sleep(3)
        with in_flight:
            second.kill()
    time.sleep(3)
    done.set()
    asking.join()
    assert len(statuses) > 100
    assert set(statuses) == {200}


def test_a_post_waits_for_an_app_that_restarts_and_arrives_once(entrance: Entrance) -> None:
    entrance.app.stop(timeout=0)
    later = threading.Timer(3, entrance.app.start)
    later.start()
    start = time.monotonic()
    answer = entrance.ask("/api/book/event", method="POST", body=b"{}")
    waited = time.monotonic() - start
    later.join()
    assert answer.status == 200
    assert 2.5 < waited < 8
    assert [request["target"] for request in entrance.seen_by_app()] == ["/api/book/event"]


def test_an_app_that_stays_away_is_told_of_in_words(entrance: Entrance) -> None:
    entrance.app.stop(timeout=0)
    try:
        start = time.monotonic()
        page = entrance.ask("/ada/intro")
        assert page.status == 503
        assert time.monotonic() - start < 20
        deadline = time.monotonic() + 30
        while (
            "json"
            not in (answer := entrance.ask("/api/x", method="POST", body=b"{}")).headers["content-type"]
        ):
            assert time.monotonic() < deadline, "the app is not found to be down"
        assert answer.status == 503
        assert "try again" in json.loads(answer.body)["message"]
        assert int(answer.headers["retry-after"]) > 0
        assert "HAProxy" not in page.body.decode()
    finally:
        entrance.app.start()
        until_served(entrance)


def test_a_reload_loses_no_request_and_its_digest_can_be_asked(entrance: Entrance) -> None:
    host = host_context(certificate=self_signed(DOMAIN))
    assert entrance.inner("/calstack/config-digest").status == 200
    assert proxy.config_digest(host) != entrance.inner("/calstack/config-digest").body.decode()
    with entrance.connect(443) as connection:
        for number in range(40):
            if number == 10:
                entrance.proxy.kill(signal="SIGUSR2")
            connection.sendall(f"GET /ada HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode())
            answer = read_answer(connection)
            assert answer.status == 200
            if answer.headers.get("connection") == "close":
                break
            time.sleep(0.05)
    assert entrance.ask("/ada").status == 200


# --- Protocols


def test_old_tls_is_refused_and_new_is_spoken(entrance: Entrance) -> None:
    with entrance.connect(443) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        assert connection.version() == "TLSv1.3"
    with entrance.connect(443, maximum_version=ssl.TLSVersion.TLSv1_2) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        cipher = connection.cipher()
        assert cipher
        assert re.match(r"ECDHE-.*(GCM|CHACHA20)", cipher[0])
    with pytest.raises((ssl.SSLError, OSError)):
        entrance.connect(443, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)


def test_requests_cannot_be_smuggled_past(entrance: Entrance) -> None:
    head = f"POST /api/x HTTP/1.1\r\nHost: {DOMAIN}\r\n"
    hidden = b"GET /api/cron/x HTTP/1.1\r\nHost: a\r\n\r\n"
    before = len(entrance.seen_by_app())
    for lines, body in (
        (f"Content-Length: {len(hidden)}\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + hidden),
        ("Content-Length: 0\r\nContent-Length: 5\r\n", hidden),
        ("Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + hidden),
        ("Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + hidden),
    ):
        with entrance.connect(443) as connection:
            connection.sendall(f"{head}{lines}\r\n".encode() + body)
            read_answer(connection)
    seen = [str(request["target"]) for request in entrance.seen_by_app()[before:]]
    assert not [target for target in seen if "cron" in target]


# --- Log


def test_log_is_json_without_queries_and_keys_in_paths(entrance: Entrance) -> None:
    entrance.ask("/ada/intro?token=very-secret", headers="Authorization: Bearer very-secret\r\n")
    entrance.ask("/auth/forgot-password/very-secret")
    entrance.inner("/api/cron/x?apiKey=very-secret")
    time.sleep(0.3)
    log = entrance.proxy.logs().decode()
    assert "very-secret" not in log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    last = [line for line in lines if line.get("path") == "/ada/intro"][-1]
    assert last["status"] == 200
    assert last["method"] == "GET"
    assert last["entrance"] == "public"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", last["time"])


def test_configuration_is_clean_for_this_haproxy(
    client: docker.DockerClient, haproxy: str, tmp_path: Path
) -> None:
    folder = write_configuration(tmp_path, host_context(certificate=CERTIFICATE))
    output = client.containers.run(
        haproxy,
        ["haproxy", "-c", "-f", "/usr/local/etc/haproxy/haproxy.cfg"],
        remove=True,
        stderr=True,
        network_mode="none",
        user="99:99",
        volumes=[f"{folder}:/usr/local/etc/haproxy:ro"],
    ).decode()
    assert "WARNING" not in output
    assert "ALERT" not in output
