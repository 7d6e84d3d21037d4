"""The API's environment; the numbers are those of FACTS §0 where it has one."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.rendering import ManagedFile
from deploy.roles import api, app
from deploy.roles.api import Pools
from tests.unit.roles.hosts import DOMAIN, SECRETS, WITH_API, host_context


def environment(**settings: Any) -> dict[str, str]:
    return api.environment(host_context(images=WITH_API, **settings))


def test_without_an_image_there_is_no_file() -> None:
    assert api.files(host_context()) == []
    (file,) = api.files(host_context(images=WITH_API))
    assert isinstance(file, ManagedFile)
    assert (file.path, file.mode, file.secret) == ("/opt/calcom/api.env", "0600", True)


def test_what_web_and_api_must_agree_on_is_the_same() -> None:
    smtp = {"host": "mail.example.test", "user": "u@example.test", "password": {"secret": "smtp_password"}}
    host = host_context(
        images=WITH_API,
        smtp=smtp,
        app={"env": {"NEXT_PUBLIC_APP_NAME": "Ada's", "DAILY_API_KEY": {"secret": "token"}}},
    )
    web, own = app.environment(host), api.environment(host)
    shared = [name for name in web if name.startswith(("NEXT_PUBLIC_", "EMAIL_"))]
    assert {"EMAIL_SERVER_PASSWORD", "NEXT_PUBLIC_WEBSITE_URL", "NEXT_PUBLIC_APP_NAME"} <= set(shared)
    for name in [
        *shared,
        "NEXTAUTH_SECRET",
        "NEXTAUTH_URL",
        "CALENDSO_ENCRYPTION_KEY",
        "API_KEY_PREFIX",
        "NODE_ENV",
        "TZ",
        "NODE_EXTRA_CA_CERTS",
        "DATABASE_URL",
        "DAILY_API_KEY",
    ]:
        assert own[name] == web[name], name
    assert not {"CRON_SECRET", "CRON_API_KEY"} & set(own)


def test_everything_that_the_api_does_not_start_without_is_there() -> None:
    variables = environment()
    for name in (
        "NODE_ENV",
        "API_PORT",
        "API_URL",
        "REDIS_URL",
        "DATABASE_URL",
        "DATABASE_READ_URL",
        "DATABASE_WRITE_URL",
        "NEXTAUTH_SECRET",
        "JWT_SECRET",
        "STRIPE_API_KEY",
        "STRIPE_WEBHOOK_SECRET",
        "CALENDSO_ENCRYPTION_KEY",
    ):
        assert variables[name], name
    assert variables["JWT_SECRET"] == SECRETS["jwt_secret"]


def test_queue_speaks_plain_to_the_cache_whatever_is_put_behind_its_address() -> None:  # §0.4
    assert environment()["REDIS_URL"] == "redis://cache:6379/0?connectionName=calcom"


def test_prefix_is_rewritten_by_the_one_value_that_means_yes() -> None:  # §0.12
    assert environment()["REWRITE_API_V2_PREFIX"] == "1"


def test_nobody_is_sent_to_stripe() -> None:  # §0.13
    assert environment()["IS_TEAM_BILLING_ENABLED"] == ""


def test_nothing_else_is_empty_since_an_empty_limit_refuses_everybody() -> None:
    empty = {name for name, value in environment().items() if not value}
    assert empty == {"IS_TEAM_BILLING_ENABLED"}


def test_no_documentation_is_served_and_no_key_is_logged() -> None:
    variables = environment()
    assert variables["DOCS_URL"]
    assert variables["LOG_LEVEL"] == "warn"


def test_nothing_switches_a_licence_check_off() -> None:
    names = set(environment())
    assert not {"IS_E2E", "GET_LICENSE_KEY_URL", "CALCOM_LICENSE_KEY", "NODE_TLS_REJECT_UNAUTHORIZED"} & names


def test_limits_are_those_of_the_settings_in_milliseconds() -> None:
    limits = {"limit": 30, "window_seconds": 10, "block_seconds": 5, "anonymous_limit": 7}
    variables = environment(rate_limits={"api": limits})
    assert {name: value for name, value in variables.items() if name.startswith("RATE_LIMIT_")} == {
        "RATE_LIMIT_DEFAULT_TTL_MS": "10000",
        "RATE_LIMIT_DEFAULT_LIMIT_API_KEY": "30",
        "RATE_LIMIT_DEFAULT_LIMIT_OAUTH_CLIENT": "30",
        "RATE_LIMIT_DEFAULT_LIMIT_ACCESS_TOKEN": "30",
        "RATE_LIMIT_DEFAULT_LIMIT": "7",
        "RATE_LIMIT_DEFAULT_BLOCK_DURATION_MS": "5000",
    }


def test_address_is_the_public_one_or_the_api_s_own() -> None:
    assert environment()["API_URL"] == f"https://{DOMAIN}/api"
    assert environment(api={"own_host": "api.example.test"})["API_URL"] == "https://api.example.test"


@pytest.mark.parametrize("connections", [40, 47, 50, 100, 200, 1000])
def test_connections_stay_within_three_tenths_of_the_database_s(connections: int) -> None:
    pools = Pools.of(connections)
    assert pools.most <= connections * 3 // 10
    assert pools.read >= 3
    variables = environment(database={"max_connections": connections})
    assert variables["DATABASE_READ_POOL_MAX"] == str(pools.read)
    assert variables["ENABLE_SLOTS_WORKERS"] == ("true" if pools.workers else "false")
    assert int(variables["SLOTS_WORKER_POOL_SIZE"]) >= 1


def test_heap_stays_below_the_container_s_memory() -> None:
    assert environment(api={"memory_mb": 512})["NODE_OPTIONS"] == "--max-old-space-size=384"
