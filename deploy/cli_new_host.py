"""`calstack restore --new-host`: what it asks, and what it says."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from deploy.actions import restore_new_host as making
from deploy.actions.check_repository import PASSWORD_VARIABLE
from deploy.actions.opening import choose
from deploy.cli_options import CONSOLE
from deploy.errors import InputError
from deploy.lab import verbs as lab_verbs
from deploy.settings.load import load_inventory


def restore_onto_new_host(
    inventory_name: str,
    limit: Sequence[str],
    *,
    run: str | None,
    repository: str | None,
    url: str | None,
    clone: bool,
    as_json: bool,
) -> int:
    """Make a bare host of the inventory the instance that a run was made of; the exit code."""
    inventory = load_inventory(inventory_name)
    name, wanted = making.wish(inventory, choose(inventory, limit), repository, url, run, clone)
    if inventory.lab is not None:
        lab_verbs.up(inventory, CONSOLE)
    password = making.known_password(inventory, name, wanted) or _ask_password(wanted.repository)
    with CONSOLE.stage("Restoring") as now:
        result = making.restore_new_host(
            inventory, name, wanted, password, CONSOLE, lambda host, what: now(f"{host}: {what}")
        )
    if as_json:
        CONSOLE.json({"hosts": [result.as_json()]})
    else:
        for line in result.lines(inventory):
            CONSOLE.line(line)
    return 0 if result.ok else 1


def _ask_password(repository: str) -> str:
    password = os.environ.get(PASSWORD_VARIABLE)
    if password:
        return password
    if not sys.stdin.isatty():
        raise InputError(
            f"the inventory has no password of the repository {repository}", fix=f"export {PASSWORD_VARIABLE}"
        )
    return str(click.prompt(f"Password of the repository {repository}", hide_input=True, err=True))
