"""Packages of Debian and Ubuntu, installed in one call and only where they are missing."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host
from pyinfra.facts.deb import DebPackages

# Waits for another apt (unattended upgrades, a killed run of ours) instead of failing at once.
_APT = "DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -y -q"

# dpkg itself does not wait for its lock, which the apt of a killed run may still hold.
_COMPLETE_WHAT_WAS_KILLED = (
    "tries=0; until said=$(dpkg --configure -a --force-confold 2>&1); do "
    'case "$said" in *lock*) ;; *) echo "$said" >&2; exit 1 ;; esac; '
    'tries=$((tries + 1)); [ "$tries" -lt 100 ] || { echo "$said" >&2; exit 1; }; sleep 3; done'
)


@operation()
def installed(packages: Sequence[str]) -> Generator[StringCommand, None, None]:
    """Install the packages that the host lacks; nothing is asked of the mirror when it has all.

    pyinfra's `apt.packages(update=True)` refreshes the lists whenever they are old, which would make a host
    that lacks nothing "changed" every day; and a dpkg that was killed half-way has to be mended first.
    """
    have = host.get_fact(DebPackages)
    missing = sorted(name for name in packages if name not in have)
    if not missing:
        host.noop("every package is there")
        return
    yield StringCommand(_COMPLETE_WHAT_WAS_KILLED)
    yield StringCommand(f"{_APT} update")
    yield StringCommand(
        f"{_APT} -o Dpkg::Options::=--force-confold install --no-install-recommends", " ".join(missing)
    )


@operation()
def installed_unless(any_of: Sequence[str], otherwise: str) -> Generator[StringCommand, None, None]:
    """Install a package unless the host has one of those that do the same."""
    have = host.get_fact(DebPackages)
    if not any(name in have for name in any_of):
        yield from installed._inner(packages=[otherwise])
