"""The way back in place, as far as the host does it: look, fill, save, exchange, conclude or abandon.

The control machine calls these one after the other; between them it shows guests the maintenance page, stops
and starts the app, and tests it. Each may be repeated, and each is refused where it is not its turn.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Callable

from ..clock import to_text, utc_now
from ..failures import OnhostError
from . import beside, key, ongoing, run, state
from .beside import APPLICATION, Report, Source
from .choice import Chosen, choose
from .config import BackupConfig
from .continuous.moment import ChosenMoment, choose_moment, is_moment, source_of_moment
from .exchange import Exchange
from .ongoing import EXCHANGED, FILLED, FILLING, PROVEN, STOPPING, Ongoing
from .postgres import DatabaseError, Server, Session, quoted
from .scratch import image_of


@dataclass(frozen=True)
class Look:
    """What a person wants to know before a run takes the instance's place."""

    run: str
    repository: str
    started: str
    """UTC, RFC 3339."""
    age_hours: float
    bytes: int
    app_version: str | None
    proven: bool
    """Whether the last drill of that repository proved this very run."""
    newest_booking: str | None
    """When the run's newest booking was made, UTC."""
    live_newest_booking: str | None
    """The same of the live database; None where it has none, or cannot be read."""
    bookings_since: int | None
    """How many bookings the live database has that are newer than the run's newest; None if unknown."""
    same_key: bool
    """Whether the instance still has the encryption key that the run was made under."""
    unreachable: dict[str, str]
    """Repositories that could not be asked."""
    obstacles: list[str]
    """Why this run cannot take the instance's place; empty where it can."""
    moment: str | None = None
    """UTC, RFC 3339, where it is no run but a moment that the database's log leads to."""
    remarks: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """For the control machine."""
        return asdict(self)


