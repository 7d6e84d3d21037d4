"""Puts a run of the backups in the place of an instance's database, and back where that does not go well.

The run is poured into a database beside the live one and compared, while guests go on booking. Only then they
see the maintenance page: the app is stopped, a safety run is made of what it leaves, the two databases change
names, and the app has to pass the smoke test before anything of the old one is removed. The safety run comes
that late, and not first of all, so that it holds every booking that was ever confirmed.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from deploy.actions import maintenance
from deploy.actions.backup import NEWEST
from deploy.actions.bootstrap import bootstrap
from deploy.actions.instance import Instance
from deploy.actions.restore_steps import Report, Steps
from deploy.actions.smoke import smoke
from deploy.errors import CalstackError, InputError
from deploy.onhost.backup.restore import Look
from deploy.operations import stack
from deploy.secrets import SecretStore
from deploy.settings.layout import PROJECT, REDIS_CLI

LATEST = "latest"
"""The newest moment there is."""
_COMPOSE = f"cd {PROJECT} && docker compose --progress quiet"
_MIGRATION_SECONDS = 1800
_FILLING, _FILLED, _STOPPING, _EXCHANGED, _PROVEN = "filling", "filled", "stopping", "exchanged", "proven"
"""Steps as deploy/onhost/backup/ongoing.py has them."""


@dataclass(frozen=True)
class Plan:
    """A run, and what it would mean to restore it."""

    instance: str
    look: dict[str, Any]
    """As deploy/onhost/backup/restore.py has it."""
    take_key: bool = False
    """Whether the run's encryption key becomes the host's."""

    @property
    def run(self) -> str:
        """The run's id."""
        return str(self.look["run"])

    def lines(self) -> list[str]:
        """What a person wants to know before it is done."""
        look = self.look
        if look["moment"] is not None:
            return self._lines_of_moment()
        proof = "proven by a drill" if look["proven"] else "not proven by a drill"
        lines = [
            f"{self.instance}: the database becomes what it was in the run {self.run}",
            f"  of the repository {look['repository']}, begun {look['started']}, "
            f"{_age(look['age_hours'])} ago, {proof}",
            f"  newest booking: made {look['newest_booking'] or 'never'} in the run, "
            f"{look['live_newest_booking'] or 'never'} now (UTC)",
            _gone(look["bookings_since"]),
        ]
        for repository, why in look["unreachable"].items():
            lines.append(f"  a newer run may lie in {repository}, which could not be asked: {why}")
        if self.take_key:
            lines += [
                f"  the encryption key of {self.instance} becomes the run's, in the inventory's secrets too;",
                "  what was encrypted under the present one goes with the present database",
            ]
        return lines

    def _lines_of_moment(self) -> list[str]:
        look = self.look
        what = "what it was at" if self.run != f"at {LATEST}" else "the newest there is, whole up to"
        return [
            f"{self.instance}: the database becomes {what} {look['moment']}",
            f"  {_age(look['age_hours'])} ago, by the log in the repository {look['repository']}; "
            f"the newest booking now: {look['live_newest_booking'] or 'none'} (UTC)",
            _gone(look["bookings_since"]),
            *(f"  {remark}" for remark in look["remarks"]),
            *(f"  not from {name}: {why}" for name, why in look["unreachable"].items()),
        ]


@dataclass(frozen=True)
class Restored:
    """How a restore, or the way back from one, ended."""

    run: str
    repository: str
    undone: bool
    """Whether the instance has its old database again."""
    safety_run: str | None
    """The run that holds what the restore replaced."""
    notes: list[str]
    seconds: float

    def lines(self) -> list[str]:
        """For people."""
        if self.undone:
            first = f"the restore of {self.run} is undone: the instance has its old database"
        else:
            first = (
                f"restored {self.run} of {self.repository} in {self.seconds:.0f} s; a guest can book again"
            )
        lines = [first]
        if self.safety_run and not self.undone:
            lines.append(f"what was there before: calstack restore {self.safety_run}")
        return [*lines, *self.notes]

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "ok": True,
            "run": self.run,
            "repository": self.repository,
            "undone": self.undone,
            "safety_run": self.safety_run,
            "notes": self.notes,
            "seconds": round(self.seconds, 1),
        }


def at(moment: str) -> str:
    """What stands for a moment where else a run's id stands; raises `InputError` where it is none."""
    if moment == LATEST:
        return f"at {LATEST}"
    try:
        said = datetime.fromisoformat(moment)
    except ValueError:
        raise InputError(
            f"{moment!r} is no moment", where="--at", fix='write it like "2026-11-24 14:05" (UTC), or latest'
        ) from None
    said = said if said.tzinfo else said.replace(tzinfo=UTC)
    return f"at {said.astimezone(UTC).isoformat()}"


