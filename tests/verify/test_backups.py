from __future__ import annotations

import datetime as dt

from tests.verify.complaint import complaint, listed
from tests.verify.server import Server


def test_every_repository_has_a_proven_run_that_is_young_enough(server: Server) -> None:
    settings = server.settings.backups
    if not settings.repositories or server.settings.clone:
        return  # this host makes no backups
    known = server.found("backups")
    assert known is not None, complaint(
        "backups are not set up on the host", why="what is lost is lost", fix="calstack deploy"
    )
    now = dt.datetime.fromtimestamp(float(server.found("machine")["now"]), dt.UTC)
    limit = dt.timedelta(hours=settings.max_age_hours)
    found = known["repositories"]
    old = [
        f"{name} (last proven: {found.get(name, {}).get('proven_run') or 'never'})"
        for name in settings.repositories
        if (run := found.get(name, {}).get("proven_run")) is None or now - _begun(run) > limit
    ]
    assert not old, complaint(
        f"no proven run of the last {settings.max_age_hours} hours in: {listed(old)}",
        why="a backup that nobody has restored is a hope",
        fix="calstack check-backups says why; tail /var/log/calcom/backup.log /var/log/calcom/drill.log",
    )


def _begun(run: str) -> dt.datetime:
    return dt.datetime.strptime(run.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
