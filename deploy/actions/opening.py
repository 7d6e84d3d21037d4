"""What every action on hosts begins with: the inventory, its secrets, the connections, the locks."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from deploy.actions.instance import Instance
from deploy.actions.interrupted import RESTORE, refuse_where_interrupted
from deploy.console import Console
from deploy.converge import Connection, connect
from deploy.errors import CalstackError, InputError
from deploy.pki import proxy_certificate
from deploy.secrets import SecretStore
from deploy.settings.inventory import Inventory


@dataclass(frozen=True)
class Locked:
    """Hosts whose lock is held, and why the others' could not be had."""

    names: list[str]
    refused: dict[str, str]


@dataclass(frozen=True)
class Opened:
    """An inventory whose hosts are connected."""

    inventory: Inventory
    store: SecretStore
    connection: Connection

    def instance(self, name: str) -> Instance:
        """The instance on one connected host."""
        return Instance(
            name,
            self.inventory,
            self.inventory.hosts[name],
            self.store.host(name),
            self.connection.remote(name),
        )

    @contextmanager
    def locked(self, what: str) -> Iterator[Locked]:
        """Hold the lock of every connected host that is free while the block runs.

        A host on which a restore was cut short counts as refused, for all but the restore itself.
        """
        held, refused = [], {}
        with ExitStack() as locks:
            for name in self.connection.names:
                try:
                    remote = self.connection.remote(name)
                    locks.enter_context(remote.lock(what))
                    if what != RESTORE:
                        refuse_where_interrupted(remote)
                    held.append(name)
                except CalstackError as error:
                    refused[name] = str(error)
            yield Locked(held, refused)


def choose(inventory: Inventory, limit: Sequence[str]) -> list[str]:
    """Names of the hosts that an action is for; raises `InputError` for a host that is not there."""
    unknown = [name for name in limit if name not in inventory.hosts]
    if unknown:
        raise InputError(
            f"no host {', '.join(unknown)} in the inventory {inventory.name}",
            fix=f"choose from: {', '.join(inventory.hosts)}",
        )
    return [name for name in inventory.hosts if not limit or name in limit]


@contextmanager
def opened(inventory: Inventory, limit: Sequence[str], console: Console) -> Iterator[Opened]:
    """Open the secrets, so that the console can mask them, and connect to the hosts.

    What the hosts need is made here, so that what a person should know is told once. Raises `InputError`
    for a secret that a setting names and nobody has stored, `CalstackError` when not one host can be
    reached; single failures stand in the connection.
    """
    names = choose(inventory, limit)
    for warning in inventory.warnings:
        console.line(f"warning: {warning}", style="yellow")
    store = SecretStore.open(inventory, tell=console.line)
    console.mask = store.masker.mask
    store.check_references(names)
    now = datetime.datetime.now(datetime.UTC)
    for name in names:
        store.host(name)
        if inventory.hosts[name].tls.mode != "acme":
            proxy_certificate(inventory, name, store, now, tell=console.line)
    with connect(inventory, names, log=console.log) as connection:
        if not connection.names:
            raise CalstackError("\n".join(f"{name}: {why}" for name, why in connection.failures.items()))
        yield Opened(inventory, store, connection)
