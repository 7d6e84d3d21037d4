"""What a database holds, exactly enough to tell whether another one holds the same.

Everything is read in one session, so under its snapshot. A row count is too weak a witness, since a changed
value leaves it as it is; so each table has a hash over all its rows as well, which does not depend on their
order and is the same after an honest restore.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any, Mapping

from .postgres import Session, identifier, quoted

_TABLE_SECONDS = 3600.0

_TABLES = """
select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema')
  and n.nspname not like 'pg\\_temp%' and n.nspname not like 'pg\\_toast%' and c.relpersistence <> 't'
order by 1, 2
"""

_SEQUENCES = """
select schemaname, sequencename, coalesce(last_value::text, '') from pg_sequences order by 1, 2
"""

# Each kind of object with a name and the text that makes it what it is. What an extension brought is the
# extension's own affair.
_OBJECTS = """
with mine as (
  select c.oid, c.relkind, n.nspname || '.' || c.relname as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_toast%'
    and n.nspname not like 'pg\\_temp%' and c.relpersistence <> 't'
    and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
)
select 'column ' || m.name || '.' || a.attname,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
                 pg_get_expr(d.adbin, d.adrelid))
from mine m join pg_attribute a on a.attrelid = m.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = m.oid and d.adnum = a.attnum
where m.relkind in ('r', 'p', 'v', 'm')
union all
select 'constraint ' || m.name || '.' || k.conname,
       concat_ws(' ', pg_get_constraintdef(k.oid), k.convalidated)
