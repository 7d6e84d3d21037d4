"""Files as a host shall have them, secret ones included: compared all at once, each replaced in one step."""

from __future__ import annotations

import functools
import io
import shlex
import tarfile
import time
from collections.abc import Generator, Sequence

from pyinfra.api.operation import operation
from pyinfra.context import host

from deploy.facts.files import PathState, PathStates
from deploy.operations.action import Action
from deploy.remote import Remote
from deploy.rendering import ManagedDirectory, ManagedFile

_NEW = ".calstack-new"


@operation()
def managed(items: Sequence[ManagedFile | ManagedDirectory]) -> Generator[Action, None, None]:
    """Make the host hold these files and directories, with their modes and owners.

    pyinfra's own `files.put` leaves a secret world-readable until its chmod (architecture.md, "Why our own
    operations"). Here the content travels on standard input, lands beside its destination with its final mode
    and is renamed over it: a reader sees the old file or the new one, a kill leaves the old one.
    """
    states: dict[str, PathState] = host.get_fact(PathStates, paths=[item.path for item in items])
    changed = [item for item in items if not as_wanted(item, states.get(item.path))]
    if changed:
        yield Action(functools.partial(_write, changed))
    else:
        host.noop("every file is as it shall be")


def as_wanted(item: ManagedFile | ManagedDirectory, state: PathState | None) -> bool:
    """Whether what a host has at this path needs no change."""
    if state is None or (state.mode, state.owner, state.group) != (item.mode, item.owner, item.group):
        return False
    if isinstance(item, ManagedDirectory):
        return state.kind == "directory"
    # `stat` calls an empty file a "regular empty file".
    return state.kind.startswith("regular") and (item.once or state.digest == item.digest)


def _write(items: Sequence[ManagedFile | ManagedDirectory], remote: Remote) -> None:
    directories = [item for item in items if isinstance(item, ManagedDirectory)]
    files = [item for item in items if isinstance(item, ManagedFile)]
    lines = ["set -eu", "umask 077"]
    lines += [
        f"install -d -m {item.mode} -o {item.owner} -g {item.group} {shlex.quote(item.path)}"
        for item in directories
    ]
    parents = sorted({item.path.rpartition("/")[0] for item in files} - {item.path for item in directories})
    # Other parents are the system's (/etc/cron.d …); where one is missing it is made as usual.
    lines += [f"(umask 022; mkdir -p {shlex.quote(parent or '/')})" for parent in parents]
    lines += ["tar -x -p --same-owner --no-overwrite-dir -C / -f -"]
    lines += [f"mv -f -T {shlex.quote(item.path + _NEW)} {shlex.quote(item.path)}" for item in files]
    remote.run("\n".join(lines), stdin=_archive(files), timeout=300)


def _archive(files: Sequence[ManagedFile]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for item in files:
            member = tarfile.TarInfo(item.path.lstrip("/") + _NEW)
            member.size = len(item.content)
            member.mode = int(item.mode, 8)
            member.uid, member.gid = item.owner, item.group
            member.mtime = int(time.time())  # cron goes by it
            archive.addfile(member, io.BytesIO(item.content))
    return buffer.getvalue()
