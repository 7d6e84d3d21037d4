"""A host to try the roles with: no inventory on disk, secrets that are easy to find again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deploy.errors import InputError
from deploy.roles.context import HostContext
from deploy.settings.inventory import Inventory
from deploy.settings.model import HostSettings

DOMAIN = "cal1.example.test"

# Each is as long as the real one; base64 has signs that a sloppy file format would change.
SECRETS = {
    "nextauth_secret": "bmV4dGF1dGgrc2VjcmV0L3dpdGgtMzItYnl0ZXMhISE=",
    "encryption_key": "ZW5jcnlwdGlvbitrZXkvd2l0aDI0Yj09",
    "cron_api_key": "a1" * 32,
    "cron_secret": "b2" * 32,
    "database_password": "c3" * 24,
    "admin_password": "Ada-likes-27-numbers",
    "jwt_secret": "d4" * 32,
    "backup_password": "e5" * 32,
    "replication_password": "f6" * 32,
}
IMAGES = {
    "web": {"reference": "calstack-lab/calcom:6.2.0", "pull": "never"},
    "database": {"reference": "calstack-lab/postgres:17", "pull": "never"},
    "proxy": {"reference": "calstack-lab/haproxy:3.0", "pull": "never"},
}
WITH_API = IMAGES | {
    "api": {"reference": "calstack-lab/calcom-api:6.2.0", "pull": "never"},
    "cache": {"reference": "calstack-lab/redis:8.0", "pull": "never"},
}
"""The images of a host that has an API."""

GIVEN = {
    "smtp_password": "p$ss 'w' \"x\" #1\\",
    "token": "t0ken-of-the-user",
    "binding": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W",
}


class KnownSecrets:
    """Every secret as it stands above."""

    nextauth_secret = SECRETS["nextauth_secret"]
    encryption_key = SECRETS["encryption_key"]
    cron_api_key = SECRETS["cron_api_key"]
    cron_secret = SECRETS["cron_secret"]
    database_password = SECRETS["database_password"]
    admin_password = SECRETS["admin_password"]
    jwt_secret = SECRETS["jwt_secret"]
    backup_password = SECRETS["backup_password"]
    replication_password = SECRETS["replication_password"]

    def resolve(self, name: str) -> str:
        """What the user gave under that name."""
        try:
            return GIVEN[name]
        except KeyError:
            raise InputError(f"no secret is named {name}") from None


def host_context(
    *,
    certificate: bytes | None = b"CERTIFICATE AND KEY\n",
    authority: bytes | None = b"AUTHORITY\n",
    **settings: Any,
) -> HostContext:
    """A host with these settings beside the ones that must be there."""
    given = HostSettings.model_validate(
        {
            "ssh": {"address": "127.88.0.1"},
            "domain": DOMAIN,
            "admin": {"email": f"admin@{DOMAIN}"},
            "images": IMAGES,
            **settings,
        }
    )
    return HostContext(
        name="cal1",
        inventory=Inventory("test", Path("/nowhere"), {"cal1": given}, lab=None),
        settings=given,
        secrets=KnownSecrets(),
        architecture="amd64",
        certificate=certificate,
        authority=authority,
        onhost=b"ONHOST ARCHIVE",
    )
