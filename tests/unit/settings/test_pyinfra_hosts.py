from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pyinfra.api.exceptions import InventoryError
from pyinfra.connectors.ssh import connector_data_meta

from deploy.settings.inventory import INVENTORIES
from deploy.settings.load import load_inventory
from deploy.settings.pyinfra_hosts import pyinfra_hosts, pyinfra_inventory
from tests.unit.settings.folders import HOST, inventory_in


def test_the_lab_connects_with_its_own_key_and_known_hosts_alone() -> None:
    ((name, data),) = pyinfra_hosts(load_inventory("lab"))
    lab = INVENTORIES / "lab"
    assert name == "cal1"
    assert data == {
        "ssh_hostname": "127.88.0.1",
        "ssh_port": 22,
        "ssh_user": "root",
        "ssh_key": str(lab / "lab-state/id_ed25519"),
        "ssh_known_hosts_file": str(lab / "lab-state/known_hosts"),
        "ssh_strict_host_key_checking": "yes",
        "calstack": {"inventory": str(lab), "host": "cal1"},
    }


def test_pyinfra_reads_every_key() -> None:
    data = pyinfra_hosts(load_inventory("lab"))[0][1]
    assert {key for key in data if key.startswith("ssh_")} <= set(connector_data_meta)


def test_another_user_than_root_uses_sudo_and_sshs_own_keys(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    inventory_in(folder)
    (folder / "hosts/cal1.yaml").write_text(HOST.format(number=1).replace("ssh:\n", "ssh:\n  user: deploy\n"))
    data = pyinfra_hosts(load_inventory(str(folder)))[0][1]
    assert data["_sudo"] is True
    assert data["ssh_user"] == "deploy"
    assert "ssh_key" not in data
    assert "ssh_known_hosts_file" not in data


def test_plain_pyinfra_loads_the_inventorys_file(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    shutil.copytree(INVENTORIES / "lab", folder, ignore=shutil.ignore_patterns("lab-state"))
    # A process of its own: pyinfra's command line patches the standard library on import.
    shown = subprocess.run(
        [sys.executable, "-m", "pyinfra", str(folder / "inventory.py"), "debug-inventory"],
        cwd=INVENTORIES.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert "[cal1]" in shown.stdout + shown.stderr
    assert f'"inventory": "{folder}"' in shown.stdout + shown.stderr


def test_plain_pyinfra_tells_problems_as_its_own(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="has no hosts"):
        pyinfra_inventory(tmp_path)
