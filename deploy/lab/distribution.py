"""Install packages of this machine's own distribution, after saying so."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence

from deploy.errors import CalstackError, InputError
from deploy.lab.lab import Report

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where system programs lie; a user's own PATH may lack half of it."""

# Another apt (unattended upgrades after a boot) may hold the lock: wait for it, as long as it usually takes.
_APT_GET = ("apt-get", "-o", "DPkg::Lock::Timeout=120")


def has_program(name: str) -> bool:
    """Whether this machine has that program."""
    return shutil.which(name, path=SYSTEM_PATH) is not None


def install(packages: Sequence[str], why: str, report: Report) -> None:
    """Install them with apt. `why` says what for: "for the lab: a Docker engine".

    Raises `InputError` where we are not root or there is no apt, `CalstackError` where apt fails.
    """
    names = " ".join(packages)
    if not has_program("apt-get"):
        raise InputError(
            f"{why} needs packages that this machine lacks, and it has no apt to install them with: {names}",
            fix="install them the way of your distribution, or use a machine with Debian 12 or newer",
        )
    if os.geteuid() != 0:
        raise InputError(
            f"{why} needs packages that this machine lacks, and only root can install them: {names}",
            fix=f"sudo apt-get install --no-install-recommends {names}",
        )
    report(f"installing {names} ({why})")
    # A source that does not answer, mostly some third party's, only matters if packages are not found.
    updated = _run(*_APT_GET, "update")
    wanted = (*_APT_GET, "install", "-y", "--no-install-recommends", *packages)
    installed = _run(*wanted)
    if "dpkg --configure -a" in installed.stdout:
        _run("dpkg", "--configure", "-a")
        installed = _run(*wanted)
    if installed.returncode != 0:
        words = "\n".join([*updated.stdout.splitlines()[-5:], *installed.stdout.splitlines()[-10:]])
        raise CalstackError(
            f"apt could not install {names}:\n{words}",
            fix="see that `apt-get update` and this installation work by hand, then start again",
        )


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, "PATH": SYSTEM_PATH, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
    )
