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
