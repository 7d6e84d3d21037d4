"""HAProxy's files, tried in its image before they replace those that it runs with."""

from __future__ import annotations

import io
import shlex
import tarfile
from collections.abc import Generator, Sequence

from pyinfra.api.operation import operation
from pyinfra.context import host

from deploy.errors import CalstackError
from deploy.facts.files import PathState, PathStates
from deploy.operations.action import Action
from deploy.operations.files import as_wanted
from deploy.remote import Remote
from deploy.rendering import ManagedDirectory, ManagedFile

_INSIDE = "/usr/local/etc/haproxy"


@operation()
def accepted(
    image: str, pull: str, directory: str, items: Sequence[ManagedFile | ManagedDirectory]
) -> Generator[Action, None, None]:
    """See that HAProxy accepts its configuration with these files in place of those in `directory`.

    Changes nothing: the files travel into the memory of a container that nobody else sees, keys included.
    What HAProxy refuses would not harm the running process, but keep the next one from starting; so it must
    never come to lie on the host. `pull` is the image's policy. Raises `CalstackError` with HAProxy's words.
    """
    files = [
        item for item in items if isinstance(item, ManagedFile) and item.path.startswith(f"{directory}/")
    ]
    folders = [
        item.path.removeprefix(f"{directory}/")
        for item in items
        if isinstance(item, ManagedDirectory) and item.path.startswith(f"{directory}/")
    ]
    states: dict[str, PathState] = host.get_fact(PathStates, paths=[item.path for item in files])
    if not all(as_wanted(item, states.get(item.path)) for item in files):
        _try(Remote.of(host), image, pull, directory, folders, files)
    host.noop("the proxy accepts its configuration")
    yield from ()


def _try(
    remote: Remote,
    image: str,
    pull: str,
    directory: str,
    folders: Sequence[str],
    files: Sequence[ManagedFile],
) -> None:
    # What the host keeps there besides, such as certificates that it renews itself, is part of the trial.
    lines = [
        f"cp -R /there/. {_INSIDE}/ 2>/dev/null",
        # A folder may be empty still: that of a certificate which the host gets for itself.
        *(f"mkdir -p {_INSIDE}/{shlex.quote(folder)}" for folder in folders),
        f"tar -x -f - -C {_INSIDE} || exit 1",
        f"exec haproxy -c -f {_INSIDE}/haproxy.cfg",
    ]
    there = shlex.quote(directory)
    tried = remote.run(
        f"[ -d {there} ] && set -- --volume {there}:/there:ro || set --\n"
        f"docker run --rm --interactive --pull {'never' if pull == 'never' else 'missing'} --network none "
        "--user 99:99 --read-only --cap-drop ALL --security-opt no-new-privileges "
        f"--tmpfs /run/haproxy:uid=99,gid=99,mode=0700 --tmpfs {_INSIDE}:uid=99,gid=99,mode=0700 "
        f'"$@" --entrypoint sh {shlex.quote(image)} -c {shlex.quote(chr(10).join(lines))} 2>&1',
        stdin=_archive(directory, files),
        timeout=300,
        check=False,
    )
    if tried.code != 0:
        raise CalstackError(
            f"HAProxy does not accept its new configuration, the old one stays:\n{tried.text}",
            where=host.name,
            fix="compare it with `calstack render`; a setting that leads to this is a bug of calstack",
        )


def _archive(directory: str, files: Sequence[ManagedFile]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for item in files:
            member = tarfile.TarInfo(item.path.removeprefix(f"{directory}/"))
            member.size, member.mode = len(item.content), 0o400
            archive.addfile(member, io.BytesIO(item.content))
    return buffer.getvalue()
