"""What the lab of an inventory offers, for programs: `calstack lab info --json`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from deploy.lab.lab import Lab, LabHost


def describe(inventory_path: Path, lab_hosts: Mapping[str, LabHost]) -> dict[str, list[dict[str, object]]]:
    """The lab's hosts and how to reach them, as one JSON document; all paths are absolute.

    `ca_file` is null until a deploy has made the inventory's certificate authority.
    """
    lab = Lab.of(inventory_path)
    ca_file = lab.inventory / "ca.crt"
    return {
        "hosts": [
            {
                "name": host.name,
                "address": host.address,
                "ssh": {
                    "port": host.ssh_port,
                    "user": "root",
                    "key_file": str(lab.key_file),
                    "known_hosts_file": str(lab.known_hosts_file),
                },
                "domain": host.domain,
                "url": f"https://{host.domain}",
                "ca_file": str(ca_file) if ca_file.is_file() else None,
            }
            for host in lab_hosts.values()
        ]
    }
