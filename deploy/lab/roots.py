"""Root file systems of Debian, made from its packages and kept as images, since there is no registry to ask.

A root is what mmdebstrap(1) makes of a recipe, handed to the engine as an image of one layer. Its tag is a hash
of the recipe, so that a changed recipe is a new image and an unchanged one is never built twice.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from docker.errors import DockerException, ImageNotFound

from deploy.errors import CalstackError
from deploy.lab import apt_sources
from deploy.lab.lab import IMAGE_LABEL, REPOSITORY, cache_folder

if TYPE_CHECKING:
    from docker import DockerClient

# Extraction is bound by fsync otherwise; a root that a power cut damaged is simply built again.
_OPTIONS = ("--variant=minbase", "--dpkgopt=force-unsafe-io", '--aptopt=APT::Install-Recommends "false"')


@dataclass(frozen=True)
class Root:
    """The recipe of a root file system."""

    name: str
    """Last part of the image's name, without the tag."""
    suite: str
    """Debian's code name."""
    packages: tuple[str, ...]
    """Packages beside the essential ones and apt."""
    before: tuple[str, ...] = ()
    """Shell commands after the essential packages and before `packages`; `$1` is the root (mmdebstrap(1))."""
    after: tuple[str, ...] = ()
    """Shell commands at the end; `$1` is the root."""
    changes: tuple[str, ...] = ()
    """Dockerfile instructions that the image carries as metadata."""

    @property
    def image(self) -> str:
        """Name of the image, with a tag that changes whenever the recipe does."""
        recipe = json.dumps(
            [_OPTIONS, self.suite, self.packages, self.before, self.after, self.changes], sort_keys=True
        )
        return f"{REPOSITORY}/{self.name}:{self.suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


# What a server of Debian 12 has after its installation, as far as calstack could tell the difference: an init
# system, sshd, cron, sudo; no Python, no curl, no engine.
HOST = Root(
    name="host",
    suite="bookworm",
    packages=(
        "ca-certificates", "cron", "dbus", "iproute2", "iptables", "openssh-server", "procps", "sudo",
        "systemd", "systemd-sysv",
    ),
    after=(
        # Keys that an image carries would be the same on every host: each host makes its own at its first boot.
        'rm -f "$1"/etc/ssh/ssh_host_*',
        'printf "[Unit]\\nDescription=Keys of this host\\nBefore=ssh.service\\n\\n'
        "[Service]\\nType=oneshot\\nExecStart=/usr/bin/ssh-keygen -A\\n\\n"
        '[Install]\\nWantedBy=multi-user.target\\n" >"$1"/etc/systemd/system/ssh-host-keys.service',
        'chroot "$1" systemctl --quiet enable ssh-host-keys.service',
        # Consoles that no container has; each would be tried again and again.
        'chroot "$1" systemctl --quiet mask getty@.service console-getty.service',
        'install -d -m 700 "$1"/root/.ssh',
        'rm -f "$1"/etc/hostname "$1"/etc/machine-id && touch "$1"/etc/machine-id',
    ),
    changes=('CMD ["/sbin/init"]', f'LABEL {IMAGE_LABEL}="host"'),
)

# One root for all services of an instance: their images differ in metadata and scripts only, so this layer
# travels to a host once. JIT compilation of PostgreSQL would cost 130 MB of LLVM and serves no small database.
SERVICES = Root(
    name="services",
    suite="trixie",
    packages=("ca-certificates", "curl", "haproxy", "locales", "postgresql-17", "python3", "wget"),
    before=(
        # The user ids of the official images: 999 must be taken before the package asks for any other.
        'printf "postgres:x:999:999:PostgreSQL:/var/lib/postgresql:/bin/bash\\n" >>"$1"/etc/passwd',
        'printf "postgres:x:999:\\n" >>"$1"/etc/group',
        'install -d "$1"/etc/postgresql-common',
        'printf "create_main_cluster = false\\n" >"$1"/etc/postgresql-common/createcluster.conf',
    ),
    after=(
        # HAProxy's package insists on making its user itself; it becomes the official image's afterwards.
        'chroot "$1" groupmod -g 99 haproxy && chroot "$1" usermod -u 99 -g 99 haproxy',
        'install -d -o 99 -g 99 "$1"/var/lib/haproxy && install -d "$1"/usr/local/etc/haproxy',
        'chown -R 999:999 "$1"/var/lib/postgresql && install -d -m 3777 -o 999 -g 999 "$1"/run/postgresql',
        'install -d -m 1777 -o 999 -g 999 "$1"/var/lib/postgresql/data && install -d "$1"/docker-entrypoint-initdb.d',
        'sed -i "s/^#*listen_addresses.*/listen_addresses = \'*\'/" "$1"/usr/share/postgresql/17/postgresql.conf.sample',
        # The official image's language, which decides how a new database sorts.
        'chroot "$1" localedef -i en_US -c -f UTF-8 en_US.UTF-8 && rm -rf "$1"/usr/share/i18n',
        'rm -rf "$1"/usr/lib/*/libLLVM* "$1"/usr/lib/*/libz3* "$1"/usr/lib/llvm-19'
        ' "$1"/usr/lib/postgresql/17/lib/bitcode "$1"/usr/lib/postgresql/17/lib/llvmjit*'
        ' "$1"/usr/share/doc "$1"/usr/share/man "$1"/usr/share/locale "$1"/usr/share/postgresql/17/man'
        ' "$1"/usr/lib/*/gconv "$1"/usr/lib/*/perl-base/unicore',
    ),
    changes=(f'LABEL {IMAGE_LABEL}="services"',),
)


def ensure_root(client: DockerClient, root: Root) -> str:
    """The image of that root, built if the engine has none; its name comes back. Takes 15 to 45 s to build.

    Raises `CalstackError` with mmdebstrap's last words where the build fails.
    """
    try:
        client.images.get(root.image)
    except ImageNotFound:
        _build(client, root)
    return root.image


def _build(client: DockerClient, root: Root) -> None:
    folder = cache_folder() / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{root.name}.log"
    with log.open("wb") as errors:
        building = subprocess.Popen(
            _command(root), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, cwd=folder,
            env=_environment(folder),
        )
        try:
            answer = client.api.import_image_from_stream(building.stdout, changes=list(root.changes))
        except DockerException as error:
            building.terminate()
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
            f"mmdebstrap could not make a root of Debian {root.suite} (exit code {code}):\n{words}\n{answer[-500:]}",
            fix=f"look whether `apt-get update` works on this machine and the disk has 2 GB; all it said: {log}",
        )
    repository, _, tag = root.image.partition(":")
    client.images.get(imported).tag(repository, tag)


def _command(root: Root) -> list[str]:
    mirror = apt_sources.machine_mirror()
    # If we are killed, mmdebstrap is told to end, and cleans up, instead of building for nobody.
    command = ["setpriv", "--pdeathsig", "TERM", "mmdebstrap", *_OPTIONS]
    command += [f"--aptopt={option.rstrip(';')}" for option in apt_sources.access_options()]
    command += [f"--essential-hook={hook}" for hook in root.before]
    command += [f"--customize-hook={hook}" for hook in root.after]
    command += [f"--include={','.join(root.packages)}", root.suite, "-"]
    return command + ([mirror.main] if mirror else [])


def _environment(folder: Path) -> dict[str, str]:
    # A user's own PATH may lack sbin, and a user's locale does not exist in the root.
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "TMPDIR": str(folder), "LC_ALL": "C.UTF-8", "HOME": "/root"}


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
