"""PostgreSQL: its password, which only its own user may read."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from deploy.operations import stack
from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles.context import HostContext

DIRECTORY = "/opt/calcom/database"
POSTGRES = 999
"""User and group of PostgreSQL in the official image; the container starts as that user."""


def files(host: HostContext) -> list[ManagedFile | ManagedDirectory]:
    """The password file that the image reads when it makes a new database."""
    return [
        ManagedDirectory(DIRECTORY),
        ManagedFile(
            f"{DIRECTORY}/password",
            host.secrets.database_password.encode(),
            mode="0400",
            owner=POSTGRES,
            group=POSTGRES,
            secret=True,
        ),
    ]


@deploy("Database")
def run_database(host: HostContext) -> None:
    """Start PostgreSQL and wait until it accepts connections."""
    image = host.settings.images.database.for_architecture(host.architecture)
    stack.up(name="PostgreSQL runs", images={"db": image}, timeout=180)
