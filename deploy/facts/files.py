"""What lies at many paths of a host, in one question."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

from pyinfra.api.facts import FactBase


@dataclass(frozen=True)
class PathState:
    """What lies at one path."""

    kind: str
    """What `stat` calls it: `regular file`, `directory` …"""
    mode: str
    """Octal, four digits."""
    owner: int
    group: int
    digest: str | None
    """SHA-256 of a file's content, hexadecimal."""


class PathStates(FactBase[dict[str, PathState]]):
    """The state of each path that exists, by path. Half of pyinfra's time is one fact a file (measured:
    architecture.md), so this asks for all at once."""

    def command(self, paths: list[str]) -> str:
        """One `stat` and one `sha256sum` over all paths; missing ones are left out."""
        quoted = " ".join(shlex.quote(path) for path in paths)
        return (
            f"stat -c 'stat %04a %u %g %n|%F' -- {quoted} 2>/dev/null; "
            f"sha256sum -- {quoted} 2>/dev/null; true"
        )

    def process(self, output: list[str]) -> dict[str, PathState]:
        """Join the lines of both programs by path."""
        digests: dict[str, str] = {}
        states: dict[str, PathState] = {}
        lines = [line for line in output if line]
        for line in lines:
            if not line.startswith("stat "):
                digest, _, path = line.partition("  ")
                digests[path] = digest
        for line in lines:
            if line.startswith("stat "):
                _, mode, owner, group, rest = line.split(" ", 4)
                path, _, kind = rest.rpartition("|")
                states[path] = PathState(kind, mode, int(owner), int(group), digests.get(path))
        return states

    @staticmethod
    def default() -> dict[str, PathState]:
        """Nothing lies there."""
        return {}


class JsonFile(FactBase[dict[str, Any] | None]):
    """The object in a JSON file; empty where there is no file, None where it holds something else."""

    def command(self, path: str) -> str:
        """The file as it is."""
        return f"cat {shlex.quote(path)} 2>/dev/null || true"

    def process(self, output: list[str]) -> dict[str, Any] | None:
        """Parse it."""
        text = "\n".join(output).strip()
        try:
            content = json.loads(text or "{}")
        except ValueError:
            return None
        return content if isinstance(content, dict) else None

    @staticmethod
    def default() -> dict[str, Any]:
        """No settings."""
        return {}


class VariableDigest(FactBase[str | None]):
    """SHA-256 of a variable's value in an environment file; None where there is no such line.

    The value itself, a secret, never leaves the host.
    """

    def command(self, path: str, variable: str) -> str:
        """Digest of what stands behind the name, quotes left out."""
        return (
            f"value=$(sed -n 's/^{variable}=//p' {shlex.quote(path)} 2>/dev/null | tr -d '\"'); "
            '[ -z "$value" ] || printf %s "$value" | sha256sum'
        )

    def process(self, output: list[str]) -> str | None:
        """The digest stands first."""
        return output[0].split()[0] if output and output[0] else None
