"""One table of a run, out of a scratch database: as CSV, or as SQL that brings back the rows that lack."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import BinaryIO

from .. import programs
from ..failures import OnhostError
from . import manifest, record
from .beside import Report
from .choice import Chosen, open_repository
from .config import BackupConfig
from .manifest import Manifest
from .postgres import Server, Session, identifier
from .pour import pour
from .scratch import Scratch

CSV, SQL = "csv", "sql"
FORMATS = (CSV, SQL)
_APPLICATION = "calstack-table"
_RESTORED = "restored"
_BLOCK = 1 << 20


def full_name(promised: Manifest, asked: str) -> str:
    """The table's name with its schema, as the manifest has it; raises OnhostError for an unknown one."""
    tables = list(promised.record.tables)
    for name in (asked, f"public.{asked}"):
        if name in tables:
            return name
    short = {table.removeprefix("public.").lower(): table for table in tables}
    if asked.lower() in short:
        return short[asked.lower()]
    near = difflib.get_close_matches(asked.lower(), list(short), n=3, cutoff=0.7)
    hint = f"; is it {', '.join(short[name].removeprefix('public.') for name in near)}?" if near else ""
    raise OnhostError(f"{promised.run} has no table {asked!r}{hint}")


def write_table(
    config: BackupConfig,
    chosen: Chosen,
    table: str,
    kind: str,
    image: str,
    sink: BinaryIO,
    report: Report = lambda _: None,
) -> int:
    """Write all rows of a table to `sink`; how many they are. Raises OnhostError, also behind half of it.

    `image` is the PostgreSQL image to restore into. The rows are compared with the manifest before the first
    of them is written.
    """
    name = full_name(chosen.promised, table)
    schema, _, relation = name.partition(".")
    promised = chosen.promised.record.tables[name]
    with Scratch(image) as empty:
        with Session(empty, _APPLICATION) as session:
            locale = chosen.promised.record.locale.as_sql()
            session.rows(f"create database {_RESTORED} template template0 {locale}")
        server = replace(empty, database=_RESTORED)
        report("restoring the tables' definitions")
        _restore(config, chosen, server, "--section=pre-data")
        report(f"restoring the rows of {name}")
        rows = ["--section=data", f"--schema={schema}", f"--table={relation}"]
        _restore(config, chosen, server, *rows)
        with Session(server, _APPLICATION) as session:
            found = record.table(session, schema, relation)
        if found != promised:
            raise OnhostError(
                f"the table {name} is not what {chosen.run.id} promises; calstack check-backups"
            )
        _copy_out(_written_by(server, schema, relation, kind), sink)
    return found.rows


def _restore(config: BackupConfig, chosen: Chosen, server: Server, *selection: str) -> None:
    dump = chosen.promised.parts[manifest.DUMP]
    command = server.command(
        *("pg_restore", "--exit-on-error", "--no-owner", "--no-privileges", f"--dbname={server.database}"),
        *selection,
        application=_APPLICATION,
    )
    restic = open_repository(config, chosen.repository)
    poured = pour(restic, dump.snapshot, dump.name, command, limit_seconds=config.limit_seconds)
    if poured.code != 0:
        raise OnhostError(f"pg_restore ended with {poured.code}: {poured.last_words}")
    if (poured.bytes, poured.sha256) != (dump.bytes, dump.sha256):
        raise OnhostError(f"the dump of {chosen.run.id} is not what was stored; calstack check-backups")


def _written_by(server: Server, schema: str, relation: str, kind: str) -> list[str]:
    quoted_name = identifier(schema, relation)
    if kind == CSV:
        copy = f"copy (select * from only {quoted_name}) to stdout with (format csv, header)"  # noqa: S608 - names and values are quoted
        return server.command("psql", "-X", "-q", "-c", copy, application=_APPLICATION)
    # Rows that are there stay as they are, so that the file may be fed to the live database.
    return server.command(
        *("pg_dump", "--data-only", "--column-inserts", "--on-conflict-do-nothing", "--rows-per-insert=100"),
        *("--no-owner", "--no-privileges", f"--table={quoted_name}"),
        application=_APPLICATION,
    )


def _copy_out(command: list[str], sink: BinaryIO) -> None:
    with programs.Running(command) as process:
        process.input.close()
        while block := process.output.read(_BLOCK):
            sink.write(block)
        sink.flush()
        if process.wait() != 0:
            words = process.errors.read().decode(errors="replace").strip()
            raise OnhostError(f"the table could not be written: {words[-300:]}")
