"""Where backups go, when, and how long they are kept: the settings `backups`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator, model_validator

from deploy.settings import rules
from deploy.settings.continuous import Continuous
from deploy.settings.section import FilePath, Line, SecretReference, Section
from deploy.settings.smtp_server import SmtpServer

_REPOSITORY_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_CREDENTIALS = re.compile(r"^[a-z0-9+]+:(https?://)?[^/@]+:[^/@]+@")


class Repository(Section):
    """One place where backups lie."""

    url: str
    """As restic takes it: a path on the host, `sftp:USER@HOST:/PATH`, `s3:https://HOST/BUCKET`,
    `rest:https://HOST/NAME`."""
    password: SecretReference | None = None
    """What opens the repository; without it calstack makes one for the host (`backup_password`)."""
    environment: dict[str, str | SecretReference] = {}
    """Credentials of the storage as restic reads them: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    RESTIC_REST_USERNAME, RESTIC_REST_PASSWORD and the like."""
    ssh_key: SecretReference | None = None
    """Private key for `sftp:`."""
    ssh_known_hosts: str | None = None
    """Lines of a known_hosts file for `sftp:`, so that the storage's host is the one that is meant."""
    ca_file: FilePath | None = None
    """PEM of the authority of the storage's certificate, where it is a private one; relative to the
    inventory."""
    append_only: bool = False
    """The storage lets the host add and not delete; whoever runs it applies the retention there."""
    upload_kib: Annotated[int, Field(ge=1)] | None = None
    """Most that is sent, in KiB a second."""

    @field_validator("url")
    @classmethod
    def _url_is_sound(cls, value: str) -> str:
        """An absolute path, or one of restic's storages; no password inside."""
        if _CREDENTIALS.match(value):
            raise rules.refused(
                "carries a password in plain text",
                "leave it out, and write environment: {RESTIC_REST_PASSWORD: !secret NAME} or the like",
            )
        if not value.startswith("/") and not re.match(r"(sftp|s3|rest|b2|azure|gs|swift|rclone):.", value):
            raise rules.refused(
                "is neither an absolute path nor a storage that restic knows",
                "write it like /var/backups/calcom or sftp:backup@nas.example.com:/backups/cal1",
            )
        return value

    @model_validator(mode="after")
    def _ssh_belongs_to_sftp(self) -> Repository:
        """`ssh_key` and `ssh_known_hosts` stand together, and with `sftp:` alone."""
        given = [key for key in ("ssh_key", "ssh_known_hosts") if getattr(self, key) is not None]
        if given and not self.url.startswith("sftp:"):
            raise rules.refused("has no meaning without sftp:", "remove it", key=given[0])
        if self.url.startswith("sftp:") and len(given) < 2:
            raise rules.refused(
                "goes over SSH, and the host needs a key and must know the storage's own",
                "add ssh_key: !secret NAME and ssh_known_hosts (the lines of ssh-keyscan HOST, once checked)",
                key="url",
            )
        return self


class Keep(Section):
    """Which runs stay. Of a day, week or month it is the newest."""

    last: Annotated[int, Field(ge=1)] = 3
    daily: Annotated[int, Field(ge=0)] = 14
    weekly: Annotated[int, Field(ge=0)] = 8
    monthly: Annotated[int, Field(ge=0)] = 12
    within_days: Annotated[int, Field(ge=1)] = 3
    """Younger ones stay, whatever the other rules say."""


