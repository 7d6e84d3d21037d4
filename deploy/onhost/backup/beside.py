"""Fills a database beside the live one, on the same server, while the app goes on.

Nothing of the live database is touched; whatever fails, the one beside it is removed again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, Sequence

from .. import programs
from ..failures import OnhostError
from . import compare, manifest, record
from .choice import Chosen, open_repository
from .config import BackupConfig
from .manifest import Manifest
from .postgres import Server, Session, identifier, quoted
from .pour import pour

APPLICATION = "calstack-restore"
_ROOM_FACTOR = 2.5
"""Restored rows with their indexes take up to this many times the dump's bytes, as the drill reckons."""
_ROOM_BESIDES = 256 << 20
_MOST_LOG = 1 << 30
"""What PostgreSQL's own log grows to between two checkpoints (`max_wal_size`)."""
_LONG_SECONDS = 3600.0

Report = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """Where the content comes from: a run of a repository, or a server that holds it already."""

    name: str
    """What it is called in messages, e.g. the id of the run."""
    promised: Manifest
    """What has to be there afterwards; the record in it and the sequences count."""
    size: int
    """About as many bytes as a dump of it has."""
    roles: bytes | None
    """What pg_dumpall says of the roles; None where the server has them all."""
    pour: Callable[[Server], None]
    """Fills the empty database of this server; raises OnhostError where that does not go well."""


def source_of_run(config: BackupConfig, chosen: Chosen) -> Source:
    """The dump and the roles of a run. Raises RepositoryError where the roles cannot be read."""
    restic = open_repository(config, chosen.repository)
    dump, roles = (chosen.promised.parts[name] for name in (manifest.DUMP, manifest.ROLES))

    def pour_dump(server: Server) -> None:
        command = server.command(
            "pg_restore", "--exit-on-error", f"--dbname={server.database}", application=APPLICATION
        )
        poured = pour(restic, dump.snapshot, dump.name, command, limit_seconds=config.limit_seconds)
        if poured.code != 0:
            raise OnhostError(f"pg_restore ended with {poured.code}: {poured.last_words}")
        if (poured.bytes, poured.sha256) != (dump.bytes, dump.sha256):
            raise OnhostError(f"the dump of {chosen.run.id} is not what was stored; calstack check-backups")

    content = restic.read(roles.snapshot, roles.name, limit_seconds=config.limit_seconds)
    return Source(chosen.run.id, chosen.promised, dump.bytes, content, pour_dump)


def fill(live: Server, database: str, source: Source, report: Report = lambda _: None) -> Server:
    """Make DATABASE on the live one's server hold what the source promises, and nothing else.

    One of that name is replaced. Raises OnhostError, and then there is none of that name.
    """
    postgres = replace(live, database="postgres")
    beside = replace(live, database=database)
    drop(live, database)
    _refuse_without_room(postgres, source.size)
    try:
        _create_missing_roles(postgres, source)
        with Session(postgres, APPLICATION) as session:
            locale = source.promised.record.locale.as_sql()
            session.rows(f"create database {identifier(database)} template template0 {locale}")
        report(f"pouring {source.name} into a database beside the live one")
        source.pour(beside)
        report("comparing it with what the run promises")
        if wrong := _differences(beside, source.promised):
            raise OnhostError(f"what was restored is not what {source.name} promises: {'; '.join(wrong)}")
        _dress(postgres, live.database, database, source.promised.record.comment)
        # Nothing in a dump tells the planner how large the tables are.
        beside.rows("analyze", application=APPLICATION, limit_seconds=_LONG_SECONDS)
    except BaseException:
        drop(live, database)
        raise
    return beside


def drop(live: Server, database: str) -> None:
    """Remove a database of that server, with whoever is connected to it; none is fine."""
    replace(live, database="postgres").rows(
        f"drop database if exists {identifier(database)} with (force)",
        application=APPLICATION,
        limit_seconds=_LONG_SECONDS,
    )