def plan(instance: Instance, run: str | None, repository: str | None, *, take_key: bool = False) -> Plan:
    """What restoring this run, or without one the newest, would mean; nothing is changed.

    `take_key`: a run that was made under another encryption key may bring its own.

    Raises `InputError` where a restore was cut short or the run may not be restored, `CalstackError` where it
    cannot be found.
    """
    steps = Steps(instance.remote, lambda _: None)
    there = steps.ongoing()
    if there is not None and there["step"] not in (_FILLING, _FILLED):
        raise InputError(
            f"a restore of {there['run']} was cut short at the step {there['step']!r}",
            where=instance.name,
            fix="`calstack restore --resume` goes on with it, `calstack restore --undo` goes back",
        )
    named = run is not None and run != NEWEST
    chosen = [*(["--run", run] if run and named else []), *(["--from", repository] if repository else [])]
    look = steps.take("look", *chosen)
    if {field.name for field in fields(Look)} - set(look):
        raise InputError(
            "the host has the programs of an older calstack, which answer differently",
            where=instance.name,
            fix="`calstack deploy` renews them; or restore with the calstack that deployed last",
        )
    obstacles = list(look["obstacles"])
    if obstacles:
        raise InputError(
            f"the run {look['run']} cannot be restored here: {'; '.join(obstacles)}",
            where=instance.name,
            fix="`calstack backup list` shows the other runs",
        )
    if not look["same_key"] and not take_key:
        raise InputError(
            f"the run {look['run']} was made under another encryption key (CALENDSO_ENCRYPTION_KEY) than "
            f"{instance.name} has: calendars and second factors in it could not be opened",
            where=instance.name,
            fix="--take-key makes the run's key that of the host, in the inventory's secrets too",
        )
    return Plan(instance.name, look, take_key and not look["same_key"])


def restore(instance: Instance, plan: Plan, report: Report, *, safety_run: bool = True) -> Restored:
    """Carry it out; the host's lock is held. Raises `CalstackError` that says how the instance is left."""
    steps = Steps(instance.remote, report)
    try:
        key = ["--take-key"] if plan.take_key else []
        steps.take("fill", "--run", plan.run, "--from", plan.look["repository"], *key)
    except CalstackError as error:
        raise _untouched(error) from error
    return _go_on(instance, steps, report, safety_run=safety_run)


def resume(instance: Instance, report: Report, *, safety_run: bool = True) -> Restored:
    """Go on with a restore that was cut short. Raises `InputError` where there is none."""
    steps = Steps(instance.remote, report)
    there = _there(instance, steps)
    if there["step"] == _FILLING:
        again = plan(instance, there["run"], there["repository"], take_key=there["takes_key"])
        return restore(instance, again, report, safety_run=safety_run)
    return _go_on(instance, steps, report, safety_run=safety_run)


def undo(instance: Instance, report: Report) -> Restored:
    """Go back from a restore that was cut short. Raises `InputError` where there is none, or no way back."""
    steps, started = Steps(instance.remote, report), time.monotonic()
    there = _there(instance, steps)
    if there["step"] == _PROVEN:
        raise InputError(
            f"the restore of {there['run']} is done but for some tidying up",
            where=instance.name,
            fix="`calstack restore --resume` ends it"
            + (f"; then `calstack restore {there['safety_run']}` goes back" if there["safety_run"] else ""),
        )
    _go_back(instance, steps, report)
    return Restored(
        there["run"], there["repository"], True, there["safety_run"], [], time.monotonic() - started
    )


def _there(instance: Instance, steps: Steps) -> dict[str, Any]:
    there = steps.ongoing()
    if there is None:
        raise InputError(
            "no restore is under way",
            where=instance.name,
            fix="one that is done is taken back by restoring the safety run that it named",
        )
    return there


def _go_on(instance: Instance, steps: Steps, report: Report, *, safety_run: bool) -> Restored:
    started, notes = time.monotonic(), []
    there = _there(instance, steps)
    if there["step"] != _PROVEN:
        try:
            notes = _exchange(instance, steps, report, safety_run=safety_run)
        except CalstackError as error:
            raise _after_going_back(instance, steps, report, error) from error
        there = _there(instance, steps)
    report("tidying up")
    if there["own_maintenance"]:
        maintenance.end(instance)
    elif (on := instance.maintenance()) is not None:
        notes.append(f"{on.told()}, as before; `calstack maintenance off` ends it")
    steps.take("conclude")
    return Restored(
        there["run"], there["repository"], False, there["safety_run"], notes, time.monotonic() - started
    )


