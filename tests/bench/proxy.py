"""What the proxy costs, and whether it keeps its word under load.

    python -m tests.bench.proxy [--only cost] [--only flood] [--only reloads] [--only accuracy] [--json]

A real HAProxy with the rendered configuration stands in containers of this machine; the load comes from a
container beside it, so that nothing but the engine's bridge is between them. Client, proxy and app share this
machine's processors: what counts is the comparison within one run. Each part takes half a minute to a minute.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from deploy.lab import engine, images, inside, roots
from deploy.roles import app
from deploy.roles.context import HostContext
from tests.bench.figures import Figure, all_met, show
from tests.lab.certificates import self_signed
from tests.lab.entrance import Entrance, read_answer, running_entrance, write_configuration
from tests.unit.roles.hosts import DOMAIN, host_context

LOAD = roots.Root(name="load", suite="trixie", packages=("nghttp2-client",))
"""h2load, the load generator of nghttp2."""

_RULES = re.compile(
    r"^ +(http-request|http-response|http-after-response|http-error|acl|use_backend|tcp-request"
    r"|log|log-format|error-log-format|unique-id-format)\b"
)
_FREE = {
    name: {"limit": 10_000_000, "window_seconds": 60} for name in ("sign_in", "bookings", "slots", "pages")
}
"""Limits that count and refuse nobody."""
_PAGE = "/ada/intro"
_SIGN_IN_PAGE = "/auth/login"
"""Reads the database."""
_BOOKING = "/api/book/event"


# --- What it costs

_RUNS = 6
_REQUESTS = 10_000
_FILE = "/_next/static/chunks/main-0123456789abcdef.js"
_OF_A_PAGE = {_FILE: 65, _PAGE: 7}
"""What a browser asks for to open a booking page: files, and what the app has to work out (FACTS §14)."""
_REQUESTS_OF_AN_APP = 1_000
_PAGE_MS = 96
"""What Cal.com itself takes for a booking page on two processors (FACTS §14). The stand-in takes less than
one, so whatever is added weighs a hundred times as much before it."""
_ANSWERS_AT_ONCE = """
defaults
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 1s
frontend app
    bind :3000
    http-request return status 200 content-type text/html string "{page}"
