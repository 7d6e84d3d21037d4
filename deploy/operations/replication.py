"""The database's role for the receiver of its log."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Generator

from pyinfra.api.operation import operation
from pyinfra.context import host

from deploy.operations.action import Action
from deploy.remote import Remote
from deploy.settings.layout import PSQL


@operation()
def role(role_name: str, slot: str, password: str | None) -> Generator[Action, None, None]:
    """Make there be a role that may replicate with this password; None: neither it nor the receiver's slot.

    The role's comment says by a digest which password it has: the database's own does not tell. A slot that
    stays behind would make the database keep its log for ever. The password is letters and digits.
    """
    asked = Remote.of(host).run(PSQL, stdin=_question(role_name, slot), check=False)
    there, _, has_slot = asked.text.strip().partition("|")
    if password is None:
        if asked.code != 0 or (there == "none" and has_slot == "f"):
            host.noop("there is no such role")
        else:
            yield Action(functools.partial(_drop, role_name, slot))
    elif asked.code == 0 and there == _digest(password):
        host.noop("the role is there")
    else:
        yield Action(functools.partial(_make, role_name, password))


def _question(role_name: str, slot: str) -> bytes:
    return (
        "select coalesce((select coalesce(shobj_description(oid, 'pg_authid'), 'unknown') from pg_roles "  # noqa: S608
        f"where rolname = '{role_name}'), 'none'), "
        f"exists (select from pg_replication_slots where slot_name = '{slot}');\n"
    ).encode()


def _make(role_name: str, password: str, remote: Remote) -> None:
    remote.run(
        PSQL,
        stdin=(
            "begin;\n"
            f"do $$ begin if not exists (select from pg_roles where rolname = '{role_name}') "
            f"then create role {role_name}; end if; end $$;\n"
            f"alter role {role_name} login replication password '{password}';\n"
            f"comment on role {role_name} is '{_digest(password)}';\n"
            "commit;\n"
        ).encode(),
    )


def _drop(role_name: str, slot: str, remote: Remote) -> None:
    the_slot = f"from pg_replication_slots where slot_name = '{slot}'"
    remote.run(
        PSQL,
        stdin=(
            f"select pg_terminate_backend(active_pid, 10000) {the_slot};\n"
            f"select pg_drop_replication_slot(slot_name) {the_slot};\n"
            f"drop role if exists {role_name};\n"
        ).encode(),
    )


def _digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()