def _refuse_without_room(postgres: Server, dump_bytes: int) -> None:
    folder = postgres.rows("show data_directory", application=APPLICATION)[0][0]
    asked = programs.run(
        ["docker", "exec", postgres.container, "df", "--output=avail", "--block-size=1", folder],
        limit_seconds=60,
    )
    lines = asked.output.decode(errors="replace").split()
    if asked.code != 0 or not lines[-1:] or not lines[-1].isdecimal():
        raise OnhostError(f"the free space of the database's volume cannot be read: {asked.last_words}")
    needed = int(dump_bytes * _ROOM_FACTOR) + min(dump_bytes, _MOST_LOG) + _ROOM_BESIDES
    if int(lines[-1]) < needed:
        raise OnhostError(
            f"there is no room to restore beside the live database: {needed >> 20} MiB are needed on the "
            f"database's volume, {int(lines[-1]) >> 20} are free"
        )


def _create_missing_roles(postgres: Server, source: Source) -> None:
    """Create the roles that were there and are not any more; those that are there stay as they are.

    So the database's own password stays the one that the app knows.
    """
    if source.roles is None:
        return
    there = {row[0] for row in postgres.rows("select rolname from pg_roles", application=APPLICATION)}
    missing = [name for name in source.promised.record.roles if name not in there]
    statements = _of_roles(source.roles.decode(errors="replace").splitlines(), missing)
    if not missing:
        return
    done = programs.run(
        postgres.command("psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", application=APPLICATION),
        limit_seconds=60,
        source="\n".join(statements).encode(),
    )
    if done.code != 0:
        raise OnhostError(f"the roles {', '.join(missing)} could not be created: {done.last_words}")


def _of_roles(lines: Sequence[str], names: Sequence[str]) -> list[str]:
    """The statements that concern these roles; pg_dumpall writes each on a line of its own."""
    spelled = [spelling for name in names for spelling in (name, identifier(name))]
    beginnings = tuple(
        f"{words} {name}{end}"
        for name in spelled
        for words, end in (("CREATE ROLE", ";"), ("ALTER ROLE", " "), ("COMMENT ON ROLE", " "))
    )
    memberships = tuple(f" TO {name}{end}" for name in spelled for end in (" ", ";"))
    return [
        line
        for line in lines
        if line.startswith(beginnings)
        or (line.startswith("GRANT ") and any(words in line for words in memberships))
    ]


def _differences(beside: Server, promised: Manifest) -> list[str]:
    with Session(beside, APPLICATION) as session:
        found = record.read(session)
    # Roles belong to the server: what was added or changed there since then is right as it is.
    wanted = promised.record.roles
    roles = {name: wanted[name] for name in found.roles if name in wanted}
    return compare.differences(promised, replace(found, roles=roles))


_SETTINGS = """
select coalesce(r.rolname, ''), split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
left join pg_roles r on r.oid = s.setrole, unnest(s.setconfig) c where d.datname = {live}
"""

_GRANTS = """
select case when a.grantee = 0 then 'public' else quote_ident(g.rolname) end, a.privilege_type, a.is_grantable
from pg_database d, aclexplode(d.datacl) a left join pg_roles g on g.oid = a.grantee where d.datname = {live}
"""


def _dress(postgres: Server, live: str, database: str, comment: str) -> None:
    """What hangs on a database and is in no dump of it: its comment, settings, grants and owner.

    The comment says which image migrated the content, so it comes with that; the rest is the live one's.
    """
    name = identifier(database)
    with Session(postgres, APPLICATION) as session:
        session.rows(f"comment on database {name} is {quoted(comment)}")
        for role, setting, value in session.rows(_SETTINGS.format(live=quoted(live))):
            whose = f"role {identifier(role)} in database {name}" if role else f"database {name}"
            session.rows(f"alter {whose} set {identifier(setting)} to {_as_setting(setting, value)}")
        owner = session.rows(
            f"select pg_get_userbyid(datdba), datacl is null from pg_database where datname = {quoted(live)}"  # noqa: S608 - names and values are quoted
        )
        if not owner:
            return  # the live one is gone; that is why we are here
        session.rows(f"alter database {name} owner to {identifier(owner[0][0])}")
        if owner[0][1] == "t":
            return
        session.rows(f"revoke all on database {name} from public")
        for grantee, privilege, grantable in session.rows(_GRANTS.format(live=quoted(live))):
            option = " with grant option" if grantable == "t" else ""
            session.rows(f"grant {privilege} on database {name} to {grantee}{option}")


_LISTS = ("search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries")
"""Settings that are lists of names, whose stored text is quoted already (pg_dump's own distinction)."""


def _as_setting(name: str, value: str) -> str:
    return value if name.lower() in _LISTS else quoted(value)
