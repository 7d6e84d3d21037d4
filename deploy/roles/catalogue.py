"""Every file of a host, in the order in which the site is built."""

from __future__ import annotations

from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles import api, app, backups, base, certificate, continuous, database, docker, jobs, proxy
from deploy.roles.context import HostContext

ROLES = (base, docker, database, app, api, proxy, certificate, backups, continuous, jobs)


def all_files(host: HostContext) -> list[ManagedFile | ManagedDirectory]:
    """What `make render` writes and what a deploy compares the host with.

    Raises `CalstackError` for what a role cannot make a file of: a secret that is missing, an unknown job.
    """
    return [item for role in ROLES for item in role.files(host)]
