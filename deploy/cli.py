"""The command `calstack`: parses, calls the actions, prints. `make VERB` calls it with the defaults."""

from __future__ import annotations

import deploy.greenlets  # noqa: F401 - before everything that opens sockets or starts threads

# isort: split
import datetime as dt
import functools
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import click

from deploy.actions import certificate as certifying
from deploy.actions import deploy as deploying
from deploy.actions import limits_show, limits_top
from deploy.actions import maintenance as maintaining
from deploy.actions import purge as purging
from deploy.actions import render as rendering
from deploy.actions import report as reporting
from deploy.actions import secrets as keeping
from deploy.actions import seed as seeding
from deploy.actions import smoke as smoking
from deploy.actions import smoke_monitor as watching
from deploy.actions import webhook as judging
from deploy.actions.carried_secrets import lay_down_secrets
from deploy.actions.instance import Instance
from deploy.actions.opening import Locked, Opened, choose, opened
from deploy.cli_backups import backup_group, check_backups_command
from deploy.cli_options import CONSOLE, Function, confirm, inventory_option, json_option, limit_option
from deploy.cli_restore import restore_command
from deploy.errors import CalstackError, InputError
from deploy.lab import verbs as lab_verbs
from deploy.lab.mail import Mailbox as LabMailbox
from deploy.seed.schema import schema_text
from deploy.settings.load import load_inventory
from deploy.smoke.report import SmokeReport


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


def _foreign_options(function: Function) -> Function:
    """--url and what goes with it, as one `foreign`: ForeignAccess, or None where there is no --url."""

    @functools.wraps(function)
    def with_access(
        *arguments: Any,
        url: str | None,
        email: str | None,
        totp_code: str | None,
        key: str | None,
        api_url: str | None,
        ca_file: Path | None,
        password_file: TextIO | None,
        **options: Any,
    ) -> Any:
        access = None
        if url is not None:
            password = _password(email, password_file) if key is None else None
            access = seeding.ForeignAccess(url, email, password, totp_code, key, api_url, ca_file)
        return function(*arguments, foreign=access, **options)

    for option in (
        click.option("--url", metavar="URL", help="An instance that calstack did not deploy."),
        click.option(
            "--key",
            metavar="KEY",
            envvar="CALSTACK_API_KEY",
            help="API key, with --url: all goes over API v2. Better in CALSTACK_API_KEY than on the line.",
        ),
        click.option("--api-url", metavar="URL", help="What /v2 hangs on, where that is not /api of --url."),
        click.option("--email", metavar="ADDRESS", help="Whose things, with --url and without a key."),
        click.option(
            "--password-file",
            type=click.File("r"),
            metavar="FILE",
            help="Their password; else it is CALSTACK_PASSWORD, or asked for.",
        ),
        click.option("--totp", "totp_code", metavar="CODE", help="Six digits, where the account wants them."),
        click.option(
            "--ca-file",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="PEM of the authority that signed for --url, where it is a private one.",
        ),
    ):
        with_access = option(with_access)
    return with_access  # type: ignore[return-value]


def _password(email: str | None, file: TextIO | None) -> str:
    if email is None:
        raise InputError("--url needs --key or --email", fix="say with what to sign in")
    if file is not None:
        return str(file.read()).rstrip("\r\n")
    password = os.environ.get("CALSTACK_PASSWORD")
    if password is None:
        if not sys.stdin.isatty():
            raise InputError("there is no password", fix="export CALSTACK_PASSWORD")
        password = str(click.prompt(f"Password of {email}", hide_input=True, err=True))
    return password


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
@inventory_option
@limit_option
@json_option
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
@inventory_option
@limit_option
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
@inventory_option
@limit_option
def verify_command(inventory_name: str, limit: Sequence[str]) -> int:
    """Look whether each host is what it should be; changes nothing.

    Example: calstack verify --inventory example
    """
    from deploy.actions import verify as verifying

    inventory = load_inventory(inventory_name)
    return verifying.verify(inventory, choose(inventory, limit))


