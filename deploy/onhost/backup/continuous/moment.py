"""A moment of the past as a source for a restore: found in a repository, replayed beside the instance."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Callable, Iterator, Mapping

from ... import programs
from ...clock import to_text, utc_now
from ...failures import OnhostError
from .. import record
from ..beside import APPLICATION, Source
from ..config import BackupConfig
from ..manifest import Manifest
from ..postgres import Server, Session
from ..pour import pass_to
from ..restic import Repository
from .choice import Way
from .recover import Recovered, Recovery, find_way
from .work import settings_of

PREFIX = "at "
LATEST = "latest"
_QUICK_SECONDS = 60.0

Report = Callable[[str], None]


@dataclass(frozen=True)
class ChosenMoment:
    """A moment, the repository that leads to it, and the way."""

    name: str
    """As a restore calls it: `at 2026-11-24T14:05:00+00:00` or `at latest`."""
    moment: datetime | None
    """None for the newest there is."""
    repository: Repository
    way: Way
    unreachable: Mapping[str, str] = field(default_factory=dict)
    """Repositories that do not lead there, and why."""

    @property
    def reached(self) -> datetime:
        """The moment that is restored, or up to which the log is whole for certain."""
        return self.moment or self.way.until


def is_moment(asked: str | None) -> bool:
    """Whether what is asked for is a moment and not a run."""
    return asked is not None and asked.startswith(PREFIX)


def choose_moment(config: BackupConfig, asked: str, repository: str | None) -> ChosenMoment:
    """The way to the moment, in that repository, else in the one that reaches furthest.

    Raises OnhostError where the moment cannot be read, or no repository leads to it, with the reasons.
    """
    continuous, moment = settings_of(config), _moment(asked)
    candidates = [config.repository(repository)] if repository else config.repositories
    found: list[ChosenMoment] = []
    unreachable: dict[str, str] = {}
    for candidate in candidates:
        try:
            way = find_way(config, continuous, candidate, moment)
        except OnhostError as error:
            unreachable[candidate.name] = str(error)
        else:
            found.append(ChosenMoment(asked, moment, candidate, way, unreachable))
    if not found:
        raise OnhostError("; ".join(f"{name}: {why}" for name, why in unreachable.items()))
    return max(found, key=lambda chosen: chosen.way.until)


@contextmanager
def source_of_moment(
    config: BackupConfig, chosen: ChosenMoment, image: str, report: Report
) -> Iterator[Source]:
    """The database as it was then, for as long as the block lasts; raises OnhostError."""
    recovery = Recovery(
        config, settings_of(config), chosen.repository, image, chosen.moment, way=chosen.way, report=report
    )
    with recovery as recovered:
        yield _source(config, chosen, recovered)


def _source(config: BackupConfig, chosen: ChosenMoment, recovered: Recovered) -> Source:
    server = recovered.server
    with Session(server, APPLICATION) as session:
        held, sequences = record.read(session), record.sequences(session)
        size = int(session.rows("select pg_database_size(current_database())")[0][0])
    roles = programs.run(
        server.command("pg_dumpall", "--roles-only", application=APPLICATION), limit_seconds=_QUICK_SECONDS
    )
    if roles.code != 0:
        raise OnhostError(f"pg_dumpall ended with {roles.code}: {roles.last_words}")
    promised = Manifest(
        run=chosen.name,
        instance=config.instance,
        started=to_text(chosen.reached),
        finished=to_text(utc_now()),
        parts={},
        record=held,
        sequences_after=sequences,
        files={},
        encryption_key="",
        versions={},
        images={},
    )
    return Source(
        chosen.name, promised, size, roles.output, lambda target: _pour(server, target, config.limit_seconds)
    )


def _pour(server: Server, target: Server, limit_seconds: float) -> None:
    dump = server.command("pg_dump", "--format=custom", "--compress=0", application=APPLICATION)
    restore = target.command(
        "pg_restore", "--exit-on-error", f"--dbname={target.database}", application=APPLICATION
    )
    with programs.Running(dump) as source:
        source.input.close()
        poured = pass_to(source, restore, limit_seconds=limit_seconds)
        if (code := source.wait(_QUICK_SECONDS)) != 0:
            raise OnhostError(f"pg_dump ended with {code}: {source.errors.read().decode(errors='replace')}")
    if poured.code != 0:
        raise OnhostError(f"pg_restore ended with {poured.code}: {poured.last_words}")


def _moment(asked: str) -> datetime | None:
    text = asked[len(PREFIX) :].strip()
    if text == LATEST:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise OnhostError(f"{text!r} is no moment; write it like 2026-11-24T14:05:00+00:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
