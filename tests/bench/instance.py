"""A stand-in on a real PostgreSQL with its first administrator, for the bench and for tests of seeding."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import redis

from deploy.calcom.api import ApiChannel
from deploy.calcom.http import RetryPolicy, open_client
from deploy.calcom.session import password_login
from deploy.calcom.setup import create_first_admin
from deploy.calcom.web import WebChannel
from tests.contract.replay import WEB_SETTINGS
from tests.contract.replaying import servers

EMAIL = "admin@example.test"
PASSWORD = "Correct-Horse-Battery-9"
KEY = "0123456789abcdef0123456789abcdef"
CALLS_A_MINUTE = 100_000
NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)


@dataclass
class SeedableInstance:
    """A running stand-in; its database is as empty as after the first sign-in."""

    url: str
    database_url: str
    session: str
    api_url: str = ""
    """Empty where there is no API."""
    redis_url: str = ""

    @contextlib.contextmanager
    def channel(self, transport: httpx.BaseTransport | None = None) -> Iterator[WebChannel]:
        """The administrator's channel; through this transport, and without retries, where one is given."""
        if transport is not None:
            with httpx.Client(base_url=self.url, transport=transport) as http:
                yield WebChannel(http, self.session, policy=RetryPolicy(attempts=1))
            return
        with open_client(self.url) as http:
            yield WebChannel(http, self.session)

    @contextlib.contextmanager
    def api_channel(self, transport: httpx.BaseTransport | None = None) -> Iterator[ApiChannel]:
        """The administrator's channel over API v2, with a key that may do as much as it likes."""
        with httpx.Client(base_url=self.api_url, transport=transport, timeout=60) as http:
            yield ApiChannel(http, f"cal_{KEY}")

    @contextlib.contextmanager
    def limited(self, calls: int, window_seconds: int) -> Iterator[None]:
        """The key may do so many calls in a window, for as long as the block lasts."""
        self._limit(calls, window_seconds)
        try:
            yield
        finally:
            self._limit(CALLS_A_MINUTE, 60)

    def _limit(self, calls: int, window_seconds: int) -> None:
        with psycopg.connect(self.database_url) as connection:
            connection.execute(
                'update "RateLimit" set "limit" = %s, ttl = %s, "blockDuration" = %s',
                (calls, window_seconds * 1000, window_seconds * 1000),
            )
        # Counters and the API's copies of the rows.
        with redis.Redis.from_url(self.redis_url) as cache:
            cache.flushall()

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What a query on its database answers."""
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(query.encode()).fetchall()

    def empty(self) -> None:
        """Take away what seeding made, so that the next test begins anew."""
        with psycopg.connect(self.database_url) as connection:
            connection.execute('delete from "Webhook"; delete from "EventType"; delete from "Schedule"')


@contextlib.contextmanager
def seedable_instance(*, with_api: bool = False) -> Iterator[SeedableInstance]:
    """Start one, on a PostgreSQL of its own, and a Redis where there is to be an API; removed afterwards."""
    with contextlib.ExitStack() as stack:
        server_url = stack.enter_context(servers.postgres())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = stack.enter_context(servers.scratch_database(server_url))
        running = stack.enter_context(servers.stand_in(database, folder, WEB_SETTINGS, NOW))
        # The stand-in says it is http://localhost:3000; the sign-in wants nothing of that name.
        with open_client(running.url) as http:
            create_first_admin(http, username="admin", full_name="Ada", email=EMAIL, password=PASSWORD)
            session = password_login(http, EMAIL, PASSWORD)
        instance = SeedableInstance(running.url, database, session)
        if with_api:
            instance.redis_url = stack.enter_context(servers.redis_server())
            settings = {"REWRITE_API_V2_PREFIX": "1", "DOCS_URL": "", **WEB_SETTINGS}
            instance.api_url = stack.enter_context(
                servers.api(database, instance.redis_url, folder, settings, running.clock)
            )
            _add_key(database)
        yield instance


def _add_key(database_url: str) -> None:
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    with psycopg.connect(database_url) as connection:
        connection.execute(
            'insert into "ApiKey" (id, "userId", note, "hashedKey") select %s, id, %s, %s from users',
            ("bench", "bench", digest),
        )
        connection.execute(
            'insert into "RateLimit" (id, name, "apiKeyId", "limit", ttl, "blockDuration", "updatedAt")'
            " values ('bench', 'bench', 'bench', %s, 60000, 60000, now())",
            (CALLS_A_MINUTE,),
        )
