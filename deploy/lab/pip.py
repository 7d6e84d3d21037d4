"""Packages from the Python index for other machines than this one: other Pythons, other processors.

All are pinned by hash; pip's own configuration on this machine says where the index is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from deploy.errors import CalstackError

# Tags of wheels that Debian 12's and 13's C libraries run, newest first; pip takes each name literally.
_WHEEL_TAGS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")


def fetch(verb: str, requirements: Path, target: Path, *, architecture: str, python: str, what: str) -> None:
    """Run `pip install --target` or `pip download --dest` for that processor ("x86_64") and Python ("3.13").

    `what` names the thing for people. Raises `CalstackError` with pip's last words where it fails.
    """
    command = [sys.executable, "-m", "pip", verb, "-qq", "--no-input", "--no-deps", "--require-hashes"]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", python]
    for tag in _WHEEL_TAGS:
        command += ["--platform", f"{tag}_{architecture}"]
    command += ["--requirement", str(requirements)]
    command += ["--no-compile", "--target", str(target)] if verb == "install" else ["--dest", str(target)]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"},
    )
    if done.returncode != 0:
        raise CalstackError(
            f"pip could not fetch {what}:\n{done.stderr[-1500:]}",
            fix="see that pip reaches its package index from this machine",
        )
