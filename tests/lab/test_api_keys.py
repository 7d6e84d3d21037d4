"""The rows of API keys and their limits, on a real database with the stand-in's tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.actions.api_key import ensure_api_key
from deploy.actions.instance import AdminUser, Instance
from deploy.actions.limits import LimitsResult, apply_limits
from deploy.lab.standin.migrate import migrate
from deploy.secrets import placeholders
from deploy.settings.inventory import Inventory
from tests.contract.replaying.servers import postgres, scratch_database
from tests.database_remote import DatabaseRemote
from tests.unit.roles.hosts import WITH_API, host_context

pytestmark = pytest.mark.docker

ADA, BOB = AdminUser(1, "ada@example.test"), AdminUser(2, "bob@example.test")
KEY = "<api_key>"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture(scope="module")
def server(docker_engine: None) -> Iterator[str]:  # noqa: ARG001 - has to be there first
    with postgres() as url:
        yield url


@pytest.fixture
def remote(server: str) -> Iterator[DatabaseRemote]:
    with scratch_database(server) as url:
        migrate(url, (6, 2, 0))
        found = DatabaseRemote(url)
        for user in (ADA, BOB):
            found.sql(
                "insert into users (id, uuid, username, email) values "  # noqa: S608 - our own numbers
                f"({user.id}, gen_random_uuid(), 'u{user.id}', '{user.email}')"
            )
        yield found


def instance(remote: DatabaseRemote, *keys: dict[str, Any]) -> Instance:
    host = host_context(images=WITH_API, rate_limits={"api": {"keys": list(keys)}})
    inventory: Inventory = host.inventory
    fake: Any = remote
    return Instance("cal1", inventory, host.settings, placeholders("cal1"), fake)


def keys(remote: DatabaseRemote) -> list[tuple[Any, ...]]:
    return remote.rows(
        'select "userId", note, "hashedKey", "expiresAt" from "ApiKey" order by "userId", note'
    )


OURS = (ADA.id, "calstack", digest(KEY), None)


def test_the_key_is_made_once(remote: DatabaseRemote) -> None:
    assert ensure_api_key(instance(remote), ADA)
    assert not ensure_api_key(instance(remote), ADA)
    assert keys(remote) == [OURS]


@pytest.mark.parametrize(
    "harm",
    [
        """update "ApiKey" set "hashedKey" = 'another'""",
        """update "ApiKey" set "expiresAt" = now()""",
        """update "ApiKey" set note = null""",
        """update "ApiKey" set "userId" = 2""",
        """update "ApiKey" set "teamId" = 7""",
    ],
)
def test_what_became_of_the_key_is_put_right(remote: DatabaseRemote, harm: str) -> None:
    ensure_api_key(instance(remote), ADA)
    remote.sql(harm)
    assert ensure_api_key(instance(remote), ADA)
    assert not ensure_api_key(instance(remote), ADA)
    assert keys(remote) == [OURS]


def test_other_keys_are_left_alone(remote: DatabaseRemote) -> None:
    make_key(remote, "calstack", BOB)
    make_key(remote, "n8n", ADA)
    ensure_api_key(instance(remote), ADA)
    assert len(keys(remote)) == 3


# --- Limits


def make_key(remote: DatabaseRemote, note: str, user: AdminUser = ADA) -> str:
    hashed = digest(f"{note} {user.id}")
    remote.sql(
        'insert into "ApiKey" (id, "userId", note, "hashedKey") '  # noqa: S608 - our own text
        f"values (gen_random_uuid()::text, {user.id}, '{note}', '{hashed}')"
    )
    return hashed


def limits(remote: DatabaseRemote) -> list[tuple[Any, ...]]:
    return remote.rows(
        'select k.note, r.name, r."limit", r.ttl, r."blockDuration" from "RateLimit" r '
        'join "ApiKey" k on k.id = r."apiKeyId" order by 1, 2, 3'
    )


OWN = ("calstack", "default", 100_000, 60_000, 1_000)


def test_calstack_s_key_is_never_held_up_and_the_copy_is_dropped(remote: DatabaseRemote) -> None:
    ensure_api_key(instance(remote), ADA)
    assert apply_limits(instance(remote)) == LimitsResult(["limit of API key calstack set"], [])
    assert limits(remote) == [OWN]
    assert remote.commands[-1].endswith(f"redis-cli -h 127.0.0.1 del rate_limit:api_key_{digest(KEY)}")
    assert apply_limits(instance(remote)) == LimitsResult([], [])


def test_a_named_key_gets_its_limit_whatever_there_was(remote: DatabaseRemote) -> None:
    ensure_api_key(instance(remote), ADA)
    hashed = make_key(remote, "n8n | it''s")
    remote.sql(
        'insert into "RateLimit" (id, name, "apiKeyId", "limit", ttl, "blockDuration", "updatedAt") '
        """select 'x', 'burst', id, 5, 1000, 1000, now() from "ApiKey" where note like 'n8n%'"""
    )
    wanted = instance(remote, {"note": "n8n | it's", "limit": 600, "window_seconds": 30, "block_seconds": 5})
    assert "limit of API key n8n | it's set" in apply_limits(wanted).changed
    assert limits(remote) == [OWN, ("n8n | it's", "default", 600, 30_000, 5_000)]
    assert hashed in remote.commands[-1]
    assert apply_limits(wanted) == LimitsResult([], [])


def test_a_limit_that_is_no_longer_named_is_taken_away_and_others_rows_stay(remote: DatabaseRemote) -> None:
    ensure_api_key(instance(remote), ADA)
    make_key(remote, "n8n")
    make_key(remote, "by hand")
    remote.sql(
        'insert into "RateLimit" (id, name, "apiKeyId", "limit", ttl, "blockDuration", "updatedAt") '
        """select 'x', 'default', id, 5, 1000, 1000, now() from "ApiKey" where note = 'by hand'"""
    )
    apply_limits(instance(remote, {"note": "n8n", "limit": 600}))
    result = apply_limits(instance(remote))
    assert result.changed == ["limit of API key n8n back to the default"]
    assert limits(remote) == [("by hand", "default", 5, 1000, 1000), OWN]


def test_a_key_that_is_not_there_is_told(remote: DatabaseRemote) -> None:
    ensure_api_key(instance(remote), ADA)
    assert apply_limits(instance(remote, {"note": "zapier", "limit": 6})).missing == ["zapier"]