@cli.group("seed", invoke_without_command=True)
@inventory_option
@limit_option
@json_option
@_foreign_options
@click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A manifest in place of the inventory's own; several count as one.",
)
@click.option("--plan", "plan_only", is_flag=True, help="Show what would change, change nothing.")
@click.option("--prune", is_flag=True, help="Remove what the manifest does not name, of the kinds it names.")
@click.option("--yes", is_flag=True, help="Remove without asking.")
@click.pass_context
def seed_group(
    context: click.Context,
    inventory_name: str,
    limit: Sequence[str],
    as_json: bool,
    foreign: seeding.ForeignAccess | None,
    files: Sequence[Path],
    plan_only: bool,
    prune: bool,
    yes: bool,
) -> int:
    """Make the instances hold what the manifest seed.yaml declares.

    Example: calstack seed --plan

    With --url it goes to an instance that calstack did not deploy, of which no inventory is needed: over API
    v2 with a key, else with a password, which comes from CALSTACK_PASSWORD or is asked for.

    Example: calstack seed --url https://cal.example.com --email ada@example.com --file seed.yaml
    """
    if context.invoked_subcommand is not None:
        return 0
    wish = seeding.Wish(plan_only, confirm(yes or plan_only, "what --prune removes") if prune else None)
    if foreign is not None:
        result = seeding.seed_foreign(foreign, files or [Path("seed.yaml")], wish=wish)
        if as_json:
            CONSOLE.json({"url": foreign.url, **reporting.seed_json(result)})
        else:
            for line in reporting.seed_lines(result):
                CONSOLE.line(line)
        return 0
    inventory = load_inventory(inventory_name)
    seeding.check_manifest(inventory, choose(inventory, limit), files)
    stage = nullcontext() if prune else CONSOLE.stage("Seeding")
    with opened(inventory, limit, CONSOLE) as hosts, hosts.locked("seed") as free, stage:

        def seed(name: str) -> seeding.SeedResult:
            result = seeding.seed(hosts.instance(name), files=files, wish=wish)
            # Seeding makes the secrets of webhooks that have none.
            if not plan_only:
                lay_down_secrets(hosts.instance(name), hosts.store)
            return result

        results = hosts.connection.on_each(free.names, seed)
        return reporting.finish(
            CONSOLE, hosts, free, results, as_json, reporting.seed_lines, reporting.seed_json
        )


@seed_group.command("pull")
@inventory_option
@limit_option
@_foreign_options
def seed_pull_command(
    inventory_name: str, limit: Sequence[str], foreign: seeding.ForeignAccess | None
) -> int:
    """Print the manifest of a running instance, one that plans to nothing there.

    Secrets of webhooks are stored with the inventory's secrets, and the manifest has their names.

    Example: calstack seed pull --inventory example --limit cal1 > inventories/example/seed.yaml
    """
    if foreign is not None:
        pulled = seeding.pull_foreign(foreign)
    else:
        inventory = load_inventory(inventory_name)
        names = choose(inventory, limit)
        if len(names) != 1:
            raise InputError(f"one host at a time, of {', '.join(names)}", fix="name it: --limit HOST")
        with opened(inventory, names, CONSOLE) as hosts:
            if names[0] in hosts.connection.failures:
                raise CalstackError(hosts.connection.failures[names[0]], where=names[0])
            pulled = seeding.pull_manifest(hosts.instance(names[0]), hosts.store)
    click.echo(pulled.text, nl=False)
    for line in pulled.left_out:
        CONSOLE.line(f"left out: {line}", style="yellow")
    return 0


@seed_group.command("schema")
def seed_schema_command() -> int:
    """Print the JSON Schema of a manifest, for editors.

    Example: calstack seed schema > seed.schema.json
    """
    click.echo(schema_text(), nl=False)
    return 0


