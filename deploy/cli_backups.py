"""The commands for backups: `backup …` and `check-backups`."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from deploy.actions import backup as backing_up
from deploy.actions import backup_key as keys
from deploy.actions import check_backups as drilling
from deploy.actions import check_repository as checking
from deploy.actions import report as reporting
from deploy.actions.instance import Instance
from deploy.actions.opening import Locked, Opened, choose, opened
from deploy.cli_options import CONSOLE, Function, confirm, inventory_option, json_option, limit_option
from deploy.errors import CalstackError, InputError
from deploy.private_file import write_private
from deploy.secrets import SecretStore
from deploy.settings.load import load_inventory

_repository_option = click.option(
    "--repository", metavar="NAME", help="Where the run lies; else the first that has it."
)


def _repositories_option(function: Function) -> Function:
    return click.option(
        "--repository", "repositories", multiple=True, metavar="NAME", help="Only this one; repeatable."
    )(function)


@click.group("backup")
def backup_group() -> None:
    """Runs of the backups: make, look at, forget."""


@backup_group.command("now")
@inventory_option
@limit_option
@json_option
@_repositories_option
def backup_now_command(
    inventory_name: str, limit: Sequence[str], as_json: bool, repositories: Sequence[str]
) -> int:
    """Make a run in every repository, without waiting for the night.

    Example: calstack backup now --limit cal1 --repository offsite
    """
    with opened(load_inventory(inventory_name), limit, CONSOLE) as hosts, CONSOLE.stage("Backing up"):
        free, results = _on_each(hosts, lambda instance: backing_up.make_run(instance, repositories))
    return reporting.finish(
        CONSOLE, hosts, free, results, as_json, backing_up.Made.lines, backing_up.Made.document
    )


@backup_group.command("list")
@inventory_option
@limit_option
@json_option
def backup_list_command(inventory_name: str, limit: Sequence[str], as_json: bool) -> int:
    """List the runs of every repository, with their ages, and why each is kept.

    Example: calstack backup list --inventory example --json
    """
    with opened(load_inventory(inventory_name), limit, CONSOLE) as hosts, CONSOLE.stage("Backups"):
        free, results = _on_each(hosts, backing_up.list_runs)
    return reporting.finish(
        CONSOLE, hosts, free, results, as_json, reporting.runs_lines, backing_up.Listed.document
    )


@backup_group.command("show")
@inventory_option
@limit_option
@json_option
@_repository_option
@click.argument("run", default=backing_up.NEWEST)
def backup_show_command(
    inventory_name: str, limit: Sequence[str], as_json: bool, repository: str | None, run: str
) -> int:
    """Say what is in a run: its id, how that begins, or `newest`.

    Example: calstack backup show 20261124T0217 --limit cal1
    """
    with _one(inventory_name, limit) as instance:
        kept = backing_up.manifest(instance, repository, run)
    return _print(kept, backing_up.show_lines(kept), as_json)


@backup_group.command("browse")
@inventory_option
@limit_option
@json_option
@_repository_option
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With PATH: where its content goes; the file is yours alone (0600).",
)
@click.argument("run", default=backing_up.NEWEST)
@click.argument("path", required=False)
def backup_browse_command(
    inventory_name: str,
    limit: Sequence[str],
    as_json: bool,
    repository: str | None,
    to: Path | None,
    run: str,
    path: str | None,
) -> int:
    """List the tables and files of a run; with PATH, take one of its files out.

    Example: calstack backup browse newest /opt/calcom/compose.yaml --to compose.yaml
    """
    if (path is None) != (to is None):
        raise InputError("PATH and --to FILE belong together", fix="give both, or neither to list all")
    with _one(inventory_name, limit) as instance:
        kept = backing_up.manifest(instance, repository, run)
        if path is None or to is None:
            document = {"tables": kept["record"]["tables"], "files": kept["files"]}
            return _print(document, backing_up.browse_lines(kept), as_json)
        content = backing_up.read_file(instance, kept, path)
    _write_private(to, content)
    return _print({"file": str(to)}, [f"{path} of {kept['run']} is in {to}"], as_json)


@backup_group.command("diff")
@inventory_option
@limit_option
@json_option
@_repository_option
@click.argument("old")
@click.argument("new", default=backing_up.NEWEST)
def backup_diff_command(
    inventory_name: str, limit: Sequence[str], as_json: bool, repository: str | None, old: str, new: str
) -> int:
    """Say what differs between two runs: versions, images, tables, files.

    Example: calstack backup diff 20261123 newest
    """
    with _one(inventory_name, limit) as instance:
        first, second = (backing_up.manifest(instance, repository, run) for run in (old, new))
    lines = backing_up.diff_lines(first, second)
    document = {"old": first["run"], "new": second["run"], "differences": lines}
    return _print(document, lines or ["they hold the same"], as_json)


@backup_group.command("forget")
@inventory_option
@limit_option
@json_option
@_repository_option
@click.option("--yes", is_flag=True, help="Without asking.")
@click.argument("run")
def backup_forget_command(
    inventory_name: str, limit: Sequence[str], as_json: bool, repository: str | None, yes: bool, run: str
) -> int:
    """Forget one run of one repository, e.g. one that holds what had to be deleted for good.

    Example: calstack backup forget 20261101T0217 --repository offsite
    """
    agreed = confirm(yes, "what is forgotten", fix="look with calstack backup list, then add --yes")
    with _one(inventory_name, limit) as instance:
        line = backing_up.forget(instance, repository, run, agreed)
    return _print({"done": line}, [line], as_json)


@backup_group.command("key")
@inventory_option
@limit_option
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it there; the file is yours alone (0600).",
)
@click.option("--print", "to_output", is_flag=True, help="Print it: everything on it is secret.")
def backup_key_command(inventory_name: str, limit: Sequence[str], to: Path | None, to_output: bool) -> int:
    """Write the sheet to keep elsewhere: repositories, passwords, the way back with restic alone.

    Example: calstack backup key --inventory example --to sheet.txt
    """
    if (to is None) != to_output:
        raise InputError("the sheet holds secrets: say where it goes", fix="either --to FILE or --print")
    inventory = load_inventory(inventory_name)
    text = keys.sheet(
        inventory, SecretStore.open(inventory), choose(inventory, limit), dt.datetime.now(dt.UTC)
    )
    if to is None:
        click.echo(text, nl=False)
        return 0
    _write_private(to, text.encode())
    CONSOLE.line(f"the sheet is in {to}: print it, keep it elsewhere, then remove the file")
    return 0


@click.command("check-backups")
@inventory_option
@limit_option
@json_option
@click.option(
    "--repository",
    "repositories",
    multiple=True,
    metavar="NAME|ADDRESS",
    help="Only this one, repeatable; or the address of one, which needs neither inventory nor host.",
)
@click.option("--instance", metavar="NAME", help="With ADDRESS: the public name, where it holds several.")
@click.option("--postgres-image", metavar="IMAGE", help="With ADDRESS: restore into this one.")
@click.option("--restic", metavar="FILE", help="With ADDRESS: the program; else the one on the PATH.")
def check_backups_command(
    inventory_name: str,
    limit: Sequence[str],
    as_json: bool,
    repositories: Sequence[str],
    instance: str | None,
    postgres_image: str | None,
    restic: str | None,
) -> int:
    """Restore the newest run of every repository and compare it; exit code 0 only if all are proven.

    Example: calstack check-backups --inventory example --json

    With the address of a repository it is restored on this machine, by restic and Docker; the password comes
    from CALSTACK_BACKUP_PASSWORD or is asked for.

    Example: calstack check-backups --repository sftp:backup@nas.example.com:/backups/cal1
    """
    addresses = [it for it in repositories if checking.is_address(it)]
    if addresses:
        if len(repositories) > 1 or limit:
            raise InputError("one address at a time, and no host", fix="give --repository ADDRESS alone")
        asked = checking.Asked(
            addresses[0], _repository_password(), instance, postgres_image, restic or "restic"
        )
        return _check_alone(asked, as_json)
    if instance or postgres_image or restic:
        raise InputError(
            "--instance, --postgres-image and --restic belong to the address of a repository",
            fix="add --repository ADDRESS, or leave them out",
        )
    with opened(load_inventory(inventory_name), limit, CONSOLE) as hosts, CONSOLE.stage("Drill"):
        free, results = _on_each(hosts, lambda instance: drilling.check_backups(instance, repositories))
    if not as_json:
        rows = [
            row for host, it in results.items() if isinstance(it, drilling.Drilled) for row in it.rows(host)
        ]
        CONSOLE.table(drilling.COLUMNS, rows)
    return reporting.finish(CONSOLE, hosts, free, results, as_json, lambda _: [], drilling.Drilled.document)


def _repository_password() -> str:
    """From the environment, or asked for; raises `InputError` where nobody can be asked."""
    given = os.environ.get(checking.PASSWORD_VARIABLE)
    if given is None and not sys.stdin.isatty():
        raise InputError(
            "the repository's password is missing", fix=f"set {checking.PASSWORD_VARIABLE} and start again"
        )
    return given or str(click.prompt("Password of the repository", hide_input=True, err=True))


def _check_alone(asked: checking.Asked, as_json: bool) -> int:
    with CONSOLE.stage("Drill"):
        verdict = checking.check_repository(asked)
    drilled = drilling.Drilled([verdict])
    if as_json:
        CONSOLE.json(drilled.document())
    else:
        CONSOLE.table(drilling.COLUMNS, drilled.rows(verdict["instance"]))
    return 0 if drilled.proven else 1


def _write_private(to: Path, content: bytes) -> None:
    try:
        write_private(to, content)
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=str(to)) from None


def _on_each(hosts: Opened, act: Callable[[Instance], Any]) -> tuple[Locked, dict[str, Any]]:
    free = Locked(hosts.connection.names, {})
    return free, dict(hosts.connection.on_each(free.names, lambda name: act(hosts.instance(name))))


@contextmanager
def _one(inventory_name: str, limit: Sequence[str]) -> Iterator[Instance]:
    """The one host that is meant. Raises `InputError` for several, `CalstackError` for an unreachable one."""
    inventory = load_inventory(inventory_name)
    chosen = choose(inventory, limit)
    if len(chosen) != 1:
        raise InputError(
            f"a run belongs to one host, and the inventory has {', '.join(chosen)}",
            fix=f"add --limit {chosen[0]}",
        )
    with opened(inventory, limit, CONSOLE) as hosts:
        for name, why in hosts.connection.failures.items():
            raise CalstackError(why, where=name)
        yield hosts.instance(chosen[0])


def _print(document: dict[str, Any], lines: Sequence[str], as_json: bool) -> int:
    if as_json:
        CONSOLE.json(document)
    for line in () if as_json else lines:
        CONSOLE.line(line)
    return 0
