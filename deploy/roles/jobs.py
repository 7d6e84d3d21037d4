"""What cron starts through `onhost`: the app's periodic endpoints, the certificate's job, backups."""

from __future__ import annotations

from collections.abc import Collection

from pyinfra.api.deploy import deploy

from deploy.operations import files as file_operations
from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles import backups, certificate
from deploy.roles.context import HostContext
from deploy.roles.periodic_endpoints import ENDPOINTS, cron_lines, jobs_json
from deploy.settings.model import HostSettings

ONHOST_FILE = "/opt/calcom/onhost.pyz"
JOBS_FILE = "/opt/calcom/jobs.json"
CRON_FILE = "etc/cron.d/calcom-jobs"


def files(host: HostContext) -> list[ManagedFile | ManagedDirectory]:
    """`onhost`, what its jobs do, when cron calls them, and where they leave stamps and logs.

    Raises `InputError` for a job that does not exist.
    """
    disable, enable = switched(host.settings)
    lines = cron_lines(disable=disable, enable=enable, others=backups.cron_lines(host.settings))
    return [
        ManagedDirectory("/var/lib/calcom"),
        ManagedDirectory("/var/lib/calcom/stamps"),
        ManagedDirectory("/var/log/calcom", mode="0750"),
        ManagedFile(ONHOST_FILE, host.onhost, mode="0755"),
        ManagedFile(JOBS_FILE, _jobs(host), mode="0600", secret=True),
        ManagedFile(f"/{CRON_FILE}", host.render(CRON_FILE, lines=lines)),
    ]


def switched(settings: HostSettings) -> tuple[Collection[str], Collection[str]]:
    """Which of the app's endpoints are not called, and which are although they are off by default."""
    if settings.clone:
        return [endpoint.name for endpoint in ENDPOINTS], []
    return settings.jobs.disable, settings.jobs.enable


def _jobs(host: HostContext) -> bytes:
    jobs, secrets = host.settings.jobs, host.secrets
    disable, enable = switched(host.settings)
    return jobs_json(
        host.settings.domain,
        cron_api_key=secrets.cron_api_key,
        cron_secret=secrets.cron_secret,
        ping_url=None if jobs.ping_url is None else host.resolve(jobs.ping_url),
        inner_port=host.settings.proxy.inner_port,
        disable=disable,
        enable=enable,
        others={"certificate": certificate.job(host), **backups.jobs(host.settings)},
    ).encode()


@deploy("Jobs")
def install_jobs(host: HostContext) -> None:
    """Place `onhost` and cron's lines; cron notices by itself."""
    file_operations.managed(name="The jobs lie in place", items=files(host))
