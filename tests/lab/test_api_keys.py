"""The rows of API keys and their limits, on a real database with the stand-in's tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.actions import seed_key_limits
from deploy.actions.api_key import ensure_api_key
from deploy.actions.instance import AdminUser, Instance
from deploy.actions.limits import LimitsResult, apply_limits, effective_limits
from deploy.actions.seed_key_limits import DatabaseKeyLimits
from deploy.lab.standin.migrate import migrate
from deploy.secrets import placeholders
from deploy.seed.key_limits import Allowance, ApiKey
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
    admin = host.settings.admin.model_copy(update={"email": ADA.email})
    settings = host.settings.model_copy(update={"admin": admin})
    return Instance("cal1", inventory, settings, placeholders("cal1"), fake)


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


# --- Those of the manifest

TWO_A_SECOND = Allowance(2, 1, 5)


def add_row(remote: DatabaseRemote, note: str, limit: int, ttl: int, name: str = "default") -> None:
    remote.sql(
        'insert into "RateLimit" (id, name, "apiKeyId", "limit", ttl, "blockDuration", "updatedAt") '  # noqa: S608 - ours
        f"select gen_random_uuid(), '{name}', id, {limit}, {ttl}, 1000, now() "
        f"from \"ApiKey\" where note = '{note}'"
    )


def test_a_manifest_s_limit_is_of_one_user_s_keys_and_replaces_what_there_was(
    remote: DatabaseRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Instance] = []
    monkeypatch.setattr(seed_key_limits, "load_proxy_limits", told.append)  # no proxy runs here
    hers, his = make_key(remote, "n8n"), make_key(remote, "n8n", BOB)
    add_row(remote, "n8n", 9, 1500)
    limits_of = DatabaseKeyLimits(instance(remote))
    others = frozenset({Allowance(9, 1.5, 1)})
    assert limits_of.read("") == (ApiKey(hers, "n8n", others),)
    limits_of.write("", "n8n", TWO_A_SECOND)
    assert limits_of.read("") == (ApiKey(hers, "n8n", frozenset({TWO_A_SECOND}), made=True),)
    assert limits_of.read(BOB.email) == limits_of.read("u2") == (ApiKey(his, "n8n", others),)
    limits_of.take_effect([hers])
    assert len(told) == 1
    assert remote.commands[-1].endswith(f" del rate_limit:api_key_{hers}")


def test_removing_takes_only_what_a_manifest_made(remote: DatabaseRemote) -> None:
    make_key(remote, "n8n")
    limits_of = DatabaseKeyLimits(instance(remote))
    limits_of.write("", "n8n", TWO_A_SECOND)
    add_row(remote, "n8n", 9, 1000, "burst")
    limits_of.remove("", "n8n")
    assert limits(remote) == [("n8n", "burst", 9, 1000, 1000)]


def test_a_note_may_hold_any_sign(remote: DatabaseRemote) -> None:
    make_key(remote, "it''s | \"odd\"\n")
    limits_of = DatabaseKeyLimits(instance(remote))
    limits_of.write("", 'it\'s | "odd"\n', TWO_A_SECOND)
    assert [(key.note, key.made) for key in limits_of.read("")] == [('it\'s | "odd"\n', True)]


def test_settings_and_manifest_leave_each_other_s_limits_alone(remote: DatabaseRemote) -> None:
    make_key(remote, "by the settings")
    make_key(remote, "by the manifest")
    ensure_api_key(instance(remote), ADA)
    host = instance(remote, {"note": "by the settings", "limit": 600})
    apply_limits(host)
    limits_of = DatabaseKeyLimits(host)
    limits_of.write("", "by the manifest", TWO_A_SECOND)
    assert apply_limits(host) == LimitsResult([], [])
    assert [key.note for key in limits_of.read("")] == ["by the manifest"], "the rest is not its business"


def test_a_key_that_changes_sides_is_the_other_s_from_then_on(remote: DatabaseRemote) -> None:
    make_key(remote, "n8n")
    DatabaseKeyLimits(instance(remote)).write("", "n8n", Allowance(600, 60, 60))
    named = instance(remote, {"note": "n8n", "limit": 600})
    assert apply_limits(named).changed == ["limit of API key n8n set"]
    assert DatabaseKeyLimits(named).read("") == ()
    (key,) = DatabaseKeyLimits(instance(remote)).read("")
    assert key.allowances == frozenset(), "the next deploy takes it away"
    assert apply_limits(instance(remote)).changed == ["limit of API key n8n back to the default"]
    assert limits(remote) == []


def test_what_is_in_force_is_told_by_the_key_s_digest(remote: DatabaseRemote) -> None:
    assert effective_limits(instance(remote)) == {}
    ensure_api_key(instance(remote), ADA)
    n8n, odd, _ = make_key(remote, "n8n"), make_key(remote, "odd", BOB), make_key(remote, "as usual")
    apply_limits(instance(remote))
    DatabaseKeyLimits(instance(remote)).write("", "n8n", TWO_A_SECOND)
    add_row(remote, "odd", 9, 1000)
    add_row(remote, "odd", 90, 60_500, "slow")
    assert effective_limits(instance(remote)) == {
        digest(KEY): (Allowance(100_000, 60, 1),),
        n8n: (TWO_A_SECOND,),
        odd: (Allowance(90, 60.5, 1), Allowance(9, 1, 1)),
    }
