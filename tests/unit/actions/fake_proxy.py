"""A running HAProxy as its runtime socket shows it: maps with versions, and tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.remote import Completed


@dataclass
class FakeProxy:
    """Answers the commands that calstack sends (tests/lab/test_proxy_limits.py asks the real one)."""

    maps: dict[str, dict[str, str]] = field(default_factory=dict)
    tables: Mapping[str, str] = field(default_factory=dict)
    refuses: str | None = None
    """Its answer to `add map`, where it does not take entries."""
    commands: list[str] = field(default_factory=list)
    _prepared: dict[int, dict[str, str]] = field(default_factory=dict)

    def answer_all(self, asked: bytes) -> Completed:
        """What `onhost proxy` prints for a JSON list of commands."""
        answers = [self.answer(command) for command in json.loads(asked)]
        return Completed(0, json.dumps(answers).encode(), b"")

    def answer(self, command: str) -> str:
        """What HAProxy says to one command."""
        self.commands.append(command)
        words = command.split()
        if command.startswith("show map"):
            entries = self.maps.setdefault(words[2], {})
            return "\n".join(f"0x55 {key} {value}" for key, value in entries.items())
        if command.startswith("show table"):
            return self.tables.get(words[2], f"# table: {words[2]}, type: string, size:8, used:0")
        if command.startswith("prepare map"):
            self._prepared[len(self._prepared) + 1] = {}
            return f"New version created: {len(self._prepared)}"
        if command.startswith("add map"):
            if self.refuses:
                return self.refuses
            lines = command.partition("<<\n")[2].splitlines()
            filled = self._prepared[int(words[2][1:])]
            for line in lines:
                key, _, value = line.partition(" ")
                filled[key] = value
            return ""
        if command.startswith("commit map"):
            self.maps[words[3]] = self._prepared[int(words[2][1:])]
            return ""
        raise AssertionError(command)
