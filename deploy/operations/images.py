"""Container images on a host: pulled from a registry, or sent as an archive over SSH."""

from __future__ import annotations

import functools
import json
import shlex
import tarfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from deploy.errors import CalstackError
from deploy.facts.stack import ImageIds
from deploy.operations.action import Action
from deploy.remote import Remote


@dataclass(frozen=True)
class WantedImage:
    """An image that a service of the host runs."""

    reference: str
    archive: Path | None
    """`docker save` file that holds it, on this machine."""
    pull: Literal["missing", "always", "never"]


@operation()
def present(images: Sequence[WantedImage]) -> Generator[Action | StringCommand, None, None]:
    """Make the host have these images.

    An archive is sent when the host lacks the very image (by id) that it holds, each archive once. A registry
    is asked as `pull` says; the reference is the only thing compared, so pin it by digest.
    """
    have: dict[str, str] = host.get_fact(ImageIds, names=[image.reference for image in images])
    archives = set()
    for image in images:
        if image.archive is not None:
            if have.get(image.reference) != archived_image_id(image.archive, image.reference):
                archives.add(image.archive)
        elif image.reference not in have:
            if image.pull == "never":
                raise CalstackError(
                    f"{image.reference} is not on {host.name} and its setting says `pull: never`: "
                    "set `archive`, another `pull`, or put the image there"
                )
            yield StringCommand("docker pull --quiet", shlex.quote(image.reference), _timeout=1800)
        elif image.pull == "always" and state.is_executing and _pulled_anew(Remote.of(host), image, have):
            yield StringCommand("true")
    for archive in sorted(archives):
        yield Action(functools.partial(_send, archive))
    if not archives:
        host.noop("every image is there")


def archived_image_id(archive: Path, reference: str) -> str:
    """Id of the image that a `docker save` file holds under this name (the digest of its configuration).

    Raises `CalstackError` when the file cannot be read or holds no such image.
    """
    name = reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"
    try:
        with tarfile.open(archive) as contents:
            member = contents.extractfile("manifest.json")
            manifest = json.load(member) if member else []
    except (OSError, KeyError, tarfile.TarError, ValueError) as error:
        raise CalstackError(f"{archive} cannot be read as an image archive: {error}") from error
    for image in manifest:
        if name in (image.get("RepoTags") or []):
            config = str(image["Config"])
            return "sha256:" + config.rpartition("/")[2].removesuffix(".json")
    raise CalstackError(f"{archive} holds no image named {name}")


def _send(archive: Path, remote: Remote) -> None:
    with archive.open("rb") as contents:
        remote.run("docker load --quiet", stdin=contents, timeout=1800)


def _pulled_anew(remote: Remote, image: WantedImage, have: dict[str, str]) -> bool:
    name = shlex.quote(image.reference)
    pulled = remote.run(
        f"docker pull --quiet {name} >/dev/null && docker image inspect --format '{{{{.Id}}}}' {name}",
        timeout=1800,
    )
    return pulled.text != have[image.reference]
