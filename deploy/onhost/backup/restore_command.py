"""The commands `backup restore …` of the host, as the control machine calls them.

Each answers on standard output with lines of JSON: `{"now": …}` for what it is at, and at last `{"done": …}`
or `{"failed": …}`. Each ends, and tidies up behind it, when its standard input does: then the control machine
is gone. `table` writes the table to standard output instead.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, Callable

from ..clock import utc_now
from ..failures import OnhostError
from ..locks import FileLock
from . import config as backup_config
from . import ongoing, table, work
from .choice import choose
from .restore import STEPS, Restoring
from .run import database_server

_LOCK = Path("/run/lock/calcom-restore.lock")
_LOCK_WAIT_SECONDS = 30.0
"""A step whose control machine was killed needs a moment to end."""


class _GoneError(OnhostError):
    """Nobody is there any more who waits for this."""


def add_to(verbs: Any) -> None:
    """Add `restore` and what stands below it to the verbs of `backup`."""
    parser = verbs.add_parser("restore", help="the steps of the way back, as the control machine takes them")
    parser.add_argument("--state", type=Path, default=ongoing.FILE, help="default: %(default)s")
    steps = parser.add_subparsers(required=True, metavar="STEP", dest="step")

    def step(name: str, what: str, act: Callable[[Restoring, argparse.Namespace], Any]) -> Any:
        added = steps.add_parser(name, help=what)
        added.set_defaults(command=lambda asked: _answer(asked, act))
        return added

    step("state", "how far a restore has come", lambda it, _: {"ongoing": _ongoing(it)})
    looking = step(
        "look", "what a restore would mean", lambda it, asked: it.look(asked.run, asked.source).document()
    )
    filling = step("fill", "restore beside the live database", _fill)
    for parser_, required in ((looking, False), (filling, True)):
        parser_.add_argument(
            "--run", required=required, help="id of a run, or its beginning; else the newest"
        )
        parser_.add_argument("--from", dest="source", required=required, help="name of a repository")
    filling.add_argument("--take-key", action="store_true", help="the run's encryption key too")
    step("take-key", "the run's encryption key in place of the host's", lambda it, _: {"key": it.take_key()})
    step("give-key-back", "the host's own encryption key", lambda it, _: {"key": it.give_key_back()})
    stopping = step("stop", "note that the app is about to be stopped", _stop)
    stopping.add_argument("--own-maintenance", action="store_true")
    step("save", "make the safety run", lambda it, _: {"safety_run": it.save(_tell)})
    for name in STEPS:
        step(name, (STEPS[name].__doc__ or "").partition(".")[0], _plain_step)

    exporting = steps.add_parser("table", help="write one table of a run to standard output")
    exporting.add_argument("--run", help="id of a run, or its beginning; else the newest")
    exporting.add_argument("--from", dest="source", help="name of a repository")
    exporting.add_argument("--format", choices=table.FORMATS, default=table.CSV)
    exporting.add_argument("name")
    exporting.set_defaults(command=_table)


def _ongoing(restoring: Restoring) -> dict[str, Any] | None:
    there = ongoing.read(restoring.file)
    return None if there is None else asdict(there)


def _fill(restoring: Restoring, asked: argparse.Namespace) -> dict[str, Any]:
    restoring.fill(asked.run, asked.source, _tell, take_key=asked.take_key)
    return {}


def _stop(restoring: Restoring, asked: argparse.Namespace) -> dict[str, Any]:
    restoring.stop(own_maintenance=asked.own_maintenance)
    return {}


def _plain_step(restoring: Restoring, asked: argparse.Namespace) -> dict[str, Any]:
    STEPS[asked.step](restoring)
    return {}


def _answer(asked: argparse.Namespace, act: Callable[[Restoring, argparse.Namespace], Any]) -> int:
    _end_with_the_control_machine()
    try:
        known = backup_config.load(asked.config)
        restoring = Restoring(known, database_server(known), asked.state)
        with FileLock(_LOCK, who="onhost", what="restore", wait_seconds=_LOCK_WAIT_SECONDS):
            done = act(restoring, asked)
    except OnhostError as error:
        _say({"failed": str(error)})
        return 1
    _say({"done": done})
    return 0


def _table(asked: argparse.Namespace) -> int:
    known = backup_config.load(asked.config)
    chosen = choose(known, asked.run, asked.source, utc_now())
    image = work.database_image(known)
    table.write_table(known, chosen, asked.name, asked.format, image, sys.stdout.buffer)
    return 0


def _tell(what: str) -> None:
    _say({"now": what})


def _say(document: dict[str, Any]) -> None:
    try:
        print(json.dumps(document), flush=True)
    except OSError as error:
        raise _GoneError("nobody listens any more") from error


def _end_with_the_control_machine() -> None:
    """End like any failed step, tidying up, when standard input ends or somebody says so."""

    def end(number: int, frame: Any) -> None:  # noqa: ARG001 - as signal handlers are called
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _GoneError("it was told to end")

    def watch() -> None:
        # Not through sys.stdin, whose lock would keep the interpreter from ending.
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=watch, daemon=True).start()