class Tell(Section):
    """Who is told how backups go: once when something begins to fail, once when it is well again."""

    webhook: Annotated[str, AfterValidator(rules.web_address)] | SecretReference | None = None
    """Address that takes a POST of `{"text": …}`, as Slack's and Mattermost's incoming webhooks do."""
    mail_to: list[Annotated[str, AfterValidator(rules.email)]] = []
    """Who gets a mail."""
    mail_server: Line | SecretReference | None = None
    """smtp://USER@HOST:587 or smtps://USER@HOST:465; without it the mail server of `smtp`."""
    mail_password: SecretReference | None = None
    """Password for `mail_server`, where it names a user."""
    mail_from: Annotated[str, AfterValidator(rules.email)] | None = None
    """The sender; without it the one of `smtp`, or noreply@DOMAIN."""
    metrics_file: Annotated[str, AfterValidator(rules.absolute_path)] | None = None
    """A file for Prometheus' node_exporter (its textfile collector), e.g.
    /var/lib/prometheus/node-exporter/calcom_backup.prom; its folder has to be there."""

    @field_validator("mail_server")
    @classmethod
    def _server_is_sound(cls, value: str | SecretReference | None) -> str | SecretReference | None:
        """smtps:// goes with port 465 alone; no password inside a plain value."""
        if isinstance(value, str):
            try:
                server = SmtpServer.from_url(value)
            except ValueError as error:
                raise rules.refused(str(error), "write it like smtp://USER@HOST:587") from None
            if server.password is not None:
                raise rules.refused(
                    "carries a password in plain text",
                    "leave it out, and write mail_password: !secret NAME",
                )
        return value

    @model_validator(mode="after")
    def _companions_have_their_lead(self) -> Tell:
        """`mail_server` and `mail_from` belong to `mail_to`, `mail_password` to `mail_server`."""
        for key, needs in (
            ("mail_password", "mail_server"),
            ("mail_server", "mail_to"),
            ("mail_from", "mail_to"),
        ):
            if getattr(self, key) is not None and not getattr(self, needs):
                raise rules.refused(f"stands there without {needs}", f"add {needs}, or remove it", key=key)
        return self


class Backups(Section):
    """Backups of the database, its keys and the configuration, and the drill that proves them."""

    repositories: dict[str, Repository] = {}
    """Where runs go, by a name of yours; several are better than one: another disk, another house."""
    schedule: str = "17 2 * * *"
    """When a run is made, as cron writes it, in the host's time."""
    drill_schedule: str = "43 3 * * *"
    """When the newest run of each repository is restored and compared."""
    retention_schedule: str = "13 5 * * *"
    """When old runs are forgotten."""
    check_schedule: str = "37 5 * * *"
    """When a twenty-eighth of each repository's data is read and checked."""
    jitter_minutes: Annotated[int, Field(ge=0, le=60)] = 5
    """Each of these begins up to so much later, by chance: many hosts do not reach one storage at once."""
    max_age_hours: Annotated[int, Field(ge=1)] = 26
    """How old the newest proven run may be; beyond that `verify` and the drill complain."""
    limit_minutes: Annotated[int, Field(ge=1)] = 360
    """How long a run may take for one repository."""
    keep: Keep = Keep()
    tell: Tell = Tell()
    continuous: Continuous = Continuous()
    exclude: list[str] = []
    """Patterns, as of a shell, of paths below /opt/calcom that are left out."""

    def warnings(self) -> list[str]:
        """What is allowed but should be known."""
        urls = [repository.url for repository in self.repositories.values()]
        if not urls or not all(url.startswith("/") for url in urls):
            return []
        return [
            "backups.repositories are folders of the host alone: unless that is another machine's disk, a "
            "lost host takes its backups along; name one elsewhere (docs/restore-new-host.md)"
        ]

    @field_validator("repositories")
    @classmethod
    def _names_are_plain(cls, value: dict[str, Repository]) -> dict[str, Repository]:
        """Names have small letters, digits and dashes; they become file names."""
        for name in value:
            if not _REPOSITORY_NAME.fullmatch(name):
                raise rules.refused(
                    "has small letters, digits and dashes only", "write it like offsite", key=name
                )
        if len({repository.url for repository in value.values()}) < len(value):
            raise rules.refused("names one place twice", "keep one entry a place")
        return value

    @model_validator(mode="after")
    def _continuous_has_somewhere_to_go(self) -> Backups:
        """`continuous` needs a repository."""
        if self.continuous.enabled and not self.repositories:
            raise rules.refused(
                "has nowhere to send the log to", "name a place in backups.repositories", key="continuous"
            )
        return self

    @field_validator("schedule", "drill_schedule", "retention_schedule", "check_schedule")
    @classmethod
    def _schedule_is_cron_s(cls, value: str) -> str:
        """Five fields of crontab(5)."""
        return rules.cron_schedule(value)
