"""HAProxy: its configuration and the certificate that it serves."""

from __future__ import annotations

import hashlib

from pyinfra.api.deploy import deploy

from deploy.onhost.certificate import lego
from deploy.operations import proxy_configuration, stack
from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles import proxy_limits
from deploy.roles.context import HostContext
from deploy.roles.password_hash import hashed
from deploy.settings.layout import CERTIFICATES, MAINTENANCE_MAP, PROXY_SOCKETS

DIRECTORY = "/opt/calcom/proxy"
HAPROXY = 99
"""User and group of HAProxy in the official image; the container starts as that user."""


def files(host: HostContext) -> list[ManagedFile | ManagedDirectory]:
    """Configuration, the runtime socket's folder, and certificate with key for HAProxy's eyes only."""
    return [
        ManagedDirectory(DIRECTORY),
        ManagedDirectory(PROXY_SOCKETS, mode="0700", owner=HAPROXY, group=HAPROXY),
        ManagedDirectory(CERTIFICATES, mode="0700", owner=HAPROXY, group=HAPROXY),
        *_certificate(host),
        # Readable for HAProxy alone, since it may hold hashes of passwords.
        ManagedFile(
            f"{DIRECTORY}/haproxy.cfg",
            _configuration(host, config_digest(host)),
            mode="0640",
            group=HAPROXY,
        ),
        *proxy_limits.files(host, group=HAPROXY),
    ]


def _certificate(host: HostContext) -> list[ManagedFile]:
    if host.certificate is None:
        return []
    file = ManagedFile(
        f"{CERTIFICATES}/site.pem",
        host.certificate,
        mode="0400",
        owner=HAPROXY,
        group=HAPROXY,
        secret=True,
    )
    return [file]


def config_digest(host: HostContext) -> str:
    """What the inner entrance answers at /calstack/config-digest once this is loaded.

    A digest of the configuration, hexadecimal, and of the certificate where that comes from here: what the
    host renews by itself needs no reload.
    """
    return hashlib.sha256(_configuration(host, "") + (host.certificate or b"")).hexdigest()


@deploy("Proxy")
def try_configuration(host: HostContext) -> None:
    """Let HAProxy read its new files before they are put in place of the old ones."""
    image = host.settings.images.proxy
    proxy_configuration.accepted(
        name="The proxy accepts its configuration",
        image=image.for_architecture(host.architecture),
        pull=image.pull,
        directory=DIRECTORY,
        items=files(host),
    )


@deploy("Proxy")
def run_proxy(host: HostContext) -> None:
    """Start HAProxy; a changed configuration or certificate is reloaded without a gap."""
    image = host.settings.images.proxy.for_architecture(host.architecture)
    stack.up(name="The proxy runs", images={"proxy": image}, timeout=120)
    stack.proxy_loaded(
        name="The proxy serves its configuration",
        config_digest=config_digest(host),
        inner_port=host.settings.proxy.inner_port,
    )


def _configuration(host: HostContext, digest: str) -> bytes:
    access = host.settings.proxy.admin_access
    passwords = {
        user: hashed(host.secrets.resolve(password.secret), salt=f"{host.secrets.nextauth_secret} {user}")
        for user, password in (access.users if access else {}).items()
    }
    return host.render(
        "opt/calcom/proxy/haproxy.cfg",
        digest=digest,
        admin_passwords=passwords,
        maintenance_map=in_container(MAINTENANCE_MAP),
        challenge=f"{lego.ALIAS}:{lego.PORT}",
        limits=proxy_limits.tables(host.settings),
    )


def in_container(path: str) -> str:
    """Where HAProxy sees a file of the proxy's folder."""
    return path.replace(DIRECTORY, "/usr/local/etc/haproxy", 1)
