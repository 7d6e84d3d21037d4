"""A lab of its own, from nothing to gone: what `lab up` promises, seen from outside."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import docker
import pytest

from deploy.errors import CalstackError
from deploy.lab import engine
from deploy.lab.down import down
from deploy.lab.lab import INVENTORY_LABEL, Lab, LabHost
from deploy.lab.up import up

pytestmark = pytest.mark.docker

HOSTS = {
    name: LabHost(name, f"127.88.77.{n}", f"{name}.calstack.test") for n, name in enumerate(("one", "two"), 1)
}


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An inventory's folder, with a space in its path, whose lab is up."""
    folder = tmp_path_factory.mktemp("a folder") / "lab"
    folder.mkdir()
    start(folder)
    yield folder
    down(folder, print)


@pytest.fixture(scope="module")
def client() -> docker.DockerClient:
    return engine.connect()


def start(folder: Path, hosts: Mapping[str, LabHost] = HOSTS) -> list[str]:
    """Take the lab up; what people were told of its hosts comes back."""
    told: list[str] = []
    up(folder, hosts, told.append)
    return [line for line in told if line.startswith("lab host")]


def ssh(folder: Path, host: LabHost, command: str) -> subprocess.CompletedProcess[str]:
    lab = Lab.of(folder)
    options = {
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f'"{lab.known_hosts_file}"',
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return subprocess.run(
        ["ssh", "-F", "none", "-i", str(lab.key_file), *words, f"root@{host.address}", command],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def said(folder: Path, host: LabHost, command: str) -> str:
    answer = ssh(folder, host, command)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def started_at(client: docker.DockerClient, folder: Path) -> list[str]:
    return [
        client.containers.get(Lab.of(folder).container(name)).attrs["State"]["StartedAt"] for name in HOSTS
    ]


def test_each_host_is_entered_with_its_key_known_beforehand(inventory: Path) -> None:
    for host in HOSTS.values():
        assert (
            said(inventory, host, "hostname; id -un; cat /etc/debian_version | cut -d. -f1")
            == f"{host.name}\nroot\n12"
        )


def test_hosts_have_keys_of_their_own(inventory: Path) -> None:
    keys = {
        said(inventory, host, "cat /etc/ssh/ssh_host_ed25519_key.pub").split()[1] for host in HOSTS.values()
    }
    assert len(keys) == len(HOSTS)


def test_a_host_is_a_fresh_server(inventory: Path) -> None:
    one = HOSTS["one"]
    assert said(inventory, one, "systemctl is-system-running") == "running"
    assert said(inventory, one, "systemctl is-active ssh cron") == "active\nactive"
    for program in ("python3", "docker", "curl"):
        assert ssh(inventory, one, f"command -v {program}").returncode != 0


def test_a_host_installs_packages_from_the_mirror_of_this_machine(inventory: Path) -> None:
    one = HOSTS["one"]
    said(inventory, one, "apt-get update -qq && apt-get install -y -qq --no-install-recommends tree")
    assert "tree" in said(inventory, one, "tree --version")


def test_up_again_touches_nothing_and_is_quick(inventory: Path, client: docker.DockerClient) -> None:
    before = started_at(client, inventory)
    start(inventory)  # what was edited beneath a running test is built here
    began = time.monotonic()
    assert start(inventory) == []
    assert time.monotonic() - began < 3
    assert started_at(client, inventory) == before


def test_a_stopped_host_is_started_with_what_was_on_it(inventory: Path, client: docker.DockerClient) -> None:
    one = HOSTS["one"]
    said(inventory, one, "echo kept > /root/kept")
    client.containers.get(Lab.of(inventory).container("one")).kill()
    assert start(inventory) == [f"lab host one runs at {one.address}"]
    assert said(inventory, one, "cat /root/kept") == "kept"


def test_what_a_kill_between_two_steps_left_is_finished(inventory: Path, client: docker.DockerClient) -> None:
    lab, two = Lab.of(inventory), HOSTS["two"]
    client.containers.get(lab.container("two")).remove(force=True, v=True)
    lab.known_hosts_file.unlink()
    assert start(inventory) == [f"lab host two runs at {two.address}"]
    assert said(inventory, two, "hostname") == "two"


def test_a_lost_client_key_is_replaced_on_running_hosts(inventory: Path) -> None:
    Lab.of(inventory).key_file.unlink()
    start(inventory)
    for host in HOSTS.values():
        assert said(inventory, host, "hostname") == host.name


def test_an_address_that_is_taken_is_an_error_that_names_the_way_out(inventory: Path, tmp_path: Path) -> None:
    assert inventory.is_dir()
    other = tmp_path / "lab"
    other.mkdir()
    try:
        with pytest.raises(CalstackError, match=r"127\.88\.77\.1.*already") as caught:
            start(other, {"one": HOSTS["one"]})
        assert "another 127.x.y.z address" in str(caught.value.fix)
    finally:
        down(other, print)


def test_a_changed_address_is_not_applied_by_throwing_the_host_away(inventory: Path) -> None:
    moved = LabHost("one", "127.88.77.9", HOSTS["one"].domain)
    with pytest.raises(CalstackError, match=r"made for 127\.88\.77\.1:22"):
        start(inventory, {"one": moved})
    assert said(inventory, HOSTS["one"], "hostname") == "one"


def test_down_leaves_nothing_and_spares_other_labs(
    inventory: Path, tmp_path: Path, client: docker.DockerClient
) -> None:
    other = tmp_path / "lab"
    other.mkdir()
    start(other, {"one": LabHost("one", "127.88.77.3", "one.calstack.test")})
    down(other, print)
    down(other, print)
    mine: dict[str, str | list[str] | bool] = {"label": f"{INVENTORY_LABEL}={other}"}
    assert client.containers.list(all=True, filters=mine) == []
    assert client.volumes.list(filters=mine) == []
    assert list(other.iterdir()) == []
    assert said(inventory, HOSTS["one"], "hostname") == "one"
