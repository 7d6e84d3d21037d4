"""The engine's files."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.rendering import ManagedFile
from deploy.roles import docker
from deploy.roles.context import HostContext
from tests.unit.roles.hosts import host_context


def files(host: HostContext) -> dict[str, ManagedFile]:
    return {item.path: item for item in docker.files(host) if isinstance(item, ManagedFile)}


def of_source(source: str, **fields: Any) -> dict[str, ManagedFile]:
    return files(HostContext(**{**vars(host_context(docker={"source": source})), **fields}))


def test_containers_survive_the_engine_and_their_logs_stay_small() -> None:
    settings = json.loads(of_source("distribution")["/etc/docker/daemon.json"].content)
    assert settings["live-restore"] is True
    assert settings["log-opts"] == {"max-size": "10m", "max-file": "5"}


def test_an_engine_that_was_there_keeps_its_own_settings() -> None:
    assert "/etc/docker/daemon.json" not in of_source("present")


@pytest.mark.parametrize("source", ["vendor", "distribution", "present"])
def test_firewall_stands_whatever_the_engine(source: str) -> None:
    assert of_source(source)["/opt/calcom/firewall.sh"].mode == "0755"


def test_vendor_s_packages_are_those_of_the_host_s_release() -> None:
    path = "/etc/apt/sources.list.d/docker.sources"
    text = of_source("vendor", distribution="ubuntu", codename="noble", architecture="arm64")[path].content
    assert b"/linux/ubuntu\n" in text
    assert b"Suites: noble\n" in text
    assert b"Architectures: arm64\n" in text
    assert b"Signed-By: /etc/apt/keyrings/docker.asc\n" in text
    assert path not in of_source("distribution")


class FakeTables:
    """Stands in for iptables and ip6tables: keeps rules in a file and knows -C, -I and -N."""

    def __init__(self, folder: Path) -> None:
        self.kernel = folder / "sys"
        """In place of /proc/sys, so that the machine of the tests keeps its own settings."""
        for interface, accepts in {"eth0": 1, "eth1": 0, "eth0.100": 2}.items():
            place = self.kernel / "net/ipv6/conf" / interface
            place.mkdir(parents=True)
            (place / "accept_ra").write_text(f"{accepts}\n")
        self.log = folder / "rules"
        self.log.touch()
        self.programs = folder / "bin"
        self.programs.mkdir()
        for name in ("iptables", "ip6tables"):
            program = self.programs / name
            program.write_text(
                f'#!/bin/sh\nshift 2; verb=$1; shift; rule="{name} $*"\n'
                f'case $verb in -C) grep -qxF -e "$rule" {self.log} ;;\n'
                f'-I) echo "$rule" >> {self.log} ;;\n'
                f'-N) grep -qxF -e "new $rule" {self.log} && exit 1; echo "new $rule" >> {self.log} ;; esac\n'
            )
            program.chmod(0o755)

    def run(self, script: bytes) -> list[str]:
        before, whole, after = script.partition(b"/proc/sys")
        assert whole
        assert whole not in after
        script = before + bytes(self.kernel) + after
        subprocess.run(["sh"], input=script, check=True, env={"PATH": f"{self.programs}:/usr/bin:/bin"})
        return self.log.read_text().splitlines()

    def adverts_taken(self) -> dict[str, int]:
        return {
            file.parent.name: int(file.read_text()) for file in self.kernel.glob("net/ipv6/conf/*/accept_ra")
        }


def test_firewall_adds_its_rules_once(tmp_path: Path) -> None:
    tables = FakeTables(tmp_path)
    script = of_source("distribution")["/opt/calcom/firewall.sh"].content
    rules = tables.run(script)
    assert "iptables INPUT -i br-cal-data -j DROP" in rules
    for program, bridge in itertools.product(("iptables", "ip6tables"), ("br-cal-front", "br-cal-edge")):
        assert any(rule.startswith(f"{program} DOCKER-USER -o {bridge}") for rule in rules)
    assert tables.run(script) == rules


def test_a_host_that_becomes_a_router_still_takes_its_route_from_adverts(tmp_path: Path) -> None:
    tables = FakeTables(tmp_path)
    tables.run(of_source("distribution")["/opt/calcom/firewall.sh"].content)
    assert tables.adverts_taken() == {"eth0": 2, "eth1": 0, "eth0.100": 2}


def test_the_engine_forwards_ipv6_by_address_where_the_host_speaks_it() -> None:
    path = "/etc/docker/daemon.json"
    settings = json.loads(of_source("distribution")[path].content)
    assert (settings["experimental"], settings["ip6tables"]) == (True, True)
    assert "ip6tables" not in json.loads(of_source("distribution", ipv6=False)[path].content)
