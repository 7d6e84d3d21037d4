"""What a role is given when it says which files a host gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from deploy.rendering import render
from deploy.settings.inventory import Inventory
from deploy.settings.model import HostSettings
from deploy.settings.section import SecretReference


class Secrets(Protocol):
    """The secrets of one host; placeholders for `make render`."""

    @property
    def nextauth_secret(self) -> str:
        """Key of the app's sessions."""

    @property
    def encryption_key(self) -> str:
        """Key of what the app keeps encrypted: exactly 32 characters (FACTS §3)."""

    @property
    def cron_api_key(self) -> str:
        """What `/api/cron/*` wants to see."""

    @property
    def cron_secret(self) -> str:
        """What `/api/tasks/*` wants to see."""

    @property
    def database_password(self) -> str:
        """Password of the database's one user; letters and digits, since it stands in a URL."""

    @property
    def admin_password(self) -> str:
        """Password of the first administrator."""

    @property
    def jwt_secret(self) -> str:
        """Key of the tokens that the API gives to managed users."""

    @property
    def backup_password(self) -> str:
        """What opens the host's backup repositories."""

    @property
    def replication_password(self) -> str:
        """Password of the role that receives the database's log; letters and digits."""

    def resolve(self, name: str) -> str:
        """The value of `!secret NAME`; raises `CalstackError` where there is none."""


@dataclass(frozen=True)
class HostContext:
    """One host with everything that its files are made from."""

    name: str
    """The host's name in the inventory."""
    inventory: Inventory
    settings: HostSettings
    secrets: Secrets
    architecture: Literal["amd64", "arm64"]
    certificate: bytes | None
    """What HAProxy reads: certificate, chain and private key as PEM. None where the host gets its own."""
    authority: bytes | None
    """PEM of the authorities that the app shall trust beside the well-known ones, or None."""
    onhost: bytes
    """The zip archive of `deploy/onhost`."""
    distribution: Literal["debian", "ubuntu"] = "debian"
    """ID in the host's /etc/os-release."""
    codename: str = "bookworm"
    """VERSION_CODENAME in the host's /etc/os-release."""
    ipv6: bool = True
    """Whether the host speaks IPv6."""

    def render(self, template: str, **values: object) -> bytes:
        """`templates/TEMPLATE.j2` with the host's settings at hand as `settings`, headed by its origin.

        `ipv6` says whether the host speaks that.
        """
        return render(
            template,
            settings=self.settings,
            ipv6=self.ipv6,
            origin=origin(f"templates/{template}.j2"),
            **values,
        )

    def resolve(self, value: str | SecretReference) -> str:
        """The value itself, or the secret that it names."""
        return self.secrets.resolve(value.secret) if isinstance(value, SecretReference) else value


def origin(source: str) -> str:
    """The line that each file of ours begins with, without the comment sign.

    `source` is a path of this project.
    """
    return f"Made by calstack from {source}; what is changed here is lost at the next deploy."
