"""What can go wrong in a way that a user can mend: one message that says what, where and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class CalstackError(Exception):
    """Something failed or is not proven; the command ends with exit code 1.

    `what` says what is wrong, `where` names the host, file or service, `fix` says what to do now.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        message = f"{self.where}: {self.what}" if self.where else self.what
        return f"{message}\n  -> {self.fix}" if self.fix else message


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a file that a user wrote."""

    file: Path
    line: int | None
    key: str
    what: str
    fix: str | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line is not None else str(self.file)
        text = f"{place}: {self.key}: {self.what}" if self.key else f"{place}: {self.what}"
        return f"{text}\n  -> {self.fix}" if self.fix else text


class InputError(CalstackError):
    """The input is wrong and nothing was touched; the command ends with exit code 2.

    `problems` holds all that was found at once, for inputs that are files.
    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        fix: str | None = None,
        problems: tuple[Problem, ...] = (),
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(str(problem) for problem in self.problems)])
