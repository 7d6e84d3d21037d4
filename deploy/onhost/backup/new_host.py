"""What a new, empty host does to become the instance that a run was made of.

The control machine drives it step by step: `offer` says what the repository holds, `lay_out` puts back the
files that nobody renders, `fill` makes the new database hold what the run promises. Each may be repeated.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import sys
import tarfile
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Callable, Collection

from ..clock import utc_now
from ..failures import OnhostError
from . import beside, choice, files, manifest, quieten, state
from . import config as backup_config
from .choice import Chosen
from .config import BackupConfig
from .exchange import Exchange
from .postgres import Server
from .run import database_server, encryption_key_fingerprint

_SECRETS = "/backup/secrets.json"
"""The end of the path of the file with the host's secrets."""
_STAYS_BEHIND = ("/proxy/maintenance.map", _SECRETS)
"""Ends of paths: what was true of the old host at the moment of the run, and what the inventory gets."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class Offer:
    """A run, and all that somebody has to know before a host is made of it."""

    chosen: Chosen
    instance: str
    """Whose run it is."""
    secrets: str | None
    """The host's secrets as its backups carry them; None in runs of a host that had not laid them down."""

    def to_json(self) -> dict[str, Any]:
        """As the control machine reads it."""
        promised = self.chosen.promised
        return {
            "run": promised.run,
            "instance": self.instance,
            "started": promised.started,
            "versions": dict(promised.versions),
            "newest_booking": promised.record.newest_booking,
            "rows": sum(table.rows for table in promised.record.tables.values()),
            "secrets": self.secrets,
        }


def offer(config: BackupConfig, asked: str | None, *, any_instance: bool, now: datetime) -> Offer:
    """The run with the id that begins so, else the newest, with its secrets.

    `any_instance`: where there is no run of the configuration's instance, and those of one other alone, that
    one's. Raises OnhostError where there is none, and says which instances there are.
    """
    repository = config.repositories[0]
    tags = {snapshot.tag("instance") for snapshot in choice.open_repository(config, repository).snapshots()}
    there = sorted(name for name in tags if name is not None)
    instance = (
        there[0] if any_instance and config.instance not in there and len(there) == 1 else config.instance
    )
    if instance not in there:
        holds = f"it holds runs of {', '.join(there)}" if there else "it holds no run at all"
        raise OnhostError(f"the repository {repository.name} has no run of {instance}: {holds}")
    config = replace(config, instance=instance)
    chosen = choice.choose(config, asked, None, now)
    with _files_of(config, chosen) as archive:
        found = [entry for entry in archive if entry.isreg() and entry.name.endswith(_SECRETS)]
        opened = archive.extractfile(found[0]) if found else None
        return Offer(chosen, instance, opened.read().decode() if opened else None)


def lay_out(config: BackupConfig, run: str, skip: Collection[str], root: Path = Path("/")) -> list[str]:
    """Put a run's files in place with their modes and owners, but for the paths in `skip`.

    What is skipped is what a deploy writes: that comes from the inventory as it is now. The paths of those
    placed come back.
    """
    chosen = choice.choose(config, run, None, utc_now())
    placed = []
    with _files_of(config, chosen) as archive:
        for entry in archive:
            path = f"/{entry.name}"
            if path in skip or path.endswith(_STAYS_BEHIND) or not _is_plain(entry):
                continue
            _place(archive, entry, root)
            if not entry.isdir():
                placed.append(path)
    return placed


def fill(
    config: BackupConfig,
    run: str,
    server: Server,
    *,
    admin: str,
    clone: bool,
    report: Report = lambda _: None,
) -> list[str]:
    """Make the new host's database hold what the run promises; what a clone had to lose comes back.

    The server's own, empty database is exchanged for the filled one in one step, so that a kill leaves the
    one or the other. Raises OnhostError where the host's encryption key is not the run's, the server is older
    than the run's was, what was restored is not what the run promises, or `admin` (e-mail) is no
    administrator of it.
    """
    chosen = choice.choose(config, run, None, utc_now())
    promised = chosen.promised
    if encryption_key_fingerprint(config.environment_file) != promised.encryption_key:
        raise OnhostError(
            f"the encryption key in {config.environment_file} is not that of {promised.run}: what the data "
            "keeps encrypted could not be read"
        )
    postgres = replace(server, database="postgres")
    version = postgres.rows("show server_version_num", application=beside.APPLICATION)[0][0]
    if int(version) // 10000 < promised.record.server_version // 10000:
        raise OnhostError(
            f"this host's PostgreSQL is {int(version) // 10000}, and the run was made by "
            f"{promised.record.server_version // 10000}: set images.database to that or a newer one"
        )
    exchange = Exchange(server)
    filled = beside.fill(server, exchange.restored, beside.source_of_run(config, chosen), report)
    try:
        _refuse_without_admin(filled, admin)
        lost = quieten.quieten(filled) if clone else []
    except BaseException:
        exchange.drop_restored()
        raise
    exchange.drop_before()  # of a run of this that was killed
    exchange.make()
    exchange.drop_before()
    if not clone:
        _remember(config, chosen)
    return lost


