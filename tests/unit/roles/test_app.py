"""The web app's environment, and the compose project."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
import yaml

from deploy.errors import InputError
from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles import app
from deploy.roles.context import HostContext
from tests.unit.roles.hosts import DOMAIN, GIVEN, SECRETS, WITH_API, host_context


def project(host: HostContext) -> dict[str, Any]:
    (content,) = [
        item.content
        for item in app.files(host)
        if isinstance(item, ManagedFile) and item.path == app.COMPOSE_FILE
    ]
    loaded = yaml.safe_load(content)
    assert isinstance(loaded, dict)
    return loaded


# --- Environment; the numbers are those of FACTS §0 where it has one


def test_turnstile_keys_reach_the_app_alone() -> None:
    keys = {"site_key": "0x4", "secret": {"secret": "token"}}
    variables = app.environment(host_context(app={"turnstile": keys}))
    assert variables["NEXT_PUBLIC_CLOUDFLARE_SITEKEY"] == "0x4"
    assert variables["CLOUDFLARE_TURNSTILE_SECRET"] == GIVEN["token"]
    assert not [name for name in app.environment(host_context()) if "CLOUDFLARE" in name]


def test_figures_are_published_at_their_address_alone() -> None:
    given = host_context(metrics={"address": "fd00::5", "port": 9101})
    assert "[fd00::5]:9101:8405" in project(given)["services"]["proxy"]["ports"]
    assert not [port for port in project(host_context())["services"]["proxy"]["ports"] if "8405" in port]


def test_encryption_key_arrives_with_its_32_characters() -> None:
    assert app.environment(host_context())["CALENDSO_ENCRYPTION_KEY"] == SECRETS["encryption_key"]
    assert len(SECRETS["encryption_key"]) == 32
    (file,) = [item for item in app.files(host_context()) if item.path == app.ENVIRONMENT_FILE]
    assert isinstance(file, ManagedFile)
    assert f"\nCALENDSO_ENCRYPTION_KEY={SECRETS['encryption_key']}\n" in file.content.decode()


def test_both_cron_secrets_are_always_set_and_differ() -> None:  # §0.5, §0.6
    variables = app.environment(host_context())
    assert variables["CRON_API_KEY"]
    assert variables["CRON_SECRET"]
    assert variables["CRON_API_KEY"] != variables["CRON_SECRET"]


def test_public_addresses_are_set_both_and_have_no_slash_at_their_end() -> None:  # §0.9
    variables = app.environment(host_context())
    for name in ("NEXT_PUBLIC_WEBAPP_URL", "NEXT_PUBLIC_WEBSITE_URL", "NEXTAUTH_URL"):
        assert variables[name] == f"https://{DOMAIN}"
    assert "BUILT_NEXT_PUBLIC_WEBAPP_URL" not in variables


def test_allowed_hostnames_is_the_inside_of_a_json_array() -> None:
    value = app.environment(host_context())["ALLOWED_HOSTNAMES"]
    assert json.loads(f"[{value}]") == [DOMAIN]


@pytest.mark.parametrize(("sign_up", "expected"), [("closed", "true"), ("open", "false")])
def test_sign_up_is_closed_by_the_one_word_that_the_app_reads(sign_up: str, expected: str) -> None:
    host = host_context(app={"sign_up": sign_up})
    assert app.environment(host)["NEXT_PUBLIC_DISABLE_SIGNUP"] == expected


def test_nothing_switches_verification_or_a_licence_check_off() -> None:
    variables = app.environment(host_context())
    assert not {"NODE_TLS_REJECT_UNAUTHORIZED", "IS_E2E", "CALCOM_LICENSE_KEY"} & set(variables)


def test_database_is_named_thrice() -> None:
    variables = app.environment(host_context())
    assert variables["DATABASE_URL"] == variables["DATABASE_DIRECT_URL"]
    assert variables["DATABASE_URL"].endswith("@db:5432/calcom")
    assert variables["DATABASE_HOST"] == "db:5432"


def test_heap_stays_below_the_container_s_memory() -> None:
    options = app.environment(host_context(app={"memory_mb": 1024}))["NODE_OPTIONS"]
    assert "--max-old-space-size=768" in options


def test_app_trusts_an_authority_only_where_there_is_one() -> None:
    assert app.environment(host_context())["NODE_EXTRA_CA_CERTS"] == "/etc/calcom/ca.pem"
    without = host_context(authority=None)
    assert "NODE_EXTRA_CA_CERTS" not in app.environment(without)
    assert "volumes" not in project(without)["services"]["web"]
    assert not [item for item in app.files(without) if "authorities" in item.path]


def test_user_s_variables_stand_last_with_their_secrets_filled_in() -> None:
    host = host_context(app={"env": {"NEXT_PUBLIC_APP_NAME": "Ada's", "DAILY_API_KEY": {"secret": "token"}}})
    assert list(app.environment(host).items())[-2:] == [
        ("NEXT_PUBLIC_APP_NAME", "Ada's"),
        ("DAILY_API_KEY", "t0ken-of-the-user"),
    ]


def test_a_secret_that_is_missing_is_named() -> None:
    host = host_context(app={"env": {"DAILY_API_KEY": {"secret": "not_there"}}})
    with pytest.raises(InputError, match="not_there"):
        app.environment(host)


# --- Project


def services(**settings: Any) -> dict[str, dict[str, Any]]:
    found = project(host_context(**settings))["services"]
    assert isinstance(found, dict)
    return found


EVERY = ["db", "web", "cache", "api", "proxy", "migrate", "seed-apps"]


@pytest.mark.parametrize("name", EVERY)
def test_every_container_is_confined(name: str) -> None:
    found = services(images=WITH_API)
    assert sorted(found) == sorted(EVERY)
    service = found[name]
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"] == service["memswap_limit"]
    assert service["pids_limit"] > 0
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert "privileged" not in service


@pytest.mark.parametrize("name", ["db", "web", "cache", "api", "proxy"])
def test_every_lasting_container_comes_back_and_is_looked_at(name: str) -> None:
    service = services(images=WITH_API)[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"]
    # Engine 20.10 does not know it.
    assert "start_interval" not in service["healthcheck"]


def test_no_container_gets_the_engine_s_socket() -> None:
    assert "docker.sock" not in json.dumps(services())


def test_only_the_proxy_publishes_ports_and_the_inner_entrance_on_loopback_alone() -> None:
    found = services(proxy={"inner_port": 9090}, images=WITH_API)
    assert {name for name, service in found.items() if "ports" in service} == {"proxy"}
    assert found["proxy"]["ports"] == ["80:80", "443:443", "127.0.0.1:9090:8080"]


def test_database_is_on_the_network_without_a_way_out_alone() -> None:
    host = project(host_context())
    assert host["services"]["db"]["networks"] == ["data"]
    assert host["networks"]["data"]["internal"] is True
    assert set(host["services"]["proxy"]["networks"]) == {"edge", "front"}
    assert [name for name, service in host["services"].items() if "edge" in service["networks"]] == ["proxy"]
    assert host["services"]["web"]["networks"] == ["front", "data"]


def test_proxy_answers_to_the_public_name_inside() -> None:
    assert services()["proxy"]["networks"]["front"]["aliases"] == [DOMAIN]


def test_what_may_be_read_only_is() -> None:
    found = services(images=WITH_API)
    for name in ("api", "cache"):
        assert found[name]["read_only"] is True
    assert found["api"]["tmpfs"] == ["/tmp"]
    assert found["db"]["read_only"] is True
    assert found["proxy"]["read_only"] is True
    # Its start script rewrites built files (FACTS §13).
    assert "read_only" not in found["web"]


def test_containers_that_need_no_root_are_not_root() -> None:
    assert services()["db"]["user"] == "999:999"
    assert services()["proxy"]["user"] == "99:99"


def test_api_and_cache_are_there_only_together_with_their_images() -> None:
    assert not {"api", "cache"} & set(services())
    assert {"api", "cache"} <= set(services(images=WITH_API))


def test_cache_keeps_nothing_fits_its_memory_and_is_on_the_network_without_a_way_out_alone() -> None:
    cache = services(images=WITH_API, api={"cache_memory_mb": 64})["cache"]
    options = dict(itertools.pairwise(cache["command"]))
    assert (options["--save"], options["--appendonly"], options["--maxmemory"]) == ("", "no", "48mb")
    assert cache["mem_limit"] == "64m"
    assert cache["user"] == "999:999"
    assert cache["networks"] == ["data"]
    assert "ports" not in cache


def test_a_look_at_the_api_does_not_use_up_its_own_limit() -> None:
    (_, command) = services(images=WITH_API)["api"]["healthcheck"]["test"]
    assert '--header "CF-Connecting-IP: health-$$(date +%s)"' in command
    assert command.endswith("http://127.0.0.1:5555/health")


def test_proxy_answers_to_the_api_s_own_name_inside() -> None:
    found = services(images=WITH_API, api={"own_host": "api.example.test"})
    assert found["proxy"]["networks"]["front"]["aliases"] == [DOMAIN, "api.example.test"]


def test_web_waits_for_the_database_and_its_first_start_may_last() -> None:
    web = services(app={"start_period_seconds": 900})["web"]
    assert web["depends_on"] == {"db": {"condition": "service_healthy"}}
    assert web["healthcheck"]["start_period"] == "900s"


def test_one_shot_steps_run_what_the_official_start_script_runs_but_only_when_asked() -> None:
    found = services()
    for name in ("migrate", "seed-apps"):
        assert found[name]["profiles"] == ["tools"]
        assert found[name]["restart"] == "no"
        assert found[name]["image"] == found["web"]["image"]
        assert found[name]["env_file"] == found["web"]["env_file"]
        assert found[name]["entrypoint"] == []
    assert " ".join(found["migrate"]["command"]) == (
        "npx prisma migrate deploy --schema /calcom/packages/prisma/schema.prisma"
    )
    assert " ".join(found["seed-apps"]["command"]) == (
        "npx ts-node --transpile-only /calcom/scripts/seed-app-store.ts"
    )


def test_arm64_hosts_get_the_image_built_for_them() -> None:
    arm = "calcom/cal.com:v6.2.0-arm@sha256:" + "b" * 64
    images = {
        "web": {"reference": "calcom/cal.com:v6.2.0@sha256:" + "a" * 64, "reference_arm64": arm},
        "database": {"reference": "postgres:17.12-bookworm"},
        "proxy": {"reference": "haproxy:3.2.26"},
    }
    amd64 = host_context(images=images)
    assert project(amd64)["services"]["web"]["image"].startswith("calcom/cal.com:v6.2.0@")
    on_arm = HostContext(**{**vars(amd64), "architecture": "arm64"})
    assert project(on_arm)["services"]["web"]["image"] == arm


def test_mounted_files_that_are_read_once_replace_their_container_when_they_change() -> None:
    def label(name: str, **options: Any) -> str:
        return str(project(host_context(**options))["services"][name]["labels"]["calstack.config-hash"])

    assert label("web", authority=b"one") != label("web", authority=b"two")
    assert label("db", authority=b"one") == label("db", authority=b"two")
    proxy = project(host_context())["services"]["proxy"]
    assert "labels" not in proxy


def test_authorities_lie_in_a_directory_of_their_own() -> None:
    items = app.files(host_context())
    assert ManagedDirectory("/opt/calcom/authorities") in items
