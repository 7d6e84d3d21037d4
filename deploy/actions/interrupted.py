"""A restore that was cut short on a host: everybody else waits until it is ended."""

from __future__ import annotations

import json

from deploy.errors import CalstackError
from deploy.remote import Remote
from deploy.settings.layout import RESTORE_STATE

RESTORE = "restore"
"""What the lock's holder is called who may go on with a restore."""

_UNTOUCHED = ("filling", "filled")
"""Steps at which the instance is still as it was, and works (deploy/onhost/backup/ongoing.py)."""


def told(text: str) -> str | None:
    """What a person should know of the restore that this state file tells of; None where nothing is amiss."""
    try:
        said = json.loads(text) if text.strip() else None
        if said is None or said["step"] in _UNTOUCHED:
            return None
        which = "the restored" if said["step"] in ("exchanged", "proven") else "its old"
        return f"a restore of {said['run']} was cut short; the instance has {which} database"
    except (ValueError, KeyError, TypeError):
        return f"a restore was cut short, and {RESTORE_STATE} cannot be read"


def refuse_where_interrupted(remote: Remote) -> None:
    """Raises `CalstackError` where a restore was cut short; whoever calls this holds the host's lock."""
    problem = told(remote.run(f"cat {RESTORE_STATE} 2>/dev/null || true").text)
    if problem is not None:
        raise CalstackError(
            problem,
            where=remote.name,
            fix="`calstack restore --resume` goes on with it, `calstack restore --undo` goes back",
        )