def _exchange(instance: Instance, steps: Steps, report: Report, *, safety_run: bool) -> list[str]:
    """From the database that lies beside the live one to the tested instance; what is worth knowing."""
    notes: list[str] = []
    there = _there(instance, steps)
    if there["step"] != _EXCHANGED:
        report("showing guests the maintenance page")
        steps.take("stop", *(["--own-maintenance"] if instance.maintenance() is None else []))
    maintenance.begin(instance)
    report("stopping the app")
    _stop_app(instance)
    if safety_run and there["step"] != _EXCHANGED:
        report("making the safety run")
        try:
            steps.take("save")
        except CalstackError as error:
            error.fix = "mend that; or give up what is there now: --without-safety-run"
            raise
    report("exchanging the databases")
    steps.take("swap")
    if there["takes_key"]:
        report("taking over the run's encryption key")
        _keep_key(instance, steps.take("take-key")["key"])
        notes.append("the encryption key is the run's now, in the inventory's secrets too")
    notes += _migrate(instance, report)
    report("starting the app")
    _start_app(instance)
    notes += bootstrap(instance, notes.append)
    report("testing it as a guest")
    tested = smoke(instance, progress=report)
    if not tested.passed:
        raise CalstackError("\n".join(["the smoke test failed", *tested.conclusion()]), where=instance.name)
    steps.take("prove")
    return notes


def _go_back(instance: Instance, steps: Steps, report: Report) -> None:
    there = _there(instance, steps)
    if there["step"] not in (_FILLING, _FILLED):
        report("putting the old database back")
        _stop_app(instance)
        steps.take("swap-back")
        if there["takes_key"]:
            _keep_key(instance, steps.take("give-key-back")["key"])
        report("starting the app")
        _start_app(instance)
        if there["own_maintenance"] and instance.maintenance() is not None:
            maintenance.end(instance)
    steps.take("abandon")


def _migrate(instance: Instance, report: Report) -> list[str]:
    """What deploy does before it starts an image on a database that another one has migrated."""
    rows = instance.remote.sql(
        "select datname, coalesce(shobj_description(oid, 'pg_database'), '') from pg_database "
        "where datname in ('calcom', 'calcom_before_restore');"
    )
    stamps = {name: _stamp(comment) for name, comment in rows}
    now, before = stamps["calcom"], stamps.get("calcom_before_restore", {})
    image = instance.remote.run(
        f"{_COMPOSE} ps --all --quiet web | xargs --no-run-if-empty docker inspect --format '{{{{.Image}}}}'"
    ).text
    if now.get("migrated_by") == image or not image:
        return []
    report("applying the app's migrations")
    now = {**now, "migrated_by": image}
    stack.migrate(now, _MIGRATION_SECONDS, instance.remote)
    if before.get("apps_seeded_by") not in (None, now.get("apps_seeded_by")):
        stack.seed_apps({**now, "apps_seeded_by": before["apps_seeded_by"]}, 600, instance.remote)
    return ["another image of the app had made the run: this one's migrations were applied"]


def _keep_key(instance: Instance, key: str) -> None:
    """Let the inventory's secrets have the encryption key that the host has."""
    with SecretStore.open(instance.inventory).changing() as content:
        content.keep("encryption_key", key, instance.name, "given")


def _stamp(comment: str) -> dict[str, str]:
    try:
        said = json.loads(comment)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _services(instance: Instance) -> str:
    return "web api" if instance.settings.has_api else "web"


def _stop_app(instance: Instance) -> None:
    instance.remote.run(f"{_COMPOSE} stop {_services(instance)}", timeout=180)


def _start_app(instance: Instance) -> None:
    """Start what was stopped, and wait until it is healthy; what the cache knew belongs to the other data."""
    settings = instance.settings
    seconds = settings.app.start_period_seconds
    if settings.has_api:
        instance.remote.run(f"{REDIS_CLI} flushall")
        seconds = max(seconds, settings.api.start_period_seconds)
    services = _services(instance)
    done = instance.remote.run(
        f"{_COMPOSE} up -d --no-deps --wait --wait-timeout {seconds} {services}",
        timeout=seconds + 120,
        check=False,
    )
    if done.code != 0:
        logs = instance.remote.run(f"{_COMPOSE} logs --no-color --tail 15 {services} 2>&1", check=False)
        raise CalstackError(
            f"the app does not start: {done.error_text}\nlast lines of its log:\n{logs.text}",
            where=instance.name,
        )


def _untouched(error: CalstackError) -> CalstackError:
    return CalstackError(f"{error.what}. The instance is untouched", where=error.where, fix=error.fix)


def _after_going_back(
    instance: Instance, steps: Steps, report: Report, error: CalstackError
) -> CalstackError:
    """What to say of a restore that failed, once the instance has its old database again."""
    try:
        _go_back(instance, steps, report)
    except CalstackError as second:
        return CalstackError(
            f"{error.what}\nand the way back failed as well: {second.what}",
            where=instance.name,
            fix="guests see the maintenance page; mend the cause, then `calstack restore --undo` goes back, "
            "or `calstack restore --resume` goes on",
        )
    return CalstackError(
        f"{error.what}\nThe restore was undone: the instance runs with the database that it had",
        where=instance.name,
        fix=error.fix,
    )


def _age(hours: float) -> str:
    if hours < 2:
        return f"{hours * 60:.0f} minutes"
    return f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"


def _gone(count: int | None) -> str:
    if count is None:
        return "  how many bookings are lost cannot be said: the present database cannot be read"
    return f"  {count} bookings that were made since then are gone afterwards, and every change since then"