@dataclass(frozen=True)
class Restoring:
    """Restores on one host: its configuration, its database, and the file that says how far one has come."""

    config: BackupConfig
    live: Server
    file: Path = ongoing.FILE

    @property
    def exchange(self) -> Exchange:
        """The live database and those beside it."""
        return Exchange(self.live)

    def look(self, asked: str | None, repository: str | None) -> Look:
        """What restoring this run, or going back to this moment, would mean; changes nothing.

        Raises OnhostError where there is no such run, or no way to the moment.
        """
        if asked is not None and is_moment(asked):
            return self._look_at_moment(choose_moment(self.config, asked, repository))
        now = utc_now()
        chosen = choose(self.config, asked, repository, now)
        promised = chosen.promised.record
        newest, since = self._bookings(promised.newest_booking)
        return Look(
            run=chosen.run.id,
            repository=chosen.repository.name,
            started=to_text(chosen.run.started),
            age_hours=round((now - chosen.run.started).total_seconds() / 3600, 1),
            bytes=sum(part.bytes for part in chosen.promised.parts.values()),
            app_version=chosen.promised.versions.get("app"),
            proven=state.read(self.config.state, chosen.repository.name).proven_run == chosen.run.id,
            newest_booking=promised.newest_booking,
            live_newest_booking=newest,
            bookings_since=since,
            same_key=self._has_key(chosen),
            unreachable=dict(chosen.unreachable),
            obstacles=self._obstacles(chosen),
        )

    def fill(
        self, asked: str, repository: str, report: Report = lambda _: None, *, take_key: bool = False
    ) -> None:
        """Restore that run, or that moment, beside the live database, and compare it.

        The instance is not touched.

        `take_key`: the run's encryption key shall become the host's, where it is another one; without that
        such a run is refused.
        """
        if is_moment(asked):
            moment, image = choose_moment(self.config, asked, repository), image_of(self.live)
            with source_of_moment(self.config, moment, image, report) as source:
                self.fill_from(source, repository, report)
            return
        chosen = choose(self.config, asked, repository, utc_now())
        if obstacles := self._obstacles(chosen):
            raise OnhostError("; ".join(obstacles))
        other_key = not self._has_key(chosen)
        if other_key and not take_key:
            raise OnhostError("it was made under another encryption key")
        if other_key:
            key.key_of_run(self.config, chosen)  # a run that lacks it is refused now, not later
        source = beside.source_of_run(self.config, chosen)
        self.fill_from(source, chosen.repository.name, report, takes_key=other_key)

    def fill_from(
        self,
        source: Source,
        repository: str,
        report: Report = lambda _: None,
        *,
        takes_key: bool = False,
    ) -> None:
        """The same from any source. Raises OnhostError, and nothing is left of it then."""
        there = ongoing.read(self.file)
        if there is not None and there.step not in (FILLING, FILLED):
            raise OnhostError(f"a restore of {there.run} is under way; it has to be ended first")
        now = Ongoing(FILLING, source.name, repository, begun=to_text(utc_now()), takes_key=takes_key)
        ongoing.write(self.file, now)
        try:
            self.exchange.mend()
            beside.fill(self.live, self.exchange.restored, source, report)
        except BaseException:
            ongoing.remove(self.file)
            raise
        ongoing.write(self.file, replace(now, step=FILLED))

    def _look_at_moment(self, chosen: ChosenMoment) -> Look:
        newest, since = self._bookings(chosen.reached.strftime("%F %T.%f"))
        return Look(
            run=chosen.name,
            repository=chosen.repository.name,
            started=to_text(chosen.reached),
            age_hours=round((utc_now() - chosen.reached).total_seconds() / 3600, 1),
            bytes=0,
            app_version=None,
            proven=False,
            newest_booking=None,
            live_newest_booking=newest,
            bookings_since=since,
            same_key=True,
            unreachable=dict(chosen.unreachable),
            obstacles=[],
            moment=chosen.reached.isoformat(timespec="milliseconds"),
            remarks=list(chosen.way.remarks),
        )

    def stop(self, *, own_maintenance: bool) -> None:
        """Note that the maintenance page is about to be shown and the app to be stopped."""
        there = self._at(FILLED, STOPPING)
        # Who finds a maintenance on, when going on, finds the restore's own.
        own = there.own_maintenance or (own_maintenance and there.step == FILLED)
        ongoing.write(self.file, replace(there, step=STOPPING, own_maintenance=own))

    def save(self, report: Report = lambda _: None) -> str:
        """Make the safety run, in the repository that the restore reads from; its id comes back.

        The app has to be stopped, so that nothing can be lost between this run and the exchange.
        """
        there = self._at(STOPPING)
        if self.exchange.done():
            # Killed right behind the exchange: what is live now is not what has to be saved.
            return there.safety_run or ""
        repository = self.config.repository(there.repository)
        (made,) = run.back_up(self.config, self.live, [repository], report)
        if made.failure is not None:
            raise OnhostError(f"no safety run could be made in {repository.name}: {made.failure}")
        ongoing.write(self.file, replace(there, safety_run=made.run))
        return made.run

    def swap(self) -> None:
        """Let the restored database be the live one. The app has to be stopped."""
        there = self._at(STOPPING, EXCHANGED)
        self.exchange.make()
        ongoing.write(self.file, replace(there, step=EXCHANGED))

    def swap_back(self) -> None:
        """Let the database that was live before be it again. The app has to be stopped."""
        there = self._at(STOPPING, EXCHANGED)
        self.exchange.undo()
        ongoing.write(self.file, replace(there, step=STOPPING))

    def take_key(self) -> str:
        """Put the run's encryption key in the place of the host's; it comes back."""
        there = self._at(EXCHANGED)
        taken = key.key_of_run(self.config, choose(self.config, there.run, there.repository, utc_now()))
        key.take(self.config, taken)
        return taken

    def give_key_back(self) -> str | None:
        """Put the host's own encryption key back in its place; it comes back, too."""
        self._at(STOPPING)
        return key.give_back(self.config)

    def prove(self) -> None:
        """Note that the instance was tested with the restored database, so that there is no way back."""
        ongoing.write(self.file, replace(self._at(EXCHANGED, PROVEN), step=PROVEN))

    def conclude(self) -> None:
        """Remove the database that was live before; the restore is over."""
        self._at(PROVEN)
        self.exchange.drop_before()
        key.forget(self.config)
        ongoing.remove(self.file)

    def abandon(self) -> None:
        """Remove the restored database; the restore is over, and the instance as it was."""
        there = ongoing.read(self.file)
        if there is not None and (there.step in (EXCHANGED, PROVEN) or self.exchange.done()):
            raise OnhostError(f"the restored database of {there.run} is the live one; it was not removed")
        self.exchange.drop_restored()
        ongoing.remove(self.file)

    def _at(self, *steps: str) -> Ongoing:
        there = ongoing.read(self.file)
        if there is None:
            raise OnhostError("no restore is under way")
        if there.step not in steps:
            raise OnhostError(
                f"the restore of {there.run} is at the step {there.step!r}, not at {steps[0]!r}"
            )
        return there

    def _has_key(self, chosen: Chosen) -> bool:
        try:
            return (
                run.encryption_key_fingerprint(self.config.environment_file) == chosen.promised.encryption_key
            )
        except OnhostError:
            return False

    def _bookings(self, newest: str | None) -> tuple[str | None, int | None]:
        """The live database's newest booking, and how many are newer than this; None where it is broken."""
        newer = f'count(*) filter (where "createdAt" > {quoted(newest)})' if newest else "count(*)"
        try:
            with Session(self.live, APPLICATION) as session:
                row = session.rows(f'select max("createdAt"), {newer} from "Booking"')[0]  # noqa: S608 - quoted
        except DatabaseError:
            return None, None
        return row[0] or None, int(row[1])

    def _obstacles(self, chosen: Chosen) -> list[str]:
        promised, found = chosen.promised.record, []
        server = int(
            replace(self.live, database="postgres").rows("show server_version_num", application=APPLICATION)[
                0
            ][0]
        )
        if promised.server_version // 10000 > server // 10000:
            found.append(
                f"it was made by PostgreSQL {promised.server_version // 10000}, and here is "
                f"{server // 10000}: a dump goes into the same version or a newer one"
            )
        if (problem := self._newer(chosen)) is not None:
            found.append(problem)
        return found

    def _newer(self, chosen: Chosen) -> str | None:
        """Whether the run is of a newer app than the one here, to which its data would be strange."""
        there, here = chosen.promised.versions.get("app", ""), self.config.versions.get("app", "")
        newest = chosen.promised.record.newest_migration
        try:
            known = self.live.rows(
                'select max(migration_name) from "_prisma_migrations" where finished_at is not null',
                application=APPLICATION,
            )[0][0]
        except DatabaseError:
            known = ""
        # The names of migrations begin with the moment of their making.
        by_migrations = bool(newest and known and newest > known)
        if by_migrations or (not known and _numbers(there) > _numbers(here)):
            return (
                f"it was made by a newer app ({there or 'version unknown'}) than the one that runs here "
                f"({here or 'version unknown'}): deploy that version first"
            )
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


STEPS: dict[str, Callable[[Restoring], None]] = {
    "swap": Restoring.swap,
    "swap-back": Restoring.swap_back,
    "prove": Restoring.prove,
    "conclude": Restoring.conclude,
    "abandon": Restoring.abandon,
}
"""Steps that need nothing but to be told."""
