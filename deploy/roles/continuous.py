"""Continuous protection: the service that receives the database's log, its role, and the jobs around it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from pyinfra.api.deploy import deploy

from deploy.operations import replication, stack
from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles.context import HostContext
from deploy.roles.periodic_endpoints import MINUTE, ONHOST, CronLine
from deploy.settings.layout import CONTINUOUS, PROJECT
from deploy.settings.model import HostSettings
from deploy.settings.rules import longest_pause

SERVICE, ROLE, SLOT = "wal", "calcom_wal", "calcom_wal"
DIRECTORY = f"{PROJECT}/{SERVICE}"
RECEIVED = f"{CONTINUOUS}/received"
_HBA = "opt/calcom/database/pg_hba.conf"
_POSTGRES = 999


def is_on(settings: HostSettings) -> bool:
    """Whether there is anything to do: it is turned on, and there is a repository."""
    return settings.backups.continuous.enabled and bool(settings.backups.repositories)


def files(host: HostContext) -> list[ManagedFile | ManagedDirectory]:
    """What the receiver runs and signs in with, and the database's rules for that."""
    if not is_on(host.settings):
        return []
    return [
        ManagedFile(f"/{_HBA}", host_rules(host)),
        ManagedDirectory(DIRECTORY),
        ManagedFile(f"{DIRECTORY}/receive.sh", host.render("opt/calcom/wal/receive.sh")),
        ManagedFile(
            f"{DIRECTORY}/pgpass",
            f"*:*:*:{ROLE}:{host.secrets.replication_password}\n".encode(),
            mode="0400",
            owner=_POSTGRES,
            group=_POSTGRES,
            secret=True,
        ),
        ManagedDirectory(CONTINUOUS),
        ManagedDirectory(RECEIVED, mode="0700", owner=_POSTGRES, group=_POSTGRES),
    ]


def host_rules(host: HostContext) -> bytes:
    """Who may sign in at the database (pg_hba.conf); empty where its own rules hold."""
    return host.render(_HBA, role=ROLE) if is_on(host.settings) else b""


def database_settings(slot_mb: int) -> dict[str, str]:
    """What PostgreSQL is told on its command line."""
    return {
        "wal_level": "replica",
        # Notes what changes, so that a base may be incremental.
        "summarize_wal": "on",
        # A receiver that is gone must not fill the disk.
        "max_slot_wal_keep_size": f"{slot_mb}MB",
        "hba_file": "/etc/calcom/pg_hba.conf",
    }


def compose_values(host: HostContext) -> dict[str, Any]:
    """What the compose file wants to know of it."""
    chosen = host.settings.backups.continuous
    if not is_on(host.settings):
        return {"database_settings": {}, "receiver": None}
    mounted = b"".join(item.content for item in files(host) if isinstance(item, ManagedFile))
    return {
        "database_settings": database_settings(chosen.slot_mb),
        "receiver": {
            "service": SERVICE,
            "role": ROLE,
            "slot": SLOT,
            "folder": CONTINUOUS,
            "received": RECEIVED,
            "hash": hashlib.sha256(mounted).hexdigest()[:16],
        },
    }


def config(settings: HostSettings) -> dict[str, Any] | None:
    """The part of the backups' configuration that describes it."""
    chosen = settings.backups.continuous
    if not is_on(settings):
        return None
    return {
        "folder": CONTINUOUS,
        "service": SERVICE,
        "role": ROLE,
        "slot": SLOT,
        "ship_seconds": chosen.ship_seconds,
        "max_lag_seconds": chosen.max_lag_seconds,
        "full_days": chosen.full_days,
        "keep_fulls": chosen.keep_fulls,
        "local_mb": chosen.local_mb,
    }


def jobs(settings: HostSettings) -> dict[str, dict[str, Any]]:
    """The parts of the jobs file that describe its jobs."""
    return {
        name: {
            "backup": verb,
            "limit_seconds": settings.backups.limit_minutes * 60,
            # What is done every few minutes needs no catching up.
            "interval_seconds": longest_pause(schedule) if verb == "base" else None,
            "jitter_seconds": 0,
            "only_last_day_of_month": False,
            "pause_after_failure_seconds": 10 * MINUTE,
        }
        for name, verb, schedule, _ in _jobs(settings)
    }


def cron_lines(settings: HostSettings) -> list[CronLine]:
    """When cron starts them."""
    return [CronLine(schedule, f"{ONHOST} job {name}", why) for name, _, schedule, why in _jobs(settings)]


@deploy("Continuous protection")
def receive_log(host: HostContext) -> None:
    """Let the role that receives the log be there, and the receiver run; neither where it is turned off."""
    on = is_on(host.settings)
    replication.role(
        name="The log's receiver may sign in" if on else "Nobody receives the log",
        role_name=ROLE,
        slot=SLOT,
        password=host.secrets.replication_password if on else None,
    )
    image = host.settings.images.database.for_architecture(host.architecture)
    stack.up(name="The log is received", images={SERVICE: image} if on else {}, timeout=120)


def _jobs(settings: HostSettings) -> Iterator[tuple[str, str, str, str]]:
    if is_on(settings):
        schedule = settings.backups.continuous.base_schedule
        yield "wal-send", "wal-send", "* * * * *", "sends the database's log to the repositories"
        yield "base", "base", schedule, "makes a base, from which the log is replayed"
        yield "base-missing", "base-missing", "*/10 * * * *", "makes a base where the log belongs to none"
