"""Comes back to any moment: base and log out of a repository, replayed by a PostgreSQL of its own."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Callable, Sequence

from ... import programs
from ...clock import utc_now
from ...failures import OnhostError
from .. import scratch
from ..config import BackupConfig
from ..postgres import Server
from ..restic import Repository, Restic
from ..scratch import Scratch, ScratchError, process
from . import state
from .choice import NoWayBackError, Way, way_to
from .pieces import listing
from .settings import POSTGRES, Continuous
from .ship import restic_of

_PREFIX = "recovering-"
_TOO_EARLY = "recovery ended before configured recovery target was reached"
_LAST = re.compile(r"last completed transaction was at log time (\S+ \S+)")
_HBA = "local all all trust\n"

Report = Callable[[str], None]


@dataclass(frozen=True)
class Recovered:
    """A database as it was at some moment; it runs for as long as the `with` block of `Recovery`."""

    server: Server
    way: Way
    last_commit: str | None
    """When the last transaction in it was committed, UTC, as PostgreSQL writes it; None where there was none
    since the base."""


class Recovery:
    """The database of a repository as it was at `moment`, or the newest there is, for the `with` block.

    `image` is the PostgreSQL image, of the version that made the base. Nothing of the instance is touched.
    Entering raises NoWayBackError, RepositoryError and other OnhostErrors; nothing is left behind then.
    """

    def __init__(
        self,
        config: BackupConfig,
        continuous: Continuous,
        repository: Repository,
        image: str,
        moment: datetime | None,
        *,
        way: Way | None = None,
        report: Report = lambda _: None,
    ) -> None:
        """`way` is what `find_way` has found, where somebody has asked already."""
        self._config = config
        self._continuous = continuous
        self._repository = repository
        self._image = image
        self._moment = moment
        self._way = way
        self._report = report
        self._folder = continuous.folder / f"{_PREFIX}{process(os.getpid())}-{secrets.token_hex(4)}"
        self._scratch: Scratch | None = None

    def __enter__(self) -> Recovered:
        try:
            return self._recover()
        except BaseException:
            self._remove()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _recover(self) -> Recovered:
        restic = restic_of(self._config, self._repository)
        way = self._way or find_way(self._config, self._continuous, self._repository, self._moment)
        remove_leftovers(self._continuous)
        self._folder.mkdir(mode=0o711, parents=True)
        self._refuse_without_room(restic, way)
        data = self._base(restic, way)
        self._log(restic, way)
        self._report("replaying the log")
        self._prepare(data)
        replayed, log = self._replay(data, self._moment)
        found = _LAST.findall(log)
        return Recovered(replayed.server, way, found[-1] if found else None)

    def _refuse_without_room(self, restic: Restic, way: Way) -> None:
        sizes = {snapshot.id: snapshot.bytes or 0 for snapshot in restic.snapshots()}
        bases = sum(sizes.get(base.snapshot, 0) for base in way.pieces)
        log = sum(sizes.get(piece.snapshot, 0) for piece in way.log)
        # Combining writes the whole once more; replaying writes the log once more.
        needed = bases * (2 if len(way.pieces) > 1 else 1.2) + 2 * log
        free = shutil.disk_usage(self._folder).free
        if free < needed:
            raise OnhostError(
                f"recovering needs up to {needed / 1e6:.0f} MB in {self._continuous.folder}, and "
                f"{free / 1e6:.0f} MB are free"
            )

    def _base(self, restic: Restic, way: Way) -> Path:
        """The files of the base, combined and verified; their folder comes back."""
        folders = []
        for base in way.pieces:
            self._report(f"fetching the {base.kind} base of {base.finished:%F %T} UTC")
            folders.append(self._folder / base.kind)
            restic.restore_folder(base.snapshot, folders[-1], limit_seconds=self._config.limit_seconds)
            _give_to_postgres(folders[-1])
            self._run("pg_verifybackup", "--no-parse-wal", "--quiet", str(folders[-1]))
        if len(folders) == 1:
            return folders[0]
        self._report("combining them")
        combined = self._folder / "combined"
        combined.mkdir(mode=0o700)
        os.chown(combined, POSTGRES, POSTGRES)
        self._run("pg_combinebackup", *(str(folder) for folder in folders), "--output", str(combined))
        for folder in folders:
            shutil.rmtree(folder)
        self._run("pg_verifybackup", "--no-parse-wal", "--quiet", str(combined))
        return combined

    def _log(self, restic: Restic, way: Way) -> None:
        self._report(f"fetching the log up to {way.until:%F %T} UTC")
        for piece in way.log:
            restic.restore_folder(piece.snapshot, self._log_folder, limit_seconds=self._config.limit_seconds)
        _give_to_postgres(self._log_folder)

    @property
    def _log_folder(self) -> Path:
        return self._folder / "log"

    def _prepare(self, data: Path) -> None:
        (data / "recovery.signal").touch()
        # Whatever the instance's own rules are: here one comes in through the container alone.
        (self._log_folder / "hba.conf").write_text(_HBA, encoding="utf-8")
        _give_to_postgres(data)
        _give_to_postgres(self._log_folder)

    def _replay(self, data: Path, moment: datetime | None) -> tuple[Scratch, str]:
        target = {}
        if moment is not None:
            target = {
                "recovery_target_time": f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S.%f}+00",
                "recovery_target_action": "promote",
            }
        log = self._log_folder
        self._scratch = Scratch(
            self._image,
            data=data,
            folders=[log],
            settings={
                # The segment that was not full yet holds the newest of all.
                "restore_command": f'cp "{log}/%f" "%p" 2>/dev/null || cp "{log}/%f.partial" "%p"',
                "hba_file": f"{log}/hba.conf",
                # Nobody asks while it replays, so its limits need not be those of the instance.
                "hot_standby": "off",
                "recovery_target_timeline": "latest",
                "summarize_wal": "off",
                "archive_mode": "off",
                "primary_conninfo": "",
                "shared_preload_libraries": "",
                "log_timezone": "UTC",
                **target,
            },
            start_seconds=self._config.limit_seconds,
        )
        try:
            self._scratch.__enter__()
        except ScratchError as error:
            if moment is not None and _TOO_EARLY in error.log:
                # Nothing was committed between the moment and the end of the log, which reaches beyond it.
                return self._replay(data, None)
            raise NoWayBackError(f"PostgreSQL could not replay the log: {_reason(error.log)}") from error
        return self._scratch, self._scratch.log()

    def _run(self, program: str, *arguments: str) -> None:
        done = programs.run(
            [
                *("docker", "run", "--rm", "--network", "none", "--pull", "never", "--cap-drop", "ALL"),
                *("--user", f"{POSTGRES}:{POSTGRES}", "--security-opt", "no-new-privileges:true"),
                *("--mount", f"type=bind,source={self._folder},target={self._folder}"),
                *("--entrypoint", program, self._image, *arguments),
            ],
            limit_seconds=self._config.limit_seconds,
        )
        if done.code != 0:
            raise NoWayBackError(f"the base is damaged ({program}): {done.last_words}")

    def _remove(self) -> None:
        if self._scratch is not None:
            self._scratch.__exit__(None, None, None)
        shutil.rmtree(self._folder, ignore_errors=True)


def find_way(
    config: BackupConfig,
    continuous: Continuous,
    repository: Repository,
    moment: datetime | None,
    system: str | None = None,
) -> Way:
    """How that repository leads to a moment, or to the newest there is; raises as `way_to` does."""
    known = state.read_log(continuous.state, repository.name)
    certain = {known.system: datetime.fromisoformat(known.until)} if known.system and known.until else None
    found = listing(restic_of(config, repository), config.instance, utc_now())
    return way_to(moment, found, system, certain)


def remove_leftovers(continuous: Continuous) -> None:
    """Remove what a recovery left that was killed."""
    scratch.remove_leftovers()
    for folder in continuous.folder.glob(f"{_PREFIX}*"):
        maker = folder.name.removeprefix(_PREFIX).rpartition("-")[0]
        if process(int(maker.split(":")[0])) != maker:
            shutil.rmtree(folder, ignore_errors=True)


def _give_to_postgres(folder: Path) -> None:
    """Let PostgreSQL's user own all of it, as where it came from, and nobody else read it."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, POSTGRES, POSTGRES, follow_symlinks=False)
    folder.chmod(0o700)


def _reason(log: str) -> str:
    words: Sequence[str] = [line for line in log.splitlines() if "FATAL" in line or "PANIC" in line]
    return (words or log.splitlines()[-1:] or ["it said nothing"])[0].strip()
