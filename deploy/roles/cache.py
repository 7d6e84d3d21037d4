"""Redis or Valkey, which the API counts and queues in; there is one only where there is an API."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from deploy.operations import stack
from deploy.roles.context import HostContext

# The API puts `?tls=true` behind the address for its queue (FACTS §0.4). Behind a query that stands there
# already it becomes a part of the connection's name, and the queue speaks plain TCP as the cache does (§13).
URL = "redis://cache:6379/0?connectionName=calcom"


@deploy("Cache")
def run_cache(host: HostContext) -> None:
    """Start the cache where there is an API and wait until it answers."""
    image = host.settings.images.cache
    images = {} if image is None else {"cache": image.for_architecture(host.architecture)}
    stack.up(name="The cache runs", images=images, timeout=60)
