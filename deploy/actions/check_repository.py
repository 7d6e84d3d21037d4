"""The drill from a machine that has nothing but a repository and its password."""

from __future__ import annotations

import math
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.errors import CalstackError, InputError
from deploy.onhost import programs
from deploy.onhost.backup import drill, manifest, runs
from deploy.onhost.backup.config import BackupConfig, Keep
from deploy.onhost.backup.manifest import Manifest
from deploy.onhost.backup.restic import Repository, Restic
from deploy.onhost.clock import utc_now
from deploy.onhost.failures import OnhostError

PASSWORD_VARIABLE = "CALSTACK_BACKUP_PASSWORD"  # noqa: S105 - a name, no password
_LIMIT_SECONDS = 21_600.0
_PULL_SECONDS = 1800.0
_DATABASE_SERVICE = "db"


@dataclass(frozen=True)
class Asked:
    """What is to be checked, and with what."""

    url: str
    """As restic takes it; credentials of the storage stand in the environment, as restic reads them there."""
    password: str
    instance: str | None = None
    """Public name of the instance; needed where the repository holds several."""
    postgres_image: str | None = None
    """Image to restore into; else the one that the run was made with."""
    restic: str = "restic"
    max_age_hours: float = math.inf


def is_address(text: str) -> bool:
    """Whether a repository is meant by its address rather than by the name that the settings give it."""
    return ":" in text or text.startswith("/")


def check_repository(asked: Asked) -> dict[str, Any]:
    """Restore the newest run here and compare it; the verdict as `check-backups --json` has it.

    Needs restic and a Docker engine. Raises `CalstackError` where one of them, the image or the repository
    is missing, and `InputError` where it is not clear which instance is meant.
    """
    restic = shutil.which(asked.restic)
    if restic is None:
        raise CalstackError(
            f"there is no program {asked.restic}", fix="install restic 0.17 or newer, or give --restic FILE"
        )
    repository = Repository(
        # Its own side looks after the retention; nothing is known of that here.
        "repository",
        asked.url,
        asked.password,
        append_only=True,
    )
    try:
        return _check(asked, repository, restic)
    except OnhostError as error:
        raise CalstackError(str(error), where=asked.url, fix="see docs/repositories.md") from None


def _check(asked: Asked, repository: Repository, restic: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="calstack-check-") as folder:
        program = Restic(repository, hostname="calstack", binary=restic, cache=None)
        program.check_version()
        instance = asked.instance or _only_instance(program, asked.url)
        config = _config(asked, repository, restic, instance, Path(folder))
        found = runs.listing(program, instance, utc_now()).newest
        image = asked.postgres_image or "none"
        if found is not None and asked.postgres_image is None:
            image = _image_of(program, found)
        verdict = drill.drill(config, repository, image, utc_now())
    return {**asdict(verdict), "repository": asked.url, "instance": instance}


def _only_instance(restic: Restic, url: str) -> str:
    found = {snapshot.tag("instance") for snapshot in restic.snapshots("part=manifest")} - {None}
    names = sorted(name for name in found if name)
    if not names:
        raise CalstackError("it holds no run", where=url)
    if len(names) > 1:
        raise InputError(
            f"it holds the runs of {', '.join(names)}", where=url, fix="say which: --instance NAME"
        )
    return names[0]


def _image_of(restic: Restic, run: runs.Run) -> str:
    """The image of the database that a run was made of, made sure of. Raises `CalstackError` without one."""
    content = restic.read(run.parts[manifest.MANIFEST].id, manifest.NAME, limit_seconds=_LIMIT_SECONDS)
    said = Manifest.from_bytes(content).images.get(_DATABASE_SERVICE, "")
    reference, _, image_id = said.rpartition("@sha256:")
    for name in (reference, f"sha256:{image_id}"):
        if name and programs.run(["docker", "image", "inspect", name], limit_seconds=60).code == 0:
            return name
    pulled = programs.run(["docker", "pull", "--quiet", reference or "none"], limit_seconds=_PULL_SECONDS)
    if pulled.code != 0:
        raise CalstackError(
            f"the database's image {reference or '(unknown)'} is not here: {pulled.last_words}",
            fix="give one of the same version: --postgres-image postgres:17",
        )
    return reference


def _config(asked: Asked, repository: Repository, restic: str, instance: str, state: Path) -> BackupConfig:
    return BackupConfig(
        instance=instance,
        restic=restic,
        service=_DATABASE_SERVICE,
        user="calcom",
        database="calcom",
        repositories=[repository],
        paths=[],
        exclude=[],
        environment_file=Path("/dev/null"),
        versions={},
        limit_seconds=_LIMIT_SECONDS,
        max_age_hours=asked.max_age_hours,
        keep=Keep(last=1, daily=0, weekly=0, monthly=0, within_days=1),
        state=state,
    )
