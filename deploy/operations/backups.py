"""The program that keeps the backups, copied out of its image onto the host."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Generator

from pyinfra.api.operation import operation
from pyinfra.context import host

from deploy.errors import CalstackError
from deploy.facts.stack import ImageIds
from deploy.operations.action import Action
from deploy.remote import Remote
from deploy.settings.layout import NEW_HOST, NEW_HOST_STEP

_LONGEST_FILL_SECONDS = 24 * 3600
"""What takes long is bounded on the host, by `backups.limit_minutes`."""


@operation()
def program_from_image(image: str | None, program: str) -> Generator[Action, None, None]:
    """Make PROGRAM be the entry point of this image; None where there is none to be had.

    The id of the image that it came from lies beside it. Raises `CalstackError` where the image has no such
    program, or the program does not run.
    """
    if image is None:
        host.noop("no backups are set up")
        return
    wanted = host.get_fact(ImageIds, names=[image]).get(image, "")
    came_from = Remote.of(host).run(f"test -x {program} && cat {program}.image", check=False)
    if came_from.code == 0 and came_from.text.strip() == wanted and wanted:
        host.noop("the program is there")
    else:
        yield Action(functools.partial(_copy, image, program))


@operation()
def database_filled(run: str, instance: str, admin: str, clone: bool) -> Generator[Action, None, None]:
    """Make a new host's database hold a run; what has been filled with it is left alone.

    Raises `CalstackError` where the database could not be filled, or is not what the run promises.
    """
    filled = Remote.of(host).run(f"cat {NEW_HOST}/filled 2>/dev/null; true").text
    if filled == run:
        host.noop("the database was filled with the run")
    else:
        yield Action(functools.partial(_fill, run, instance, admin, clone))


def _fill(run: str, instance: str, admin: str, clone: bool, remote: Remote) -> None:
    command = f"{NEW_HOST_STEP} fill {shlex.quote(run)} --instance {shlex.quote(instance)}"
    command += f" --admin {shlex.quote(admin)}" + (" --clone" if clone else "")
    done = remote.run(command, timeout=_LONGEST_FILL_SECONDS, check=False)
    if done.code != 0:
        raise CalstackError(
            done.error_text.removeprefix("onhost: "),
            where=host.name,
            fix="once that is mended, run the same command again: it goes on from here",
        )
    note = f"umask 077; cat >{NEW_HOST}/lost.json && printf %s {shlex.quote(run)} >{NEW_HOST}/filled"
    remote.run(note, stdin=done.stdout)


def _copy(image: str, program: str, remote: Remote) -> None:
    script = f"""
set -eu
container=$(docker create {shlex.quote(image)})
trap 'docker rm "$container" >/dev/null; rm -f {program}.new' EXIT
entry=$(docker inspect --format '{{{{index .Config.Entrypoint 0}}}}' "$container")
docker cp -L "$container:$entry" {program}.new
chown root:root {program}.new
chmod 0755 {program}.new
{program}.new version
docker inspect --format '{{{{.Image}}}}' "$container" >{program}.image
mv {program}.new {program}
"""
    done = remote.run(script, timeout=120, check=False)
    if done.code != 0:
        raise CalstackError(
            f"no program could be taken out of {image}: {done.error_text or done.text}",
            where=host.name,
            fix="images.restic has to be an image whose entry point is restic, for this host's processor",
        )
