"""Inventories in a folder of a test's own."""

from __future__ import annotations

from pathlib import Path

from deploy.settings.inventory import Inventory
from deploy.settings.load import load_inventory

DEFAULTS = """\
images:
  web:
    reference: calcom/cal.com:v6.2.0
  database:
    reference: postgres:17.6-bookworm
  proxy:
    reference: haproxy:3.2.4
"""

HOST = """\
ssh:
  address: 203.0.113.{number}
domain: cal{number}.example.org
admin:
  email: admin@example.org
"""


def write_inventory(folder: Path, *, hosts: int = 1, defaults: str = DEFAULTS, more: str = "") -> Path:
    """Hosts cal1, cal2 …; `more` is added to each host's file."""
    (folder / "hosts").mkdir(parents=True, exist_ok=True)
    (folder / "defaults.yaml").write_text(defaults)
    for number in range(1, hosts + 1):
        (folder / "hosts" / f"cal{number}.yaml").write_text(HOST.format(number=number) + more)
    return folder


def inventory_in(folder: Path, *, hosts: int = 1, defaults: str = DEFAULTS, more: str = "") -> Inventory:
    """The same, loaded."""
    return load_inventory(str(write_inventory(folder, hosts=hosts, defaults=defaults, more=more)))
