"""Figures for Prometheus: the settings `metrics`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from deploy.settings import rules
from deploy.settings.section import Section


class Metrics(Section):
    """Figures of the proxy for Prometheus, at http://ADDRESS:PORT/metrics; off without an address."""

    address: Annotated[str, AfterValidator(rules.private_address)] | None = None
    """Address of the host at which they are published: loopback, or one of a private network. Whoever reaches
    it reads them without a password."""
    port: Annotated[int, Field(ge=1024, le=65535)] = 8405
    """Port at that address."""

    @property
    def published(self) -> str:
        """Address and port as Compose and URLs write them."""
        address = f"[{self.address}]" if self.address and ":" in self.address else self.address
        return f"{address}:{self.port}"
