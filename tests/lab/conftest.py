"""What the lab's tests share: one HAProxy for all that speak to it, and the program of the backups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from deploy.lab import engine, images
from tests.lab.backups import restic_program
from tests.lab.entrance import CERTIFICATE, WITHOUT_LIMITS, Entrance, running_entrance, write_configuration
from tests.unit.roles.hosts import host_context


@pytest.fixture(scope="session")
def client(docker_engine: None) -> docker.DockerClient:  # noqa: ARG001 the engine runs
    """The engine of this machine."""
    return engine.connect()


@pytest.fixture(scope="session")
def haproxy(client: docker.DockerClient) -> str:
    """The image of HAProxy; `CALSTACK_HAPROXY_IMAGE` puts another to the same tests."""
    given = os.environ.get("CALSTACK_HAPROXY_IMAGE")
    return given or images.ensure_service_image(client, images.HAPROXY)


@pytest.fixture(scope="session")
def restic(client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, out of the lab's image."""
    return restic_program(client, tmp_path_factory.mktemp("restic"))


@pytest.fixture(scope="package")
def entrance(
    client: docker.DockerClient, haproxy: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Entrance]:
    """The proxy of a host with nothing but what must be set."""
    host = host_context(certificate=CERTIFICATE, rate_limits=WITHOUT_LIMITS)
    folder = write_configuration(tmp_path_factory.mktemp("proxy"), host)
    with running_entrance(client, haproxy, folder) as entrance:
        yield entrance
