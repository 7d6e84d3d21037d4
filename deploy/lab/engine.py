"""Make sure of a Docker engine: one that answers is used and never touched."""

from __future__ import annotations

import docker


def connect() -> docker.DockerClient:
    """A client of the engine of this machine."""
    return docker.from_env(timeout=300)
