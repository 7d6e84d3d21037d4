"""Runs of a host's backups, seen and made from here: now, list, show, browse, diff, forget."""

from __future__ import annotations

import datetime as dt
import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import humanize

from deploy.actions.instance import Instance
from deploy.errors import CalstackError, InputError
from deploy.settings.layout import ONHOST

NEWEST = "newest"
"""In place of a run's id."""
_QUICK_SECONDS = 600.0
_COMMAND = f"{ONHOST} backup"


@dataclass(frozen=True)
class Listed:
    """What the repositories of one host hold."""

    repositories: list[dict[str, Any]]
    """As `onhost backup list` has them: `repository`, `failure`, `runs`, `without_manifest`,
    `in_the_future`; a run has `run`, `started`, `bytes`, `proven`, `kept_as`."""

    def document(self) -> dict[str, Any]:
        """What `backup list --json` says of one host."""
        good = all(repository["failure"] is None for repository in self.repositories)
        return {"ok": good, "repositories": self.repositories}

    def rows(self) -> list[list[str]]:
        """For people, the newest first: repository, run, age, size, why it stays, whether it is proven."""
        rows = []
        for repository in self.repositories:
            name = repository["repository"]
            if repository["failure"] is not None:
                rows.append([name, repository["failure"], "", "", "", ""])
            for run in reversed(repository["runs"]):
                proven = "proven" if run["proven"] else ""
                size = humanize.naturalsize(run["bytes"])
                rows.append([name, run["run"], age(run["started"]), size, run["kept_as"] or "goes", proven])
            for run in repository.get("without_manifest", ()):
                rows.append([name, run, "", "", "no run: its manifest never came", ""])
        return rows


COLUMNS = ("REPOSITORY", "RUN", "AGE", "SIZE", "KEPT AS", "DRILL")
"""Of `Listed.rows`."""


@dataclass(frozen=True)
class Made:
    """What became of a run in each repository."""

    outcomes: list[dict[str, Any]]
    """`repository`, `run`, `failure`, `bytes_read`, `bytes_added`, `seconds`."""

    def document(self) -> dict[str, Any]:
        """What `backup now --json` says of one host."""
        return {"ok": all(it["failure"] is None for it in self.outcomes), "repositories": self.outcomes}

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"{it['repository']}: FAILED: {it['failure']}"
            if it["failure"]
            else f"{it['repository']}: {it['run']}, {humanize.naturalsize(it['bytes_read'])} read, "
            f"{humanize.naturalsize(it['bytes_added'])} new, {it['seconds']:.0f} s"
            for it in self.outcomes
        ]


def age(started: str) -> str:
    """How long ago a time of RFC 3339 was, as people say it."""
    return humanize.naturaltime(dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(started))


def make_run(instance: Instance, repositories: Sequence[str]) -> Made:
    """A run in each of these repositories, or in all. Raises `CalstackError` where none could begin."""
    limit = instance.settings.backups.limit_minutes * 60 * (len(instance.settings.backups.repositories) + 1)
    said = ask(instance, "now", *_only(instance, repositories), limit_seconds=limit)
    return Made(said["repositories"])


def list_runs(instance: Instance) -> Listed:
    """Every run of every repository. Raises `CalstackError` for a host without backups."""
    return Listed(ask(instance, "list")["repositories"])


def find(instance: Instance, repository: str | None, run: str) -> tuple[str, str]:
    """The repository that holds a run, and the run's whole id; of several repositories the first.

    `run` is an id, the beginning of one, or `newest`. Raises `InputError` where there is none.
    """
    names = [repository] if repository else list(instance.settings.backups.repositories)
    _only(instance, names)
    for listed in list_runs(instance).repositories:
        found = [it["run"] for it in listed["runs"] if run == NEWEST or it["run"].startswith(run)]
        if listed["repository"] in names and found and (run == NEWEST or len(found) == 1):
            return listed["repository"], found[-1]
    raise InputError(
        f"no run {run} in {', '.join(names)}, or several that begin so",
        where=instance.name,
        fix="calstack backup list shows them",
    )


def manifest(instance: Instance, repository: str | None, run: str) -> dict[str, Any]:
    """The manifest of a run, as deploy/onhost/backup/manifest.py describes it, with `repository`."""
    where, which = find(instance, repository, run)
    return {"repository": where, **ask(instance, "show", where, which)}


