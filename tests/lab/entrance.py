"""A real HAProxy with a rendered configuration, in front of an app that tells what reached it."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from deploy.lab import images, inside
from deploy.onhost import proxy_runtime
from deploy.rendering import ManagedFile
from deploy.roles import api, proxy
from deploy.roles.context import HostContext
from tests.lab.certificates import self_signed
from tests.unit.roles.hosts import DOMAIN

APP = Path(__file__).with_name("entrance_app.py")
CERTIFICATE = self_signed(DOMAIN, "*.elsewhere.test")
"""What the shared entrance serves: good for a name that is not its own, too."""

WITHOUT_LIMITS = dict.fromkeys(("sign_in", "bookings", "slots", "pages"), "off")
"""For tests that send from one address what many people would."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes
    lines: tuple[tuple[str, str], ...] = ()
    """Every header, in order."""

    def all(self, header: str) -> list[str]:
        """Every value of a header of the answer."""
        return [value for name, value in self.lines if name == header]

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

    def __init__(self, proxy: Container, app: Container, network: str, sockets: Path) -> None:
        self.proxy = proxy
        self.sockets = sockets
        self.app = app
        self.network = network
        proxy.reload()
        self.address: str = proxy.attrs["NetworkSettings"]["Networks"][network]["IPAddress"]

    def connect_plainly(self, port: int) -> socket.socket:
        """A connection without TLS, whatever the port."""
        return socket.create_connection((self.address, port), timeout=30)

    def connect(self, port: int, sni: str | None = DOMAIN, **tls: Any) -> socket.socket:
        """A connection with TLS on 443, without elsewhere; `tls` sets fields of the SSL context."""
        plain = self.connect_plainly(port)
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

    def ask_each(
        self, targets: dict[str, str], *, host: str = DOMAIN, sni: str = DOMAIN
    ) -> dict[str, Answer]:
        """The answer to each target, by its key; over one connection for as long as it stays open."""
        answers: dict[str, Answer] = {}
        connection: socket.socket | None = None
        try:
            for why, target in targets.items():
                connection = connection or self.connect(443, sni)
                connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1"))
                answers[why] = read_answer(connection)
                if answers[why].headers.get("connection") == "close":
                    connection.close()
                    connection = None
        finally:
            if connection is not None:
                connection.close()
        return answers

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

    def runtime(self, command: str) -> str:
        """What HAProxy answers over its runtime socket."""
        return proxy_runtime.ask(command, self.sockets / "admin.sock")

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
    pairs = tuple((name.lower(), value) for name, _, value in (line.partition(": ") for line in lines))
    headers = dict(pairs)
    length = int(headers.get("content-length", "0")) if has_body else 0
    while len(body) < length:
        more = connection.recv(65536)
        assert more, "closed in the middle of a body"
        body += more
    return Answer(int(first.split()[1]), headers, body, pairs)


@contextmanager
def running_entrance(client: docker.DockerClient, haproxy: str, folder: Path) -> Iterator[Entrance]:
    """A proxy with the configuration in that folder, and an app that it finds under the name `web`."""
    python = images.ensure_service_image(client, images.HAPROXY)
    name = f"calstack-entrance-{uuid.uuid4().hex[:8]}"
    sockets = folder.with_name(f"{folder.name}-sockets")
    sockets.mkdir()
    os.chown(sockets, proxy.HAPROXY, proxy.HAPROXY)
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
            volumes=[f"{folder}:/usr/local/etc/haproxy:ro", f"{sockets}:/run/haproxy"],
            mem_limit="256m",
        )
        cleaning.callback(front.remove, force=True)
        network.connect(app, aliases=["web"])
        app.start()
        front.start()
        entrance = Entrance(front, app, name, sockets)
        until_served(entrance)
        yield entrance


@contextmanager
def running_api(client: docker.DockerClient, entrance: Entrance) -> Iterator[Container]:
    """An app that tells what reached it, where that entrance finds the API; answers once the block begins."""
    container = create_app(
        client, f"{entrance.network}-api", images.ensure_service_image(client, images.HAPROXY), api.PORT
    )
    try:
        client.networks.get(entrance.network).connect(container, aliases=["api"])
        container.start()
        until_the_api_answers(entrance)
        yield container
    finally:
        container.remove(force=True)


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


def until_the_api_answers(entrance: Entrance, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while entrance.inner("/api/v2/me").status != 200:
        assert time.monotonic() < end, entrance.proxy.logs().decode()
        time.sleep(0.2)


def check_configuration(client: docker.DockerClient, haproxy: str, folder: Path) -> str:
    """What HAProxy says about the configuration in that folder; raises ContainerError where it refuses."""
    output: bytes = client.containers.run(
        haproxy,
        ["haproxy", "-c", "-f", "/usr/local/etc/haproxy/haproxy.cfg"],
        remove=True,
        stderr=True,
        network_mode="none",
        user="99:99",
        volumes=[f"{folder}:/usr/local/etc/haproxy:ro"],
    )
    return output.decode()
