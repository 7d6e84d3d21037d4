"""The command `calstack`: parses, calls the actions, prints. `make VERB` calls it with the defaults."""

from __future__ import annotations

import deploy.greenlets  # noqa: F401 - before everything that opens sockets or starts threads

# isort: split
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click

from deploy.actions import deploy as deploying
from deploy.actions import render as rendering
from deploy.actions import report as reporting
from deploy.actions import secrets as keeping
from deploy.actions import seed as seeding
from deploy.actions import smoke as smoking
from deploy.actions import webhook as judging
from deploy.actions.opening import choose, opened
from deploy.console import Console
from deploy.errors import CalstackError, InputError
from deploy.lab import verbs as lab_verbs
from deploy.settings.load import load_inventory

CONSOLE = Console()

_Function = TypeVar("_Function", bound=Callable[..., Any])


def main() -> None:
    """Run `calstack`; every expected error ends with its message and its exit code, never a traceback."""
    try:
        sys.exit(cli.main(prog_name="calstack", standalone_mode=False))
    except (click.exceptions.Abort, KeyboardInterrupt):
        CONSOLE.error("stopped; running the same command again goes on from here")
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except CalstackError as error:
        CONSOLE.error(str(error))
        sys.exit(error.exit_code)


def _inventory_option(function: _Function) -> _Function:
    return click.option(
        "-i",
        "--inventory",
        "inventory_name",
        default="lab",
        show_default=True,
        metavar="NAME",
        help="Folder under inventories/, or a path to one.",
    )(function)


def _limit_option(function: _Function) -> _Function:
    return click.option(
        "-l", "--limit", multiple=True, metavar="HOST", help="Only this host; may be given several times."
    )(function)


def _json_option(function: _Function) -> _Function:
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")(
        function
    )


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, help="Show pyinfra's own log, secrets masked.")
@click.version_option(package_name="calstack")
def cli(verbose: bool) -> None:
    """Deploy, seed, smoke-test and look after a self-hosted Cal.com.

    Example: calstack deploy --inventory example --limit cal1
    """
    if verbose:
        CONSOLE.log = _MaskedLog()


class _MaskedLog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        CONSOLE.line(self.format(record), style="dim")


@cli.command("deploy")
@_inventory_option
@_limit_option
@_json_option
def deploy_command(inventory_name: str, limit: Sequence[str], as_json: bool) -> int:
    """From a bare host to a verified booking: converge, bootstrap, seed, smoke-test, report.

    Example: calstack deploy --inventory example --limit cal1
    """
    inventory = load_inventory(inventory_name)
    deploying.check(inventory, choose(inventory, limit))
    if inventory.lab is not None:
        lab_verbs.up(inventory, CONSOLE)
    with opened(inventory, limit, CONSOLE) as hosts:
        with CONSOLE.stage("Deploying") as now:
            results = deploying.deploy(hosts, lambda host, what: now(f"{host}: {what}"))
        if as_json:
            CONSOLE.json({"hosts": [result.as_json() for result in results]})
        else:
            for line in reporting.deploy_report(hosts, results, CONSOLE.timings):
                CONSOLE.line(line)
    return 0 if all(result.ok for result in results) else 1


@cli.command("render")
@_inventory_option
@_limit_option
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("rendered"),
    show_default=True,
    help="Folder that gets a folder a host.",
)
def render_command(inventory_name: str, limit: Sequence[str], into: Path) -> int:
    """Write the files that each host would get, secrets as placeholders, without any host.

    Example: calstack render --inventory example
    """
    inventory = load_inventory(inventory_name)
    for name in choose(inventory, limit):
        count = rendering.render(inventory, name, into / name)
        CONSOLE.line(f"{name}: {count} files in {into / name}")
    return 0


@cli.command("verify")
@_inventory_option
@_limit_option
def verify_command(inventory_name: str, limit: Sequence[str]) -> int:
    """Look whether each host is what it should be; changes nothing.

    Example: calstack verify --inventory example
    """
    from deploy.actions import verify as verifying

    inventory = load_inventory(inventory_name)
    return verifying.verify(inventory, choose(inventory, limit))


@cli.command("seed")
@_inventory_option
@_limit_option
@_json_option
@click.option("--plan", "plan_only", is_flag=True, help="Show what would change, change nothing.")
def seed_command(inventory_name: str, limit: Sequence[str], as_json: bool, plan_only: bool) -> int:
    """Make the instances hold what the manifest seed.yaml declares.

    Example: calstack seed --plan
    """
    inventory = load_inventory(inventory_name)
    seeding.check_manifest(inventory)
    with opened(inventory, limit, CONSOLE) as hosts, hosts.locked("seed") as free, CONSOLE.stage("Seeding"):
        results = hosts.connection.on_each(
            free.names, lambda name: seeding.seed(hosts.instance(name), plan_only=plan_only)
        )
        return reporting.finish(
            CONSOLE, hosts, free, results, as_json, reporting.seed_lines, reporting.seed_json
        )


@cli.command("smoke")
@_inventory_option
@_limit_option
@_json_option
def smoke_command(inventory_name: str, limit: Sequence[str], as_json: bool) -> int:
    """Book as a guest would, see the webhooks arrive, move, cancel, leave nothing behind.

    Example: calstack smoke --json
    """
    inventory = load_inventory(inventory_name)
    with opened(inventory, limit, CONSOLE) as hosts, hosts.locked("smoke test") as free:
        with CONSOLE.stage("Smoke test") as now:
            results = hosts.connection.on_each(
                free.names, lambda name: smoking.smoke(hosts.instance(name), progress=now)
            )
        return reporting.finish(
            CONSOLE, hosts, free, results, as_json, reporting.smoke_lines, reporting.smoke_json
        )