@cli.command("smoke")
@inventory_option
@limit_option
@json_option
@_foreign_options
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Also write JUnit XML there.")
@click.option(
    "--receiver-bind", metavar="ADDRESS:PORT", help="With --url: receive the webhooks here; else untested."
)
@click.option("--receiver-url", metavar="URL", help="With --url: how the instance reaches the receiver.")
@click.option(
    "--connect-to", metavar="ADDRESS", help="With --url: connect there, whatever the name's address."
)
@click.option(
    "--queued-webhooks", is_flag=True, help="With --url: webhooks are queued, a minute is not late."
)
@click.option(
    "--ping", is_flag=True, help="Tell the monitor of jobs.ping_url, or of CALSTACK_PING_URL, how it went."
)
def smoke_command(
    inventory_name: str,
    limit: Sequence[str],
    as_json: bool,
    foreign: seeding.ForeignAccess | None,
    junit: Path | None,
    ping: bool,
    **reach: Any,
) -> int:
    """Book as a guest would, see the webhooks arrive, move, cancel, leave nothing behind.

    Example: calstack smoke --json

    Example: calstack smoke --url https://cal.example.com --email ada@example.com --password-file ada.txt
    """
    monitor = os.environ.get(watching.ADDRESS_VARIABLE) or None
    if foreign is not None:
        return _smoke_any(smoking.any_instance(foreign, **reach), as_json, junit, ping, monitor)
    if any(reach.values()):
        raise InputError(
            "without --url it is the inventory's hosts that are tested",
            fix="add --url, or leave out the rest",
        )
    inventory = load_inventory(inventory_name)
    if ping:
        watching.refuse_unwatched(inventory, choose(inventory, limit), monitor)
    open_mailbox = LabMailbox if inventory.lab is not None else None
    with opened(inventory, limit, CONSOLE) as hosts, hosts.locked("smoke test") as free:
        with CONSOLE.stage("Smoke test") as now:

            def test(name: str) -> SmokeReport:
                instance = hosts.instance(name)
                run = functools.partial(smoking.smoke, instance, open_mailbox=open_mailbox, progress=now)
                return watching.monitor_of(instance, monitor).watch(run, CONSOLE.line) if ping else run()

            results = hosts.connection.on_each(free.names, test)
        if junit is not None:
            smoking.write_junit(junit, results, {**hosts.connection.failures, **free.refused})
        return reporting.finish(
            CONSOLE, hosts, free, results, as_json, reporting.smoke_lines, reporting.smoke_json
        )


def _smoke_any(
    instance: smoking.AnyInstance, as_json: bool, junit: Path | None, ping: bool, monitor: str | None
) -> int:
    if ping and monitor is None:
        raise InputError("there is no monitor to tell", fix=f"set {watching.ADDRESS_VARIABLE}")
    with CONSOLE.stage("Smoke test") as now:
        run = functools.partial(smoking.smoke_any, instance, progress=now)
        report = watching.Monitor(monitor).watch(run, CONSOLE.line) if ping and monitor else run()
    if junit is not None:
        smoking.write_junit(junit, {instance.name: report}, {})
    if as_json:
        CONSOLE.json({"hosts": [{"host": instance.name, **reporting.smoke_json(report)}]})
    else:
        for line in report.lines():
            CONSOLE.line(line)
    return 0 if report.passed else 1


@cli.group("secrets")
def secrets_group() -> None:
    """Secrets of an inventory: made once, kept encrypted in its secrets.age."""


@secrets_group.command("list")
@inventory_option
@json_option
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
@inventory_option
@click.option("--host", metavar="HOST", help="Whose, where hosts have their own.")
@click.argument("name")
def secrets_show_command(inventory_name: str, host: str | None, name: str) -> int:
    """Print one value to standard output.

    Example: calstack secrets show admin_password --host cal1
    """
    click.echo(keeping.show(load_inventory(inventory_name), name, host))
    return 0


@secrets_group.command("set")
@inventory_option
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


@cli.group("limits")
def limits_group() -> None:
    """How often callers may come, and who was refused."""


