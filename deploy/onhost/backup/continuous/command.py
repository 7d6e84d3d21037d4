"""The commands `backup continuous …` of the host."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import datetime
from typing import Any

from ...clock import utc_now
from ...failures import OnhostError
from .. import config
from ..config import BackupConfig
from ..restic import Repository
from . import ship, state
from .pieces import exact, listing
from .work import settings_of


def add_to(verbs: Any) -> None:
    """Add `continuous` and what stands below it to the verbs of `backup`."""
    parser = verbs.add_parser("continuous", help="how it stands with continuous protection")
    asking = parser.add_subparsers(required=True, metavar="WHAT")
    knowing = asking.add_parser("state", help="what is known without asking a repository, as JSON")
    knowing.set_defaults(command=_state)
    listing_ = asking.add_parser("list", help="bases, and from when to when the log reaches, as JSON")
    listing_.set_defaults(command=_list)


def state_document(known: BackupConfig) -> dict[str, Any]:
    """What this host knows of each repository: up to when the log lies there, and the newest base."""
    continuous, now = settings_of(known), utc_now()
    document: dict[str, Any] = {"max_lag_seconds": continuous.max_lag_seconds, "repositories": {}}
    for repository in known.repositories:
        log = state.read_log(continuous.state, repository.name)
        base = state.read_base(continuous.state, repository.name)
        until = datetime.fromisoformat(log.until) if log.until else None
        document["repositories"][repository.name] = {
            "until": log.until,
            "lag_seconds": None if until is None else round((now - until).total_seconds(), 1),
            "failure": log.failure,
            "lacks_base": state.lacks_base(log, base),
            "base": asdict(base),
        }
    return document


def _state(asked: argparse.Namespace) -> int:
    json.dump(state_document(config.load(asked.config)), sys.stdout)
    return 0


def _list(asked: argparse.Namespace) -> int:
    known = config.load(asked.config)
    settings_of(known)
    document = [_bases_of(known, repository) for repository in known.repositories]
    json.dump({"repositories": document}, sys.stdout)
    return 1 if any(repository["failure"] for repository in document) else 0


def _bases_of(known: BackupConfig, repository: Repository) -> dict[str, Any]:
    try:
        found = listing(ship.restic_of(known, repository), known.instance, utc_now())
    except OnhostError as error:
        return {"repository": repository.name, "failure": str(error), "bases": [], "log": []}
    reach = {piece.system: exact(piece.until) for piece in found.log}
    return {
        "repository": repository.name,
        "failure": None,
        "bases": [
            {
                "base": base.id,
                "system": base.system,
                "kind": base.kind,
                "parent": base.parent,
                "finished": exact(base.finished),
            }
            for base in found.bases
        ],
        "log": [{"system": system, "until": until} for system, until in reach.items()],
        "in_the_future": len(found.future),
    }
