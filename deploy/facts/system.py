"""What machine a host is."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api.facts import FactBase


@dataclass(frozen=True)
class System:
    """Machine and distribution."""

    machine: str
    """As `uname -m` says it: x86_64, aarch64 …"""
    distribution: str
    """ID of os-release(5): debian, ubuntu …"""
    codename: str
    """VERSION_CODENAME of os-release(5)."""
    ipv6: bool = True
    """Whether its kernel speaks IPv6, and it is not switched off."""


class SystemIdentity(FactBase[System]):
    """Machine and distribution of the host."""

    def command(self) -> str:
        """Four lines."""
        return (
            'uname -m; . /etc/os-release; echo "$ID"; echo "$VERSION_CODENAME"; '
            "cat /proc/sys/net/ipv6/conf/all/disable_ipv6 2>/dev/null || echo 1"
        )

    def process(self, output: list[str]) -> System:
        """A line each."""
        machine, distribution, codename, ipv6_is_off = [*output, "", "", "", ""][:4]
        return System(machine, distribution, codename, ipv6=ipv6_is_off == "0")


class EngineVersions(FactBase[tuple[str, str]]):
    """Versions of the container engine and of Compose; empty where there is none."""

    def command(self) -> str:
        """Two lines, empty where the program is missing or its engine does not answer."""
        return (
            "echo \"$(docker version --format '{{.Server.Version}}' 2>/dev/null)\"; "
            'echo "$(docker compose version --short 2>/dev/null)"'
        )

    def process(self, output: list[str]) -> tuple[str, str]:
        """A line each."""
        engine, compose = [*output, "", ""][:2]
        return engine.strip(), compose.strip()


class Succeeds(FactBase[bool]):
    """Whether a script that changes nothing ends well on the host."""

    def command(self, script: str) -> str:
        """A word for yes, nothing for no."""
        return f"{{ {script}; }} >/dev/null 2>&1 && echo yes || true"

    def process(self, output: list[str]) -> bool:
        """Look for the word."""
        return output == ["yes"]

    @staticmethod
    def default() -> bool:
        """No."""
        return False
