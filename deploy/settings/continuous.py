"""Continuous protection between the runs: the settings `backups.continuous`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from deploy.settings import rules
from deploy.settings.section import Section


class Continuous(Section):
    """The database's log goes to the repositories while it is written, so that any moment can come back."""

    enabled: bool = False
    """Turning it on or off restarts the database once."""
    ship_seconds: Annotated[int, Field(ge=5, le=30)] = 20
    """How often what is new of the log goes to the repositories: about this much is lost with the disk."""
    max_lag_seconds: Annotated[int, Field(ge=60)] = 120
    """How old the newest moment in a repository may be; beyond that `verify` and the job complain."""
    base_schedule: str = "47 1 * * *"
    """When a base is made, from which the log is replayed, as cron writes it."""
    full_days: Annotated[int, Field(ge=1, le=9)] = 7
    """After so many days the next base is a full one; between them only what has changed is kept."""
    keep_fulls: Annotated[int, Field(ge=1)] = 2
    """How many full bases stay, each with all that follows it: so far back one can go."""
    slot_mb: Annotated[int, Field(ge=256)] = 4096
    """Most of the log that the database keeps, in MB, for a receiver that is away."""
    local_mb: Annotated[int, Field(ge=1024)] = 4096
    """Most of the log that waits on the host, in MB, for a repository that cannot be reached."""

    @field_validator("base_schedule")
    @classmethod
    def _schedule_is_cron_s(cls, value: str) -> str:
        """Five fields of crontab(5)."""
        return rules.cron_schedule(value)
