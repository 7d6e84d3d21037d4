"""The drill on every repository: restore the newest run and compare it with what the instance held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import humanize

from deploy.actions.backup import ask
from deploy.actions.instance import Instance
from deploy.errors import CalstackError

PROVEN = "proven"
COLUMNS = ("HOST", "REPOSITORY", "RUN", "AGE", "SIZE", "SECONDS", "VERDICT")


@dataclass(frozen=True)
class Drilled:
    """The verdicts on the repositories of one host."""

    verdicts: list[dict[str, Any]]
    """`repository`, `verdict` (proven, unproven, damaged), `reasons`, `run`, `age_hours`, `bytes`,
    `seconds`."""

    @property
    def proven(self) -> bool:
        """Whether every repository is."""
        return all(it["verdict"] == PROVEN for it in self.verdicts)

    def document(self) -> dict[str, Any]:
        """What `check-backups --json` says of one host."""
        return {"ok": self.proven, "repositories": self.verdicts}

    def rows(self, host: str) -> list[list[str]]:
        """A row for each repository; what is not proven says why."""
        return [
            [
                *(host, it["repository"], it["run"] or "-"),
                "-" if it["age_hours"] is None else f"{it['age_hours']:.1f} h",
                "-" if it["bytes"] is None else humanize.naturalsize(it["bytes"]),
                f"{it['seconds']:.0f}",
                ": ".join([it["verdict"], "; ".join(it["reasons"])]) if it["reasons"] else it["verdict"],
            ]
            for it in self.verdicts
        ]


def check_backups(instance: Instance, repositories: Sequence[str]) -> Drilled:
    """Drill these repositories of a host, or all, one after the other, on the host itself.

    Raises `CalstackError` for a host without backups.
    """
    backups = instance.settings.backups
    if not backups.repositories:
        raise CalstackError(
            "no backups are set up", where=instance.name, fix="set backups.repositories, see docs/backups.md"
        )
    only = [item for name in repositories for item in ("--repository", name)]
    limit = backups.limit_minutes * 60 * len(backups.repositories) * 2
    return Drilled(ask(instance, "drill", *only, limit_seconds=limit)["repositories"])
