"""What plain pyinfra reads: `pyinfra inventories/NAME/inventory.py deploy/site.py`."""

from pathlib import Path

from deploy.settings.pyinfra_hosts import pyinfra_inventory

hosts = pyinfra_inventory(Path(__file__).parent)
