"""What API v2 is started with: its required variables, its limits, and the queue's way to Redis."""

from __future__ import annotations

import pytest

from deploy.lab.standin.api.settings import REQUIRED, ApiSettings
from deploy.lab.standin.settings import SettingsError

ENVIRONMENT = dict.fromkeys(REQUIRED, "x") | {
    "DATABASE_URL": "postgresql://db/calcom",
    "REDIS_URL": "redis://cache:6379",
}


def settings(**more: str) -> ApiSettings:
    return ApiSettings.from_environment(ENVIRONMENT | more)


@pytest.mark.parametrize("name", REQUIRED)
def test_it_does_not_start_without_what_the_real_one_needs(name: str) -> None:
    environment = {key: value for key, value in ENVIRONMENT.items() if key != name}
    with pytest.raises(SettingsError, match=name):
        ApiSettings.from_environment(environment)


@pytest.mark.parametrize(
    ("url", "node_env", "tls"),
    [
        ("redis://cache:6379", "production", True),
        ("redis://cache:6379", "development", False),
        ("redis://cache:6379/0?connectionName=calcom", "production", False),
        ("rediss://cache:6379", "development", True),
    ],
)
def test_the_queue_reads_tls_out_of_a_bare_url_in_production(url: str, node_env: str, tls: bool) -> None:
    assert settings(REDIS_URL=url, NODE_ENV=node_env).queue_wants_tls is tls


def test_an_empty_limit_is_none_at_all() -> None:
    limits = settings(RATE_LIMIT_DEFAULT_LIMIT="").limits
    assert (limits.anonymous, limits.api_key, limits.ttl) == (0, 120, 60_000)


@pytest.mark.parametrize(("value", "works"), [("1", True), ("true", False), ("0", False)])
def test_only_a_1_opens_the_prefix(value: str, works: bool) -> None:
    assert settings(REWRITE_API_V2_PREFIX=value).rewrite_prefix is works
    assert settings().rewrite_prefix is True


def test_guests_are_sent_to_the_vendor_unless_told_otherwise() -> None:
    assert settings(NEXT_PUBLIC_WEBAPP_URL="https://a.test").shared.booker_url == "https://cal.com"
    assert settings(NEXT_PUBLIC_WEBSITE_URL="https://a.test").shared.booker_url == "https://a.test"


def test_a_licence_is_required_only_where_that_is_said() -> None:
    assert settings().licence_required is False
    assert settings(STANDIN_LICENCE="required").licence_required is True
