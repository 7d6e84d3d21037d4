"""Writes one table of a run into a file of this machine."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.actions.instance import Instance
from deploy.actions.restore_steps import Report
from deploy.errors import CalstackError, InputError
from deploy.settings.layout import ONHOST


@dataclass(frozen=True)
class Exported:
    """A table in a file."""

    table: str
    file: Path
    bytes: int

    def lines(self) -> list[str]:
        """For people."""
        return [f"{self.table} lies in {self.file}, {self.bytes} bytes, readable for you alone"]

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {"ok": True, "table": self.table, "file": str(self.file), "bytes": self.bytes}


def refuse_existing(file: Path) -> None:
    """Raises `InputError` where the file exists, or its folder does not."""
    if file.exists():
        raise InputError(f"{file} exists; nothing was written", fix="choose another name, or remove it")
    if not file.parent.is_dir():
        raise InputError(f"there is no folder {file.parent}")


def export(
    instance: Instance,
    run: str | None,
    repository: str | None,
    table: str,
    kind: str,
    file: Path,
    report: Report,
) -> Exported:
    """Write all rows of a table of a run, or of the newest, as `csv` or `sql`; the whole file or none.

    Raises `CalstackError` with the host's words for a run or table that is not there.
    """
    options = [*(["--run", run] if run else []), *(["--from", repository] if repository else [])]
    command = f"{ONHOST} backup restore table {shlex.join(['--format', kind, *options, table])}"
    report(f"restoring {table} into a scratch database")
    new = file.with_name(f".{file.name}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            os.fchmod(descriptor, 0o600)
            limit = instance.settings.backups.limit_minutes * 60
            done = instance.remote.run(command, timeout=limit, check=False, output=opened)
            if done.code != 0:
                raise CalstackError(
                    done.error_text.removeprefix("onhost: "),
                    where=instance.name,
                    fix="`calstack backup browse` lists what is in a run",
                )
            opened.flush()
            os.fsync(opened.fileno())
        new.replace(file)
    except OSError as error:
        raise CalstackError(
            f"cannot write: {error.strerror}; nothing was written", where=str(file)
        ) from error
    finally:
        new.unlink(missing_ok=True)
    return Exported(table, file, file.stat().st_size)
