"""The rendered proxy of a host with an API, as a real HAProxy: what goes to the API, and what never does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from deploy.roles import api
from tests.lab.certificates import self_signed
from tests.lab.entrance import (
    Answer,
    Entrance,
    running_api,
    running_entrance,
    until_served,
    until_the_api_answers,
    write_configuration,
)
from tests.lab.spellings import CLOSED, REFUSALS, spellings
from tests.unit.roles.hosts import DOMAIN, WITH_API, host_context

pytestmark = pytest.mark.docker

OWN_NAME = "api.example.test"
HOST = host_context(certificate=self_signed(DOMAIN, OWN_NAME), images=WITH_API, api={"own_host": OWN_NAME})


class EntranceWithApi(Entrance):
    """The same with the API's container behind it."""

    api: Container

    def by_own_name(self, target: str, **options: Any) -> Answer:
        """Ask under the API's own name."""
        return self.ask(target, **{"host": OWN_NAME, "sni": OWN_NAME, **options})

    def seen_by_api(self) -> list[dict[str, Any]]:
        """Requests that reached the API, but for the proxy's own looks."""
        found = json.loads(self.inner("/api/v2/seen").body)
        assert isinstance(found, list)
        return found


@pytest.fixture(scope="module")
def entrance(
    client: docker.DockerClient,
    haproxy: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[EntranceWithApi]:
    folder = write_configuration(tmp_path_factory.mktemp("proxy"), HOST)
    with running_entrance(client, haproxy, folder) as running, running_api(client, running) as container:
        whole = EntranceWithApi(running.proxy, running.app, running.network, running.sockets)
        whole.api = container
        yield whole


def reached(answer: Answer) -> str:
    """`api` or `web`, whichever told what it saw."""
    return {"3000": "web", str(api.PORT): "api"}[answer.headers["x-port"]]


# --- The way


@pytest.mark.parametrize("target", ["/api/v2/me", "/api/v2", "/api/v2/slots?start=2030-01-01&end=2030-01-02"])
def test_the_api_is_reached_under_the_public_name(entrance: EntranceWithApi, target: str) -> None:
    answer = entrance.ask(target, headers="Authorization: Bearer cal_x\r\ncal-api-version: 2024-06-14\r\n")
    assert reached(answer) == "api"
    assert answer.seen["target"] == target
    assert answer.reached_app_with("authorization") == ["Bearer cal_x"]
    assert answer.reached_app_with("cal-api-version") == ["2024-06-14"]
    assert answer.reached_app_with("host") == [DOMAIN]


@pytest.mark.parametrize("target", ["/v2/me", "/v2/bookings?take=1", "/api/v2/me"])
def test_the_api_is_reached_under_its_own_name(entrance: EntranceWithApi, target: str) -> None:
    answer = entrance.by_own_name(target)
    assert reached(answer) == "api"
    assert answer.reached_app_with("host") == [OWN_NAME]
    assert answer.reached_app_with("x-forwarded-host") == [OWN_NAME]


@pytest.mark.parametrize("target", ["/ada/intro", "/api/version", "/api/v20/me", "/v2/me", "/api/book/event"])
def test_everything_else_is_still_the_app_s(entrance: EntranceWithApi, target: str) -> None:
    assert reached(entrance.ask(target)) == "web"


def test_the_inner_entrance_leads_to_both(entrance: EntranceWithApi) -> None:
    assert reached(entrance.inner("/api/v2/me")) == "api"
    assert reached(entrance.inner("/api/cron/x")) == "web"


@pytest.mark.parametrize("name", [DOMAIN, OWN_NAME])
def test_the_api_sees_the_true_client_whatever_the_client_says(entrance: EntranceWithApi, name: str) -> None:
    forged = "CF-Connecting-IP: 1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\n"
    answer = entrance.ask("/api/v2/me", host=name, sni=name, headers=forged)
    (seen,) = answer.reached_app_with("cf-connecting-ip")
    assert seen != "1.2.3.4"
    assert answer.reached_app_with("x-real-ip") == [seen]
    assert answer.reached_app_with("x-forwarded-for") == [seen]


def test_cross_origin_answers_are_the_api_s_own(entrance: EntranceWithApi) -> None:
    answer = entrance.by_own_name("/v2/slots", method="OPTIONS", headers="Origin: https://a.test\r\n")
    assert answer.reached_app_with("origin") == ["https://a.test"]
    assert not [name for name in answer.headers if name.startswith("access-control")]


# --- What stays closed


@pytest.mark.parametrize("path", CLOSED)
def test_closed_paths_stay_closed_in_every_spelling_and_under_both_names(
    entrance: EntranceWithApi, path: str
) -> None:
    before = len(entrance.seen_by_app()), len(entrance.seen_by_api())
    through = {
        f"{why}, from the API's folder": f"/api/v2/../..{target}"
        for why, target in spellings(path).items()
        if target.startswith("/")
    }
    for name in (DOMAIN, OWN_NAME):
        answers = entrance.ask_each({**spellings(path), **through}, host=name, sni=name)
        passed = {why: answer.status for why, answer in answers.items() if answer.status not in REFUSALS}
        assert passed == {}
    assert (len(entrance.seen_by_app()), len(entrance.seen_by_api())) == before


@pytest.mark.parametrize(
    "target",
    [
        "/api/v2/..%2fcron/x",
        "/api/v2/%2e%2e/cron/webhookTriggers",
        "/api/v2/..;/cron/webhookTriggers",
        "/api/v2/%252e%252e/tasks/cron",
        "/api/v2\\..\\cron\\x",
        "/api/v2/..%5ctasks/cron",
        "/api/v2/me%00",
    ],
)
def test_no_spelling_leads_out_of_the_api_s_folder(entrance: EntranceWithApi, target: str) -> None:
    before = len(entrance.seen_by_app()), len(entrance.seen_by_api())
    assert entrance.ask(target).status in REFUSALS
    assert (len(entrance.seen_by_app()), len(entrance.seen_by_api())) == before


@pytest.mark.parametrize("target", ["/health", "/", "/ada/intro", "/V2/me", "/v20/me"])
def test_its_own_name_leads_to_its_resources_alone(entrance: EntranceWithApi, target: str) -> None:
    answer = entrance.by_own_name(target)
    assert answer.status == 404
    assert json.loads(answer.body)["error"]["code"] == "NotFoundException"


@pytest.mark.parametrize(
    "target", ["/docs", "/docs-json", "/docs/", "/v2/../docs", "/V2/../docs", "/v2/%2e%2e/docs"]
)
def test_its_own_name_does_not_lead_to_its_documentation(entrance: EntranceWithApi, target: str) -> None:
    before = len(entrance.seen_by_api())
    assert entrance.by_own_name(target).status == 404
    assert len(entrance.seen_by_api()) == before


@pytest.mark.parametrize("target", ["/API/V2/me", "/api/v2%2fme", "/Api/v2/me", "/api/%2576%32/me"])
def test_other_spellings_of_the_api_s_folder_are_not_sent_there(
    entrance: EntranceWithApi, target: str
) -> None:
    before = len(entrance.seen_by_api())
    answer = entrance.ask(target)
    assert answer.status in REFUSALS or reached(answer) == "web"
    assert len(entrance.seen_by_api()) == before


@pytest.mark.parametrize(
    ("host", "sni"), [(DOMAIN, OWN_NAME), (OWN_NAME, DOMAIN), ("elsewhere.test", OWN_NAME)]
)
def test_a_name_in_tls_and_another_in_http_is_refused(entrance: EntranceWithApi, host: str, sni: str) -> None:
    assert entrance.ask("/api/v2/me", host=host, sni=sni).status == 421


def test_plain_http_takes_no_key_under_its_own_name(entrance: EntranceWithApi) -> None:
    answer = entrance.ask("/v2/me", host=OWN_NAME, port=80)
    assert answer.status == 403
    assert "location" not in answer.headers
    assert entrance.ask("/api/v2/me", port=80).status == 301


# --- Sizes and outages


def test_bodies_far_beyond_what_the_api_takes_do_not_reach_it(entrance: EntranceWithApi) -> None:
    assert entrance.ask("/api/v2/x", method="POST", body=b"x" * 500_000).seen["body_length"] == 500_000
    head = f"POST /api/v2/x HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 1048577\r\n\r\n"
    assert entrance.raw(head.encode()).status == 413


def test_the_proxy_s_looks_do_not_use_up_an_address_s_limit(entrance: EntranceWithApi) -> None:
    time.sleep(4)
    looks = json.loads(entrance.inner("/api/v2/looks").body)
    assert len(looks) > 1
    assert all(look.startswith("health-") for look in looks)
    assert len(set(looks)) > 1


def test_an_api_that_is_away_is_told_of_in_its_own_envelope_and_the_app_is_not_touched(
    entrance: EntranceWithApi,
) -> None:
    entrance.api.stop(timeout=0)
    try:
        deadline = time.monotonic() + 30
        while "json" not in (answer := entrance.ask("/api/v2/me")).headers["content-type"]:
            assert time.monotonic() < deadline, "the API is not found to be down"
        assert answer.status == 503
        assert json.loads(answer.body)["status"] == "error"
        assert int(answer.headers["retry-after"]) > 0
        assert reached(entrance.ask("/api/version")) == "web"
    finally:
        entrance.api.start()
        until_the_api_answers(entrance)


def test_an_app_that_is_away_leaves_the_api_alone(entrance: EntranceWithApi) -> None:
    entrance.app.stop(timeout=0)
    try:
        deadline = time.monotonic() + 30
        while "json" not in entrance.ask("/api/version").headers["content-type"]:
            assert time.monotonic() < deadline
        assert reached(entrance.ask("/api/v2/me")) == "api"
    finally:
        entrance.app.start()
        until_served(entrance)