from mine m join pg_constraint k on k.conrelid = m.oid where k.contype <> 'n'
union all
select 'index ' || m.name || '.' || i.relname, concat_ws(' ', pg_get_indexdef(x.indexrelid), x.indisvalid)
from mine m join pg_index x on x.indrelid = m.oid join pg_class i on i.oid = x.indexrelid
union all
select 'trigger ' || m.name || '.' || t.tgname, concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
from mine m join pg_trigger t on t.tgrelid = m.oid where not t.tgisinternal
union all
select 'policy ' || m.name || '.' || p.polname,
       concat_ws(' ', p.polcmd, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
from mine m join pg_policy p on p.polrelid = m.oid
union all
select 'view ' || m.name, pg_get_viewdef(m.oid) from mine m where m.relkind in ('v', 'm')
union all
select concat('function ', n.nspname, '.', p.proname, '(', pg_get_function_identity_arguments(p.oid), ')'),
       case when p.prokind in ('a', 'w') then p.prokind::text else pg_get_functiondef(p.oid) end
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname not in ('pg_catalog', 'information_schema')
  and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
union all
select 'enum ' || n.nspname || '.' || t.typname, string_agg(e.enumlabel, ',' order by e.enumsortorder)
from pg_type t join pg_namespace n on n.oid = t.typnamespace join pg_enum e on e.enumtypid = t.oid
group by n.nspname, t.typname
union all
select 'extension ' || extname, extversion from pg_extension
union all
select 'comment on table ' || m.name, obj_description(m.oid, 'pg_class')
from mine m where obj_description(m.oid, 'pg_class') is not null
union all
select 'owner of ' || m.name, pg_get_userbyid(c.relowner)
from mine m join pg_class c on c.oid = m.oid where m.relkind in ('r', 'p', 'v', 'm', 'S')
union all
select 'grants on ' || m.name, (select string_agg(g::text, ',' order by g::text) from unnest(c.relacl) g)
from mine m join pg_class c on c.oid = m.oid where c.relacl is not null
order by 1
"""

_ROLES = """
select rolname, concat_ws(' ', rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication,
                          rolbypassrls, rolconnlimit)
from pg_roles where rolname not like 'pg\\_%' order by 1
"""

_SERVER = """
select current_setting('server_version_num'), pg_encoding_to_char(encoding), datlocprovider,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', ''), datcollate, datctype,
       coalesce(shobj_description(oid, 'pg_database'), '')
from pg_database d where datname = current_database()
"""


@dataclass(frozen=True)
class Table:
    """All rows of one table."""

    rows: int
    digest: str
    """Sum of a 64-bit hash over each row's text."""


@dataclass(frozen=True)
class Locale:
    """How a database encodes and sorts."""

    encoding: str
    provider: str
    """`b` (PostgreSQL's own), `c` (the system's C library) or `i` (ICU), as in pg_database."""
    locale: str
    """The provider's locale; empty for the C library."""
    collate: str
    ctype: str

    def as_sql(self) -> str:
        """Options of CREATE DATABASE that make a database alike."""
        options = [
            f"encoding {quoted(self.encoding)}",
            f"lc_collate {quoted(self.collate)}",
            f"lc_ctype {quoted(self.ctype)}",
        ]
        if self.provider == "b":
            options += ["locale_provider builtin", f"builtin_locale {quoted(self.locale)}"]
        elif self.provider == "i":
            options += ["locale_provider icu", f"icu_locale {quoted(self.locale)}"]
        else:
            options += ["locale_provider libc"]
        return " ".join(options)


@dataclass(frozen=True)
class Record:
    """What a database holds at one moment."""

    server_version: int
    """As `server_version_num`, e.g. 170012."""
    locale: Locale
    comment: str
    """The database's own comment, where calstack notes which image migrated it."""
    tables: Mapping[str, Table]
    sequences: Mapping[str, int | None]
    """Last value by name; None where a sequence was never used. They are no part of a snapshot."""
    objects: Mapping[str, str]
    """A short digest of what each object of the schema is, by kind and name."""
    roles: Mapping[str, str]
    migrations: int | None
    """How many migrations were applied; None where the database is none of Cal.com's."""
    newest_migration: str | None
    newest_booking: str | None
    """When the newest booking was made, UTC."""

    def to_json(self) -> dict[str, Any]:
        """As the manifest of a run holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Record:
        """The inverse of `to_json`; raises KeyError or TypeError for anything else."""
        tables = {name: Table(**table) for name, table in said["tables"].items()}
        return cls(**{**said, "tables": tables, "locale": Locale(**said["locale"])})


def read(session: Session) -> Record:
    """Read all of it in the session's present transaction; about as long as reading every row takes.

    Raises DatabaseError, also for a table that the user may not read in full.
    """
    version, *locale, comment = session.rows(_SERVER)[0]
    names = [(schema, name) for schema, name in session.rows(_TABLES)]
    tables = {f"{schema}.{name}": table(session, schema, name) for schema, name in names}
    migrations, newest_migration = _migrations(session) if "public._prisma_migrations" in tables else ("", "")
    return Record(
        server_version=int(version),
        locale=Locale(*locale),
        comment=comment,
        tables=tables,
        sequences=sequences(session),
        objects={name: _short_digest(text) for name, text in session.rows(_OBJECTS, limit_seconds=300)},
        roles=dict(session.rows(_ROLES)),
        migrations=int(migrations) if migrations else None,
        newest_migration=newest_migration or None,
        newest_booking=_newest_booking(session) if "public.Booking" in tables else None,
    )


def sequences(session: Session) -> dict[str, int | None]:
    """The last value of each sequence, now: sequences do not wait for transactions."""
    return {
        f"{schema}.{name}": int(value) if value else None for schema, name, value in session.rows(_SEQUENCES)
    }


def table(session: Session, schema: str, name: str) -> Table:
    """All rows of one table, in the session's present transaction. Raises DatabaseError."""
    count, digest = session.rows(
        f"select count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) "  # noqa: S608 - names and values are quoted
        f"from only {identifier(schema, name)} t",
        limit_seconds=_TABLE_SECONDS,
    )[0]
    return Table(rows=int(count), digest=digest)


def _migrations(session: Session) -> tuple[str, str]:
    count, newest = session.rows(
        'select count(*), max(migration_name) from "_prisma_migrations" where finished_at is not null'
    )[0]
    return count, newest


def _newest_booking(session: Session) -> str | None:
    return session.rows('select max("createdAt") from "Booking"')[0][0] or None


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
