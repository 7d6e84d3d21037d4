"""Root file systems of Debian, made from its packages and kept as images, since there is no registry to ask.

A root is what mmdebstrap(1) makes of a recipe, handed to the engine as an image of one layer. Its tag is a
hash of the recipe: a changed recipe is a new image, and an unchanged one is never built twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from docker.errors import DockerException, ImageNotFound

from deploy.errors import CalstackError
from deploy.lab import apt_sources, distribution
from deploy.lab.build_lock import build_lock
from deploy.lab.lab import IMAGE_LABEL, REPOSITORY, Report, cache_folder, remove_folder

if TYPE_CHECKING:
    from docker import DockerClient

IMAGE_FILES = Path(__file__).parent / "image_files"
"""Folder of the scripts and files that the lab's images are made of, one folder an image."""

# Extraction is bound by fsync otherwise; a root that a power cut damaged is simply built again.
_OPTIONS = ("--variant=minbase", "--dpkgopt=force-unsafe-io", '--aptopt=APT::Install-Recommends "false"')


# If we are killed, the kernel ends all that runs for us, and undoes its mounts: mmdebstrap binds this
# machine's /dev and /proc into the root that it makes. Other users than root get that from mmdebstrap itself.
_CONFINED = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
)


@dataclass(frozen=True)
class Root:
    """The recipe of a root file system."""

    name: str
    """Last part of the image's name, without the tag; and the folder of its scripts in `image_files/`."""
    suite: str
    """Debian's code name."""
    packages: tuple[str, ...]
    """Packages beside the essential ones and apt."""
    prepare: str | None = None
    """Shell script that runs after the essential packages and before `packages`; its argument is the root."""
    finish: str | None = None
    """Shell script that runs at the end; its argument is the root."""
    command: str | None = None
    """What a container of the image runs where it is not told."""
    options: tuple[str, ...] = ()
    """Further options of mmdebstrap."""

    @property
    def image(self) -> str:
        """Name of the image, with a tag that changes whenever the recipe does."""
        scripts = [script.read_text(encoding="utf-8") for script in self.scripts if script]
        recipe = json.dumps([(*_OPTIONS, *self.options), self.suite, self.packages, scripts, self.changes])
        return f"{REPOSITORY}/{self.name}:{self.suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"

    @property
    def scripts(self) -> tuple[Path | None, Path | None]:
        """Files of `prepare` and `finish`."""
        folder = IMAGE_FILES / self.name
        return (
            folder / self.prepare if self.prepare else None,
            folder / self.finish if self.finish else None,
        )

    @property
    def changes(self) -> list[str]:
        """Dockerfile instructions that the image carries as metadata."""
        label = f'LABEL {IMAGE_LABEL}="{self.name}"'
        return [label, f'CMD ["{self.command}"]'] if self.command else [label]


# What a server of Debian 12 has after its installation, as far as a deploy could tell the difference: an init
# system, sshd, cron, sudo; no Python, no curl, no engine.
HOST = Root(
    name="host",
    suite="bookworm",
    packages=(
        *("ca-certificates", "cron", "dbus", "iproute2", "iptables", "openssh-server", "procps", "sudo"),
        *("systemd", "systemd-sysv"),
    ),
    finish="finish.sh",
    command="/sbin/init",
)

# One root for all services of an instance: their images differ in metadata and scripts only, so this layer
# travels to a host once.
SERVICES = Root(
    name="services",
    suite="trixie",
    packages=(
        *(
            "ca-certificates",
            "curl",
            "haproxy",
            "locales",
            "postgresql-17",
            "python3",
            "redis-server",
            "restic",
        ),
        "wget",
    ),
    prepare="prepare.sh",
    finish="finish.sh",
)

# lego, which gets certificates by ACME, and Pebble, the ACME server of tests. Only unstable has a Pebble that
# knows certificate profiles (2.7 and newer); a mirror that lags is past that suite's date at times.
ACME = Root(
    name="acme",
    suite="unstable",
    packages=("ca-certificates", "lego", "pebble"),
    finish="finish.sh",
    options=('--aptopt=Acquire::Check-Valid-Until "false"',),
)


def ensure_root(client: DockerClient, root: Root, report: Report) -> str:
    """The image of that root, built if the engine has none; its name comes back. Takes 16 to 30 s to build.

    Raises `CalstackError` with mmdebstrap's last words where the build fails.
    """
    if _exists(client, root):
        return root.image
    with build_lock("mmdebstrap"):
        if not distribution.has_program("mmdebstrap"):
            distribution.install(("mmdebstrap",), "images for the lab, made from packages", report)
    with build_lock(f"root-{root.name}"):
        if not _exists(client, root):
            report(f"building the image {root.image} from Debian's packages")
            _build(client, root)
    return root.image


def _exists(client: DockerClient, root: Root) -> bool:
    try:
        client.images.get(root.image)
    except ImageNotFound:
        return False
    return True


def _build(client: DockerClient, root: Root) -> None:
    folder = cache_folder() / "tmp" / root.name
    remove_folder(folder)  # what a killed build left
    folder.mkdir(parents=True, exist_ok=True)
    log = folder.with_suffix(".log")
    with log.open("wb") as errors:
        building = subprocess.Popen(
            _command(root),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env=_environment(folder),
        )
        try:
            answer = client.api.import_image_from_stream(building.stdout, changes=root.changes)
        except DockerException as error:
            building.kill()
            answer = str(error)
        finally:
            code = building.wait()
    imported = _image_id(answer)
    if code != 0 or imported is None:
        # A root that ended early may still be a valid archive: it gets its name only once it is known whole.
        if imported:
            client.images.remove(imported, force=True)
        words = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:])
        raise CalstackError(
            f"no root of Debian {root.suite} could be made (mmdebstrap: {code}):\n{words}\n{answer[-500:]}",
            fix=f"see that `apt-get update` works on this machine and that the disk has 2 GB; its log: {log}",
        )
    repository, _, tag = root.image.partition(":")
    client.images.get(imported).tag(repository, tag)


def _command(root: Root) -> list[str]:
    mirror = apt_sources.machine_mirror()
    command = [*_CONFINED, "mmdebstrap", *_OPTIONS] if os.geteuid() == 0 else ["mmdebstrap", *_OPTIONS]
    command += [f"--aptopt={option.rstrip(';')}" for option in apt_sources.access_options()]
    command += root.options
    prepare, finish = root.scripts
    command += [f"--essential-hook={_hook(prepare)}"] if prepare else []
    command += [f"--customize-hook={_hook(finish)}"] if finish else []
    command += [f"--include={','.join(root.packages)}", root.suite, "-"]
    return command + ([mirror.main] if mirror else [])


def _hook(script: Path) -> str:
    """The script as mmdebstrap(1) runs hooks: by a shell, whose first argument is the root."""
    return f'sh {shlex.quote(str(script))} "$1"'


def _environment(folder: Path) -> dict[str, str]:
    # A user's locale does not exist in the root.
    return {
        "PATH": distribution.SYSTEM_PATH,
        "TMPDIR": str(folder),
        "LC_ALL": "C.UTF-8",
        "HOME": str(Path.home()),
    }


def _image_id(answer: object) -> str | None:
    """The id in the engine's answer to an import: lines of JSON, the last with the id as its status."""
    for line in reversed(str(answer).splitlines()):
        try:
            status = cast("dict[str, str]", json.loads(line)).get("status", "")
        except ValueError:
            continue
        if status.startswith("sha256:"):
            return status
    return None
