"""Makes a run: dump, roles and files of one moment, into every repository, the manifest last.

The dump and the record of what it must hold are read under one exported snapshot of the database, while the
app goes on. A repository that fails does not keep the others from their run.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Mapping, Sequence

from .. import programs
from ..clock import to_text, utc_now
from ..failures import OnhostError
from . import files, manifest, record, state, stream
from .config import BackupConfig
from .manifest import KeptFile, Manifest, Part
from .postgres import Server, Session
from .restic import Repository, Restic

_DUMP_MAGIC = b"PGDMP".hex()
_LOCK_WAIT = "60s"
_QUICK_SECONDS = 60.0
_DUMP, _ROLES, _FILES = "database.dump", "roles.sql", "files.tar"

Report = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What became of a run in one repository."""

    repository: str
    run: str
    failure: str | None
    """Why there is no such run; None where it was stored whole."""
    bytes_read: int = 0
    bytes_added: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class _Moment:
    """What belongs to the run and is the same for every repository."""

    run: str
    application: str
    started: str
    server: Server
    snapshot: str
    roles: bytes
    archive: bytes
    described: Mapping[str, KeptFile]
    record: record.Record
    session: Session
    images: Mapping[str, str]


def database_server(config: BackupConfig) -> Server:
    """The instance's database container; raises OnhostError where it does not run."""
    found = programs.run(
        [
            *("docker", "ps", "-q", "--filter", "label=com.docker.compose.project=calcom"),
            *("--filter", f"label=com.docker.compose.service={config.service}"),
        ],
        limit_seconds=_QUICK_SECONDS,
    )
    container = found.output.decode().strip()
    if found.code != 0 or not container:
        raise OnhostError(f"the service {config.service} does not run; docker compose -p calcom ps")
    return Server(container, config.user, config.database)


def back_up(
    config: BackupConfig,
    server: Server,
    repositories: Sequence[Repository],
    report: Report = lambda _: None,
) -> list[Outcome]:
    """Make one run in each of these repositories.

    Raises OnhostError where nothing can be backed up at all: no database, no snapshot, files that lack.
    """
    started = utc_now()
    run = manifest.new_run(started)
    application = f"calstack-backup-{run}"
    there = [path for path in config.paths_if_there if Path(path).exists()]
    archive, described = files.collect([*config.paths, *there], config.exclude)
    try:
        with Session(server, application) as session:
            snapshot = session.hold_snapshot()
            report("reading what the database holds")
            moment = _Moment(
                run=run,
                application=application,
                started=to_text(started),
                server=server,
                snapshot=snapshot,
                roles=_roles(server, application),
                archive=archive,
                described=described,
                record=record.read(session),
                session=session,
                images=_images(),
            )
            return [_into(config, moment, repository, report) for repository in repositories]
    finally:
        # `docker exec` leaves its program running where its client was killed.
        server.end_sessions(application)


def _into(config: BackupConfig, moment: _Moment, repository: Repository, report: Report) -> Outcome:
    begun = utc_now()
    report(f"storing {moment.run} in {repository.name}")
    try:
        restic = Restic(repository, hostname=config.instance, binary=config.restic)
        if not restic.exists():
            _refuse_vanished(config, repository)
            restic.create()
        stored, parts, added = _parts(config, moment, restic)
    except OnhostError as error:
        return Outcome(repository.name, moment.run, str(error))
    seconds = (utc_now() - begun).total_seconds()
    known = state.read(config.state, repository.name)
    state.write(
        config.state,
        repository.name,
        replace(
            known,
            run=moment.run,
            manifest_sha256=hashlib.sha256(stored).hexdigest(),
            finished=to_text(utc_now()),
            bytes=sum(part.bytes for part in parts.values()),
            seconds=seconds,
        ),
    )
    return Outcome(
        repository.name,
        moment.run,
        None,
        bytes_read=sum(part.bytes for part in parts.values()),
        bytes_added=added,
        seconds=seconds,
    )


def _refuse_vanished(config: BackupConfig, repository: Repository) -> None:
    """An empty place where runs have been is no new repository: somebody has to know."""
    known = state.read(config.state, repository.name)
    if known.run is not None:
        raise OnhostError(
            f"the repository {repository.name} is gone: {known.run} was stored there at {known.finished}, "
            f"and now there is nothing. If it shall begin anew, remove {config.state / repository.name}.json"
        )


