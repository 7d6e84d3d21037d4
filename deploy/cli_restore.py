"""The command `restore`: a run in the place of what an instance holds, or one table of it into a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import click

from deploy.actions import report as reporting
from deploy.actions import restore as restoring
from deploy.actions import restore_table as exporting
from deploy.actions.instance import Instance
from deploy.actions.interrupted import RESTORE
from deploy.actions.opening import choose, opened
from deploy.actions.restore_steps import Report
from deploy.cli_new_host import restore_onto_new_host
from deploy.cli_options import CONSOLE, confirm, inventory_option, json_option, limit_option
from deploy.errors import CalstackError, InputError
from deploy.settings.load import load_inventory


class Told(Protocol):
    """What was done on a host."""

    def lines(self) -> list[str]:
        """For people."""

    def document(self) -> dict[str, Any]:
        """For programs."""


@click.command("restore")
@inventory_option
@limit_option
@json_option
@click.argument("run", required=False)
@click.option(
    "--at",
    "moment",
    metavar="TIME",
    help="Instead of RUN: any moment, UTC unless it says otherwise, or `latest` (docs/continuous.md).",
)
@click.option("--from", "repository", metavar="REPOSITORY", help="Only from there; else from any.")
@click.option("--yes", is_flag=True, help="Restore without asking.")
@click.option("--new-host", is_flag=True, help="Onto a bare machine, which becomes the instance.")
@click.option(
    "--repository", "url", metavar="URL", help="With --new-host: where the settings do not name the place."
)
@click.option(
    "--clone", is_flag=True, help="As --new-host: a copy on another host, which sends nothing to anybody."
)
@click.option(
    "--without-safety-run", is_flag=True, help="Make no run of what is replaced: it is lost for good."
)
@click.option(
    "--take-key",
    is_flag=True,
    help="A run under another encryption key brings its own, into the secrets too.",
)
@click.option("--resume", "how", flag_value="resume", help="Go on with a restore that was cut short.")
@click.option("--undo", "how", flag_value="undo", help="Go back from a restore that was cut short.")
@click.option("--table", metavar="NAME", help="Restore nothing: write this table of the run to a file.")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="With --table: which file.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "sql"]),
    default="csv",
    show_default=True,
    help="With --table: rows for a spreadsheet, or statements that bring back the rows that lack.",
)
def restore_command(
    inventory_name: str,
    limit: Sequence[str],
    as_json: bool,
    run: str | None,
    moment: str | None,
    repository: str | None,
    yes: bool,
    new_host: bool,
    url: str | None,
    clone: bool,
    without_safety_run: bool,
    take_key: bool,
    how: str | None,
    table: str | None,
    to: Path | None,
    kind: str,
) -> int:
    """Make an instance hold what it held in a run: the newest, or the one with the id RUN.

    Guests go on booking until the run lies beside the live database and is compared; then they see a page
    for about as long as a backup and a start take. What was there before is kept as a run of its own.

    Example: calstack restore --limit cal1

    Example: calstack restore --at "2026-11-24 14:05" --limit cal1

    With --new-host it builds the instance anew on a machine that has nothing but an SSH server. The
    repository's password comes from the inventory's secrets, or CALSTACK_BACKUP_PASSWORD, or is asked for.

    Example: calstack restore --new-host --limit cal1 --from offsite

    Example: calstack restore 20261124T0217 --table Booking --to bookings.csv
    """
    if (table is None) != (to is None):
        raise InputError("--table and --to go together", fix="give both, or neither")
    if new_host or clone:
        if how or table or moment or take_key or without_safety_run or (repository and url):
            raise InputError(
                "--new-host goes with RUN, --from or --repository, and --clone alone",
                fix="leave out the rest; where it was cut short, the same command goes on",
            )
        return restore_onto_new_host(
            inventory_name, limit, run=run, repository=repository, url=url, clone=clone, as_json=as_json
        )
    if url is not None:
        raise InputError("--repository goes with --new-host", fix="name one of the settings: --from NAME")
    if moment is not None:
        if run or table or take_key:
            raise InputError(
                "--at takes the whole database to a moment, and nothing else",
                fix="leave out RUN, --table and --take-key",
            )
        run = restoring.at(moment)
    if how is not None and (run or repository or table):
        raise InputError(f"--{how} knows which run it is about", fix=f"calstack restore --{how}")
    if table is not None and to is not None:
        exporting.refuse_existing(to)
        return _on_one(
            inventory_name,
            limit,
            as_json,
            "Reading",
            lambda it, now: exporting.export(it, run, repository, table, kind, to, now),
        )
    if how == "resume":
        return _on_one(
            inventory_name,
            limit,
            as_json,
            "Restoring",
            lambda it, now: restoring.resume(it, now, safety_run=not without_safety_run),
        )
    if how == "undo":
        return _on_one(inventory_name, limit, as_json, "Going back", restoring.undo)
    agreed = confirm(yes, "what a restore replaces", fix="add --yes once you know what goes")
    plans: list[restoring.Plan] = []

    def ask(instance: Instance) -> bool:
        plans.append(restoring.plan(instance, run, repository, take_key=take_key))
        return agreed("\n".join(plans[0].lines()))

    return _on_one(
        inventory_name,
        limit,
        as_json,
        "Restoring",
        lambda it, now: restoring.restore(it, plans[0], now, safety_run=not without_safety_run),
        ask,
    )


def _on_one(
    inventory_name: str,
    limit: Sequence[str],
    as_json: bool,
    title: str,
    act: Callable[[Instance, Report], Told],
    ask: Callable[[Instance], bool] = lambda _: True,
) -> int:
    """Do something on the one host that is meant, under its lock, once the person agrees."""
    inventory = load_inventory(inventory_name)
    names = choose(inventory, limit)
    if len(names) != 1:
        raise InputError(f"one host at a time, of {', '.join(names)}", fix="name it: --limit HOST")
    with opened(inventory, names, CONSOLE) as hosts, hosts.locked(RESTORE) as free:
        results: dict[str, Told | CalstackError] = {}
        for name in free.names:
            instance = hosts.instance(name)
            try:
                if not ask(instance):
                    CONSOLE.line("nothing was restored")
                    return 1
                with CONSOLE.stage(title) as now:
                    results[name] = act(instance, now)
            except InputError:
                raise
            except CalstackError as error:
                results[name] = error
            except KeyboardInterrupt:
                raise CalstackError(
                    "stopped", where=name, fix="`calstack restore --resume` goes on, `--undo` goes back"
                ) from None
        return reporting.finish(
            CONSOLE, hosts, free, results, as_json, lambda it: it.lines(), lambda it: it.document()
        )
