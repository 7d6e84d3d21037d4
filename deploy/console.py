"""What people see: stages while they run, lines when they are done, never a secret."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
import rich.console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text


class Console:
    """Everything for people goes to standard error; standard output carries `--json` documents alone."""

    def __init__(self, mask: Callable[[str], str] = lambda text: text) -> None:
        self.mask = mask
        self.log: logging.Handler | None = None
        """Receives pyinfra's own log, where somebody wants to see it."""
        self.timings: list[tuple[str, float]] = []
        """Stages that ended, with their seconds, in their order."""
        self._out = rich.console.Console(stderr=True, highlight=False, soft_wrap=True)

    def line(self, text: str, style: str | None = None) -> None:
        """Print one line (or several)."""
        self._out.print(Text(self.mask(text), style=style or ""))

    def error(self, text: str) -> None:
        """Print what went wrong."""
        self.line(text, style="red")

    @contextmanager
    def stage(self, title: str) -> Iterator[Callable[[str], None]]:
        """Show a stage with its seconds while it runs; yields a function that says what it is at now.

        Away from a terminal nothing is shown: the report at the end has the seconds of each stage.
        """
        started = time.monotonic()
        columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
        with Progress(
            *columns, console=self._out, transient=True, disable=not self._out.is_terminal
        ) as progress:
            task = progress.add_task(title)
            yield lambda detail: progress.update(task, description=self.mask(f"{title}: {detail}"))
        self.timings.append((title, time.monotonic() - started))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table to standard output."""
        table = Table(box=None, pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(Text(self.mask(cell)) for cell in row))
        rich.console.Console(highlight=False).print(table)

    def json(self, document: Any) -> None:
        """Print the one document of `--json`."""
        click.echo(self.mask(json.dumps(document, indent=2, sort_keys=False)))
