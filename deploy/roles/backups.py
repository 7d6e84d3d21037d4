"""Backups: where runs go, the program that keeps them, and the jobs that make and prove them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pyinfra.api.deploy import deploy

from deploy.operations import backups as backup_operations
from deploy.operations import files as file_operations
from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles import continuous
from deploy.roles.context import HostContext
from deploy.roles.periodic_endpoints import ONHOST, CronLine
from deploy.settings.backups import Repository
from deploy.settings.environment import own_server, smtp_environment
from deploy.settings.layout import BACKUP, BACKUP_STATE, CERTIFICATE_RECORD, NEW_HOST, PROJECT, RESTIC
from deploy.settings.model import HostSettings
from deploy.settings.rules import longest_pause
from deploy.version import VERSION

CONFIG_FILE = f"{BACKUP}/config.json"


def files(host: HostContext) -> list[ManagedFile | ManagedDirectory]:
    """Where runs go, and the keys for that; nothing where the settings name no repository.

    Raises `CalstackError` for a secret that is missing.
    """
    chosen = host.settings.backups
    if not _makes_runs(host.settings):
        return []
    return [
        ManagedDirectory(BACKUP, mode="0700"),
        ManagedFile(
            CONFIG_FILE, _config(host, _own_repositories(host), _tell(host)), mode="0600", secret=True
        ),
        *(
            ManagedFile(f"{BACKUP}/{seed.name}", seed.read_bytes(), mode="0600")
            for seed in [host.inventory.seed_file]
            if seed.exists()
        ),
        *(item for name, repository in chosen.repositories.items() for item in _keys(host, name, repository)),
    ]


def jobs(settings: HostSettings) -> dict[str, dict[str, Any]]:
    """The parts of the jobs file that describe them."""
    return {
        name: {
            "backup": verb,
            "limit_seconds": settings.backups.limit_minutes * 60 * (len(settings.backups.repositories) + 1),
            "interval_seconds": longest_pause(schedule),
            "jitter_seconds": settings.backups.jitter_minutes * 60,
            "only_last_day_of_month": False,
            "pause_after_failure_seconds": 3000,
        }
        for name, verb, schedule, _ in _jobs(settings)
    } | continuous.jobs(settings)


def cron_lines(settings: HostSettings) -> list[CronLine]:
    """When cron starts them."""
    own = [CronLine(schedule, f"{ONHOST} job {name}", why) for name, _, schedule, why in _jobs(settings)]
    return [*own, *continuous.cron_lines(settings)]


@deploy("Backups")
def install_program(host: HostContext) -> None:
    """Put restic in place, out of its image."""
    image = host.settings.images.restic
    reference = image.for_architecture(host.architecture) if image else None
    wanted = reference if _makes_runs(host.settings) else None
    backup_operations.program_from_image(name="restic is there", image=wanted, program=RESTIC)


@deploy("New host")
def prepare_reading(host: HostContext, repository_name: str, repository: Repository, password: str) -> None:
    """Place what reads a repository on a host that has nothing of its own yet, and restic."""
    image = host.settings.images.restic
    backup_operations.program_from_image(
        name="restic is there",
        image=image.for_architecture(host.architecture) if image else None,
        program=RESTIC,
    )
    items: list[ManagedFile | ManagedDirectory] = [
        ManagedDirectory("/var/lib/calcom"),
        ManagedDirectory(NEW_HOST, mode="0700"),
        ManagedFile(f"{NEW_HOST}/onhost.pyz", host.onhost),
        ManagedFile(
            f"{NEW_HOST}/config.json",
            _config(host, {repository_name: (repository, password)}, {}),
            mode="0600",
            secret=True,
        ),
        ManagedDirectory(BACKUP, mode="0700"),
        *_keys(host, repository_name, repository),
    ]
    file_operations.managed(name="The host can read the repository", items=items)


@deploy("New host")
def fill_database(host: HostContext, run: str, instance: str) -> None:
    """Make the new database hold a run of that instance, before the app sees it."""
    backup_operations.database_filled(
        name="The database holds the run",
        run=run,
        instance=instance,
        admin=host.settings.admin.email,
        clone=host.settings.clone,
    )


def _makes_runs(settings: HostSettings) -> bool:
    """A clone reads from repositories and writes into none: its runs would stand among the original's."""
    return bool(settings.backups.repositories) and not settings.clone


def _jobs(settings: HostSettings) -> Iterator[tuple[str, str, str, str]]:
    chosen = settings.backups
    if _makes_runs(settings):
        yield "backup", "run", chosen.schedule, "makes a run in every repository"
        yield "drill", "drill", chosen.drill_schedule, "restores the newest runs and compares them"
        yield "retention", "retention", chosen.retention_schedule, "forgets old runs"
        yield "repository-check", "check", chosen.check_schedule, "reads a part of the repositories' data"