@limits_group.command("show")
@inventory_option
@limit_option
@json_option
def limits_show_command(inventory_name: str, limit: Sequence[str], as_json: bool) -> int:
    """List the limits of each instance, and whether they are in force.

    Example: calstack limits show --inventory example --limit cal1
    """
    with opened(load_inventory(inventory_name), limit, CONSOLE) as hosts:
        names = hosts.connection.names
        results = hosts.connection.on_each(names, lambda name: limits_show.show_limits(hosts.instance(name)))
        return reporting.finish(
            CONSOLE, hosts, Locked(names, {}), results, as_json, reporting.limits_lines, reporting.limits_json
        )


@limits_group.command("top")
@inventory_option
@limit_option
@json_option
def limits_top_command(inventory_name: str, limit: Sequence[str], as_json: bool) -> int:
    """List who was refused within the last hour, most often refused first.

    Example: calstack limits top --inventory example
    """
    with opened(load_inventory(inventory_name), limit, CONSOLE) as hosts:
        names = hosts.connection.names
        results = hosts.connection.on_each(
            names, lambda name: limits_top.refused_callers(hosts.instance(name))
        )
        return reporting.finish(
            CONSOLE, hosts, Locked(names, {}), results, as_json, reporting.top_lines, reporting.top_json
        )


@cli.group("certificate")
def certificate_group() -> None:
    """The certificates that the hosts serve."""


@certificate_group.command("show")
@inventory_option
@limit_option
@json_option
def certificate_show_command(inventory_name: str, limit: Sequence[str], as_json: bool) -> int:
    """Say what each host serves, until when, and when it is renewed; exit code 1 where something is wrong.

    Example: calstack certificate show --json
    """
    with opened(load_inventory(inventory_name), limit, CONSOLE) as hosts:
        looks = hosts.connection.on_each(
            hosts.connection.names, lambda name: certifying.look_at_certificate(hosts.instance(name))
        )
        return _certificates(hosts, looks, as_json)


@certificate_group.command("renew")
@inventory_option
@limit_option
@json_option
@click.option("--anew", is_flag=True, help="In tls.mode acme: get a new one even where none is due.")
def certificate_renew_command(inventory_name: str, limit: Sequence[str], as_json: bool, anew: bool) -> int:
    """Run the hosts' own renewal now, instead of waiting for the next hour.

    Example: calstack certificate renew --limit cal1 --anew
    """
    with opened(load_inventory(inventory_name), limit, CONSOLE) as hosts, CONSOLE.stage("Certificates"):
        looks = hosts.connection.on_each(
            hosts.connection.names, lambda name: certifying.renew_certificate(hosts.instance(name), anew=anew)
        )
        return _certificates(hosts, looks, as_json)


def _certificates(
    hosts: Opened, looks: Mapping[str, certifying.CertificateLook | CalstackError], as_json: bool
) -> int:
    free = Locked(hosts.connection.names, {})
    return reporting.finish(
        CONSOLE, hosts, free, looks, as_json, lambda look: look.lines(), lambda look: look.document()
    )


@certificate_group.command("authority")
@inventory_option
def certificate_authority_command(inventory_name: str) -> int:
    """Print the certificate of the inventory's private authority (tls.mode internal), and how to trust it.

    Example: calstack certificate authority > calstack-ca.crt
    """
    click.echo(certifying.export_authority(load_inventory(inventory_name), CONSOLE), nl=False)
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
@inventory_option
@json_option
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


@cli.group("bookings")
def bookings_group() -> None:
    """Bookings that guests made."""


