"""The drill: restore the newest run of a repository into a scratch database, and prove that all is there."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from .. import programs
from ..clock import to_text
from ..failures import OnhostError
from . import compare, files, manifest, opening, record, retention, runs, state
from .config import BackupConfig
from .manifest import Manifest, Part
from .postgres import Server, Session
from .pour import pour
from .restic import Repository, Restic
from .scratch import Scratch

PROVEN, UNPROVEN, DAMAGED = "proven", "unproven", "damaged"
_APPLICATION = "calstack-drill"
_RESTORED = "restored"
_ROOM_FACTOR = 2.5
"""Restored rows with their indexes take up to this many times the dump's bytes."""


@dataclass(frozen=True)
class Verdict:
    """What a drill says of one repository."""

    repository: str
    verdict: str
    """`proven`, `unproven` (it could not be shown) or `damaged` (it was shown not to be whole)."""
    reasons: tuple[str, ...]
    """Why it is not proven, the gravest first; empty where it is."""
    run: str | None = None
    age_hours: float | None = None
    bytes: int | None = None
    seconds: float = 0.0


def drill(config: BackupConfig, repository: Repository, image: str, now: datetime) -> Verdict:
    """Restore and compare; whatever goes wrong becomes a verdict. The scratch database is always removed.

    `image` is the PostgreSQL image to restore into, of the version that made the dump. A run that is proven
    is noted in the state.
    """
    begun = datetime.now(now.tzinfo)
    verdict = _Drill(config, repository, image, now).verdict()
    verdict = replace(verdict, seconds=(datetime.now(now.tzinfo) - begun).total_seconds())
    known = replace(
        state.read(config.state, repository.name),
        drilled=to_text(datetime.now(now.tzinfo)),
        drill_seconds=verdict.seconds,
        verdict=verdict.verdict,
    )
    if verdict.verdict == PROVEN:
        known = replace(known, proven_run=verdict.run, proven_at=to_text(now))
    state.write(config.state, repository.name, known)
    return verdict


