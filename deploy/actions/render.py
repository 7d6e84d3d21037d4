"""Writes the files that a host would get into a folder: for review, for diffing, for snapshot tests."""

from __future__ import annotations

import shutil
from pathlib import Path

from deploy.rendering import ManagedFile
from deploy.roles.catalogue import all_files
from deploy.settings.inventory import Inventory
from deploy.site import preview_context


def render(inventory: Inventory, name: str, into: Path) -> int:
    """Write the host's files below `into`, which is emptied first; returns how many there are.

    Secrets are placeholders, no host, engine or identity is needed.
    """
    files = [item for item in all_files(preview_context(inventory, name)) if isinstance(item, ManagedFile)]
    if into.exists():
        shutil.rmtree(into)
    for file in files:
        target = into / file.path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
    return len(files)
