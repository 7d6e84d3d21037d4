"""The hosts of an inventory in the form that pyinfra connects by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyinfra.api.exceptions import InventoryError

from deploy.errors import InputError
from deploy.settings.inventory import Inventory
from deploy.settings.load import load_inventory

DATA_KEY = "calstack"
"""Our one key in a host's data: any other could be one of pyinfra's own arguments, as `name` is."""

PyinfraHost = tuple[str, dict[str, Any]]


def pyinfra_inventory(path: Path | str) -> list[PyinfraHost]:
    """The hosts of the inventory in this folder, for the `inventory.py` that plain pyinfra reads.

    Raises pyinfra's InventoryError, which its command line prints without a traceback.
    """
    try:
        return pyinfra_hosts(load_inventory(str(Path(path).resolve())))
    except InputError as error:
        raise InventoryError(str(error)) from None


def pyinfra_hosts(inventory: Inventory) -> list[PyinfraHost]:
    """(name, data) of each host; the data's keys are those of pyinfra 3.10's SSH connector.

    Host keys must be known already: pyinfra's default accepts any new one.
    """
    hosts: list[PyinfraHost] = []
    for name, settings in inventory.hosts.items():
        ssh = settings.ssh
        data: dict[str, Any] = {
            "ssh_hostname": ssh.address,
            "ssh_port": ssh.port,
            "ssh_user": ssh.user,
            "ssh_strict_host_key_checking": "yes",
            DATA_KEY: {"inventory": str(inventory.path), "host": name},
        }
        if ssh.key_file is not None:
            data["ssh_key"] = str(inventory.file(ssh.key_file))
        if ssh.known_hosts_file is not None:
            data["ssh_known_hosts_file"] = str(inventory.file(ssh.known_hosts_file))
        if ssh.user != "root":
            data["_sudo"] = True
        hosts.append((name, data))
    return hosts
