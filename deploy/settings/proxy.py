"""HAProxy in front of the app: the settings `proxy`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from deploy.settings import cloudflare, rules
from deploy.settings.section import SecretReference, Section

Network = Annotated[str, AfterValidator(rules.network)]


class TrustedProxies(Section):
    """Load balancers and CDNs in front of the host. From nobody else is an address believed."""

    networks: list[Network] = []
    """Whose `header` is believed: addresses or networks, like 192.0.2.7 or 192.0.2.0/24."""
    cloudflare: bool = False
    """Believe Cloudflare's networks as well (deploy/settings/cloudflare.py lists them, with a date); `header`
    is then CF-Connecting-IP where nothing else is said."""
    header: Annotated[str, AfterValidator(rules.client_address_header)] | None = None
    """The header that carries the visitor's address. In `X-Forwarded-For` it is the last address that is not
    itself trusted; other headers carry one address."""
    proxy_protocol_networks: list[Network] = []
    """Whose connections begin with the PROXY protocol, version 1 or 2; they must, and nobody else may."""

    @model_validator(mode="after")
    def _header_and_networks_together(self) -> TrustedProxies:
        """`networks` and `header` stand together; with `cloudflare`, `header` may be left out."""
        if self.networks and self.header is None and not self.cloudflare:
            raise rules.refused(
                "is missing, so nothing says which header of these networks is believed",
                "add header: X-Forwarded-For, or what your load balancer sets; for the PROXY protocol name "
                "the networks under proxy_protocol_networks",
                key="header",
            )
        if self.header is not None and not self.believed_networks:
            raise rules.refused("is believed from nobody", "add networks, or remove it", key="header")
        return self

    @property
    def believed_networks(self) -> tuple[str, ...]:
        """Whose header is believed."""
        return (*self.networks, *(cloudflare.NETWORKS if self.cloudflare else ()))

    @property
    def believed_header(self) -> str | None:
        """Which header is believed."""
        return self.header or (cloudflare.HEADER if self.cloudflare else None)


class AdminAccess(Section):
    """Who reaches the app's admin pages from outside. Without this section everybody, to sign in there as
    the app demands; with it those from `networks` and those who know a password of `users`."""

    networks: list[Network] = []
    """Addresses or networks that reach them without a password."""
    users: dict[Annotated[str, AfterValidator(rules.door_user)], SecretReference] = {}
    """Name to password (`!secret NAME`), asked for by the browser before the app's own sign-in."""

    @model_validator(mode="after")
    def _somebody_is_let_in(self) -> AdminAccess:
        """At least one network or user."""
        if not self.networks and not self.users:
            raise rules.refused(
                "lets nobody in", "name networks or users; at the inner entrance the pages are open anyway"
            )
        return self


class Proxy(Section):
    """HAProxy in front of the app."""

    inner_port: Annotated[int, Field(ge=1024, le=65535)] = 8080
    """Port of the inner entrance on the host's loopback."""
    memory_mb: Annotated[int, Field(ge=64)] = 256
    """Memory limit of the container in MiB."""
    max_connections: Annotated[int, Field(ge=100, le=100000)] = 1500
    """Concurrent connections; about 8,000 with TLS need one GB of memory."""
    trusted_proxies: TrustedProxies = TrustedProxies()
    embed_origins: list[Annotated[str, AfterValidator(rules.origin)]] = []
    """Sites that may show booking pages in a frame, like https://www.example.com or https://*.example.com.
    Empty means every site may."""
    log_files: bool = False
    """Whether the log has the files of Next's own folder (`/_next/static`) too, nine in ten requests of a
    page; those that fail are in it always."""
    admin_access: AdminAccess | None = None