def show_lines(kept: dict[str, Any]) -> list[str]:
    """What people want to know of a run."""
    tables = kept["record"]["tables"]
    size = sum(part["bytes"] for part in kept["parts"].values())
    return [
        f"run        {kept['run']}, made {age(kept['started'])} ({kept['started']})",
        f"lies in    {kept['repository']}",
        f"of         {kept['instance']}, Cal.com {kept['versions'].get('app')}",
        f"holds      {humanize.naturalsize(size)}: {len(tables)} tables with "
        f"{sum(table['rows'] for table in tables.values())} rows, {len(kept['files'])} files",
        f"newest     booking made {kept['record']['newest_booking'] or 'never'}",
        *(f"image      {service}: {image}" for service, image in sorted(kept["images"].items())),
    ]


def browse_lines(kept: dict[str, Any]) -> list[str]:
    """The tables and the files of a run."""
    tables = [f"{table['rows']:>12}  {name}" for name, table in kept["record"]["tables"].items()]
    files = [f"{file['bytes']:>12}  {name}" for name, file in sorted(kept["files"].items())]
    return ["        rows  table", *tables, "       bytes  file", *files]


def read_file(instance: Instance, kept: dict[str, Any], path: str) -> bytes:
    """A file out of a run. Raises `InputError` for one that the manifest does not name."""
    if path not in kept["files"]:
        raise InputError(
            f"the run {kept['run']} has no file {path}", fix="calstack backup browse lists its files"
        )
    command = " ".join(map(shlex.quote, ["file", kept["repository"], kept["run"], path]))
    return instance.remote.run(f"{_COMMAND} {command}", timeout=_QUICK_SECONDS).stdout


def diff_lines(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What differs between two runs: versions, migrations, tables, files; a line each."""
    return [
        *_differing("version of", old["versions"], new["versions"], str),
        *_differing("image of", old["images"], new["images"], str),
        *_differing("table", old["record"]["tables"], new["record"]["tables"], _rows),
        *_differing("file", old["files"], new["files"], lambda file: f"{file['bytes']} bytes"),
    ]


def forget(instance: Instance, repository: str | None, run: str, confirm: Callable[[str], bool]) -> str:
    """Drop a run of one repository, once the person agrees; a line comes back.

    Raises `InputError` for the newest run, which nobody should be without.
    """
    where, which = find(instance, repository, run)
    if find(instance, where, NEWEST)[1] == which:
        raise InputError(
            f"{which} is the newest run in {where}", where=instance.name, fix="make another one first"
        )
    if not confirm(f"{instance.name}: the run {which} goes from {where}; nothing brings it back"):
        return "nothing was forgotten"
    _run(instance, "forget", where, which)
    return f"{which} is forgotten in {where}; its bytes go when the retention runs"


def ask(instance: Instance, verb: str, *arguments: str, limit_seconds: float = _QUICK_SECONDS) -> Any:
    """What a command `onhost backup …` answers, as JSON; whether it ended well stands in the answer.

    Raises `CalstackError` where there is none.
    """
    output = _run(instance, verb, *arguments, limit_seconds=limit_seconds)
    return json.loads(output)


def _run(instance: Instance, verb: str, *arguments: str, limit_seconds: float = _QUICK_SECONDS) -> bytes:
    command = " ".join(map(shlex.quote, [verb, *arguments]))
    done = instance.remote.run(f"{_COMMAND} {command}", timeout=limit_seconds, check=False)
    if done.code != 0 and not done.stdout:
        raise CalstackError(
            done.error_text.removeprefix("onhost: "), where=instance.name, fix="see docs/backups.md"
        )
    return done.stdout


def _only(instance: Instance, repositories: Sequence[str]) -> list[str]:
    """The options that choose repositories; raises `InputError` for one that the host does not have."""
    known = instance.settings.backups.repositories
    unknown = [name for name in repositories if name not in known]
    if unknown:
        raise InputError(
            f"no repository {', '.join(unknown)}",
            where=instance.name,
            fix=f"choose from: {', '.join(known)}" if known else "set backups.repositories",
        )
    return [item for name in repositories for item in ("--repository", name)]


def _rows(table: dict[str, Any]) -> str:
    return f"{table['rows']} rows"


def _differing(what: str, old: dict[str, Any], new: dict[str, Any], told: Callable[[Any], str]) -> list[str]:
    lines = []
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            lines.append(f"- {what} {name}: {told(old[name])}")
        elif name not in old:
            lines.append(f"+ {what} {name}: {told(new[name])}")
        elif old[name] != new[name]:
            before, after = told(old[name]), told(new[name])
            lines.append(
                f"~ {what} {name}: {before} -> {after}"
                if before != after
                else f"~ {what} {name}: {before}, of other content"
            )
    return lines