def _refuse_without_admin(filled: Server, admin: str) -> None:
    rows = filled.rows(
        "select email from users where role = 'ADMIN' order by id", application=beside.APPLICATION
    )
    emails = [row[0] for row in rows]
    if admin not in emails:
        raise OnhostError(
            f"the administrators of the instance are {', '.join(emails) or 'nobody'}, and the inventory says "
            f"{admin}: set admin.email to one of them"
        )


def _remember(config: BackupConfig, chosen: Chosen) -> None:
    """From now on it is this host that would miss the run, were it to vanish from the repository.

    A repository that goes by its address is none of the settings': nobody will ask for it again.
    """
    name = chosen.repository.name
    if "/" in name or ":" in name or state.read(config.state, name).run is not None:
        return
    content = choice.open_repository(config, chosen.repository).read(
        chosen.run.parts[manifest.MANIFEST].id, manifest.NAME, limit_seconds=config.limit_seconds
    )
    digest = hashlib.sha256(content).hexdigest()
    known = state.Known(run=chosen.run.id, manifest_sha256=digest, finished=chosen.promised.finished)
    state.write(config.state, name, known)


@contextlib.contextmanager
def _files_of(config: BackupConfig, chosen: Chosen) -> Any:
    """The archive of a run's files, opened. Raises OnhostError where it is not what was stored."""
    part = chosen.promised.parts[manifest.FILES]
    restic = choice.open_repository(config, chosen.repository)
    content = restic.read(part.snapshot, part.name, limit_seconds=config.limit_seconds)
    if files_differ := files.differences(content, dict(chosen.promised.files)):
        raise OnhostError(
            f"the files of {chosen.run.id} are not what was stored: {'; '.join(files_differ[:3])}"
        )
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        yield archive


def _is_plain(entry: tarfile.TarInfo) -> bool:
    """Whether it is a file, folder or link that stays where it says; a repository may be hostile."""
    inside = not Path(entry.name).is_absolute() and ".." not in Path(entry.name).parts
    return inside and (entry.isreg() or entry.isdir() or entry.issym())


def _place(archive: tarfile.TarFile, entry: tarfile.TarInfo, root: Path) -> None:
    target = root / entry.name
    if entry.isdir():
        target.mkdir(parents=True, exist_ok=True)
        os.chown(target, entry.uid, entry.gid)
        target.chmod(entry.mode)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{target.name}.calstack-new")
    new.unlink(missing_ok=True)
    if entry.issym():
        new.symlink_to(entry.linkname)
    else:
        source = archive.extractfile(entry)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(source.read() if source else b"")
            os.fchown(descriptor, entry.uid, entry.gid)
            os.fchmod(descriptor, entry.mode)
    new.replace(target)


def add_to(verbs: Any) -> None:
    """Add `new-host` and its steps to the verbs of `backup`."""
    parser = verbs.add_parser("new-host", help="the steps by which a new host is made of a run")
    steps = parser.add_subparsers(required=True, metavar="STEP")
    offering = steps.add_parser("offer", help="the run that there is, with its secrets, as JSON")
    steps_of_one = argparse.ArgumentParser(add_help=False)
    steps_of_one.add_argument("run")
    steps_of_one.add_argument("--instance", required=True, help="whose run it is")
    offering.add_argument("--run")
    offering.add_argument("--any-instance", action="store_true")
    offering.set_defaults(command=_offer)
    laying = steps.add_parser(
        "lay-out", parents=[steps_of_one], help="place its files; a JSON list of paths to leave out comes in"
    )
    laying.set_defaults(command=_lay_out)
    filling = steps.add_parser("fill", parents=[steps_of_one], help="make the new database hold it")
    filling.add_argument("--admin", required=True, help="who has to be an administrator of it")
    filling.add_argument("--clone", action="store_true", help="and let nothing of it reach anybody")
    filling.set_defaults(command=_fill)


def _offer(asked: argparse.Namespace) -> int:
    try:
        found = offer(
            backup_config.load(asked.config), asked.run, any_instance=asked.any_instance, now=utc_now()
        )
    except OnhostError as error:
        json.dump({"failure": str(error), "cause": getattr(error, "cause", None)}, sys.stdout)
        return 1
    json.dump(found.to_json(), sys.stdout)
    return 0


def _lay_out(asked: argparse.Namespace) -> int:
    placed = lay_out(_config(asked), asked.run, json.load(sys.stdin))
    json.dump(placed, sys.stdout)
    return 0


def _fill(asked: argparse.Namespace) -> int:
    known = _config(asked)
    lost = fill(known, asked.run, database_server(known), admin=asked.admin, clone=asked.clone)
    json.dump(lost, sys.stdout)
    return 0


def _config(asked: argparse.Namespace) -> BackupConfig:
    return replace(backup_config.load(asked.config), instance=asked.instance)