@bookings_group.command("purge")
@inventory_option
@limit_option
@json_option
@click.option(
    "--since", required=True, metavar="WHEN", help="Made then or later: 2026-11-24T09:30 (UTC), 12h."
)
@click.option("--until", metavar="WHEN", help="Made before then.")
@click.option("--address", "addresses", multiple=True, metavar="NETWORK", help="Made from there; repeatable.")
@click.option("--email", "emails", multiple=True, metavar="ADDRESS", help="Made under this one; repeatable.")
@click.option(
    "--email-domain", "domains", multiple=True, metavar="DOMAIN", help="Made under one of its addresses."
)
@click.option("--plan", "plan_only", is_flag=True, help="Show what would go, remove nothing.")
@click.option("--yes", is_flag=True, help="Remove without asking.")
def bookings_purge_command(
    inventory_name: str,
    limit: Sequence[str],
    as_json: bool,
    since: str,
    until: str | None,
    addresses: Sequence[str],
    emails: Sequence[str],
    domains: Sequence[str],
    plan_only: bool,
    yes: bool,
) -> int:
    """Remove bookings that a machine made, without a mail to anybody.

    Example: calstack bookings purge --since 12h --email-domain spam.example --address 192.0.2.0/24 --plan
    """
    which = purging.wanted(since, until, addresses, emails, domains, dt.datetime.now(dt.UTC))
    asked = None if plan_only else confirm(yes, "what purge removes")
    with opened(load_inventory(inventory_name), limit, CONSOLE) as hosts, hosts.locked("purge") as free:
        results = hosts.connection.on_each(
            free.names, lambda name: purging.purge(hosts.instance(name), which, asked)
        )
        return reporting.finish(
            CONSOLE, hosts, free, results, as_json, purging.PurgeResult.lines, purging.PurgeResult.as_json
        )


@cli.group("maintenance")
def maintenance_group() -> None:
    """A page in place of the instance, for all but those who work on it."""


@maintenance_group.command("on")
@inventory_option
@limit_option
@json_option
@click.option("-m", "--message", metavar="TEXT", help="What guests read, in place of the usual sentence.")
@click.option(
    "--for", "minutes", type=click.IntRange(1), metavar="MINUTES", help="How long it is expected to take."
)
def maintenance_on_command(
    inventory_name: str, limit: Sequence[str], as_json: bool, message: str | None, minutes: int | None
) -> int:
    """Show guests a page until it is switched off, and print the link that lets you in.

    Example: calstack maintenance on --for 30 --message "We are moving to a larger machine."
    """
    if message is not None:
        maintaining.check_message(message)
    until = maintaining.in_minutes(minutes) if minutes is not None else None
    return _maintain(inventory_name, limit, as_json, lambda it: maintaining.begin(it, message, until))


@maintenance_group.command("off")
@inventory_option
@limit_option
@json_option
def maintenance_off_command(inventory_name: str, limit: Sequence[str], as_json: bool) -> int:
    """Let guests in again.

    Example: calstack maintenance off --inventory example
    """
    return _maintain(inventory_name, limit, as_json, maintaining.end)


@maintenance_group.command("status")
@inventory_option
@limit_option
@json_option
@click.option("--link", is_flag=True, help="Also the link that lets an operator in.")
def maintenance_status_command(inventory_name: str, limit: Sequence[str], as_json: bool, link: bool) -> int:
    """Say whether guests see the page, since when and why.

    Example: calstack maintenance status --json
    """
    return _maintain(inventory_name, limit, as_json, lambda it: maintaining.status(it, link=link))


def _maintain(
    inventory_name: str,
    limit: Sequence[str],
    as_json: bool,
    act: Callable[[Instance], maintaining.MaintenanceResult],
) -> int:
    with opened(load_inventory(inventory_name), limit, CONSOLE) as hosts:
        free = Locked(hosts.connection.names, {})
        results = hosts.connection.on_each(free.names, lambda name: act(hosts.instance(name)))
        return reporting.finish(
            CONSOLE,
            hosts,
            free,
            results,
            as_json,
            maintaining.MaintenanceResult.lines,
            maintaining.MaintenanceResult.as_json,
        )


@cli.group("lab")
def lab_group() -> None:
    """Disposable hosts on this machine that behave like fresh Debian servers."""


@lab_group.command("up")
@inventory_option
def lab_up_command(inventory_name: str) -> int:
    """Start the hosts of a lab inventory.

    Example: calstack lab up
    """
    lab_verbs.up(load_inventory(inventory_name), CONSOLE)
    return 0


@lab_group.command("down")
@inventory_option
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
@inventory_option
@json_option
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


for command in (backup_group, check_backups_command, restore_command):
    cli.add_command(command)

if __name__ == "__main__":
    main()
