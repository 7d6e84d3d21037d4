"""A configuration of backups of which only the repositories matter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploy.onhost.backup.config import BackupConfig, Keep
from deploy.onhost.backup.restic import Repository


def backup_config(repositories: Sequence[Repository]) -> BackupConfig:
    """One with these."""
    return BackupConfig(
        instance="cal.example.test",
        restic="restic",
        service="db",
        user="calcom",
        database="calcom",
        repositories=repositories,
        paths=[],
        exclude=[],
        environment_file=Path("/nowhere"),
        versions={},
        limit_seconds=60,
        max_age_hours=26,
        keep=Keep(1, 1, 1, 1, 1),
        state=Path("/nowhere"),
    )
