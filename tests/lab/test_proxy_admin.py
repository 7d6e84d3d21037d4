"""The app's administration behind networks and passwords."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from tests.lab.entrance import CERTIFICATE, Entrance, running_entrance, write_configuration
from tests.lab.spellings import spellings
from tests.unit.roles.hosts import GIVEN, host_context

pytestmark = pytest.mark.docker

PATHS = (
    "/settings/admin",
    "/settings/admin/users/1/edit",
    "/api/trpc/admin/listPaginated",
    "/api/trpc/users/list",
    "/api/trpc/organizations/adminGetAll",
    "/api/auth/callback/impersonation-auth",
)
FREE = (
    "/settings/my-account/profile",
    "/ada/intro",
    "/admin/intro",
    "/api/trpc/me/get",
    "/api/trpc/insights/userList",
    "/api/auth/callback/credentials",
)
PASSWORD = GIVEN["token"]


@pytest.fixture(scope="module")
def by_password(
    client: docker.DockerClient, haproxy: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Entrance]:
    access = {"users": {"ada": {"secret": "token"}}, "networks": ["203.0.113.0/24"]}
    with _running(client, haproxy, tmp_path_factory, access) as entrance:
        yield entrance


def _running(client: docker.DockerClient, haproxy: str, folders: pytest.TempPathFactory, access: Any) -> Any:
    host = host_context(certificate=CERTIFICATE, proxy={"admin_access": access})
    return running_entrance(client, haproxy, write_configuration(folders.mktemp("proxy"), host))


def basic(user: str, password: str) -> str:
    """The header that a browser sends after it has asked."""
    return f"Authorization: Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}\r\n"


@pytest.mark.parametrize("path", PATHS)
def test_without_the_setting_administration_is_the_app_s_business(entrance: Entrance, path: str) -> None:
    assert entrance.ask(path).seen["target"] == path


@pytest.mark.parametrize("path", PATHS)
def test_strangers_are_asked_for_a_password_in_every_spelling(by_password: Entrance, path: str) -> None:
    before = len(by_password.seen_by_app())
    asked = by_password.ask(path)
    assert asked.status == 401
    assert asked.headers["www-authenticate"].startswith("Basic ")
    # Next's image route fetches public pictures alone, and only from the app itself, without a session.
    targets = {why: target for why, target in spellings(path).items() if not why.startswith("image")}
    answers = {why: answer.status for why, answer in by_password.ask_each(targets).items()}
    assert {why: status for why, status in answers.items() if status not in (400, 401, 404, 421)} == {}
    assert by_password.seen_by_app()[before:] == []


@pytest.mark.parametrize("path", PATHS)
def test_who_knows_the_password_gets_to_the_app_which_does_not_see_it(
    by_password: Entrance, path: str
) -> None:
    answer = by_password.ask(path, headers=basic("ada", PASSWORD))
    assert answer.seen["target"] == path
    assert answer.reached_app_with("authorization") == []
    for user, password in (("ada", "guess"), ("ada", ""), ("eve", PASSWORD)):
        assert by_password.ask(path, headers=basic(user, password)).status == 401


def test_a_page_that_links_there_is_not_broken_by_what_it_fetches_beforehand(by_password: Entrance) -> None:
    answer = by_password.ask("/settings/admin/users?_rsc=1x", headers="RSC: 1\r\nNext-Router-Prefetch: 1\r\n")
    assert answer.status == 403
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize("path", FREE)
def test_everybody_else_s_pages_stay_open_and_keep_their_own_keys(by_password: Entrance, path: str) -> None:
    answer = by_password.ask(path, headers="Authorization: Bearer cal_x\r\n")
    assert answer.seen["target"] == path
    assert answer.reached_app_with("authorization") == ["Bearer cal_x"]


def test_the_inner_entrance_asks_nobody(by_password: Entrance) -> None:
    assert by_password.inner("/settings/admin").status == 200


def test_networks_alone_let_in_or_refuse(
    client: docker.DockerClient, haproxy: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for networks, status in ((["203.0.113.0/24"], 403), (["172.16.0.0/12", "192.168.0.0/16"], 200)):
        with _running(client, haproxy, tmp_path_factory, {"networks": networks}) as entrance:
            assert {entrance.ask(path).status for path in PATHS} == {status}
