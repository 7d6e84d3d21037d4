"""What somebody might try who wants to bring the instance down, or to get past the proxy."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import docker
import pytest

from tests.lab.entrance import (
    CERTIFICATE,
    Entrance,
    read_answer,
    running_entrance,
    write_configuration,
)
from tests.lab.http2_by_hand import Field, outcome, request
from tests.unit.roles.hosts import DOMAIN, host_context

pytestmark = pytest.mark.docker


# --- Slowness

HEAD = f"Host: {DOMAIN}\r\n".encode()
BODY = b"Content-Length: 30000\r\n\r\n"
SLOW = {
    "headers": (443, b"GET /slow HTTP/1.1\r\n" + HEAD, b"X-A: b\r\n", (8, 15)),
    "headers, plain": (80, b"GET /slow HTTP/1.1\r\n" + HEAD, b"X-A: b\r\n", (8, 15)),
    "a body": (443, b"POST /slow HTTP/1.1\r\n" + HEAD + BODY, b"x", (10, 20)),
    "a body that does not come": (443, b"POST /slow HTTP/1.1\r\n" + HEAD + BODY, b"", (10, 20)),
    "chunks": (
        443,
        b"POST /slow HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
        b"1\r\nx\r\n",
        (10, 20),
    ),
    "nothing": (443, b"", b"", (8, 15)),
    "nothing, before TLS": (-443, b"", b"", (8, 15)),
    "nothing, plain": (80, b"", b"", (8, 15)),
}


def patience(entrance: Entrance, port: int, beginning: bytes, drop: bytes) -> tuple[float, bytes]:
    """Seconds until the proxy has enough of a client that sends a drop each half second, and what it said."""
    start = time.monotonic()
    with entrance.connect(port) if port > 0 else entrance.connect_plainly(-port) as connection:
        connection.sendall(beginning)
        connection.settimeout(0.5)
        while time.monotonic() - start < 30:
            try:
                connection.sendall(drop)
                return time.monotonic() - start, connection.recv(1024)
            except TimeoutError:
                continue
            except OSError:
                break
    return time.monotonic() - start, b""


@pytest.fixture(scope="module")
def had_enough(entrance: Entrance) -> dict[str, tuple[float, bytes]]:
    """How long each slow client was borne with, and what it was told; all at once, to save time."""
    with ThreadPoolExecutor(len(SLOW)) as pool:
        started = {
            why: pool.submit(patience, entrance, port, beginning, drop)
            for why, (port, beginning, drop, _) in SLOW.items()
        }
        return {why: waiting.result() for why, waiting in started.items()}


@pytest.mark.parametrize("why", SLOW)
def test_a_slow_client_is_not_waited_for(
    entrance: Entrance, had_enough: dict[str, tuple[float, bytes]], why: str
) -> None:
    seconds, said = had_enough[why]
    least, most = SLOW[why][3]
    assert least < seconds < most
    assert said == b"" or said.startswith(b"HTTP/1.1 408 ")
    assert "/slow" not in [seen["target"] for seen in entrance.seen_by_app()]


def test_who_was_too_slow_with_a_body_is_told(had_enough: dict[str, tuple[float, bytes]]) -> None:
    assert had_enough["a body that does not come"][1].startswith(b"HTTP/1.1 408 ")


@pytest.fixture(scope="module")
def small(
    client: docker.DockerClient, haproxy: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Entrance]:
    """A proxy of a hundred connections."""
    host = host_context(certificate=CERTIFICATE, proxy={"max_connections": 100})
    folder = write_configuration(tmp_path_factory.mktemp("proxy"), host)
    with running_entrance(client, haproxy, folder) as entrance:
        yield entrance


def is_open(connection: socket.socket) -> bool:
    connection.settimeout(0.2)
    try:
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


@pytest.mark.parametrize("port", [80, 443])
def test_one_address_cannot_hold_all_connections(small: Entrance, port: int) -> None:
    with contextlib.ExitStack() as stack:
        held = []
        for _ in range(150):
            with contextlib.suppress(ConnectionResetError):
                held.append(stack.enter_context(small.connect_plainly(port)))
        time.sleep(0.3)
        kept = [connection for connection in held if is_open(connection)]
        assert 20 <= len(kept) <= 25
        # Somebody else, from another address, is served at once meanwhile; so is the inner entrance.
        start = time.monotonic()
        assert {status for status, _, _ in small.over_http2(["/ada"] * 5)} == {200}
        assert small.inner("/ada").status == 200
        assert time.monotonic() - start < 3
    time.sleep(0.5)
    assert small.ask("/ada").status == 200, "who lets go may come again"


def test_one_address_sends_few_large_bodies_at_once(entrance: Entrance) -> None:
    head = (
        f"POST /api/trpc/viewer/me/updateProfile HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 100000\r\n\r\n"
    )
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            slow = stack.enter_context(entrance.connect(443))
            slow.sendall(head.encode() + b"x" * 60_000)
        time.sleep(0.5)
        with entrance.connect(443) as ninth:
            ninth.sendall(head.encode())
            refused = read_answer(ninth)
        assert (refused.status, refused.headers["retry-after"]) == (429, "10")
        assert entrance.ask("/api/book/event", method="POST", body=b"x" * 2000).status == 200
    time.sleep(0.5)
    large = b"x" * 100_000
    assert entrance.ask("/api/avatar", method="POST", body=large).seen["body_length"] == len(large)


# --- Smuggling, HTTP/1.1

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: " + DOMAIN.encode() + b"\r\n\r\n"
CHUNKED = b"0\r\n\r\n" + HIDDEN
FRAMINGS = {
    "length and chunks": (b"Content-Length: %d\r\nTransfer-Encoding: chunked" % len(CHUNKED), CHUNKED),
    "chunks and length": (b"Transfer-Encoding: chunked\r\nContent-Length: 6", CHUNKED),
    "two lengths": (b"Content-Length: 0\r\nContent-Length: %d" % len(HIDDEN), HIDDEN),
    "a list of lengths": (b"Content-Length: 0, %d" % len(HIDDEN), HIDDEN),
    "a length with a sign": (b"Content-Length: +%d" % len(HIDDEN), HIDDEN),
    "a negative length": (b"Content-Length: -1", HIDDEN),
    "a length in hexadecimal": (b"Content-Length: 0x10", HIDDEN),
    "a length that overflows": (b"Content-Length: 18446744073709551616", HIDDEN),
    "a length with a space within": (b"Content-Length: 1 0", HIDDEN),
    "an empty length": (b"Content-Length:", HIDDEN),
    "an unknown coding": (b"Transfer-Encoding: xchunked", CHUNKED),
    "chunks, then identity": (b"Transfer-Encoding: chunked, identity", CHUNKED),
    "identity, then chunks": (b"Transfer-Encoding: identity, chunked", CHUNKED),
    "two codings in two lines": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", CHUNKED),
    "chunks twice": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", CHUNKED),
    "a space before the colon": (b"Transfer-Encoding : chunked", CHUNKED),
    "a tab before the colon": (b"Transfer-Encoding\t: chunked", CHUNKED),
    "a space before the name": (b" Transfer-Encoding: chunked", CHUNKED),
    "a folded line": (b"X: y\r\n Transfer-Encoding: chunked", CHUNKED),
    "a folded value": (b"Transfer-Encoding:\r\n chunked", CHUNKED),
    "a vertical tab": (b"Transfer-Encoding:\x0bchunked", CHUNKED),
    "a quoted coding": (b'Transfer-Encoding: "chunked"', CHUNKED),
    "an underscore": (b"Transfer_Encoding: chunked", CHUNKED),
    "a name with a zero byte": (b"Transfer-Encoding\0: chunked", CHUNKED),
    "a value with a zero byte": (b"X: a\0b\r\nTransfer-Encoding: chunked", CHUNKED),
    "a bare line feed": (b"X: y\nTransfer-Encoding: chunked", CHUNKED),
    "a bare carriage return": (b"X: y\rTransfer-Encoding: chunked", CHUNKED),
    "a chunk of a signed size": (b"Transfer-Encoding: chunked", b"-1\r\n" + CHUNKED),
    "a chunk of a size with a prefix": (b"Transfer-Encoding: chunked", b"0x0\r\n\r\n" + HIDDEN),
    "a chunk that overflows": (b"Transfer-Encoding: chunked", b"10000000000000000\r\n" + CHUNKED),
    "a chunk that ends with a bare line feed": (b"Transfer-Encoding: chunked", b"1\nx\r\n" + CHUNKED),
    "an extension with a bare line feed": (b"Transfer-Encoding: chunked", b"1;a\nb\r\nx\r\n" + CHUNKED),
    "a chunk that is longer than its size": (b"Transfer-Encoding: chunked", b"1\r\nxyz\r\n" + CHUNKED),
    "no line to end the last chunk": (b"Transfer-Encoding: chunked", b"0\r\n" + HIDDEN),
    "a trailer that is a length": (b"Transfer-Encoding: chunked", b"0\r\nContent-Length: 9\r\n\r\n" + HIDDEN),
}


def read_all(connection: socket.socket) -> bytes:
    """Everything until the other side closes or falls silent."""
    connection.settimeout(1)
    received = b""
    with contextlib.suppress(OSError):
        while more := connection.recv(65536):
            received += more
    return received


def path_in_log(entrance: Entrance, name: str) -> str | None:
    """The path of the request with this id; its line is written a moment after the answer."""
    end = time.monotonic() + 3
    while time.monotonic() < end:
        for line in entrance.proxy.logs(tail=50).decode().splitlines():
            if name in line:
                return str(json.loads(line)["path"])
        time.sleep(0.05)
    return None


@pytest.mark.parametrize("why", FRAMINGS)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_nothing_is_smuggled_past_the_proxy(entrance: Entrance, why: str, method: str) -> None:
    lines, body = FRAMINGS[why]
    before = len(entrance.seen_by_app())
    with entrance.connect(443) as connection:
        connection.sendall(
            f"{method} /api/x HTTP/1.1\r\nHost: {DOMAIN}\r\n".encode() + lines + b"\r\n\r\n" + body
        )
        answers = read_all(connection)
    assert answers.startswith(b"HTTP/1.1 ")
    reached = entrance.seen_by_app()[before:]
    for seen in reached:
        # Each request that the app saw is one that the proxy judged, under the same path and by itself.
        headers = dict(seen["headers"])
        assert path_in_log(entrance, headers["x-request-id"]) == seen["target"]
        assert not ("content-length" in headers and "transfer-encoding" in headers)
        assert headers.get("transfer-encoding", "chunked") == "chunked"


@pytest.mark.parametrize(
    "line",
    [
        b"GET /ada",
        b"GET  /ada HTTP/1.1 x",
        b"GET /a\0da HTTP/1.1",
        b"GET ada HTTP/1.1",
        b"G\xc3\x8bT /ada HTTP/1.1",
        b"get /ada HTTP/1.1",
    ],
)
def test_a_request_line_that_is_none_reaches_nobody(entrance: Entrance, line: bytes) -> None:
    before = len(entrance.seen_by_app())
    with entrance.connect(443) as connection:
        connection.sendall(line + b"\r\nHost: " + DOMAIN.encode() + b"\r\nConnection: close\r\n\r\n")
        first = read_all(connection).split(b"\r\n")[0]
    assert first == b"" or int(first.split()[1]) in (400, 405, 421, 505), first
    assert entrance.seen_by_app()[before:] == []


@pytest.mark.parametrize("line", ["GET /ada HTTP/0.9", "GET /ada HTTP/3.0", "GET /ada\tHTTP/1.1"])
def test_an_odd_request_line_is_refused_or_put_straight(entrance: Entrance, line: str) -> None:
    before = len(entrance.seen_by_app())
    with entrance.connect(443) as connection:
        connection.sendall(f"{line}\r\nHost: {DOMAIN}\r\nConnection: close\r\n\r\n".encode())
        read_all(connection)
    assert [seen["target"] for seen in entrance.seen_by_app()[before:]] in ([], ["/ada"])


def test_a_connection_that_wants_to_become_something_else_stays_what_it_is(entrance: Entrance) -> None:
    lines = (
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
    )
    answer = entrance.ask("/ada", headers=lines)
    assert answer.status == 200
    assert "upgrade" not in dict(answer.seen["headers"])


# --- HTTP/2

LINE = b" HTTP/1.1\r\nHost: x\r\n\r\nGET /hidden"
STRANGE: dict[str, list[Field]] = {
    "another authority beside the host": [*request(authority=b"elsewhere.test"), (b"host", DOMAIN.encode())],
    "two authorities": [*request(), (b":authority", b"elsewhere.test")],
    "an authority with a user": request(authority=b"elsewhere.test@" + DOMAIN.encode()),
    "a line within the path": request(b"/ada" + LINE),
    "a line within the method": request(method=b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\nGET"),
    "a line within the authority": request(authority=DOMAIN.encode() + b"\r\nX-Hidden: 1"),
    "a line within a value": [*request(), (b"x-a", b"b\r\nX-Hidden: 1")],
    "a bare line feed within a value": [*request(), (b"x-a", b"b\nX-Hidden: 1")],
    "a zero byte within a value": [*request(), (b"x-a", b"b\0c")],
    "a line within a name": [*request(), (b"x-a: b\r\nx-hidden", b"1")],
    "a colon within a name": [*request(), (b"x-hidden: 1", b"2")],
    "capitals within a name": [*request(), (b"X-Hidden", b"1")],
    "a space within the path": request(b"/ada /hidden"),
    "a path without a slash": request(b"hidden"),
    "an empty path": request(b""),
    "two paths": [*request(), (b":path", b"/hidden")],
    "no path": request()[:3],
    "no method": request()[1:],
    "an unknown pseudo header": [*request(), (b":hidden", b"1")],
    "a pseudo header behind the others": [(b"x-a", b"b"), *request(b"/hidden")],
    "a header of the connection": [*request(b"/hidden"), (b"connection", b"x-real-ip")],
    "chunks": [*request(b"/hidden", method=b"POST"), (b"transfer-encoding", b"chunked")],
    "an upgrade": [*request(b"/hidden"), (b"upgrade", b"h2c")],
    "a proxy's connection": [*request(b"/hidden"), (b"proxy-connection", b"close")],
}


@pytest.mark.parametrize("why", STRANGE)
def test_what_http2_must_not_carry_reaches_nobody(entrance: Entrance, why: str) -> None:
    before = len(entrance.seen_by_app())
    became = outcome(entrance, STRANGE[why])
    assert became == "refused" or (isinstance(became, int) and became >= 400)
    assert entrance.seen_by_app()[before:] == []


@pytest.mark.parametrize("length", [b"0", b"1", b"1000", b"-1", b"5,5"])
def test_a_length_that_is_not_the_body_s_reaches_nobody_over_http2(entrance: Entrance, length: bytes) -> None:
    before = len(entrance.seen_by_app())
    fields = [*request(b"/api/x", method=b"POST"), (b"content-length", length)]
    became = outcome(entrance, fields, body=b"GET /hidden HTTP/1.1\r\n\r\n")
    assert became == "refused" or (isinstance(became, int) and became >= 400)
    # A stream may end only after its head has arrived: what the app sees then has no body at all.
    assert [seen["body_length"] for seen in entrance.seen_by_app()[before:]] in ([], [0])


@pytest.mark.parametrize(
    "fields",
    [
        [*request(), (b"host", b"elsewhere.test")],
        [*request()[:2], request()[3], (b"host", DOMAIN.encode()), (b"host", b"elsewhere.test")],
    ],
    ids=["beside the authority", "twice"],
)
def test_one_host_reaches_the_app_whatever_http2_says_beside_it(
    entrance: Entrance, fields: list[Field]
) -> None:
    before = len(entrance.seen_by_app())
    outcome(entrance, fields)
    for seen in entrance.seen_by_app()[before:]:
        assert [value for name, value in seen["headers"] if "host" in name] == [DOMAIN, DOMAIN]


def test_an_honest_request_made_by_hand_arrives(entrance: Entrance) -> None:
    assert outcome(entrance, request()) == 200
    assert (
        outcome(entrance, [*request(b"/api/x", method=b"POST"), (b"content-length", b"2")], body=b"{}") == 200
    )


def test_headers_without_end_are_refused_over_http2(entrance: Entrance) -> None:
    before = len(entrance.seen_by_app())
    became = outcome(entrance, [*request(), *((b"x-%d" % number, b"x" * 100) for number in range(150))])
    assert became == "refused" or became in (400, 431)
    assert entrance.seen_by_app()[before:] == []


def test_the_same_connection_serves_no_closed_path_behind_an_open_one(entrance: Entrance) -> None:
    with entrance.connect(443) as connection:
        one = f"GET /ada HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n"
        connection.sendall((one + one.replace("/ada", "/api/cron/x")).encode())
        assert read_answer(connection).status == 200
        assert read_all(connection).startswith(b"HTTP/1.1 404")
