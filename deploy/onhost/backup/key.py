"""The encryption key of a run in the place of the host's own, and back.

A run's data is worth little under another key than the one it was made under: calendars and second factors
stay closed. The key stands in the environment files of web app and API; what they were is kept beside them.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ..failures import OnhostError
from . import files, manifest
from .choice import Chosen, open_repository
from .config import BackupConfig

VARIABLE = "CALENDSO_ENCRYPTION_KEY"
_KEPT = ".before-restore"


def key_of_run(config: BackupConfig, chosen: Chosen) -> str:
    """The key that a run was made under, out of its files. Raises OnhostError where it is not among them."""
    part = chosen.promised.parts[manifest.FILES]
    archive = open_repository(config, chosen.repository).read(
        part.snapshot, part.name, limit_seconds=config.limit_seconds
    )
    for path in chosen.promised.files:
        if not path.endswith(f"/{config.environment_file.name}"):
            continue
        for line in files.content_of(archive, path).decode(errors="replace").splitlines():
            if hashlib.sha256(line.encode()).hexdigest() == chosen.promised.encryption_key:
                return line.partition("=")[2]
    raise OnhostError(f"the encryption key of {chosen.run.id} is not among its files")


def take(config: BackupConfig, key: str) -> None:
    """Put the key into the environment files that hold one; a second call changes nothing."""
    for file in _holders(config):
        kept = file.with_name(file.name + _KEPT)
        before = file.read_text(encoding="utf-8")
        after = "".join(
            f"{VARIABLE}={key}\n" if line.startswith(f"{VARIABLE}=") else line
            for line in before.splitlines(keepends=True)
        )
        if after != before:
            if not kept.exists():
                _write(kept, before, file)
            _write(file, after, file)


def give_back(config: BackupConfig) -> str | None:
    """Put the environment files back as they were; the key in them, or None where none was replaced."""
    for kept in config.environment_file.parent.glob(f"*.env{_KEPT}"):
        kept.replace(kept.with_name(kept.name.removesuffix(_KEPT)))
    return present(config)


def forget(config: BackupConfig) -> None:
    """Remove what the environment files were."""
    for kept in config.environment_file.parent.glob(f"*.env{_KEPT}"):
        kept.unlink()


def present(config: BackupConfig) -> str | None:
    """The key that the host's web app is started with; None where there is none."""
    for line in config.environment_file.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{VARIABLE}="):
            return line.partition("=")[2]
    return None


def _holders(config: BackupConfig) -> list[Path]:
    found = []
    for file in sorted(config.environment_file.parent.glob("*.env")):
        if f"\n{VARIABLE}=" in f"\n{file.read_text(encoding='utf-8')}":
            found.append(file)
    return found


def _write(file: Path, content: str, like: Path) -> None:
    """In one step, for those alone who could read the other."""
    new = file.with_name(f".{file.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        there = like.stat()
        os.fchmod(descriptor, there.st_mode & 0o777)
        os.fchown(descriptor, there.st_uid, there.st_gid)
        opened.write(content)
        opened.flush()
        os.fsync(descriptor)
    new.replace(file)
