"""Asks ssh itself why no SFTP session came about: restic ends before it has read what ssh says, at times."""

from __future__ import annotations

import re
import shlex
from typing import Sequence

from .. import programs
from ..failures import OnhostError

NO_SESSION = "unable to start the sftp session"
"""restic's words where ssh ended before the session began."""
_LIMIT_SECONDS = 20.0
_ADDRESS = re.compile(r"sftp:(?://)?((?:[^@/]+@)?(?:\[[^]]+\]|[^:/]+))(?::(\d+)(?=/|$))?")


def command(url: str, options: Sequence[str]) -> list[str]:
    """What restic starts for a repository, as its `sftp.args` has it; empty where the URL is none of SFTP."""
    found = _ADDRESS.match(url)
    if found is None:
        return []
    given = next((option[len("sftp.args=") :] for option in options if option.startswith("sftp.args=")), "")
    port = ["-p", found[2]] if found[2] else []
    return ["ssh", *port, *shlex.split(given), found[1], "-s", "sftp"]


def why_not(url: str, options: Sequence[str]) -> str:
    """ssh's own words about a session that could not begin; empty where it can now, or says nothing."""
    asked = command(url, options)
    try:
        done = programs.run(asked, limit_seconds=_LIMIT_SECONDS) if asked else None
    except OnhostError:
        return ""
    return done.last_words if done is not None and done.code != 0 else ""
