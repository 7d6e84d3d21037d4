"""The receiver of the log, as the database sees it, and its container."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ... import programs
from ...failures import OnhostError
from ..postgres import Server, quoted
from .segments import offset
from .settings import Continuous

_APPLICATION = "calstack-continuous"
_QUICK_SECONDS = 60.0

_SITUATION = """
select system_identifier, pg_current_wal_flush_lsn(), pg_size_bytes(current_setting('wal_segment_size')),
       current_setting('server_version_num'), coalesce(s.wal_status, ''), coalesce(s.active, false),
       coalesce(r.write_lsn::text, ''), current_setting('summarize_wal')
from pg_control_system()
left join pg_replication_slots s on s.slot_name = {slot}
left join pg_stat_replication r on r.pid = s.active_pid
"""


@dataclass(frozen=True)
class Situation:
    """What the database says of itself and of the receiver, at one moment."""

    system: str
    flushed: str
    """Position of the log up to which all is on the database's disk, as every acknowledged commit is."""
    segment_size: int
    version: int
    slot: str
    """`reserved`, `extended`, `unreserved` or `lost` (pg_replication_slots); empty where there is none."""
    active: bool
    """Whether the receiver is connected."""
    received: str
    """Position up to which the receiver has written; empty where it is not connected."""
    summarizes: bool
    """Whether the database notes what changes, without which no base can be incremental."""

    @property
    def lost(self) -> bool:
        """Whether the database has dropped parts of the log that the receiver has not got."""
        return self.slot == "lost"

    @property
    def received_all(self) -> bool:
        """Whether the receiver has got all that was committed."""
        return bool(self.received) and offset(self.received) >= offset(self.flushed)

    def complaint(self) -> str | None:
        """What is wrong with the reception; None where it is well."""
        if not self.slot:
            return "the database keeps nothing for the receiver: it has not been there yet"
        if self.lost:
            return (
                "the receiver was away too long: the database has dropped parts of its log that were not "
                "received (the slot is invalidated)"
            )
        if not self.active:
            return "the receiver is not connected; docker compose -p calcom logs --tail 20 wal"
        return None


def situation(server: Server, slot: str) -> Situation:
    """Ask the database; raises DatabaseError."""
    row = server.rows(_SITUATION.format(slot=quoted(slot)), application=_APPLICATION, limit_seconds=20)[0]
    return Situation(
        system=row[0],
        flushed=row[1],
        segment_size=int(row[2]),
        version=int(row[3]),
        slot=row[4],
        active=row[5] == "t",
        received=row[6],
        summarizes=row[7] == "on",
    )


def wait_until_received(server: Server, slot: str, *, patience_seconds: float) -> Situation:
    """The situation once the receiver has got all that was committed when this was called, or as it is then.

    `received_all` of what comes back says which.
    """
    first = now = situation(server, slot)
    deadline = time.monotonic() + patience_seconds
    while not _has(now, first.flushed) and now.active and time.monotonic() < deadline:
        time.sleep(0.2)
        now = situation(server, slot)
    return Situation(**{**vars(now), "flushed": first.flushed})


def wait_until_connected(server: Server, slot: str, *, patience_seconds: float = 30.0) -> None:
    """Give the receiver the time to come, e.g. after a start; raises DatabaseError."""
    deadline = time.monotonic() + patience_seconds
    while not situation(server, slot).active and time.monotonic() < deadline:
        time.sleep(0.5)


def _has(now: Situation, position: str) -> bool:
    return bool(now.received) and offset(now.received) >= offset(position)


def drop_slot(server: Server, slot: str) -> None:
    """Let the database forget the receiver, which makes itself a new slot."""
    server.rows(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots "  # noqa: S608 - quoted
        f"where slot_name = {quoted(slot)} and not active",
        application=_APPLICATION,
    )


def container(continuous: Continuous) -> str:
    """Id of the receiver's container; raises OnhostError where it does not run."""
    found = programs.run(
        [
            *("docker", "ps", "-q", "--filter", "label=com.docker.compose.project=calcom"),
            *("--filter", f"label=com.docker.compose.service={continuous.service}"),
        ],
        limit_seconds=_QUICK_SECONDS,
    )
    identifier = found.output.decode().strip()
    if found.code != 0 or not identifier:
        raise OnhostError(
            f"the service {continuous.service}, which receives the log, does not run; "
            "docker compose -p calcom ps"
        )
    return identifier