"""


def cost(bench: Bench) -> list[Figure]:
    """The rendered configuration beside the same TLS HAProxy without limits, headers and log.

    Alternating runs: CPU a request before an app that answers at once, throughput before the lab's stand-in.
    """
    cpu: dict[str, dict[str, float]] = {"bare": {}, "ours": {}}
    through: dict[str, list[float]] = {"bare": [], "ours": []}
    host = host_context(certificate=bench.certificate, authority=None, rate_limits=_FREE)
    with bench.entrance(host) as ours, bench.entrance(host, bare=True) as bare:
        pairs = (("bare", bare), ("ours", ours))
        with bench.before_the_stand_in(ours, host), bench.before_the_stand_in(bare, host):
            for _ in range(_RUNS):
                for name, entrance in pairs:
                    through[name].append(bench.h2load(entrance, _SIGN_IN_PAGE, _REQUESTS_OF_AN_APP).rate)
        with bench.answering_at_once(ours), bench.answering_at_once(bare):
            for path in _OF_A_PAGE:
                for _ in range(_RUNS):
                    for name, entrance in pairs:
                        spent = bench.cpu_of_a_request(entrance, path)
                        # The best of all: whatever else this machine does only makes a run slower.
                        cpu[name][path] = min(spent, cpu[name].get(path, math.inf))
    rate = {name: max(runs) for name, runs in through.items()}
    requests = sum(_OF_A_PAGE.values())
    page = {
        name: sum(spent[path] * count for path, count in _OF_A_PAGE.items()) / requests
        for name, spent in cpu.items()
    }
    added = page["ours"] - page["bare"]
    longer = 1000 / rate["ours"] - 1000 / rate["bare"]
    ratio = _PAGE_MS / (_PAGE_MS + longer)
    either = added <= 6 or ratio >= 0.95
    return [
        *(
            Figure(f"CPU of {what}, {how}", cpu[name][path], "µs")
            for path, what in ((_FILE, "a file"), (_PAGE, "a page"))
            for name, how in (("bare", "without rules"), ("ours", "rendered"))
        ),
        Figure(
            f"a page's {requests} requests: rules and log add, each",
            added,
            "µs",
            "at most 6, or the last",
            either,
        ),
        Figure("pages of the stand-in, without rules", rate["bare"], "a second"),
        Figure("pages of the stand-in, rendered", rate["ours"], "a second"),
        Figure("throughput before the stand-in", rate["ours"] / rate["bare"], "of bare"),
        Figure("so much longer a page takes all in all", longer, "ms"),
        Figure(
            f"throughput at {_PAGE_MS} ms a page, computed",
            ratio,
            "of bare",
            "at least 0.95, or 6 µs",
            either,
        ),
    ]


def _cpu_seconds(container: Container) -> float:
    """Seconds that all threads of a container have been on a processor (the kernel's sched-stats)."""
    threads = [
        thread
        for process in container.top()["Processes"]
        for thread in Path(f"/proc/{process[1]}/task").iterdir()
    ]
    spent = [int((thread / "schedstat").read_text(encoding="ascii").split()[0]) for thread in threads]
    return sum(spent) / 1e9


# --- One floods, another books

_QUIET_SECONDS = 10.0
_FLOOD_LIMIT = 200
_FLOOD_WINDOW = 5


def flood(bench: Bench) -> list[Figure]:
    """How long a booking takes while another address asks ten times as much as it may."""
    limits = {**_FREE, "pages": {"limit": _FLOOD_LIMIT, "window_seconds": _FLOOD_WINDOW}}
    quiet, crowded = Bookings(), Bookings()
    refused = 0
    with bench.entrance(host_context(certificate=bench.certificate, rate_limits=limits)) as entrance:
        for _ in range(3):
            quiet.book(entrance, _QUIET_SECONDS)
            asked = int(10 * _FLOOD_LIMIT / _FLOOD_WINDOW * _QUIET_SECONDS)
            with bench.flooding(entrance, _PAGE, asked, _QUIET_SECONDS) as told:
                crowded.book(entrance, _QUIET_SECONDS)
            refused += told().refused
    ratio = crowded.p95 / quiet.p95
    return [
        Figure("p95 of a booking, quiet", quiet.p95 * 1000, "ms"),
        Figure("p95 of a booking, beside the flood", crowded.p95 * 1000, "ms"),
        Figure("the flood was refused", float(refused), "times"),
        Figure("p95 beside the flood", ratio, "of quiet", "at most 1.5", ratio <= 1.5),
        Figure("bookings that failed", float(crowded.failed), "", "none", crowded.failed == 0),
    ]


class Bookings:
    """A guest who books ten times a second, each time over a connection of its own."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.failed = 0

    @property
    def p95(self) -> float:
        """Seconds within which 95 of 100 were done."""
        return sorted(self.seconds)[math.ceil(len(self.seconds) * 0.95) - 1]

    def book(self, entrance: Entrance, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (started := time.monotonic()) < end:
            try:
                status = entrance.ask(_BOOKING, method="POST", body=b"{}").status
            except (OSError, AssertionError):
                status = 0
            took = time.monotonic() - started
            self.seconds.append(took)
            self.failed += status != 200
            time.sleep(max(0.0, 0.1 - took))


# --- Reloads and certificates

_REQUESTS_A_SECOND = 200
_RELOAD_REQUESTS = 10_000
_WORKERS = 8
_RELOADS = 20
_CERTIFICATES = 5


def reloads(bench: Bench) -> list[Figure]:
    """Requests at 200 a second while the proxy is reloaded and its certificate replaced.

    Half of the clients open a connection a request, half keep theirs until the proxy says otherwise.
    """
    with bench.entrance(host_context(certificate=bench.certificate, rate_limits=_FREE)) as entrance:
        pace = Pace(_REQUESTS_A_SECOND, _RELOAD_REQUESTS)
        clients = [SteadyClient(entrance, pace, keeps=number % 2 == 0) for number in range(_WORKERS)]
        started = time.monotonic()
        for client in clients:
            client.start()
        events = sorted([*range(1, _RELOADS + 1), *(4 * number + 2.5 for number in range(_CERTIFICATES))])
        length = _RELOAD_REQUESTS / _REQUESTS_A_SECOND / (_RELOADS + 2)
        for event in events:
            time.sleep(max(0.0, started + event * length - time.monotonic()))
            if isinstance(event, int):
                entrance.proxy.kill(signal="SIGUSR2")
            else:
                bench.replace_certificate(entrance)
        for client in clients:
            client.join(timeout=300)
        took = time.monotonic() - started
    statuses = sum((client.statuses for client in clients), Counter())
    failed = statuses.total() - statuses[200]
    slowest = max(client.slowest for client in clients)
    return [
        Figure("requests", float(statuses.total()), f"in {took:.0f} s"),
        Figure("slowest of them", slowest, "s"),
        Figure(
            f"failed over {_RELOADS} reloads, {_CERTIFICATES} certificates",
            float(failed),
            "",
            "none",
            not failed,
        ),
    ]


class Pace:
    """So many turns in all, so many a second."""

    def __init__(self, each_second: int, total: int) -> None:
        self._interval = 1 / each_second
        self._left = total
        self._next = time.monotonic()
        self._lock = threading.Lock()

    def turn(self) -> bool:
        """Wait for the next turn; False when there is none."""
        with self._lock:
            if self._left == 0:
                return False
            self._left -= 1
            moment, self._next = self._next, max(self._next + self._interval, time.monotonic() - 1)
        time.sleep(max(0.0, moment - time.monotonic()))
        return True


class SteadyClient(threading.Thread):
    """Asks at the common pace."""

    def __init__(self, entrance: Entrance, pace: Pace, *, keeps: bool) -> None:
        super().__init__(daemon=True)
        self.statuses: Counter[int] = Counter()
        self.slowest = 0.0
        self._entrance = entrance
        self._pace = pace
        self._keeps = keeps
        self._kept: Any = None

    def run(self) -> None:
        while self._pace.turn():
            started = time.monotonic()
            try:
                status = self._ask()
            except (OSError, AssertionError):
                status, self._kept = 0, None
            self.statuses[status] += 1
            self.slowest = max(self.slowest, time.monotonic() - started)

    def _ask(self) -> int:
        connection = self._kept or self._entrance.connect(443)
        connection.sendall(f"GET {_PAGE} HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode())
        answer = read_answer(connection)
        if self._keeps and answer.headers.get("connection") != "close":
            self._kept = connection
        else:
            self._kept = None
            connection.close()
        return answer.status


# --- Exactness

_EXACT_LIMIT = 50
_EXACT_WINDOW = 5


def accuracy(bench: Bench) -> list[Figure]:
    """How many requests of a client that never stops pass in each of three windows."""
    limits = {"bookings": {"limit": _EXACT_LIMIT, "window_seconds": _EXACT_WINDOW}}
    passed: Counter[int] = Counter()
    with bench.entrance(host_context(certificate=bench.certificate, rate_limits=limits)) as entrance:
        first = int(time.time()) // _EXACT_WINDOW + 1
        time.sleep(first * _EXACT_WINDOW - time.time() - 0.5)

        def never_stop() -> None:
            with entrance.connect(443) as connection:
                while time.time() < (first + 3) * _EXACT_WINDOW:
                    head = f"POST {_BOOKING} HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 2\r\n\r\n{{}}"
                    connection.sendall(head.encode())
                    if read_answer(connection).status == 200:
                        passed[int(time.time()) // _EXACT_WINDOW] += 1

        threads = [threading.Thread(target=never_stop, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
    return [
        Figure(
            f"passed in window {number + 1} at a limit of {_EXACT_LIMIT}",
            float(passed[first + number]),
            "",
            f"exactly {_EXACT_LIMIT}",
            passed[first + number] == _EXACT_LIMIT,
        )
        for number in range(3)
    ]


# --- The bench itself


@dataclass(frozen=True)
class Load:
    """What h2load says when it is done."""

    rate: float
    """Requests a second."""
    succeeded: int
    """Answers of 2xx."""
    refused: int
    """Answers of 4xx."""


class Bench:
    """Containers for one run, all removed at its end."""

    def __init__(self, client: docker.DockerClient, folder: Path) -> None:
        self.certificate = self_signed(DOMAIN)
        self._client = client
        self._folder = folder
        self._haproxy = images.ensure_service_image(client, images.HAPROXY)
        self._load = roots.ensure_root(client, LOAD, lambda line: print(line, file=sys.stderr))
        self._count = 0

    @contextmanager
    def entrance(self, host: HostContext, *, bare: bool = False) -> Iterator[Entrance]:
        """A proxy with the configuration of that host before an app in Python; `bare` without any rule."""
        self._count += 1
        folder = self._folder / f"proxy{self._count}"
        folder.mkdir()
        write_configuration(folder, host)
        if bare:
            configuration = folder / "haproxy.cfg"
            lines = configuration.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if not _RULES.match(line)]
            configuration.write_text("\n".join([*kept, ""]), encoding="utf-8")
        with running_entrance(self._client, self._haproxy, folder) as entrance:
            yield entrance

    @contextmanager
    def before_the_stand_in(self, entrance: Entrance, host: HostContext) -> Iterator[None]:
        """The lab's stand-in for Cal.com with its PostgreSQL, in the place of the app that is there."""
        network = self._client.networks.get(entrance.network)
        variables = {
            "POSTGRES_USER": "calcom",
            "POSTGRES_DB": "calcom",
            "POSTGRES_PASSWORD": host.secrets.database_password,
        }
        create = self._client.containers.create
        db = create(images.ensure_service_image(self._client, images.POSTGRES), environment=variables)
        web = create(
            images.ensure_service_image(self._client, images.CALCOM), environment=app.environment(host)
        )
        with ExitStack() as cleaning:
            for container, alias in ((db, "db"), (web, "web")):
                cleaning.callback(container.remove, force=True, v=True)
                network.connect(container, aliases=[alias])
                container.start()
            entrance.app.kill()
            _until(lambda: all(_is_of_the_stand_in(entrance) for _ in range(5)), 120)
            yield
            entrance.app.start()

    @contextmanager
    def answering_at_once(self, entrance: Entrance) -> Iterator[None]:
        """An app that costs next to nothing, in the place of the one in Python."""
        configuration = self._folder / "at-once.cfg"
        configuration.write_text(_ANSWERS_AT_ONCE.format(page="x" * 1000), encoding="utf-8")
        instead = self._client.containers.create(
            self._haproxy,
            ["haproxy", "-f", "/at-once.cfg"],
            volumes=[f"{configuration}:/at-once.cfg:ro"],
            user="99:99",
        )
        try:
            self._client.networks.get(entrance.network).connect(instead, aliases=["web"])
            instead.start()
            entrance.app.kill()
            _until(lambda: all(b"xxx" in entrance.ask(_PAGE).body for _ in range(20)))
            yield
        finally:
            instead.remove(force=True)

    def h2load(self, entrance: Entrance, path: str, requests: int, *more: str) -> Load:
        """Ask so many times, over 16 connections of HTTP/2, from a container beside the proxy."""
        with self._loading(entrance) as container:
            return _run_h2load(container, entrance, path, requests, *more)

    def cpu_of_a_request(self, entrance: Entrance, path: str) -> float:
        """Microseconds of CPU that the proxy takes for one, on the average of many."""
        before = _cpu_seconds(entrance.proxy)
        done = self.h2load(entrance, path, _REQUESTS)
        return (_cpu_seconds(entrance.proxy) - before) / done.succeeded * 1e6

    @contextmanager
    def flooding(
        self, entrance: Entrance, path: str, requests: int, seconds: float
    ) -> Iterator[Callable[[], Load]]:
        """Ask so many times within these seconds while the block runs; yields what says how that went."""
        done: list[Load] = []
        each = math.ceil(requests / seconds / 16)
        with self._loading(entrance) as container:

            def work() -> None:
                done.append(_run_h2load(container, entrance, path, requests, f"--rps={each}"))

            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            yield lambda: done[0]
            thread.join(timeout=seconds + 60)

    @contextmanager
    def _loading(self, entrance: Entrance) -> Iterator[Container]:
        container = self._client.containers.create(self._load, ["sleep", "600"], network=entrance.network)
        try:
            container.start()
            yield container
        finally:
            container.remove(force=True)

    def replace_certificate(self, entrance: Entrance) -> None:
        """A new one, file first, then the running process (HAProxy's management guide, 9.3)."""
        file = "/usr/local/etc/haproxy/certificates/site.pem"
        content = self_signed(DOMAIN)
        (self._folder / f"proxy{self._count}" / "certificates" / "site.pem").write_bytes(content)
        lines = "\n".join(line for line in content.decode().splitlines() if line)
        entrance.runtime(f"set ssl cert {file} <<\n{lines}")
        said = entrance.runtime(f"commit ssl cert {file}")
        if "Success" not in said:
            raise RuntimeError(f"HAProxy did not take the certificate: {said}")


def _is_of_the_stand_in(entrance: Entrance) -> bool:
    answer = entrance.ask(_SIGN_IN_PAGE)
    return answer.status < 400 and "x-port" not in answer.headers


def _until(found: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the proxy did not get there within {seconds:.0f} s")
        time.sleep(0.5)


def _run_h2load(container: Container, entrance: Entrance, path: str, requests: int, *more: str) -> Load:
    command = ["h2load", "-n", str(requests), "-c", "16", "-m", "1", f"--connect-to={entrance.address}:443"]
    exit_code, output = inside.run(container, *command, *more, f"https://{DOMAIN}{path}")
    rate = re.search(r"finished in .*?, ([\d.]+) req/s", output)
    codes = re.search(r"status codes: (\d+) 2xx, \d+ 3xx, (\d+) 4xx", output)
    if exit_code != 0 or rate is None or codes is None:
        raise RuntimeError(f"h2load ended with {exit_code}:\n{output}")
    return Load(float(rate[1]), int(codes[1]), int(codes[2]))


PARTS: dict[str, Callable[[Bench], list[Figure]]] = {
    "cost": cost,
    "flood": flood,
    "reloads": reloads,
    "accuracy": accuracy,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0 when every goal is met, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.proxy", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(PARTS), help="that part; may be repeated")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    # Ends like Ctrl-C, so that the containers are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    figures: dict[str, list[Figure]] = {}
    client = engine.ensure_engine(lambda _: None)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        bench = Bench(client, Path(folder))
        for name in options.only or PARTS:
            figures[name] = PARTS[name](bench)
            if not options.json:
                show(name, figures[name])
    if options.json:
        document = {name: [asdict(figure) for figure in found] for name, found in figures.items()}
        print(json.dumps(document, indent=2))
    return 0 if all(all_met(found) for found in figures.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
