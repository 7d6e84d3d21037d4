"""The interface of the images that a rendered compose file relies on: the official one, and the lab's too.

`CALSTACK_POSTGRES_IMAGE`, `CALSTACK_HAPROXY_IMAGE` and `CALSTACK_CACHE_IMAGE` put other images to the same
test: on a machine with a registry, the official ones.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from deploy.lab import engine, images, inside

pytestmark = pytest.mark.docker

# What the compose file gives every service.
HARDENED = {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges"], "read_only": True, "pids_limit": 200}

# As awkward as a password may be.
PASSWORD = "a 'quoted' $password"

Start = Callable[..., Container]


@pytest.fixture(scope="module")
def client() -> docker.DockerClient:
    return engine.connect()


@pytest.fixture(scope="module")
def postgres() -> str:
    return os.environ.get("CALSTACK_POSTGRES_IMAGE") or images.ensure_postgres_image()


@pytest.fixture(scope="module")
def haproxy(client: docker.DockerClient) -> str:
    given = os.environ.get("CALSTACK_HAPROXY_IMAGE")
    return given or images.ensure_service_image(client, images.HAPROXY)


@pytest.fixture(scope="module")
def redis(client: docker.DockerClient) -> str:
    given = os.environ.get("CALSTACK_CACHE_IMAGE")
    return given or images.ensure_service_image(client, images.REDIS)


@pytest.fixture(scope="module")
def calcom(client: docker.DockerClient) -> str:
    return images.ensure_service_image(client, images.CALCOM)


@pytest.fixture
def volume(client: docker.DockerClient) -> Iterator[str]:
    made = client.volumes.create(f"calstack-test-{uuid.uuid4().hex[:8]}")
    yield made.name
    made.remove(force=True)


@pytest.fixture
def start(client: docker.DockerClient, volume: str) -> Iterator[Start]:
    """Starts containers, and removes them before the volume that they may use."""
    assert volume
    started: list[Container] = []

    def run(image: str, *command: str, **options: Any) -> Container:
        if "network" not in options:
            options["network_mode"] = "none"
        container: Container = client.containers.run(image, list(command), detach=True, **options)
        started.append(container)
        return container

    yield run
    for container in started:
        with contextlib.suppress(docker.errors.NotFound):  # a test may have removed it itself
            container.remove(force=True, v=True)


def said(container: Container, *command: str) -> str:
    answer = inside.run(container, *command)
    assert answer.exit_code == 0, answer.text
    return answer.text.strip()


def until(true: Callable[[], bool], container: Container, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        container.reload()
        assert container.status == "running", container.logs().decode()
        assert time.monotonic() < end, container.logs().decode()
        time.sleep(0.1)


def ended(container: Container) -> int:
    return int(container.wait(timeout=20)["StatusCode"])


# --- PostgreSQL


def database(
    start: Start, image: str, tmp_path: Path, volume: str, *command: str, **options: object
) -> Container:
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o400)
    os.chown(password, 999, 999)
    return start(
        image,
        *command,
        user="999:999",
        tmpfs={"/run/postgresql": "uid=999,gid=999,mode=3777"},
        environment={
            "POSTGRES_USER": "calcom",
            "POSTGRES_DB": "calendso",
            "POSTGRES_PASSWORD_FILE": "/run/secrets/password",
        },
        volumes=[f"{volume}:/var/lib/postgresql/data", f"{password}:/run/secrets/password:ro"],
        **{**HARDENED, **options},
    )


def accepts_tcp(container: Container) -> bool:
    # Over TCP, since the first start listens on its socket alone until the database is complete.
    return (
        container.exec_run(
            ["pg_isready", "-q", "-h", "127.0.0.1", "-U", "calcom", "-d", "calendso"]
        ).exit_code
        == 0
    )


def query(container: Container, sql: str, password: str = PASSWORD) -> str:
    return said(
        container,
        "env",
        f"PGPASSWORD={password}",
        "psql",
        "-h",
        "127.0.0.1",
        "-U",
        "calcom",
        "-d",
        "calendso",
        "-Atc",
        sql,
    )


def test_postgres_describes_itself_as_the_official_image_does(
    client: docker.DockerClient, postgres: str
) -> None:
    config = client.images.get(postgres).attrs["Config"]
    environment = dict(line.split("=", 1) for line in config["Env"])
    assert config["Entrypoint"] == ["docker-entrypoint.sh"]
    assert config["Cmd"] == ["postgres"]
    assert config["StopSignal"] == "SIGINT"
    assert "5432/tcp" in config["ExposedPorts"]
    assert "/var/lib/postgresql/data" in config["Volumes"]
    assert environment["PGDATA"] == "/var/lib/postgresql/data"
    assert environment["PG_MAJOR"] == "17"
    assert environment["LANG"] == "en_US.utf8"


def test_postgres_makes_the_database_without_any_privilege(
    start: Start, postgres: str, tmp_path: Path, volume: str
) -> None:
    container = database(start, postgres, tmp_path, volume)
    until(lambda: accepts_tcp(container), container)
    assert query(container, "select current_user, current_database()") == "calcom|calendso"
    assert query(container, "show server_version_num").startswith("17")
    assert query(container, "select datcollate from pg_database where datname='calendso'") == "en_US.utf8"
    assert query(container, "show listen_addresses") == "*"
    assert said(container, "pg_dump", "--version").startswith("pg_dump (PostgreSQL) 17")


def test_postgres_asks_everybody_for_the_password_over_the_network(
    start: Start, postgres: str, tmp_path: Path, volume: str
) -> None:
    container = database(start, postgres, tmp_path, volume)
    until(lambda: accepts_tcp(container), container)
    rules = query(container, "select type, database, user_name, address, auth_method from pg_hba_file_rules")
    assert rules.splitlines()[-1] == "host|{all}|{all}|all|scram-sha-256"


def test_postgres_keeps_its_data_over_a_fast_stop(
    start: Start, postgres: str, tmp_path: Path, volume: str
) -> None:
    first = database(start, postgres, tmp_path, volume)
    until(lambda: accepts_tcp(first), first)
    query(first, "create table kept as select 7 as n")
    first.stop(timeout=20)
    assert ended(first) == 0
    assert "database system is shut down" in first.logs().decode()

    second = database(start, postgres, tmp_path, volume)
    until(lambda: accepts_tcp(second), second)
    assert query(second, "select n from kept") == "7"
    assert "Skipping initialization" in second.logs().decode()


def test_postgres_takes_server_arguments(start: Start, postgres: str, tmp_path: Path, volume: str) -> None:
    container = database(start, postgres, tmp_path, volume, "-c", "max_connections=17", "-c", "work_mem=3MB")
    until(lambda: accepts_tcp(container), container)
    assert query(container, "show max_connections") == "17"
    assert query(container, "show work_mem") == "3MB"


def test_postgres_runs_the_files_of_the_first_start(
    start: Start, postgres: str, tmp_path: Path, volume: str
) -> None:
    scripts = tmp_path / "initdb"
    scripts.mkdir()
    (scripts / "1.sql").write_text("create table first_start (n int);\n")
    (scripts / "2.sh").write_text(
        'psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "insert into first_start values (2)"\n'
    )
    container = start(
        postgres,
        environment={"POSTGRES_PASSWORD": "p", "POSTGRES_USER": "calcom", "POSTGRES_DB": "calendso"},
        volumes=[f"{volume}:/var/lib/postgresql/data", f"{scripts}:/docker-entrypoint-initdb.d:ro"],
    )
    until(lambda: accepts_tcp(container), container)
    assert query(container, "select n from first_start", "p") == "2"


def test_postgres_started_as_root_drops_to_its_own_user(start: Start, postgres: str, volume: str) -> None:
    container = start(
        postgres, environment={"POSTGRES_PASSWORD": "p"}, volumes=[f"{volume}:/var/lib/postgresql/data"]
    )
    until(lambda: "ready for start up" in container.logs().decode(), container)
    assert said(container, "stat", "-c", "%u:%g", "/proc/1", "/var/lib/postgresql/data") == "999:999\n999:999"
    assert said(container, "stat", "-c", "%a", "/var/lib/postgresql/data") == "700"


def test_postgres_without_a_password_ends_and_says_why(start: Start, postgres: str) -> None:
    container = start(postgres, user="999:999")
    assert ended(container) == 1
    assert "POSTGRES_PASSWORD" in container.logs().decode()


def test_postgres_refuses_a_setting_given_twice(start: Start, postgres: str) -> None:
    container = start(
        postgres, environment={"POSTGRES_PASSWORD": "p", "POSTGRES_PASSWORD_FILE": "/etc/hostname"}
    )
    assert ended(container) == 1
    assert "POSTGRES_PASSWORD_FILE" in container.logs().decode()


def test_postgres_runs_other_commands_as_they_are(start: Start, postgres: str) -> None:
    container = start(postgres, "sh", "-c", "echo as it is; exit 3")
    assert ended(container) == 3
    assert container.logs().decode() == "as it is\n"


# --- HAProxy

CONFIG = """
global
    log stdout format raw local0
