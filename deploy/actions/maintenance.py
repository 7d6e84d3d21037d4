"""Shows guests a page in place of the instance while somebody works on it; lets those who work on it in."""

from __future__ import annotations

import datetime as dt
import getpass
import shlex
import socket
import time
from dataclasses import dataclass, replace
from typing import Any

from deploy.actions.instance import Instance
from deploy.actions.proxy_runtime import ask_proxy
from deploy.errors import CalstackError, InputError
from deploy.maintenance import READ, Maintenance
from deploy.remote import Remote
from deploy.roles.proxy import in_container
from deploy.settings.layout import MAINTENANCE_MAP

_MAP = in_container(MAINTENANCE_MAP)
_LONGEST_MESSAGE = 500
_ATTEMPTS = 5


@dataclass(frozen=True)
class MaintenanceResult:
    """How it stands with the maintenance of one host."""

    maintenance: Maintenance | None
    """None: guests reach the instance."""
    changed: bool
    link: str | None = None
    """The address that lets an operator in; only for who has just switched it on, or asked for it."""

    def lines(self) -> list[str]:
        """For people."""
        nothing = "nothing to do, " if not self.changed else ""
        if self.maintenance is None:
            return [f"{nothing}maintenance is off: guests reach the instance"]
        lines = [f"{nothing}{self.maintenance.told()}"]
        if self.link is not None:
            lines.append(f"for operators, good until maintenance is off: {self.link}")
        return lines

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        now = self.maintenance
        return {
            "ok": True,
            "maintenance": now is not None,
            "changed": self.changed,
            "since": now.since.isoformat() if now else None,
            "by": now.by if now else None,
            "message": now.message if now else None,
            "until": now.until.isoformat() if now and now.until else None,
            "link": self.link,
        }


def in_minutes(minutes: int) -> dt.datetime:
    """The moment so many minutes from now, in UTC and whole minutes, as it is told to guests."""
    later = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes + 1)
    return later.replace(second=0, microsecond=0)


def check_message(message: str) -> None:
    """Raises `InputError` for what is not one line of a reasonable length."""
    if not (0 < len(message.strip()) <= _LONGEST_MESSAGE and message.isprintable()):
        raise InputError(f"the message must be one line of at most {_LONGEST_MESSAGE} characters")


def begin(
    instance: Instance, message: str | None = None, until: dt.datetime | None = None
) -> MaintenanceResult:
    """Show guests the page from now on, whatever restarts; the inner entrance stays as it is.

    Where it is on already, the message and the expected end become these, if any are given, and who was let
    in stays in. Raises `CalstackError` where the proxy does not take it.
    """
    there = instance.maintenance()
    if there is None:
        by = f"{getpass.getuser()}@{socket.gethostname()}"
        wanted = Maintenance.begin(by, dt.datetime.now(dt.UTC), message, until)
    else:
        wanted = replace(there, message=message or there.message, until=until or there.until)
    changed = _make_so(instance.remote, wanted.as_map(instance.secrets.nextauth_secret))
    return MaintenanceResult(wanted, changed, _link(instance, wanted) if there is None else None)


def end(instance: Instance) -> MaintenanceResult:
    """Let guests in again. Raises `CalstackError` where the proxy does not take it."""
    return MaintenanceResult(None, _make_so(instance.remote, ""))


def status(instance: Instance, *, link: bool = False) -> MaintenanceResult:
    """How it stands, and with `link` the address that lets an operator in, where there is a maintenance."""
    there = instance.maintenance()
    return MaintenanceResult(there, False, _link(instance, there) if link and there else None)


def _link(instance: Instance, maintenance: Maintenance) -> str:
    return maintenance.operator_link(instance.settings.public_url, instance.secrets.nextauth_secret)


def _make_so(remote: Remote, wanted: str) -> bool:
    """Make file and running proxy hold this map; whether either had to be changed.

    The file comes first, so that a proxy which starts or reloads meanwhile reads it, and the running one is
    asked again afterwards, in case it was another by then.
    """
    if _live(remote) == _entries(wanted) and remote.run(READ).stdout == wanted.encode():
        return False
    new = shlex.quote(f"{MAINTENANCE_MAP}.calstack-new")
    write = f"umask 022; cat >{new} && mv -f -T {new} {shlex.quote(MAINTENANCE_MAP)}"
    remote.run(write if wanted else f"rm -f {shlex.quote(MAINTENANCE_MAP)}", stdin=wanted.encode())
    for _ in range(_ATTEMPTS):
        _tell(remote, wanted)
        time.sleep(0.2)
        if _live(remote) == _entries(wanted):
            return True
    raise CalstackError(
        "the proxy does not hold what it was told about the maintenance",
        where=remote.name,
        fix="cd /opt/calcom && docker compose restart proxy, which reads it from its file",
    )


def _tell(remote: Remote, wanted: str) -> None:
    """Replace the running proxy's map in one step (HAProxy's management guide, 9.3, `prepare map`)."""
    (prepared,) = ask_proxy(remote, [f"prepare map {_MAP}"])
    version = prepared.rpartition(" ")[2]
    commands = [f"add map @{version} {_MAP} <<\n{wanted}"] if wanted else []
    ask_proxy(remote, [*commands, f"commit map @{version} {_MAP}"])


def _live(remote: Remote) -> dict[str, str]:
    (answer,) = ask_proxy(remote, [f"show map {_MAP}"])
    if answer.startswith("Unknown map"):
        raise CalstackError(
            "the proxy's configuration has no page for maintenance yet",
            where=remote.name,
            fix="calstack deploy",
        )
    # Each line begins with the entry's address in memory.
    return dict(line.split(" ", 2)[1:] for line in answer.splitlines() if line.count(" ") > 1)


def _entries(text: str) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in text.splitlines())
