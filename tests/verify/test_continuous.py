from __future__ import annotations

import pytest

from tests.verify.complaint import complaint, listed
from tests.verify.server import Server


def test_the_log_is_in_every_repository_up_to_the_last_minutes(server: Server) -> None:
    backups = server.settings.backups
    if not backups.continuous.enabled:
        pytest.skip("this host makes runs only")
    known = server.found("continuous")
    assert known is not None, complaint(
        "continuous protection is not set up on the host",
        why="what was booked since the last run is lost with the disk",
        fix="calstack deploy",
    )
    limit, found = backups.continuous.max_lag_seconds, known["repositories"]
    late = [
        f"{name} (up to {found.get(name, {}).get('until') or 'never'})"
        for name in backups.repositories
        if (lag := found.get(name, {}).get("lag_seconds")) is None or lag > limit
    ]
    assert not late, complaint(
        f"the database's log of the last {limit} seconds is not in: {listed(late)}",
        why="what was booked since then is lost with the disk",
        fix="tail /var/log/calcom/wal-send.log; docker compose -p calcom logs --tail 20 wal",
    )
    without = [name for name in backups.repositories if found[name]["lacks_base"]]
    assert not without, complaint(
        f"there is no base to which the log belongs in: {listed(without)}",
        why="without one the log leads nowhere",
        fix="python3 /opt/calcom/onhost.pyz job base-missing --wait 60",
    )
