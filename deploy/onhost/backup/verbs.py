"""What a job may be told to do with backups, by the word that the jobs file has for it."""

from __future__ import annotations

from typing import Callable, Mapping

from . import work
from .config import BackupConfig
from .continuous import work as continuous
from .work import Done

VERBS: Mapping[str, Callable[[BackupConfig], Done]] = {**work.VERBS, **continuous.VERBS}
