"""The lab's verbs for an inventory: up, down, info."""

from __future__ import annotations

from typing import Any

from deploy.console import Console
from deploy.errors import InputError
from deploy.lab import down as lowering
from deploy.lab import info as describing
from deploy.lab import up as raising
from deploy.lab.lab import LabHost
from deploy.settings.inventory import Inventory


def up(inventory: Inventory, console: Console) -> None:
    """Start the hosts of the inventory, and make all that they need."""
    with console.stage("Lab") as now:
        raising.up(inventory.path, _hosts(inventory), now)


def down(inventory: Inventory, console: Console, *, everything: bool) -> None:
    """Remove the hosts of the inventory; `everything` means images, caches and our own engine too."""
    _hosts(inventory)
    with console.stage("Lab"):
        lowering.down(inventory.path, console.line, everything=everything)


def info(inventory: Inventory) -> dict[str, list[dict[str, Any]]]:
    """The document of `lab info --json`."""
    return describing.describe(inventory.path, _hosts(inventory))


def _hosts(inventory: Inventory) -> dict[str, LabHost]:
    if inventory.lab is None:
        raise InputError(
            f"the inventory {inventory.name} is not a lab: its hosts are servers of yours",
            fix="a lab inventory has a section `lab:` in its defaults.yaml",
        )
    return {
        name: LabHost(name, host.ssh.address, host.domain, host.ssh.port)
        for name, host in inventory.hosts.items()
    }
