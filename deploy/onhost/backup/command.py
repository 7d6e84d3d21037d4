"""The commands `backup …` of the host: for the control machine, which wants JSON, and for the worst night."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..clock import to_text, utc_now
from ..failures import OnhostError
from . import config, files, manifest, new_host, restore_command, retention, runs, state, work
from .config import BackupConfig
from .continuous import command as continuous
from .drill import PROVEN
from .manifest import Manifest
from .restic import Repository, Restic


def add_to(commands: Any) -> None:
    """Add `backup` and what stands below it to the parser's commands."""
    parser = commands.add_parser("backup", help="make, list and forget runs, and the drill")
    parser.add_argument("--config", type=Path, default=config.FILE, help="default: %(default)s")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    making = verbs.add_parser("now", help="make a run; what became of it as JSON")
    making.set_defaults(command=_now)
    listing = verbs.add_parser("list", help="every run, as JSON")
    listing.set_defaults(command=_list)
    knowing = verbs.add_parser("state", help="what is known without asking a repository, as JSON")
    knowing.set_defaults(command=_state)
    continuous.add_to(verbs)
    drilling = verbs.add_parser("drill", help="restore and compare the newest runs now; verdicts as JSON")
    drilling.add_argument("--image", help="PostgreSQL image to restore into; else the database's own")
    drilling.set_defaults(command=_drill)
    for choosing in (making, drilling):
        choosing.add_argument("--repository", action="append", default=[], help="only this one; repeatable")
    showing = verbs.add_parser("show", help="the manifest of a run, as JSON")
    showing.set_defaults(command=_show)
    reading = verbs.add_parser("file", help="the content of a file of a run")
    reading.set_defaults(command=_file)
    forgetting = verbs.add_parser("forget", help="drop a run; its data stays until the retention prunes")
    forgetting.set_defaults(command=_forget)
    for one_run in (showing, reading, forgetting):
        one_run.add_argument("repository")
        one_run.add_argument("run", help="its id, or how that begins, or `newest`")
    reading.add_argument("path", help="as the manifest names it")
    restore_command.add_to(verbs)
    new_host.add_to(verbs)


def _now(asked: argparse.Namespace) -> int:
    known = config.load(asked.config)
    with work.host_lock(work.RUN):
        outcomes = work.runs_now(known, asked.repository)
    json.dump({"repositories": [asdict(outcome) for outcome in outcomes]}, sys.stdout)
    return 1 if any(outcome.failure for outcome in outcomes) else 0


def _list(asked: argparse.Namespace) -> int:
    known = config.load(asked.config)
    document = [_runs_of(known, repository) for repository in known.repositories]
    json.dump({"repositories": document}, sys.stdout)
    return 1 if any(repository["failure"] for repository in document) else 0


def _runs_of(known: BackupConfig, repository: Repository) -> dict[str, Any]:
    now = utc_now()
    document: dict[str, Any] = {"repository": repository.name, "failure": None, "runs": []}
    try:
        found = runs.listing(_restic(known, repository), known.instance, now)
    except OnhostError as error:
        return {**document, "failure": str(error)}
    proven = state.read(known.state, repository.name).proven_run
    kept = retention.kept(found.runs, known.keep, now)
    document["runs"] = [
        {
            "run": run.id,
            "started": to_text(run.started),
            "bytes": run.bytes,
            "proven": run.id == proven,
            "kept_as": kept.get(run.id),
        }
        for run in found.runs
    ]
    document["without_manifest"] = [run.id for run in found.parts_alone]
    document["in_the_future"] = len(found.future)
    return document


def _state(asked: argparse.Namespace) -> int:
    known = config.load(asked.config)
    document = {
        "max_age_hours": known.max_age_hours,
        "repositories": {name: asdict(found) for name, found in work.last_proven(known).items()},
    }
    json.dump(document, sys.stdout)
    return 0


def _drill(asked: argparse.Namespace) -> int:
    known = config.load(asked.config)
    verdicts = work.drills(known, asked.image or work.database_image(known), asked.repository)
    json.dump({"repositories": [asdict(verdict) for verdict in verdicts]}, sys.stdout)
    return 0 if all(verdict.verdict == PROVEN for verdict in verdicts) else 1


def _show(asked: argparse.Namespace) -> int:
    known = config.load(asked.config)
    sys.stdout.write(_manifest(known, asked).to_bytes().decode())
    return 0


def _file(asked: argparse.Namespace) -> int:
    known = config.load(asked.config)
    part = _manifest(known, asked).parts[manifest.FILES]
    restic = _restic(known, known.repository(asked.repository))
    archive = restic.read(part.snapshot, part.name, limit_seconds=known.limit_seconds)
    sys.stdout.buffer.write(files.content_of(archive, asked.path))
    return 0


def _forget(asked: argparse.Namespace) -> int:
    known = config.load(asked.config)
    restic = _restic(known, known.repository(asked.repository))
    restic.unlock_stale()
    retention.drop(restic, _run(known, asked))
    return 0


def _manifest(known: BackupConfig, asked: argparse.Namespace) -> Manifest:
    restic = _restic(known, known.repository(asked.repository))
    kept = _run(known, asked).parts[manifest.MANIFEST]
    return Manifest.from_bytes(restic.read(kept.id, manifest.NAME, limit_seconds=known.limit_seconds))


def _run(known: BackupConfig, asked: argparse.Namespace) -> runs.Run:
    restic = _restic(known, known.repository(asked.repository))
    run = runs.listing(restic, known.instance, utc_now()).run(asked.run)
    if run is None:
        raise OnhostError(f"{asked.repository} holds no run {asked.run}, or several that begin so")
    return run


def _restic(known: BackupConfig, repository: Repository) -> Restic:
    return Restic(repository, hostname=known.instance, binary=known.restic)