def _own_repositories(host: HostContext) -> dict[str, tuple[Repository, str]]:
    return {
        name: (repository, host.resolve(repository.password or host.secrets.backup_password))
        for name, repository in host.settings.backups.repositories.items()
    }


def _config(
    host: HostContext, repositories: Mapping[str, tuple[Repository, str]], tell: Mapping[str, Any]
) -> bytes:
    """Where to, what, and who is told; each repository comes with its password."""
    chosen, keep = host.settings.backups, host.settings.backups.keep
    document = {
        "instance": host.settings.domain,
        "restic": RESTIC,
        "database": {"service": "db", "user": "calcom", "name": "calcom"},
        "repositories": [
            {
                "name": name,
                "url": repository.url,
                "password": password,
                "environment": _environment(host, name, repository),
                "options": _options(name, repository),
                "append_only": repository.append_only,
                "upload_kib": repository.upload_kib,
            }
            for name, (repository, password) in repositories.items()
        ],
        "paths": [PROJECT],
        "paths_if_there": [CERTIFICATE_RECORD],
        "exclude": [CONFIG_FILE, f"{BACKUP}/*.key", *chosen.exclude],
        "environment_file": f"{PROJECT}/web.env",
        "versions": {"app": host.settings.app.version, "calstack": VERSION},
        "limit_seconds": chosen.limit_minutes * 60,
        "max_age_hours": chosen.max_age_hours,
        "keep": keep.model_dump(),
        "tell": tell,
        "state": BACKUP_STATE,
        "continuous": continuous.config(host.settings),
    }
    return (json.dumps(document, indent=2) + "\n").encode()


def _tell(host: HostContext) -> dict[str, Any]:
    chosen = host.settings.backups.tell
    return {
        "webhook": None if chosen.webhook is None else host.resolve(chosen.webhook),
        "mail": _mail(host) if chosen.mail_to else None,
        "metrics_file": chosen.metrics_file,
        "authorities": host.authority.decode() if host.authority else None,
    }


def _mail(host: HostContext) -> dict[str, Any]:
    """Where mails are handed in: a server of their own, else the app's, which a rule makes sure of."""
    chosen, resolve = host.settings.backups.tell, host.secrets.resolve
    mail: dict[str, Any] = {"recipients": chosen.mail_to, "sender": chosen.mail_from}
    if chosen.mail_server is None:
        of_the_app = smtp_environment(host.settings, resolve)
        return mail | {
            "host": of_the_app["EMAIL_SERVER_HOST"],
            "port": int(of_the_app["EMAIL_SERVER_PORT"]),
            "user": of_the_app.get("EMAIL_SERVER_USER"),
            "password": of_the_app.get("EMAIL_SERVER_PASSWORD"),
            "sender": chosen.mail_from or of_the_app["EMAIL_FROM"],
        }
    server = own_server("backups.tell.mail_server", chosen.mail_server, chosen.mail_password, resolve)
    return mail | {
        "host": server.host,
        "port": server.port,
        "user": server.user,
        "password": server.password,
        "sender": chosen.mail_from or f"noreply@{host.settings.domain}",
    }


def _environment(host: HostContext, name: str, repository: Repository) -> dict[str, str]:
    authority = {"RESTIC_CACERT": f"{BACKUP}/{name}.ca.pem"} if repository.ca_file else {}
    return authority | {key: host.resolve(value) for key, value in repository.environment.items()}


def _options(name: str, repository: Repository) -> list[str]:
    options = []
    if repository.ssh_key is not None:
        arguments = (
            f"-i {BACKUP}/{name}.key -o UserKnownHostsFile={BACKUP}/{name}.known_hosts "
            "-o StrictHostKeyChecking=yes -o BatchMode=yes -o IdentitiesOnly=yes"
        )
        options.append(f"sftp.args={arguments}")
    return options


def _keys(host: HostContext, name: str, repository: Repository) -> Iterator[ManagedFile]:
    if repository.ca_file is not None:
        yield ManagedFile(f"{BACKUP}/{name}.ca.pem", host.inventory.file(repository.ca_file).read_bytes())
    if repository.ssh_key is not None and repository.ssh_known_hosts is not None:
        key = host.resolve(repository.ssh_key).rstrip("\n") + "\n"
        yield ManagedFile(f"{BACKUP}/{name}.key", key.encode(), mode="0600", secret=True)
        yield ManagedFile(f"{BACKUP}/{name}.known_hosts", repository.ssh_known_hosts.encode())
