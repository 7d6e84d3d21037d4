"""The address that a visitor comes from is the address that the app sees, over IPv4 and IPv6."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import pytest

from tests.deployed_lab import DeployedLab

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="this machine's kernel has no IPv6"),
]

# A machine beside the host: a network namespace inside it. Addresses for documentation (RFC 5737, 3849).
HOST = {4: "198.51.100.1", 6: "2001:db8:77::1"}
VISITOR = {4: "198.51.100.7", 6: "2001:db8:77::7"}
VISIT = f"""
set -e
trap 'ip netns del visitor; ip link del v-host 2>/dev/null || true' EXIT
ip netns add visitor
ip link add v-host type veth peer name v-guest netns visitor
ip address add {HOST[4]}/24 dev v-host
ip address add {HOST[6]}/64 dev v-host nodad
ip link set v-host up
inside() {{ ip netns exec visitor "$@"; }}
inside sysctl -q -w net.ipv6.conf.all.disable_ipv6=0
inside ip address add {VISITOR[4]}/24 dev v-guest
inside ip address add {VISITOR[6]}/64 dev v-guest nodad
inside ip link set v-guest up
inside ip route add default via {HOST[4]}
inside ip -6 route add default via {HOST[6]}
"""


def visit(lab: DeployedLab, script: str) -> list[str]:
    """Lines that a script tells which may say `inside COMMAND` for what the visitor does."""
    return lab.on_host(VISIT + script).splitlines()


@pytest.mark.parametrize("family", [4, 6])
def test_the_app_and_the_log_see_the_visitor_s_own_address(deployed_lab: DeployedLab, family: int) -> None:
    host = f"[{HOST[6]}]" if family == 6 else HOST[4]
    place = f"{deployed_lab.domain}:443:{host}"
    answer, *log = visit(
        deployed_lab,
        f"inside curl -sS -k -m 10 --resolve '{place}' {deployed_lab.url}/api/ip\n"
        "echo; cd /opt/calcom; docker compose logs --no-log-prefix --tail 50 proxy",
    )
    assert json.loads(answer) == {"ip": VISITOR[family]}
    lines = [json.loads(line) for line in log if line.startswith("{")]
    assert VISITOR[family] in [line.get("client") for line in lines if line.get("path") == "/api/ip"]


def test_neighbours_do_not_reach_the_inner_entrance_past_the_host(deployed_lab: DeployedLab) -> None:
    networks = "docker inspect calcom-proxy-1 --format '{{json .NetworkSettings.Networks}}'"
    addresses = [
        address
        for network in json.loads(deployed_lab.on_host(networks)).values()
        for address in (network["IPAddress"], network["GlobalIPv6Address"])
        if address
    ]
    assert {ipaddress.ip_address(address).version for address in addresses} == {4, 6}
    ask = "inside curl -s -o /dev/null -m 2 -w '%{http_code}\n' -g"
    urls = [
        f"http://[{address}]:8080/" if ":" in address else f"http://{address}:8080/" for address in addresses
    ]
    answers = visit(deployed_lab, "\n".join(f"{ask} '{url}' || true" for url in urls))
    assert answers == ["000"] * len(urls)
