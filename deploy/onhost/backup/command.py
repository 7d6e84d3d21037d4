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
from . import config, manifest, runs, state, work
from .config import BackupConfig
from .drill import PROVEN
from .manifest import Manifest
from .restic import Repository, Restic


def add_to(commands: Any) -> None:
    """Add `backup` and what stands below it to the parser's commands."""
    parser = commands.add_parser("backup", help="what there is of backups, and the drill")
    parser.add_argument("--config", type=Path, default=config.FILE, help="default: %(default)s")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verbs.add_parser("list", help="every run, as JSON").set_defaults(command=_list)
    verbs.add_parser("state", help="what is known without asking a repository, as JSON").set_defaults(
        command=_state
    )
    drilling = verbs.add_parser("drill", help="restore and compare the newest runs now; verdicts as JSON")
    drilling.add_argument("--image", help="PostgreSQL image to restore into; else the database's own")
    drilling.set_defaults(command=_drill)
    showing = verbs.add_parser("show", help="the manifest of a run, as JSON")
    showing.add_argument("repository")
    showing.add_argument("run")
    showing.set_defaults(command=_show)


def _list(asked: argparse.Namespace) -> int:
    known = config.load(asked.config)
    document = [_runs_of(known, repository) for repository in known.repositories]
    json.dump({"repositories": document}, sys.stdout)
    return 1 if any(repository["failure"] for repository in document) else 0


def _runs_of(known: BackupConfig, repository: Repository) -> dict[str, Any]:
    restic = Restic(repository, hostname=known.instance, binary=known.restic)
    try:
        found = runs.listing(restic, known.instance, utc_now())
    except OnhostError as error:
        return {"repository": repository.name, "failure": str(error), "runs": []}
    proven = state.read(known.state, repository.name).proven_run
    return {
        "repository": repository.name,
        "failure": None,
        "runs": [
            {"run": run.id, "started": to_text(run.started), "proven": run.id == proven} for run in found.runs
        ],
        "without_manifest": [run.id for run in found.parts_alone],
        "in_the_future": len(found.future),
    }


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
    verdicts = work.drills(known, asked.image or work.database_image(known))
    json.dump({"repositories": [asdict(verdict) for verdict in verdicts]}, sys.stdout)
    return 0 if all(verdict.verdict == PROVEN for verdict in verdicts) else 1


def _show(asked: argparse.Namespace) -> int:
    known = config.load(asked.config)
    restic = Restic(known.repository(asked.repository), hostname=known.instance, binary=known.restic)
    run = runs.listing(restic, known.instance, utc_now()).run(asked.run)
    if run is None:
        raise OnhostError(f"{asked.repository} holds no run {asked.run}, or several that begin so")
    content = restic.read(run.parts[manifest.MANIFEST].id, manifest.NAME, limit_seconds=known.limit_seconds)
    sys.stdout.write(Manifest.from_bytes(content).to_bytes().decode())
    return 0
