"""Run a command inside a running container of the lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from docker.models.containers import Container


class Answer(NamedTuple):
    """How a command ended, and all that it printed, errors too."""

    exit_code: int
    text: str


def run(container: Container, *command: str) -> Answer:
    """Run it as root, without a shell, and wait for its end."""
    answer = container.exec_run(list(command))
    output = answer.output if isinstance(answer.output, bytes) else b"".join(answer.output)
    # The engine leaves the code out only where it does not wait.
    return Answer(int(answer.exit_code or 0), output.decode(errors="replace"))
