"""The steps of a restore that the host does by itself, called one by one."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

from deploy.errors import CalstackError
from deploy.remote import Remote
from deploy.settings.layout import ONHOST

Report = Callable[[str], None]


class StepError(CalstackError):
    """The host could not do a step; what it had begun is tidied up."""


class Steps:
    """`onhost backup restore …` on one host. Should we be killed, the host ends what it is at."""

    def __init__(self, remote: Remote, report: Report) -> None:
        self._remote = remote
        self._report = report

    def take(self, step: str, *arguments: str) -> dict[str, Any]:
        """One step; what it answers. Raises `StepError` with the host's own words."""
        command = f"{ONHOST} backup restore {shlex.join([step, *arguments])}"
        with self._remote.start(command) as process:
            for line in process:
                said = _document(line)
                if "now" in said:
                    self._report(said["now"])
                elif "failed" in said:
                    raise StepError(said["failed"], where=self._remote.name)
                elif "done" in said:
                    done: dict[str, Any] = said["done"]
                    return done
        raise StepError(
            f"the host gave no answer to the step {step!r} of a restore",
            where=self._remote.name,
            fix="is it still reachable? is what calstack put there up to date (`calstack deploy`)?",
        )

    def ongoing(self) -> dict[str, Any] | None:
        """How far a restore has come, as deploy/onhost/backup/ongoing.py has it; None where there is none."""
        there: dict[str, Any] | None = self.take("state")["ongoing"]
        return there


def _document(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