def _parts(config: BackupConfig, moment: _Moment, restic: Restic) -> tuple[bytes, dict[str, Part], int]:
    """Store dump, roles and files, then the manifest; it comes back with the parts and the bytes added."""
    added = 0
    parts: dict[str, Part] = {}

    def small(part: str, name: str, content: bytes) -> None:
        nonlocal added
        kept = restic.store(
            content,
            name,
            manifest.tags(moment.run, part, config.instance),
            limit_seconds=config.limit_seconds,
        )
        added += kept.bytes_added
        parts[part] = Part(kept.snapshot, name, len(content), hashlib.sha256(content).hexdigest())

    dump, dump_added = _dump(config, moment, restic)
    parts[manifest.DUMP] = dump
    added += dump_added
    small(manifest.ROLES, _ROLES, moment.roles)
    small(manifest.FILES, _FILES, moment.archive)
    content = Manifest(
        run=moment.run,
        instance=config.instance,
        started=moment.started,
        finished=to_text(utc_now()),
        parts=dict(parts),
        record=moment.record,
        sequences_after=record.sequences(moment.session),
        files=moment.described,
        encryption_key=encryption_key_fingerprint(config.environment_file),
        versions=config.versions,
        images=moment.images,
    ).to_bytes()
    small(manifest.MANIFEST, manifest.NAME, content)
    return content, parts, added


def _dump(config: BackupConfig, moment: _Moment, restic: Restic) -> tuple[Part, int]:
    """The dump, in custom format and not compressed: restic does that, and finds what did not change."""
    with tempfile.TemporaryDirectory(prefix="calcom-backup-") as folder:
        report = Path(folder) / "measure.json"
        command = moment.server.command(
            *("pg_dump", "--format=custom", "--compress=0", f"--snapshot={moment.snapshot}"),
            f"--lock-wait-timeout={_LOCK_WAIT}",
            application=moment.application,
        )
        try:
            kept = restic.store_output(
                stream.command_for(report, command),
                _DUMP,
                manifest.tags(moment.run, manifest.DUMP, config.instance),
                limit_seconds=config.limit_seconds,
            )
        except OnhostError:
            measure = stream.measure_of(report)
            if measure is not None and measure.code != 0:
                raise OnhostError(f"pg_dump ended with {measure.code}: {measure.errors}") from None
            raise
        measure = stream.measure_of(report)
    what_is_wrong = None
    if measure is None or measure.code != 0:
        what_is_wrong = "the dump did not come to its end"
    elif not measure.begins_with.startswith(_DUMP_MAGIC):
        what_is_wrong = "what pg_dump wrote is no dump in custom format"
    elif measure.bytes != kept.bytes_read:
        what_is_wrong = f"pg_dump wrote {measure.bytes} bytes, and restic read {kept.bytes_read}"
    if what_is_wrong or measure is None:
        restic.forget([kept.snapshot])
        raise OnhostError(what_is_wrong or "")
    return Part(kept.snapshot, _DUMP, measure.bytes, measure.sha256), kept.bytes_added


def _roles(server: Server, application: str) -> bytes:
    """Roles of the whole server, with their passwords' hashes: no dump of a database holds them."""
    done = programs.run(
        server.command("pg_dumpall", "--roles-only", application=application), limit_seconds=_QUICK_SECONDS
    )
    if done.code != 0 or b"CREATE ROLE" not in done.output:
        raise OnhostError(f"pg_dumpall ended with {done.code}: {done.last_words or 'no role came out'}")
    return done.output


def _images() -> dict[str, str]:
    """Reference and id of each service's image."""
    listed = programs.run(
        [
            *("docker", "ps", "--filter", "label=com.docker.compose.project=calcom", "--format"),
            '{{.Label "com.docker.compose.service"}} {{.Image}} {{.ID}}',
        ],
        limit_seconds=_QUICK_SECONDS,
    )
    images = {}
    for line in listed.output.decode().splitlines():
        service, reference, container = line.split(" ")
        image = programs.run(
            ["docker", "inspect", "--format", "{{.Image}}", container], limit_seconds=_QUICK_SECONDS
        )
        images[service] = f"{reference}@{image.output.decode().strip()}"
    return images


def encryption_key_fingerprint(environment_file: Path) -> str:
    """SHA-256 of the line that holds CALENDSO_ENCRYPTION_KEY; raises OnhostError where there is none."""
    try:
        lines = environment_file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise OnhostError(f"cannot read {environment_file}: {error.strerror}") from error
    for line in lines:
        if line.startswith("CALENDSO_ENCRYPTION_KEY="):
            return hashlib.sha256(line.encode()).hexdigest()
    raise OnhostError(f"{environment_file} holds no CALENDSO_ENCRYPTION_KEY: such a backup could not be read")
