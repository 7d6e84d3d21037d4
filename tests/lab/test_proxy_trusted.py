"""Whose word is taken for where a visitor comes from, and what becomes of everybody else's."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from tests.lab.entrance import (
    CERTIFICATE,
    Answer,
    Entrance,
    read_answer,
    running_entrance,
    write_configuration,
)
from tests.unit.roles.hosts import DOMAIN, host_context

pytestmark = pytest.mark.docker

# The tests come from the gateway of a compose network: one of the engine's own pools.
US = ["172.16.0.0/12", "192.168.0.0/16"]


@pytest.fixture(scope="module")
def start(
    client: docker.DockerClient, haproxy: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """Starts a proxy with these `trusted_proxies`, once for the same."""
    running: dict[str, tuple[Any, Entrance]] = {}

    def entrance(**trusted: Any) -> Entrance:
        key = json.dumps(trusted)
        if key not in running:
            host = host_context(certificate=CERTIFICATE, proxy={"trusted_proxies": trusted})
            folder = write_configuration(tmp_path_factory.mktemp("proxy"), host)
            context = running_entrance(client, haproxy, folder)
            running[key] = context, context.__enter__()
        return running[key][1]

    yield entrance
    for context, _ in running.values():
        context.__exit__(None, None, None)


def address_seen(answer: Answer) -> str:
    """The one address that the app was told, in all its forms."""
    told = {
        value
        for name in ("cf-connecting-ip", "x-real-ip", "x-forwarded-for")
        for value in answer.reached_app_with(name)
    }
    assert len(told) == 1, told
    return told.pop()


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("203.0.113.7:50000", "203.0.113.7"),
        ("1.2.3.4, 203.0.113.7", "203.0.113.7"),
        ("1.2.3.4, 203.0.113.7, 172.31.0.9", "203.0.113.7"),
        ("1.2.3.4, 203.0.113.7, 172.31.0.9,192.168.3.3", "203.0.113.7"),
        ("203.0.113.7\r\nX-Forwarded-For: 172.31.0.9", "203.0.113.7"),
        ("1.2.3.4\r\nX-Forwarded-For: 203.0.113.7", "203.0.113.7"),
    ],
)
def test_the_last_address_that_is_not_a_trusted_proxy_s_is_the_visitor_s(
    start: Any, said: str, seen: str
) -> None:
    behind = start(networks=US, header="X-Forwarded-For")
    answer = behind.ask("/api/ip", headers=f"X-Forwarded-For: {said}\r\nX-Real-IP: 1.2.3.4\r\n")
    assert address_seen(answer) == seen
    assert answer.reached_app_with("x-forwarded-proto") == ["https"]


@pytest.mark.parametrize("said", ["unknown", "", "1.2.3.4, _hidden", "999.1.1.1", "example.com", "127.1"])
def test_what_is_no_address_leaves_that_of_the_connection(start: Any, said: str) -> None:
    behind = start(networks=US, header="X-Forwarded-For")
    peer = address_seen(behind.ask("/api/ip"))
    assert peer.startswith(("172.", "192.168."))
    assert address_seen(behind.ask("/api/ip", headers=f"X-Forwarded-For: {said}\r\n")) == peer


def test_each_request_of_a_connection_has_its_own_visitor(start: Any) -> None:
    behind = start(networks=US, header="X-Forwarded-For")
    peer = address_seen(behind.ask("/api/ip"))
    with behind.connect(443) as connection:
        for said in ("203.0.113.1", None, "203.0.113.2"):
            header = f"X-Forwarded-For: {said}\r\n" if said else ""
            connection.sendall(f"GET /api/ip HTTP/1.1\r\nHost: {DOMAIN}\r\n{header}\r\n".encode())
            assert address_seen(read_answer(connection)) == (said or peer)


def test_the_log_names_the_visitor_and_who_spoke_for_him(start: Any) -> None:
    behind = start(networks=US, header="X-Forwarded-For")
    for port in (443, 80):
        behind.ask(f"/logged-{port}", headers="X-Forwarded-For: 203.0.113.9\r\n", port=port)
    time.sleep(0.3)
    lines = [json.loads(line) for line in behind.proxy.logs().decode().splitlines() if line.startswith("{")]
    for port in (443, 80):
        (line,) = [line for line in lines if line.get("path") == f"/logged-{port}"]
        assert line["client"] == "203.0.113.9"
        assert line["through"].startswith(("172.", "192.168."))


def test_a_header_is_believed_from_the_named_networks_alone(start: Any) -> None:
    elsewhere = start(cloudflare=True, networks=["203.0.113.0/24"])
    forged = "CF-Connecting-IP: 1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\n"
    assert address_seen(elsewhere.ask("/api/ip", headers=forged)).startswith(("172.", "192.168."))


def test_a_header_of_another_name_is_believed_and_goes_no_further(start: Any) -> None:
    behind = start(networks=US, header="Fastly-Client-IP")
    answer = behind.ask("/api/ip", headers="Fastly-Client-IP: 203.0.113.8\r\nX-Forwarded-For: 1.2.3.4\r\n")
    assert address_seen(answer) == "203.0.113.8"
    assert answer.reached_app_with("fastly-client-ip") == []


def after(first: bytes, entrance: Entrance, request: str) -> Answer:
    """The answer to a request whose connection begins with these bytes, before TLS."""
    plain = entrance.connect_plainly(443)
    plain.sendall(first)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(plain, server_hostname=DOMAIN) as connection:
        connection.sendall(request.encode())
        return read_answer(connection)


ASK = f"GET /api/ip HTTP/1.1\r\nHost: {DOMAIN}\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n"
ANNOUNCEMENTS = {
    "version 1": b"PROXY TCP4 203.0.113.5 192.0.2.1 50000 443\r\n",
    "version 1, IPv6": b"PROXY TCP6 2001:db8::5 2001:db8::1 50000 443\r\n",
    "version 2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
    + bytes([203, 0, 113, 5, 192, 0, 2, 1])
    + b"\xc3\x50\x01\xbb",
}


@pytest.mark.parametrize("version", ANNOUNCEMENTS)
def test_a_load_balancer_announces_the_visitor(start: Any, version: str) -> None:
    behind = start(proxy_protocol_networks=US)
    seen = address_seen(after(ANNOUNCEMENTS[version], behind, ASK))
    assert seen == ("2001:db8::5" if "6" in version else "203.0.113.5")


def test_a_load_balancer_that_announces_nobody_is_not_served(start: Any) -> None:
    behind = start(proxy_protocol_networks=US)
    with pytest.raises(OSError):  # noqa: PT011 reset or end of file, by the moment
        behind.ask("/api/ip")


def test_nobody_else_may_announce_a_visitor(entrance: Entrance, start: Any) -> None:
    for elsewhere in (entrance, start(proxy_protocol_networks=["203.0.113.0/24"])):
        assert address_seen(elsewhere.ask("/api/ip")).startswith(("172.", "192.168."))
        with pytest.raises(OSError):  # noqa: PT011
            after(ANNOUNCEMENTS["version 1"], elsewhere, ASK)


def test_a_cdn_behind_a_load_balancer_is_believed_by_the_address_that_was_announced(start: Any) -> None:
    behind = start(cloudflare=True, proxy_protocol_networks=US)
    ask = f"GET /api/ip HTTP/1.1\r\nHost: {DOMAIN}\r\nCF-Connecting-IP: 203.0.113.99\r\n\r\n"
    through_cdn = b"PROXY TCP4 173.245.48.9 192.0.2.1 50000 443\r\n"
    past_cdn = b"PROXY TCP4 203.0.113.5 192.0.2.1 50000 443\r\n"
    assert address_seen(after(through_cdn, behind, ask)) == "203.0.113.99"
    assert address_seen(after(past_cdn, behind, ask)) == "203.0.113.5"
