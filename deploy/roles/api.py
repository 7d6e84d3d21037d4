"""Cal.com's API v2: its environment, and its place in the compose project. Optional: `images.api`."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api.deploy import deploy

from deploy.operations import stack
from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles import cache
from deploy.roles.context import HostContext, origin
from deploy.roles.environment_file import environment_file
from deploy.roles.shared_environment import shared_environment

ENVIRONMENT_FILE = "/opt/calcom/api.env"
PORT = 5555

# The API does not start without these (FACTS §3); billing is off, so nothing is sent with them.
_NO_STRIPE = "sk_test_not_in_use"

_PER_WORKER = 4
_SHARED_POOL = 5
"""Connections of the pool that web and API have in common in their code (USE_POOL, FACTS §3)."""


@dataclass(frozen=True)
class Pools:
    """How many connections to the database the API may hold."""

    read: int
    write: int
    workers: int
    """Threads that compute slots, each with two connections to read and two to write."""

    @classmethod
    def of(cls, max_connections: int) -> Pools:
        """Three tenths of what the database accepts (40 at least), at most the API's own defaults."""
        share = max_connections * 3 // 10 - _SHARED_POOL
        read, write = min(9, max(3, share // 3)), min(7, max(3, share // 4))
        return cls(read, write, min(4, max(0, share - read - write) // _PER_WORKER))

    @property
    def most(self) -> int:
        """All connections together."""
        return self.read + self.write + self.workers * _PER_WORKER + _SHARED_POOL


def files(host: HostContext) -> list[ManagedFile | ManagedDirectory]:
    """The API's environment, where there is an API."""
    if not host.settings.has_api:
        return []
    content = environment_file(environment(host), origin=origin("deploy/roles/api.py"))
    return [ManagedFile(ENVIRONMENT_FILE, content, mode="0600", secret=True)]


def environment(host: HostContext) -> dict[str, str]:
    """All variables of the API, in the order of the file.

    What web and API must agree on comes from one place (FACTS §3). Raises `InputError` for a secret that is
    missing or a value that the API could not read.
    """
    settings, secrets = host.settings, host.secrets
    database = f"postgresql://calcom:{secrets.database_password}@db:5432/calcom"
    pools, limits = Pools.of(settings.database.max_connections), settings.rate_limits.api
    return shared_environment(host) | {
        "NODE_OPTIONS": f"--max-old-space-size={settings.api.memory_mb * 3 // 4}",
        # Whatever is written at the start goes there: the rest of the container is read-only.
        "HOME": "/tmp",  # noqa: S108 - a tmpfs of the container's own
        "API_PORT": str(PORT),
        "API_URL": settings.api_url,
        "WEB_APP_URL": settings.public_url,
        "DATABASE_URL": database,
        "DATABASE_DIRECT_URL": database,
        "DATABASE_READ_URL": database,
        "DATABASE_WRITE_URL": database,
        "DATABASE_READ_POOL_MAX": str(pools.read),
        "DATABASE_WRITE_POOL_MAX": str(pools.write),
        "DATABASE_READ_WORKER_POOL_MAX": "2",
        "DATABASE_WRITE_WORKER_POOL_MAX": "2",
        "USE_POOL": "true",
        "ENABLE_SLOTS_WORKERS": "true" if pools.workers else "false",
        "SLOTS_WORKER_POOL_SIZE": str(max(1, pools.workers)),
        "REDIS_URL": cache.URL,
        "JWT_SECRET": secrets.jwt_secret,
        "STRIPE_API_KEY": _NO_STRIPE,
        "STRIPE_WEBHOOK_SECRET": _NO_STRIPE,
        # Exactly 1: any other text, `true` included, switches /api/v2 off (FACTS §0.12).
        "REWRITE_API_V2_PREFIX": "1",
        # Empty: any text, `false` included, sends whoever makes a team to Stripe (FACTS §0.13).
        "IS_TEAM_BILLING_ENABLED": "",
        # Where there is an address, the API does not serve its documentation itself (FACTS §9).
        "DOCS_URL": settings.public_url,
        # From info on, the log holds every caller's key in clear (FACTS §13).
        "LOG_LEVEL": "warn",
        "LOGGER_BRIDGE_LOG_LEVEL": "2",
        "RATE_LIMIT_DEFAULT_TTL_MS": str(limits.window_seconds * 1000),
        "RATE_LIMIT_DEFAULT_LIMIT_API_KEY": str(limits.limit),
        "RATE_LIMIT_DEFAULT_LIMIT_OAUTH_CLIENT": str(limits.limit),
        "RATE_LIMIT_DEFAULT_LIMIT_ACCESS_TOKEN": str(limits.limit),
        "RATE_LIMIT_DEFAULT_LIMIT": str(limits.anonymous_limit),
        "RATE_LIMIT_DEFAULT_BLOCK_DURATION_MS": str(limits.block_seconds * 1000),
    }


@deploy("API")
def run_api(host: HostContext) -> None:
    """Start the API where there is one and wait until it answers."""
    image = host.settings.images.api
    images = {} if image is None else {"api": image.for_architecture(host.architecture)}
    stack.up(name="The API runs", images=images, timeout=host.settings.api.start_period_seconds)