defaults
    mode http
    timeout connect 2s
    timeout client 2s
    timeout server 2s
frontend public
    bind :80
    http-request return status 200 content-type text/plain string "{answer}"
"""

FETCH = ["bash", "-c", r"exec 3<>/dev/tcp/127.0.0.1/80; printf 'GET / HTTP/1.0\r\n\r\n' >&3; cat <&3"]


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    folder = tmp_path / "haproxy"
    folder.mkdir()
    (folder / "haproxy.cfg").write_text(CONFIG.format(answer="one"))
    return folder


def proxy(start: Start, image: str, configuration: Path, *command: str) -> Container:
    return start(image, *command, volumes=[f"{configuration}:/usr/local/etc/haproxy:ro"], **HARDENED)


def answers(container: Container, text: str) -> bool:
    return text in inside.run(container, *FETCH).text


def test_haproxy_describes_itself_as_the_official_image_does(
    client: docker.DockerClient, haproxy: str
) -> None:
    config = client.images.get(haproxy).attrs["Config"]
    assert config["Entrypoint"] == ["docker-entrypoint.sh"]
    assert config["Cmd"] == ["haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
    assert config["StopSignal"] == "SIGUSR1"
    assert config["User"] == "haproxy"
    assert config["WorkingDir"] == "/var/lib/haproxy"


def test_haproxy_serves_port_80_as_uid_99_without_any_privilege(
    start: Start, haproxy: str, configuration: Path
) -> None:
    container = proxy(start, haproxy, configuration)
    until(lambda: answers(container, "one"), container)
    assert said(container, "stat", "-c", "%u:%g", "/proc/1") == "99:99"
    assert said(container, "haproxy", "-v").startswith("HAProxy version 3.0")
    command = said(container, "cat", "/proc/1/cmdline").split("\0")
    assert command[0].endswith("haproxy")
    assert command[1:5] == ["-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]


def test_haproxy_reloads_at_sigusr2_and_keeps_serving_when_the_file_is_broken(
    start: Start, haproxy: str, configuration: Path
) -> None:
    container = proxy(start, haproxy, configuration)
    until(lambda: answers(container, "one"), container)
    (configuration / "haproxy.cfg").write_text(CONFIG.format(answer="two"))
    container.kill("SIGUSR2")
    until(lambda: answers(container, "two"), container)
    (configuration / "haproxy.cfg").write_text("no such keyword\n")
    container.kill("SIGUSR2")
    until(lambda: "unknown keyword" in container.logs().decode(), container)
    assert answers(container, "two")


def test_haproxy_stops_softly(start: Start, haproxy: str, configuration: Path) -> None:
    container = proxy(start, haproxy, configuration)
    until(lambda: answers(container, "one"), container)
    before = time.monotonic()
    container.stop(timeout=15)
    assert time.monotonic() - before < 10
    assert ended(container) == 0


@pytest.mark.parametrize("words", [["haproxy", "-c"], ["-c"]])
def test_haproxy_checks_a_file(start: Start, haproxy: str, configuration: Path, words: list[str]) -> None:
    good = proxy(start, haproxy, configuration, *words, "-f", "/usr/local/etc/haproxy/haproxy.cfg")
    assert ended(good) == 0
    (configuration / "haproxy.cfg").write_text("no such keyword\n")
    bad = proxy(start, haproxy, configuration, *words, "-f", "/usr/local/etc/haproxy/haproxy.cfg")
    assert ended(bad) == 1
    assert "unknown keyword" in bad.logs().decode()


# --- Redis, or Valkey

SERVER = ["redis-server", "--protected-mode", "no", "--save", "", "--appendonly", "no", "--maxmemory", "24mb"]
CACHE_TMPFS = {"/data": "uid=999,gid=999,mode=0700,size=16m"}


def pong(container: Container) -> bool:
    return inside.run(container, "redis-cli", "-h", "127.0.0.1", "ping").text.strip() == "PONG"


def test_redis_describes_itself_as_the_official_image_does(client: docker.DockerClient, redis: str) -> None:
    config = client.images.get(redis).attrs["Config"]
    assert config["Entrypoint"] == ["docker-entrypoint.sh"]
    assert config["Cmd"][0].endswith("-server")
    assert config["WorkingDir"] == "/data"
    assert "/data" in config["Volumes"]
    assert "6379/tcp" in config["ExposedPorts"]


def test_redis_serves_as_uid_999_without_any_privilege_and_keeps_nothing(start: Start, redis: str) -> None:
    container = start(redis, *SERVER, user="999:999", tmpfs=CACHE_TMPFS, **HARDENED)
    until(lambda: pong(container), container)
    assert said(container, "stat", "-c", "%u:%g", "/proc/1") == "999:999"
    assert said(container, "redis-cli", "config", "get", "maxmemory").split() == ["maxmemory", "25165824"]
    assert said(container, "redis-cli", "set", "a", "1") == "OK"
    before = time.monotonic()
    container.stop(timeout=15)
    assert time.monotonic() - before < 10
    assert ended(container) == 0
    container.start()
    until(lambda: pong(container), container)
    assert said(container, "redis-cli", "exists", "a") == "0"


def test_redis_answers_its_neighbours_without_a_password(
    client: docker.DockerClient, start: Start, redis: str
) -> None:
    network = client.networks.create(f"calstack-test-{uuid.uuid4().hex[:8]}", internal=True)
    try:
        server = start(redis, *SERVER, user="999:999", tmpfs=CACHE_TMPFS, **HARDENED, network=network.name)
        until(lambda: pong(server), server)
        server.reload()
        address = server.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"]
        neighbour = start(redis, "redis-cli", "-h", address, "ping", network=network.name)
        assert ended(neighbour) == 0
        assert neighbour.logs().decode().strip() == "PONG"
        server.remove(force=True, v=True)
        neighbour.remove(force=True, v=True)
    finally:
        network.remove()


def test_redis_started_as_root_drops_to_its_own_user(start: Start, redis: str) -> None:
    container = start(redis)
    until(lambda: pong(container), container)
    assert said(container, "stat", "-c", "%u", "/proc/1", "/data") == "999\n999"


def test_redis_runs_other_commands_as_they_are(start: Start, redis: str) -> None:
    container = start(redis, "sh", "-c", "echo as it is; exit 3")
    assert ended(container) == 3
    assert container.logs().decode() == "as it is\n"


# --- the stand-in for Cal.com's web image


def test_the_stand_in_describes_itself_as_the_official_web_image_does(
    client: docker.DockerClient, calcom: str
) -> None:
    config = client.images.get(calcom).attrs["Config"]
    environment = dict(line.split("=", 1) for line in config["Env"])
    assert config["WorkingDir"] == "/calcom"
    assert config["Cmd"] == ["/calcom/scripts/start.sh"]
    assert config["User"] == ""
    assert "3000/tcp" in config["ExposedPorts"]
    assert environment["BUILT_NEXT_PUBLIC_WEBAPP_URL"] == "http://localhost:3000"
    assert environment["NODE_ENV"] == "production"


def test_the_stand_in_has_the_commands_that_a_deploy_calls(start: Start, calcom: str) -> None:
    options = {name: value for name, value in HARDENED.items() if name != "read_only"}
    container = start(calcom, "sleep", "60", **options)
    for command in ("wget", "npx", "yarn", "/calcom/scripts/start.sh"):
        assert said(container, "sh", "-c", f"command -v {command}").endswith(command)