class _Drill:
    def __init__(self, config: BackupConfig, repository: Repository, image: str, now: datetime) -> None:
        self._config = config
        self._repository = repository
        self._image = image
        self._now = now
        # What lies in a cache here proves nothing about the repository.
        self._restic = Restic(repository, hostname=config.instance, binary=config.restic, cache=None)
        self._run: runs.Run | None = None
        self._bytes: int | None = None
        self._damage: list[str] = []
        self._doubt: list[str] = []

    def verdict(self) -> Verdict:
        try:
            self._look()
        except OnhostError as error:
            cause = getattr(error, "cause", "")
            (self._damage if cause in ("damaged", "missing") else self._doubt).append(str(error))
        age = None if self._run is None else (self._now - self._run.started).total_seconds() / 3600
        return Verdict(
            repository=self._repository.name,
            verdict=DAMAGED if self._damage else UNPROVEN if self._doubt else PROVEN,
            reasons=(*self._damage, *self._doubt),
            run=self._run.id if self._run else None,
            age_hours=None if age is None else round(age, 1),
            bytes=self._bytes,
        )

    def _look(self) -> None:
        listing = runs.listing(self._restic, self._config.instance, self._now)
        if listing.future:
            self._damage.append(
                f"{len(listing.future)} snapshots lie in the future, the first at "
                f"{listing.future[0].time:%F %T}: a clock was wrong, or somebody wants the retention "
                "to remove the true ones"
            )
        known = state.read(self._config.state, self._repository.name)
        self._run = listing.newest
        if self._run is None:
            last = f"; {known.run} was stored there at {known.finished}" if known.run else ""
            (self._damage if known.run else self._doubt).append(f"it holds no run{last}")
            return
        if known.run is not None and self._run.id < known.run:
            self._damage.append(
                f"{known.run}, stored at {known.finished}, is not there: it was removed, or the repository "
                "was set back"
            )
        age_hours = (self._now - self._run.started).total_seconds() / 3600
        if age_hours > self._config.max_age_hours:
            self._doubt.append(
                f"its newest run is {age_hours:.0f} hours old; the limit is {self._config.max_age_hours:g}"
            )
        neglected = retention.neglected(listing, self._config.keep, self._now)
        if neglected and not self._repository.append_only:
            self._doubt.append(
                f"the retention is not obeyed: {len(neglected)} runs should have gone, the first is "
                f"{neglected[0].id}"
            )
        content = self._restic.read(
            self._run.parts[manifest.MANIFEST].id, manifest.NAME, limit_seconds=self._config.limit_seconds
        )
        if self._run.id == known.run and hashlib.sha256(content).hexdigest() != known.manifest_sha256:
            self._damage.append("its manifest is not the one that was stored")
        promised = Manifest.from_bytes(content)
        self._bytes = sum(part.bytes for part in promised.parts.values())
        self._restore(promised)

    def _restore(self, promised: Manifest) -> None:
        missing = [name for name in promised.parts if name not in self._run_parts()]
        if missing:
            self._damage.append(f"parts are missing: {', '.join(missing)}")
        archive = self._small(promised, manifest.FILES)
        if archive is not None:
            self._damage += files.differences(archive, dict(promised.files))
        roles = self._small(promised, manifest.ROLES)
        dump = promised.parts[manifest.DUMP]
        if manifest.DUMP in missing:
            return
        if not self._has_room(dump.bytes):
            self._pour(dump, None)
            return
        with Scratch(self._image) as empty:
            server = self._new_database(empty, promised.record.locale)
            if roles is not None:
                # The server's own user is there already; what else fails shows in the comparison.
                programs.run(
                    server.command("psql", "-X", "-q", application=_APPLICATION),
                    limit_seconds=self._config.limit_seconds,
                    source=roles,
                )
            self._pour(dump, server)
            self._compare(promised, server, archive)

    def _run_parts(self) -> dict[str, str]:
        return {} if self._run is None else {name: part.id for name, part in self._run.parts.items()}

    def _small(self, promised: Manifest, name: str) -> bytes | None:
        """A small part, where it is as the manifest says; otherwise the damage is noted."""
        part = promised.parts[name]
        if name not in self._run_parts():
            return None
        content = self._restic.read(part.snapshot, part.name, limit_seconds=self._config.limit_seconds)
        if hashlib.sha256(content).hexdigest() != part.sha256:
            self._damage.append(f"the part {name} is not what was stored")
            return None
        return content

    def _has_room(self, dump_bytes: int) -> bool:
        found = programs.run(["docker", "info", "--format", "{{.DockerRootDir}}"], limit_seconds=60)
        root = Path(found.output.decode().strip() or "/")
        free = shutil.disk_usage(root if root.exists() else Path("/")).free
        needed = int(dump_bytes * _ROOM_FACTOR) + (256 << 20)
        if free < needed:
            self._doubt.append(
                f"there is no room to restore it: {needed >> 20} MiB are needed, {free >> 20} are free; its "
                "bytes were read and are whole, its content was not looked at"
            )
        return free >= needed

    def _new_database(self, server: Server, locale: record.Locale) -> Server:
        """A database that sorts and encodes as the dumped one did."""
        with Session(server, _APPLICATION) as session:
            session.rows(f"create database {_RESTORED} template template0 {locale.as_sql()}")
        return Server(server.container, server.user, _RESTORED)

    def _pour(self, dump: Part, server: Server | None) -> None:
        command = None
        if server is not None:
            command = server.command(
                "pg_restore", "--exit-on-error", f"--dbname={server.database}", application=_APPLICATION
            )
        poured = pour(
            self._restic, dump.snapshot, dump.name, command, limit_seconds=self._config.limit_seconds
        )
        if (poured.bytes, poured.sha256) != (dump.bytes, dump.sha256):
            self._damage.append(
                f"the dump is not what was stored: {poured.bytes} bytes came out, {dump.bytes} went in"
                if poured.bytes != dump.bytes
                else "the dump is not what was stored: a byte of it is another one"
            )
        if poured.code != 0:
            self._damage.append(f"pg_restore ended with {poured.code}: {poured.last_words}")

    def _compare(self, promised: Manifest, server: Server, archive: bytes | None) -> None:
        with Session(server, _APPLICATION) as session:
            self._damage += compare.differences(promised, record.read(session))
            value = opening.sample(session)
        if archive is None:
            return
        line = _encryption_key_line(archive)
        if line is None or hashlib.sha256(line.encode()).hexdigest() != promised.encryption_key:
            self._damage.append("the encryption key among its files is not the one that the instance had")
        elif value is not None and not opening.opens(server, _APPLICATION, line.partition("=")[2], value):
            self._damage.append("the encryption key among its files does not open what the database keeps")


def _encryption_key_line(archive: bytes) -> str | None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        for entry in opened:
            content = opened.extractfile(entry) if entry.name.endswith("/web.env") and entry.isreg() else None
            for line in content.read().decode(errors="replace").splitlines() if content else ():
                if line.startswith("CALENDSO_ENCRYPTION_KEY="):
                    return line
    return None
