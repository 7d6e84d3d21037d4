from __future__ import annotations

import ipaddress
import socket

import pytest

from tests.verify.complaint import complaint, listed
from tests.verify.server import Server

NEVER_PUBLIC = {
    5432: "the database",
    6379: "a cache",
    3000: "the app past its proxy",
    5555: "the API past its proxy",
    2375: "Docker's API without a password",
    2376: "Docker's API",
}
_PATIENCE_SECONDS = 3


def _closed(server: Server) -> dict[int, str]:
    return NEVER_PUBLIC | {
        server.settings.proxy.inner_port: "the inner entrance, where setup and cron are open"
    }


def test_figures_are_published_where_they_shall_be_and_nowhere_else(server: Server) -> None:
    metrics = server.settings.metrics
    if metrics.address is None:
        return
    places = [place["address"] for place in server.found("listening") if place["port"] == metrics.port]
    assert places == [metrics.address], complaint(
        f"port {metrics.port} of the figures is open at {listed(places) or 'no address'}, "
        f"not at {metrics.address}",
        why="Prometheus finds nothing, or strangers find what is none of their business",
        fix="calstack deploy; ss -ltnp on the host shows the program",
    )


def _is_loopback(address: str) -> bool:
    return address not in ("*", "") and ipaddress.ip_address(address).is_loopback


@pytest.mark.parametrize("port", [80, 443])
def test_the_host_listens_to_browsers(server: Server, port: int) -> None:
    addresses = {place["address"] for place in server.found("listening") if place["port"] == port}
    assert addresses & {"0.0.0.0", "*", "::"}, complaint(  # noqa: S104 - what shall be seen
        f"nothing listens on port {port} of all addresses (found: {listed(sorted(addresses)) or 'nothing'})",
        why="nobody can reach the instance",
        fix="cd /opt/calcom && docker compose ps proxy",
    )


def test_inner_services_listen_on_loopback_alone(server: Server) -> None:
    closed = _closed(server)
    wide = [
        f"{place['address']}:{place['port']} ({closed[place['port']]})"
        for place in server.found("listening")
        if place["port"] in closed and not _is_loopback(place["address"])
    ]
    assert not wide, complaint(
        f"open to every address of this host: {listed(wide)}",
        why="only a firewall in between, if there is one, keeps strangers out",
        fix="ss -ltnp shows the program; bind it to 127.0.0.1, or stop it",
    )


def test_from_outside_one_reaches_web_and_ssh(server: Server) -> None:
    ports = {80: "http, which sends browsers to https", 443: "https", server.settings.ssh.port: "ssh"}
    silent = [f"{port} ({what})" for port, what in ports.items() if not _answers(server, port)]
    assert not silent, complaint(
        f"from here one cannot connect to {server.settings.ssh.address} at {listed(silent)}",
        why="guests meet the same silence",
        fix="open the port in the provider's firewall and the host's own (ufw status, nft list ruleset)",
    )


def test_from_outside_one_reaches_nothing_else_of_the_instance(server: Server) -> None:
    reached = [
        f"{port} ({what})"
        for port, what in _closed(server).items()
        if port != server.settings.ssh.port and _answers(server, port)
    ]
    assert not reached, complaint(
        f"from here one can connect to {server.settings.ssh.address} at {listed(reached)}",
        why="so can everybody else",
        fix="ss -ltnp on the host shows the program; bind it to 127.0.0.1, or close the port in the firewall",
    )


def _answers(server: Server, port: int) -> bool:
    try:
        with socket.create_connection((server.settings.ssh.address, port), timeout=_PATIENCE_SECONDS):
            return True
    except OSError:
        return False
