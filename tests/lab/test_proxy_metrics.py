"""Figures for Prometheus, for those who reach their port."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from deploy.lab import inside
from tests.lab.entrance import CERTIFICATE, Entrance, running_entrance, write_configuration
from tests.unit.roles.hosts import host_context

pytestmark = pytest.mark.docker

PORT = 8405


@pytest.fixture(scope="module")
def entrance(
    client: docker.DockerClient, haproxy: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Entrance]:
    host = host_context(certificate=CERTIFICATE, metrics={"address": "127.0.0.1"})
    folder = write_configuration(tmp_path_factory.mktemp("metrics"), host)
    with running_entrance(client, haproxy, folder) as entrance:
        yield entrance


def test_requests_and_the_app_s_health_are_counted(entrance: Entrance) -> None:
    entrance.ask("/ada")
    figures = scrape(entrance)
    assert figures['haproxy_frontend_http_responses_total{proxy="public",code="2xx"}'] >= 1
    entrance.ask("/ada")
    assert scrape(entrance)['haproxy_frontend_http_responses_total{proxy="public",code="2xx"}'] >= 2
    assert figures['haproxy_server_status{proxy="app",server="web1",state="UP"}'] == 1
    # docs/metrics.md names these.
    for name in (
        'haproxy_backend_response_time_average_seconds{proxy="app"}',
        'haproxy_backend_retry_warnings_total{proxy="app"}',
        'haproxy_server_sessions_total{proxy="app",server="waiting_room"}',
        'haproxy_frontend_current_sessions{proxy="public"}',
        'haproxy_frontend_limit_sessions{proxy="public"}',
    ):
        assert name in figures


def test_nothing_else_is_there_and_nothing_is_logged(entrance: Entrance) -> None:
    before = len(entrance.proxy.logs().splitlines())
    assert entrance.ask("/ada", port=PORT).status == 404
    scrape(entrance)
    assert len(entrance.proxy.logs().splitlines()) == before


def test_visitors_get_none(entrance: Entrance) -> None:
    for port in (80, 443):
        assert b"haproxy_" not in entrance.ask("/metrics", port=port).body


def test_without_an_address_nobody_serves_them(
    client: docker.DockerClient, haproxy: str, tmp_path: Path
) -> None:
    folder = write_configuration(tmp_path, host_context(certificate=CERTIFICATE))
    with running_entrance(client, haproxy, folder) as entrance, pytest.raises(ConnectionRefusedError):
        entrance.connect(PORT)


def scrape(entrance: Entrance) -> dict[str, float]:
    """The figures, by name and labels."""
    exit_code, body = inside.run(entrance.app, "curl", "-sf", f"http://{entrance.address}:{PORT}/metrics")
    assert exit_code == 0, body
    lines = [line for line in body.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}
