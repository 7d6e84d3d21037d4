"""The whole host, top to bottom, in the order in which it is built.

`calstack deploy` calls `site()` through pyinfra's API; `pyinfra inventories/lab/inventory.py deploy/site.py`
runs this file as it is.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import pyinfra
from pyinfra.context import host

from deploy.errors import CalstackError
from deploy.facts.system import System, SystemIdentity
from deploy.pki import proxy_certificate
from deploy.roles import (
    api,
    app,
    backups,
    base,
    cache,
    certificate,
    continuous,
    database,
    docker,
    images,
    jobs,
    onhost_archive,
    proxy,
)
from deploy.roles.context import HostContext, Secrets
from deploy.secrets import SecretStore, placeholders
from deploy.settings.inventory import Inventory
from deploy.settings.load import load_inventory

_ARCHITECTURES: dict[str, Literal["amd64", "arm64"]] = {"x86_64": "amd64", "aarch64": "arm64"}
_DISTRIBUTIONS: dict[str, Literal["debian", "ubuntu"]] = {"debian": "debian", "ubuntu": "ubuntu"}


def site(fill: Callable[[HostContext], None] = lambda _: None) -> None:
    """Describe the host that pyinfra is at; every host runs the same operations in the same order.

    `fill`: what puts content into a new database, before the app sees it.
    """
    context = describe_host()
    machine(context)
    proxy.try_configuration(host=context)
    parts = (database, api, proxy, certificate, backups, continuous)
    others = [item for role in parts for item in role.files(context)]
    app.place_project(host=context, others=others)
    database.run_database(host=context)
    fill(context)
    app.prepare_database(host=context)
    app.run_app(host=context)
    cache.run_cache(host=context)
    api.run_api(host=context)
    proxy.run_proxy(host=context)
    backups.install_program(host=context)
    continuous.receive_log(host=context)
    jobs.install_jobs(host=context)
    certificate.obtain_certificate(host=context)


def machine(context: HostContext) -> None:
    """What does not depend on any secret: the system, the engine, the images."""
    base.prepare_system(host=context)
    docker.install_engine(host=context)
    images.put_images(host=context)


def describe_machine(secrets: Secrets) -> HostContext:
    """The host that pyinfra is at, of whose secrets these alone are known; none is made."""
    data = host.data.calstack
    inventory = load_inventory(data["inventory"])
    return _context(inventory, data["host"], secrets, host.get_fact(SystemIdentity))


def describe_host() -> HostContext:
    """Everything that this host's files are made from; its secrets are made on the first call."""
    data = host.data.calstack
    inventory = load_inventory(data["inventory"])
    return host_context(inventory, data["host"], SecretStore.open(inventory), host.get_fact(SystemIdentity))


def host_context(inventory: Inventory, name: str, store: SecretStore, system: System) -> HostContext:
    """One host of an inventory with the contents that its files are made from.

    Raises `CalstackError` for a machine or distribution that calstack does not know.
    """
    settings = inventory.hosts[name]
    # First of all: for `internal` it makes the authority that the app is to trust.
    for_proxy = None
    if settings.tls.mode != "acme":
        for_proxy = proxy_certificate(inventory, name, store, now=datetime.datetime.now(datetime.UTC))
    authorities = [
        file.read_bytes()
        for file in (
            inventory.authority_of(settings),
            inventory.file(settings.app.ca_file) if settings.app.ca_file else None,
        )
        if file is not None
    ]
    context = _context(inventory, name, store.host(name), system)
    return replace(context, certificate=for_proxy, authority=b"".join(authorities) or None)


def _context(inventory: Inventory, name: str, secrets: Secrets, system: System) -> HostContext:
    """The same without certificates."""
    if system.machine not in _ARCHITECTURES or system.distribution not in _DISTRIBUTIONS:
        raise CalstackError(
            f"the host runs {system.distribution or 'an unknown system'} on {system.machine}",
            where=name,
            fix="calstack needs Debian or Ubuntu on x86_64 or aarch64",
        )
    return HostContext(
        name=name,
        inventory=inventory,
        settings=inventory.hosts[name],
        secrets=secrets,
        architecture=_ARCHITECTURES[system.machine],
        certificate=None,
        authority=None,
        onhost=onhost_archive.build(),
        distribution=_DISTRIBUTIONS[system.distribution],
        codename=system.codename,
        ipv6=system.ipv6,
    )


def preview_context(inventory: Inventory, name: str) -> HostContext:
    """The same for `make render`: without a host or an identity, secrets and certificates as placeholders."""
    settings = inventory.hosts[name]
    trusts_authority = inventory.authority_of(settings) is not None or settings.app.ca_file is not None
    made_here = settings.tls.mode != "acme"
    return HostContext(
        name=name,
        inventory=inventory,
        settings=settings,
        secrets=placeholders(name),
        architecture="amd64",
        certificate=b"<certificate, chain and private key>\n" if made_here else None,
        authority=b"<authorities that the app trusts>\n" if trusts_authority else None,
        onhost=onhost_archive.build(),
    )


if pyinfra.is_cli:
    site()
