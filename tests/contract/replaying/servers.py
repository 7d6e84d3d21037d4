"""What a replay needs around it: a PostgreSQL, a fresh stand-in on it, and a sink for its webhooks."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import psycopg

REPOSITORY = Path(__file__).parents[3]
PATIENCE_SECONDS = 60


class ServerError(Exception):
    """A server that a replay needs did not start; the text says which and why."""


def free_port() -> int:
    """A loopback port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The lab's PostgreSQL in a container of its own; yields its URL and removes it afterwards."""
    from deploy.lab.images import ensure_postgres_image

    image, password = ensure_postgres_image(), secrets.token_hex(16)
    with container(image, "--env", f"POSTGRES_PASSWORD={password}", "--publish", "127.0.0.1::5432",
                   "--tmpfs", "/var/lib/postgresql/data") as name:  # fmt: skip
        port = docker("port", name, "5432/tcp").split(":")[-1].strip()
        yield f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"


@contextlib.contextmanager
def container(image: str, *options: str, command: Sequence[str] = ()) -> Iterator[str]:
    """Run a container for as long as the block lasts; yields its name."""
    name = f"calstack-replay-{secrets.token_hex(4)}"
    with contextlib.ExitStack() as stack:
        # A signal that comes while Docker starts it waits, since nobody would remove it otherwise.
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            docker("run", "--detach", "--name", name, *options, image, *command)
            stack.callback(docker, "rm", "--force", "--volumes", name)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        yield name


def docker(*arguments: str) -> str:
    """Run one docker command; its output. Raises ServerError."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise ServerError(f"docker {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout


@contextlib.contextmanager
def scratch_database(server_url: str) -> Iterator[str]:
    """An empty database on a server that may still be starting; dropped afterwards."""
    name = f"replay_{secrets.token_hex(4)}"
    with waited_for(server_url) as admin:
        admin.execute(f'CREATE DATABASE "{name}"'.encode())
        try:
            yield server_url.rsplit("/", 1)[0] + f"/{name}"
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def waited_for(server_url: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection to a server, as soon as it takes two in a row: images start theirs twice."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            psycopg.connect(server_url, connect_timeout=2).close()
            time.sleep(0.5)
            return psycopg.connect(server_url, autocommit=True, connect_timeout=2)
        except psycopg.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.3)


@dataclass(frozen=True)
class Sent:
    """One request that a subscriber received."""

    subscriber: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Sink:
    """Takes webhooks: 200 for every path but `/fail`, which answers 500."""

    received: list[Sent] = field(default_factory=list)
    port: int = 0

    @contextlib.contextmanager
    def open(self) -> Iterator[Sink]:
        """Listen on a free port of the loopback."""
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                sink.received.append(Sent(self.path, dict(self.headers.items()), body))
                self.send_response(500 if self.path == "/fail" else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


@dataclass(frozen=True)
class StandIn:
    """A running stand-in and the clock that it reads."""

    url: str
    clock: Path

    def set_clock(self, instant: datetime) -> None:
        """Make it this time, from which it goes on; the file is never half written."""
        new = self.clock.with_suffix(".new")
        new.write_text(instant.isoformat())
        new.replace(self.clock)


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    """The lab's Redis in a container of its own; yields its URL and removes it afterwards."""
    from deploy.lab import engine, images

    image = images.ensure_service_image(engine.ensure_engine(lambda _line: None), images.REDIS)
    command = ("redis-server", "--protected-mode", "no", "--save", "")
    with container(image, "--publish", "127.0.0.1::6379", command=command) as name:
        port = int(docker("port", name, "6379/tcp").split(":")[-1])
        wait_until_it_listens(port)
        yield f"redis://127.0.0.1:{port}"


def wait_until_it_listens(port: int) -> None:
    """Wait for a Redis that says PONG. Raises ServerError."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as probe:
            probe.sendall(b"PING\r\n")
            if probe.recv(16).startswith(b"+PONG"):
                return
        time.sleep(0.2)
    raise ServerError("Redis did not start")


@contextlib.contextmanager
def api(
    database_url: str, redis_url: str, folder: Path, settings: dict[str, str], clock: Path
) -> Iterator[str]:
    """Start the API of a stand-in on a migrated database; yields its URL, stopped afterwards."""
    port = free_port()
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(REPOSITORY),
        **dict.fromkeys(("DATABASE_URL", "DATABASE_READ_URL", "DATABASE_WRITE_URL"), database_url),
        # In production the queue's client would speak TLS to a bare URL (FACTS §13).
        "REDIS_URL": f"{redis_url}/0?connectionName=replay",
        "NODE_ENV": "production",
        "API_PORT": str(port),
        "STANDIN_BIND": "127.0.0.1",
        "STANDIN_CLOCK_FILE": str(clock),
        "JWT_SECRET": "a-secret-for-this-replay-alone",
        "STRIPE_API_KEY": "none",
        "STRIPE_WEBHOOK_SECRET": "none",
        **settings,
    }
    log = folder / "api.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.lab.standin", "serve-api"],
            env=environment, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_it_answers(url, process, log, "/docs")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextlib.contextmanager
def stand_in(
    database_url: str, folder: Path, settings: dict[str, str], instant: datetime
) -> Iterator[StandIn]:
    """Migrate an empty database and start a stand-in on it; stopped afterwards."""
    port = free_port()
    running = StandIn(f"http://127.0.0.1:{port}", folder / "clock")
    running.set_clock(instant)
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(REPOSITORY),
        "DATABASE_URL": database_url,
        "PORT": str(port),
        "STANDIN_BIND": "127.0.0.1",
        "STANDIN_CLOCK_FILE": str(running.clock),
        **settings,
    }
    program = [sys.executable, "-m", "deploy.lab.standin"]
    migrate(database_url, settings)
    log = folder / "stand-in.log"
    with log.open("wb") as output:
        process = subprocess.Popen(program, env=environment, stdout=output, stderr=output)
    try:
        wait_until_it_answers(running.url, process, log)
        yield running
    finally:
        process.terminate()
        process.wait(timeout=30)


def migrate(database_url: str, settings: dict[str, str]) -> None:
    """Bring an empty database to the tables of the version that the settings name."""
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(REPOSITORY),
        "DATABASE_URL": database_url,
        **settings,
    }
    program = [sys.executable, "-m", "deploy.lab.standin", "migrate"]
    subprocess.run(program, env=environment, check=True, capture_output=True, timeout=120)


def wait_until_it_answers(
    url: str, process: subprocess.Popen[bytes], log: Path, path: str = "/api/version"
) -> None:
    """Wait for the first answer. Raises ServerError with the log where the process ends instead."""
    end = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"{url}{path}", trust_env=False)
            return
        time.sleep(0.1)
    raise ServerError(f"the stand-in did not start:\n{log.read_text()}")
