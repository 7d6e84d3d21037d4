"""Guests see a page while somebody works on the instance; those who work on it do not."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import docker
import pytest

from deploy.actions import maintenance as maintaining
from deploy.actions.instance import Instance
from deploy.actions.proxy_runtime import ask_proxy
from deploy.errors import CalstackError
from deploy.maintenance import OPERATOR_HEADER, parse
from deploy.remote import Completed, Remote
from deploy.roles.proxy import DIRECTORY, in_container
from deploy.settings.layout import MAINTENANCE_MAP
from tests.lab.certificates import self_signed
from tests.lab.entrance import Entrance, running_entrance, until_served, write_configuration
from tests.unit.roles.hosts import DOMAIN, WITH_API, KnownSecrets, host_context

pytestmark = pytest.mark.docker

HOST = host_context(
    certificate=self_signed(DOMAIN, f"api.{DOMAIN}"), images=WITH_API, api={"own_host": f"api.{DOMAIN}"}
)


class HostOfTheEntrance:
    """The `Remote` of a proxy that has no host: files in its folder, its socket in its container."""

    name = "cal1"

    def __init__(self, entrance: Entrance, folder: Path) -> None:
        self._entrance = entrance
        self._folder = folder

    def run(self, script: str, *, stdin: bytes = b"", **_: Any) -> Completed:
        if script.endswith("onhost.pyz proxy"):
            answers = [self._entrance.runtime(command) for command in json.loads(stdin)]
            return Completed(0, json.dumps(answers).encode(), b"")
        here = script.replace(DIRECTORY, str(self._folder))
        done = subprocess.run(["sh", "-c", here], input=stdin, capture_output=True, check=True)
        return Completed(0, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_configuration(tmp_path_factory.mktemp("maintenance"), HOST)


@pytest.fixture(scope="module")
def entrance(client: docker.DockerClient, haproxy: str, folder: Path) -> Iterator[Entrance]:
    with running_entrance(client, haproxy, folder) as entrance:
        yield entrance


@pytest.fixture
def instance(entrance: Entrance, folder: Path) -> Iterator[Instance]:
    remote = cast("Remote", HostOfTheEntrance(entrance, folder))
    instance = Instance("cal1", HOST.inventory, HOST.settings, cast("Any", KnownSecrets()), remote)
    yield instance
    maintaining.end(instance)


def test_guests_see_a_page_with_the_message_and_when_to_come_back(
    entrance: Entrance, instance: Instance
) -> None:
    before = len(entrance.seen_by_app())
    maintaining.begin(instance, 'Ümzug <"2">', maintaining.in_minutes(30))
    answer = entrance.ask("/ada/intro")
    assert answer.status == 503
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert 25 * 60 < int(answer.headers["retry-after"]) <= 31 * 60
    page = answer.body.decode()
    assert "<p>Ümzug &lt;&quot;2&quot;&gt;</p>" in page
    assert re.search(r"back by \d{4}-\d\d-\d\d \d\d:\d\d UTC", page)
    assert not re.search("haproxy|calstack|%", page, re.I)
    assert len(entrance.seen_by_app()) == before


def test_programs_get_json_in_their_own_form(entrance: Entrance, instance: Instance) -> None:
    maintaining.begin(instance, 'Ümzug <"2">')
    api = entrance.ask("/api/v2/bookings")
    own = entrance.ask("/v2/me", host=f"api.{DOMAIN}", sni=f"api.{DOMAIN}")
    for answer in (api, own):
        said = json.loads(answer.body)
        assert (answer.status, answer.headers["retry-after"]) == (503, "300")
        assert said["status"] == "error"
        assert said["error"] == {"code": "ServiceUnavailableException", "message": 'Ümzug <"2">'}
    booking = entrance.ask("/api/book/event", method="POST", body=b"{}")
    assert (booking.status, booking.headers["content-type"]) == (503, "application/json")
    assert json.loads(booking.body)["message"] == 'Ümzug <"2">'
    signing_in = json.loads(entrance.ask("/api/auth/callback/credentials", method="POST", body=b"a=b").body)
    assert "error=" in signing_in["url"]


def test_an_end_that_is_over_asks_to_come_back_in_a_minute(entrance: Entrance, instance: Instance) -> None:
    maintaining.begin(instance, until=maintaining.in_minutes(-10))
    assert entrance.ask("/ada").headers["retry-after"] == "60"


def test_the_link_lets_in_and_its_key_goes_no_further(entrance: Entrance, instance: Instance) -> None:
    link = maintaining.begin(instance).link
    assert link is not None
    path = link.removeprefix(f"https://{DOMAIN}")
    answer = entrance.ask(path)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie, *flags = answer.headers["set-cookie"].split("; ")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(flags)
    let_in = entrance.ask("/ada", headers=f"Cookie: a=b; {cookie}; c=d\r\n")
    assert let_in.reached_app_with("cookie") == ["a=b; c=d"]
    key = path.rpartition("=")[2]
    as_program = entrance.ask("/ada", headers=f"{OPERATOR_HEADER}: {key}\r\n")
    assert as_program.status == 200
    assert key not in as_program.body.decode()
    assert key not in entrance.proxy.logs().decode()
    assert "/calstack-enter" in entrance.proxy.logs().decode()


@pytest.mark.parametrize(
    "shown",
    ["Cookie: __Host-calstack-operator={}", f"{OPERATOR_HEADER}: {{}}"],
)
def test_another_key_does_not_let_in(entrance: Entrance, instance: Instance, shown: str) -> None:
    old = maintaining.begin(instance).maintenance
    assert old is not None
    stale = old.operator_key(KnownSecrets.nextauth_secret)
    maintaining.end(instance)
    now = maintaining.begin(instance).maintenance
    assert now is not None
    digest = re.findall("[0-9a-f]{64}", now.as_map(KnownSecrets.nextauth_secret))
    for key in ("", "0" * 40, stale, *digest):
        assert entrance.ask("/ada", headers=f"{shown.format(key)}\r\n").status == 503, key
        assert entrance.ask(f"/calstack-enter?key={key}").status == 503, key


def test_the_app_s_own_calls_and_the_inner_entrance_go_on(entrance: Entrance, instance: Instance) -> None:
    maintaining.begin(instance)
    assert entrance.ask("/ada").status == 503
    ((status, _, _),) = entrance.over_http2(["/ada"])  # from the app's container
    assert status == 200
    assert entrance.inner("/api/cron/x").status == 200


def test_closed_paths_stay_closed_for_operators(entrance: Entrance, instance: Instance) -> None:
    maintenance = maintaining.begin(instance).maintenance
    assert maintenance is not None
    header = f"{OPERATOR_HEADER}: {maintenance.operator_key(KnownSecrets.nextauth_secret)}\r\n"
    assert entrance.ask("/api/cron/x", headers=header).status == 404


def test_it_outlives_reload_and_restart(entrance: Entrance, instance: Instance) -> None:
    maintaining.begin(instance, "Still here")
    entrance.proxy.kill(signal="SIGUSR2")
    for _ in range(20):
        assert b"Still here" in entrance.ask("/ada").body
    entrance.proxy.restart(timeout=0)
    until_served(entrance)
    assert b"Still here" in entrance.ask("/ada").body
    maintaining.end(instance)
    assert entrance.ask("/ada").status == 200
    entrance.proxy.restart(timeout=0)
    until_served(entrance)
    assert entrance.ask("/ada").status == 200


def test_what_is_so_already_is_not_done_again(entrance: Entrance, instance: Instance, folder: Path) -> None:
    assert not maintaining.end(instance).changed
    first = maintaining.begin(instance, "One")
    assert (first.changed, first.link is not None) == (True, True)
    again = maintaining.begin(instance)
    assert (again.changed, again.link) == (False, None)
    other = maintaining.begin(instance, "Two")
    assert other.changed
    assert b"Two" in entrance.ask("/ada").body
    assert other.maintenance is not None
    assert other.maintenance.number == (first.maintenance and first.maintenance.number)
    assert parse((folder / "maintenance.map").read_text()) == other.maintenance
    assert maintaining.status(instance, link=True).link == first.link
    assert maintaining.end(instance).changed
    assert not (folder / "maintenance.map").exists()


def test_a_proxy_that_lost_it_is_told_again(entrance: Entrance, instance: Instance) -> None:
    maintaining.begin(instance)
    ask_proxy(instance.remote, [f"clear map {in_container(MAINTENANCE_MAP)}"])
    assert entrance.ask("/ada").status == 200
    assert maintaining.begin(instance).changed
    assert entrance.ask("/ada").status == 503


def test_a_proxy_without_the_page_is_named_and_nothing_is_written(
    client: docker.DockerClient, haproxy: str, tmp_path: Path
) -> None:
    folder = write_configuration(tmp_path, host_context(certificate=self_signed(DOMAIN)))
    configuration = folder / "haproxy.cfg"
    lines = [line for line in configuration.read_text().splitlines() if "maintenance" not in line]
    configuration.write_text("\n".join([*lines, ""]))
    with running_entrance(client, haproxy, folder) as entrance:
        remote = cast("Remote", HostOfTheEntrance(entrance, folder))
        bare = Instance("cal1", HOST.inventory, HOST.settings, cast("Any", KnownSecrets()), remote)
        with pytest.raises(CalstackError, match="no page for maintenance"):
            maintaining.begin(bare)
    assert not (folder / "maintenance.map").exists()
