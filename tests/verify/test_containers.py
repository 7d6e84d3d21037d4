"""What really runs, as Docker describes it; not what the files say should run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.verify.complaint import complaint, listed
from tests.verify.server import Server

SERVICES = ("db", "web", "proxy", "api", "cache")
OF_THE_API = ("api", "cache")
READ_ONLY = ("db", "proxy", "api", "cache")
WITHOUT_A_WAY_OUT = ("db", "cache")
"""Not the web app: its start script writes the public address into built files (FACTS §13)."""

Container = dict[str, Any]
HARDENING = "what breaks into this service would get further than it must"
OVERRIDE = "calstack deploy; if /opt/calcom/compose.override.yaml says otherwise, change it there"


def _each(server: Server) -> Iterator[tuple[str, Container]]:
    containers: dict[str, Container] = server.found("containers")
    for service in SERVICES:
        if service in OF_THE_API and not server.settings.has_api:
            continue
        assert service in containers, complaint(
            f"there is no container of {service}",
            why="the instance is not whole",
            fix="calstack deploy",
        )
    yield from containers.items()


@pytest.mark.parametrize("service", SERVICES)
def test_it_runs_and_is_healthy(server: Server, service: str) -> None:
    containers = dict(_each(server))
    if service in OF_THE_API and not server.settings.has_api:
        assert service not in containers, complaint(
            f"{service} runs, and the settings name no image for it",
            why="it still takes memory, and whoever has a key can use it",
            fix="calstack deploy removes it",
        )
        return
    state = containers[service]["State"]
    look = f"cd /opt/calcom && docker compose logs --since 15m {service}"
    why = {
        "proxy": "no one can reach the instance",
        "api": "programs that use the API fail",
        "cache": "the API counts and queues in it, and hangs without it",
    }.get(service, "no one can book")
    assert state["Running"], complaint(
        f"{service} does not run ({state['Status']}, code {state['ExitCode']})",
        why=why,
        fix=f"{look}; then: docker compose up --detach",
    )
    health = (state.get("Health") or {}).get("Status", "without a health check")
    assert health == "healthy", complaint(f"{service} is {health}", why=why, fix=look)


def test_none_restarts_over_and_over(server: Server) -> None:
    restarting = [
        f"{name} {container['RestartCount']} times"
        for name, container in _each(server)
        if container["RestartCount"] > 3
    ]
    assert not restarting, complaint(
        f"restarted by the engine since it was made: {listed(restarting)}",
        why="something ends it again and again, mostly a lack of memory",
        fix="docker inspect --format '{{json .State}}' CONTAINER; OOMKilled: give app.memory_mb more",
    )


def test_each_runs_the_image_of_the_settings(server: Server) -> None:
    ids, references = server.found("images"), server.images()
    for name, container in _each(server):
        reference = references.get(name.split()[0])
        if reference is None:
            continue
        assert container["Image"] == ids[reference], complaint(
            f"{name} runs {container['Config']['Image']}, not {reference} of the settings",
            why="another version than you think answers, perhaps one with known holes",
            fix=OVERRIDE,
        )


def test_none_keeps_a_capability_or_may_gain_one(server: Server) -> None:
    for name, container in _each(server):
        limits = container["HostConfig"]
        assert not limits["Privileged"], complaint(f"{name} is privileged", why=HARDENING, fix=OVERRIDE)
        assert "ALL" in (limits["CapDrop"] or []), complaint(
            f"{name} keeps Docker's default capabilities", why=HARDENING, fix=OVERRIDE
        )
        assert not limits["CapAdd"], complaint(
            f"{name} was given {listed(limits['CapAdd'] or [])}", why=HARDENING, fix=OVERRIDE
        )
        options = limits["SecurityOpt"] or []
        assert "no-new-privileges:true" in options or "no-new-privileges" in options, complaint(
            f"{name} may gain privileges", why=HARDENING, fix=OVERRIDE
        )


def test_each_has_limits(server: Server) -> None:
    for name, container in _each(server):
        limits = container["HostConfig"]
        why = "a leak in it takes the whole host down"
        assert limits["Memory"] > 0, complaint(f"{name} has no memory limit", why=why, fix=OVERRIDE)
        assert (limits["PidsLimit"] or 0) > 0, complaint(
            f"{name} has no process limit", why=why, fix=OVERRIDE
        )


def test_none_can_change_its_own_files(server: Server) -> None:
    for name, container in _each(server):
        if name.split()[0] in READ_ONLY:
            assert container["HostConfig"]["ReadonlyRootfs"], complaint(
                f"{name} can write to its own file system", why=HARDENING, fix=OVERRIDE
            )


def test_each_comes_back_after_a_crash_and_a_boot(server: Server) -> None:
    for name, container in _each(server):
        policy = container["HostConfig"]["RestartPolicy"]["Name"]
        assert policy in ("unless-stopped", "always"), complaint(
            f"{name} has the restart policy {policy!r}",
            why="after a crash or a boot it stays down",
            fix=OVERRIDE,
        )


def test_no_log_fills_the_disk(server: Server) -> None:
    for name, container in _each(server):
        log = container["HostConfig"]["LogConfig"]
        bounded = log["Type"] in ("local", "journald", "none") or "max-size" in (log["Config"] or {})
        assert bounded, complaint(
            f"the log of {name} grows without end",
            why="a full disk stops the database and every booking with it",
            fix=OVERRIDE,
        )


def test_none_holds_the_key_to_the_engine(server: Server) -> None:
    for name, container in _each(server):
        mounted = [mount["Source"] for mount in container["Mounts"]]
        sockets = [source for source in mounted if source.endswith(("docker.sock", "containerd.sock"))]
        assert not sockets, complaint(
            f"{name} can talk to the engine through {listed(sockets)}",
            why="whoever breaks into it is root on this host",
            fix=OVERRIDE,
        )
        shared = [
            kind
            for kind in ("NetworkMode", "PidMode", "IpcMode", "UsernsMode")
            if container["HostConfig"].get(kind) == "host"
        ]
        assert not shared, complaint(
            f"{name} shares the host's own {listed(shared)}", why=HARDENING, fix=OVERRIDE
        )


def test_only_the_proxy_is_published_and_its_inner_doors_on_private_addresses(server: Server) -> None:
    inner = str(server.settings.proxy.inner_port)
    metrics = server.settings.metrics
    for name, container in _each(server):
        for inside, places in (container["HostConfig"]["PortBindings"] or {}).items():
            for place in places or []:
                address, port = place["HostIp"], place["HostPort"]
                public = name.startswith("proxy") and port in ("80", "443")
                private = name.startswith("proxy") and port == inner and address in ("127.0.0.1", "::1")
                figures = name.startswith("proxy") and (address, port) == (metrics.address, str(metrics.port))
                assert public or private or figures, complaint(
                    f"{name} publishes its port {inside} as {address or '*'}:{port}",
                    why="published ports pass by the host's firewall: anybody can connect",
                    fix=OVERRIDE,
                )


def test_database_and_cache_have_no_way_out(server: Server) -> None:
    networks = server.found("networks")
    why = "stolen data could leave through it"
    for service, container in _each(server):
        if service not in WITHOUT_A_WAY_OUT:
            continue
        joined = [name.removeprefix("calcom_") for name in container["NetworkSettings"]["Networks"]]
        assert joined == ["data"], complaint(
            f"{service} is in the networks {listed(sorted(joined))}, and belongs into data alone",
            why=why,
            fix=OVERRIDE,
        )
    assert networks["data"]["Internal"], complaint(
        "the network data is not internal",
        why=why,
        fix="cd /opt/calcom && docker compose down && docker network rm calcom_data, then calstack deploy",
    )


def test_the_database_cannot_reach_the_host(server: Server) -> None:
    why = "whoever breaks into the database could go on from there"
    fix = "systemctl restart calcom-firewall.service; then: iptables -S INPUT"
    missing = [command for command, there in server.found("firewall").items() if not there]
    assert not missing, complaint(f"the rule in INPUT is missing for {listed(missing)}", why=why, fix=fix)
    reached = [place for place, verdict in server.found("database_reaches").items() if verdict == "open"]
    assert not reached, complaint(f"db can connect to this host at {listed(reached)}", why=why, fix=fix)
