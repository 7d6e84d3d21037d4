"""HAProxy in front of the app: the settings `proxy`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from deploy.settings.section import Section


class Proxy(Section):
    """HAProxy in front of the app."""

    inner_port: Annotated[int, Field(ge=1024, le=65535)] = 8080
    """Port of the inner entrance on the host's loopback."""
    memory_mb: Annotated[int, Field(ge=64)] = 256
    """Memory limit of the container in MiB."""
    max_connections: Annotated[int, Field(ge=100, le=100000)] = 1500
    """Concurrent connections; about 8,000 with TLS need one GB of memory."""
