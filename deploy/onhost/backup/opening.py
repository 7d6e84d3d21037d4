"""Proves that an encryption key opens what the database keeps encrypted.

Cal.com writes AES-256-CBC as `IV:TEXT`, both hexadecimal, under CALENDSO_ENCRYPTION_KEY, whose 32 characters
are the key (FACTS §7): secrets of second factors, and passwords of calendars.
"""

from __future__ import annotations

from .postgres import DatabaseError, Server, Session, quoted

_ENCRYPTED = "^[0-9a-f]{32}:[0-9a-f]{32,}$"
_DATABASE = "calstack_key"


def sample(session: Session) -> str | None:
    """One encrypted value of a restored database; None where it has none."""
    columns = session.rows(
        """
        select table_name, column_name from information_schema.columns
        where table_schema = 'public' and (table_name, column_name) in
              (('users', 'twoFactorSecret'), ('users', 'backupCodes'), ('Credential', 'key'))
        """
    )
    for table, column in columns:
        text = f"\"{column}\" #>> '{{}}'" if (table, column) == ("Credential", "key") else f'"{column}"'
        found = session.rows(f'select {text} from "{table}" where {text} ~ {quoted(_ENCRYPTED)} limit 1')  # noqa: S608 - names and values are quoted
        if found:
            return found[0][0]
    return None


def opens(server: Server, application: str, key: str, value: str) -> bool:
    """Whether the key opens the value.

    PostgreSQL's own pgcrypto does it, in a database beside the restored one; the key travels on psql's
    standard input and is in no argument list.
    """
    vector, _, text = value.partition(":")
    with Session(server, application) as session:
        session.rows(f"create database {_DATABASE}")
    beside = Server(server.container, server.user, _DATABASE)
    with Session(beside, application) as session:
        session.rows("create extension pgcrypto")
        try:
            session.rows(
                f"select decrypt_iv(decode({quoted(text)}, 'hex'), convert_to({quoted(key)}, 'LATIN1'), "
                f"decode({quoted(vector)}, 'hex'), 'aes-cbc/pad:pkcs')"
            )
        except DatabaseError:
            return False
    return True
