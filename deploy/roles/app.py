"""Cal.com's web app: its environment and the compose project that it runs in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from pyinfra.api.deploy import deploy

from deploy.operations import files as file_operations
from deploy.operations import stack
from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles import api, continuous
from deploy.roles.context import HostContext, origin
from deploy.roles.environment_file import environment_file
from deploy.roles.shared_environment import shared_environment
from deploy.settings.layout import PROXY_SOCKETS

COMPOSE_FILE = "/opt/calcom/compose.yaml"
ENVIRONMENT_FILE = "/opt/calcom/web.env"
AUTHORITIES = "/opt/calcom/authorities"

# Cookies of 20 kB exist in the wild; Node's own limit for all headers of a request is 16 kB.
_NODE_HEADER_LIMIT = 32768


def files(host: HostContext) -> list[ManagedFile | ManagedDirectory]:
    """The project, the app's environment, and the authorities that the app trusts where there are some."""
    items: list[ManagedFile | ManagedDirectory] = [
        ManagedFile(
            ENVIRONMENT_FILE,
            environment_file(environment(host), origin=origin("deploy/roles/app.py")),
            mode="0600",
            secret=True,
        ),
        ManagedFile(COMPOSE_FILE, _compose_file(host)),
    ]
    if host.authority is not None:
        items += [
            ManagedDirectory(AUTHORITIES),
            ManagedFile(f"{AUTHORITIES}/ca.pem", host.authority),
        ]
    return items


def environment(host: HostContext) -> dict[str, str]:
    """All variables of the web app, in the order of the file; the user's own stand last.

    Raises `InputError` for a secret that is missing or a value that the app could not read.
    """
    settings, secrets = host.settings, host.secrets
    database = f"postgresql://calcom:{secrets.database_password}@db:5432/calcom"
    own = {
        "NODE_OPTIONS": (
            f"--max-old-space-size={settings.app.memory_mb * 3 // 4} "
            f"--max-http-header-size={_NODE_HEADER_LIMIT}"
        ),
        # The inside of a JSON array, so with its quotes; the app parses it as it starts (FACTS §3).
        "ALLOWED_HOSTNAMES": f'"{settings.domain}"',
        "DATABASE_URL": database,
        "DATABASE_DIRECT_URL": database,
        "DATABASE_HOST": "db:5432",
        # Both always: without CRON_SECRET the header `Bearer undefined` lets anybody in (FACTS §0.6).
        "CRON_API_KEY": secrets.cron_api_key,
        "CRON_SECRET": secrets.cron_secret,
    }
    if settings.app.turnstile is not None:
        own["NEXT_PUBLIC_CLOUDFLARE_SITEKEY"] = settings.app.turnstile.site_key
        own["CLOUDFLARE_TURNSTILE_SECRET"] = secrets.resolve(settings.app.turnstile.secret.secret)
    return own | shared_environment(host)


def _compose_file(host: HostContext) -> bytes:
    return host.render(
        "opt/calcom/compose.yaml",
        architecture=host.architecture,
        web_image=_web_image(host),
        trusts_authority=host.authority is not None,
        authority_hash=_hash(host.authority or b""),
        api_port=api.PORT,
        proxy_sockets=PROXY_SOCKETS,
        database_hash=_hash(host.secrets.database_password.encode() + continuous.host_rules(host)),
        **continuous.compose_values(host),
    )


def _hash(content: bytes) -> str:
    """A short digest of a mounted file: a changed label makes Compose replace the container that reads it."""
    return hashlib.sha256(content).hexdigest()[:16]


@deploy("Project")
def place_project(host: HostContext, others: Sequence[ManagedFile | ManagedDirectory]) -> None:
    """Place the files of all services at once: Compose reads them all before it starts one."""
    stack.encryption_key_kept(
        name="The instance keeps its encryption key",
        environment_file=ENVIRONMENT_FILE,
        key=host.secrets.encryption_key,
    )
    file_operations.managed(name="The compose project's files lie in place", items=[*files(host), *others])


@deploy("App")
def prepare_database(host: HostContext) -> None:
    """Migrate and seed the app store, each judged for itself, before the app starts on the database."""
    image = _web_image(host)
    stack.migrated(name="This image's migrations are applied", image=image)
    stack.apps_seeded(
        name="The app store knows its apps", image=image, environment_digest=_digest(environment(host))
    )


@deploy("App")
def run_app(host: HostContext) -> None:
    """Start the web app and wait until it answers."""
    stack.up(
        name="The web app runs",
        images={"web": _web_image(host)},
        timeout=host.settings.app.start_period_seconds,
    )


def _web_image(host: HostContext) -> str:
    return host.settings.images.web.for_architecture(host.architecture)


def _digest(variables: dict[str, str]) -> str:
    return _hash(json.dumps(variables, sort_keys=True).encode())