@cli.group("secrets")
def secrets_group() -> None:
    """Secrets of an inventory: made once, kept encrypted in its secrets.age."""


@secrets_group.command("list")
@_inventory_option
@_json_option
def secrets_list_command(inventory_name: str, as_json: bool) -> int:
    """List the secrets without their values: whose, where used, generated or given, how old.

    Example: calstack secrets list --inventory example
    """
    listing = keeping.listing(load_inventory(inventory_name))
    if as_json:
        CONSOLE.json(keeping.listing_json(listing))
    else:
        CONSOLE.table(("secret", "host", "origin", "since", "used for"), keeping.listing_rows(listing))
    return 0


@secrets_group.command("show")
@_inventory_option
@click.option("--host", metavar="HOST", help="Whose, where hosts have their own.")
@click.argument("name")
def secrets_show_command(inventory_name: str, host: str | None, name: str) -> int:
    """Print one value to standard output.

    Example: calstack secrets show admin_password --host cal1
    """
    click.echo(keeping.show(load_inventory(inventory_name), name, host))
    return 0


@secrets_group.command("set")
@_inventory_option
@click.option("--host", metavar="HOST", help="For this host alone; without it for all.")
@click.argument("name")
def secrets_set_command(inventory_name: str, host: str | None, name: str) -> int:
    """Store a value that you are asked for (or that comes on standard input).

    Example: calstack secrets set smtp_password --inventory example
    """
    inventory = load_inventory(inventory_name)
    value = (
        click.prompt(name, hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.read().rstrip("\n")
    )
    keeping.store(inventory, name, value, host, CONSOLE.line)
    CONSOLE.line(f"{name} is stored")
    return 0


@cli.group("webhook")
def webhook_group() -> None:
    """Deliveries of Cal.com's webhooks."""


@webhook_group.command("verify")
@click.option("--signature", required=True, metavar="HEX", help="Value of the header X-Cal-Signature-256.")
@click.option(
    "--secret-name", metavar="NAME", help="The webhook's secret, as the inventory's secrets name it."
)
@click.option("--host", metavar="HOST", help="With --secret-name: whose, where hosts have their own.")
@click.option("--secret-stdin", is_flag=True, help="The secret is the first line of standard input.")
@click.option(
    "--body",
    "body_file",
    type=click.File("rb"),
    default="-",
    metavar="FILE",
    help="The raw body; without it, (the rest of) standard input.",
)
@_inventory_option
@_json_option
def webhook_verify_command(
    signature: str,
    secret_name: str | None,
    host: str | None,
    secret_stdin: bool,
    body_file: BinaryIO,
    inventory_name: str,
    as_json: bool,
) -> int:
    """Say whether a delivery is genuine, and what is wrong where it is not; exit code 0 or 1.

    Example: calstack webhook verify --secret-name crm_webhook --signature 3f0c... < body
    """
    if secret_stdin == (secret_name is not None):
        raise InputError(
            "the webhook's secret is missing, or given twice", fix="give --secret-name NAME or --secret-stdin"
        )
    if secret_name is None:
        secret = sys.stdin.buffer.readline().rstrip(b"\r\n").decode(errors="replace")
    else:
        secret = keeping.show(load_inventory(inventory_name), secret_name, host)
    verdict = judging.judge(body_file.read(), signature, secret)
    if as_json:
        CONSOLE.json(
            {
                "genuine": verdict.genuine,
                "verdict": verdict.name,
                "what": verdict.what,
                "fix": verdict.fix,
            }
        )
    else:
        say = CONSOLE.line if verdict.genuine else CONSOLE.error
        say(f"{verdict.name}: {verdict.what}" + (f"\n  -> {verdict.fix}" if verdict.fix else ""))
    return 0 if verdict.genuine else 1


@cli.group("lab")
def lab_group() -> None:
    """Disposable hosts on this machine that behave like fresh Debian servers."""


@lab_group.command("up")
@_inventory_option
def lab_up_command(inventory_name: str) -> int:
    """Start the hosts of a lab inventory.

    Example: calstack lab up
    """
    lab_verbs.up(load_inventory(inventory_name), CONSOLE)
    return 0


@lab_group.command("down")
@_inventory_option
@click.option(
    "--all", "everything", is_flag=True, help="Images and caches too, and the engine if we started it."
)
def lab_down_command(inventory_name: str, everything: bool) -> int:
    """Remove every trace of a lab inventory's hosts.

    Example: calstack lab down --all
    """
    lab_verbs.down(load_inventory(inventory_name), CONSOLE, everything=everything)
    return 0


@lab_group.command("info")
@_inventory_option
@_json_option
def lab_info_command(inventory_name: str, as_json: bool) -> int:
    """Say how to reach the lab's hosts.

    Example: calstack lab info --json
    """
    document = lab_verbs.info(load_inventory(inventory_name))
    if as_json:
        CONSOLE.json(document)
    else:
        for host in document["hosts"]:
            CONSOLE.line(f"{host['name']}: {host['url']} at {host['address']}")
    return 0


if __name__ == "__main__":
    main()
