"""What the commands share: the console, options that many of them take, the question before a removal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from deploy.console import Console
from deploy.errors import InputError

CONSOLE = Console()

Function = TypeVar("Function", bound=Callable[..., Any])


def inventory_option(function: Function) -> Function:
    """-i: which inventory, as `inventory_name`."""
    return click.option(
        "-i",
        "--inventory",
        "inventory_name",
        default="lab",
        show_default=True,
        metavar="NAME",
        help="Folder under inventories/, or a path to one.",
    )(function)


def limit_option(function: Function) -> Function:
    """-l: which hosts of it, as `limit`."""
    return click.option(
        "-l", "--limit", multiple=True, metavar="HOST", help="Only this host; may be given several times."
    )(function)


def json_option(function: Function) -> Function:
    """--json, as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")(
        function
    )


def confirm(yes: bool, what: str, fix: str = "look with --plan, then add --yes") -> Callable[[str], bool]:
    """How a removal is confirmed; where nobody can be asked, that is told before anything begins."""
    if not (yes or sys.stdin.isatty()):
        raise InputError(f"nobody is there to confirm {what}", fix=fix)

    def confirm(plan: str) -> bool:
        CONSOLE.line(plan)
        return yes or click.confirm("Make this so?", err=True)

    return confirm
