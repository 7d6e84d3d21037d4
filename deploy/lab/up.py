"""`lab up`: from nothing, or whatever a killed run left, to running hosts that ssh can enter."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.lab import client_key, engine, hosts, roots
from deploy.lab.lab import Lab, LabHost, Report


def up(inventory_path: Path, lab_hosts: Mapping[str, LabHost], report: Report) -> None:
    """Make sure that every host of the inventory's lab runs and admits the lab's client key."""
    lab = Lab.of(inventory_path)
    client = engine.connect()
    public_key = client_key.ensure_client_key(lab)
    image = roots.ensure_root(client, roots.HOST)

    def bring_up(host: LabHost) -> list[str]:
        if hosts.ensure_host(client, lab, host, image, public_key):
            report(f"lab host {host.name} runs at {host.address}")
        return hosts.host_keys(client, lab, host)

    with ThreadPoolExecutor(max_workers=4) as pool:
        keys = list(pool.map(bring_up, lab_hosts.values()))
    client_key.write_known_hosts(lab, (line for lines in keys for line in lines))
