"""The compose project on a host: its services, its one-shot steps, the proxy's reload."""

from __future__ import annotations

import functools
import hashlib
import json
import shlex
from collections.abc import Generator, Mapping, Sequence

from pyinfra.api.operation import operation
from pyinfra.context import host

from deploy.errors import CalstackError
from deploy.facts.database import DatabaseStamp
from deploy.facts.files import VariableDigest
from deploy.facts.stack import ImageIds, Stack, StackState
from deploy.operations.action import Action
from deploy.remote import Remote
from deploy.settings.layout import PROJECT, PSQL

_COMPOSE = f"cd {PROJECT} && docker compose --progress quiet"


@operation()
def encryption_key_kept(environment_file: str, key: str) -> Generator[Action, None, None]:
    """Raises `CalstackError` when the instance on the host was made with another encryption key.

    Under another key every stored calendar password and two-factor secret is lost (FACTS §7), so an inventory
    whose secrets are gone must not be deployed over a living instance.
    """
    there = host.get_fact(VariableDigest, path=environment_file, variable="CALENDSO_ENCRYPTION_KEY")
    if there is not None and there != hashlib.sha256(key.encode()).hexdigest():
        raise CalstackError(
            "the instance on this host was made with another encryption key than the inventory holds; with a "
            "new one its calendars and second factors would be lost",
            where=host.name,
            fix="bring back the inventory's secrets.age; or, if the instance shall begin anew, remove "
            f"{environment_file} on the host",
        )
    yield from ()


@operation()
def up(images: Mapping[str, str], *, timeout: int) -> Generator[Action, None, None]:
    """Make these services (name to image reference) run as the project's files say, and wait until healthy.

    Compose itself replaces exactly the containers whose configuration or image differs. `timeout` is in
    seconds; a service that is not healthy by then fails the operation with the last lines of its log.
    Containers whose service the files no longer name, e.g. an API that was given up, are removed.
    """
    if not images:
        host.noop("there is no such service")
        return
    stack: Stack = host.get_fact(StackState)
    image_ids: dict[str, str] = host.get_fact(ImageIds, names=sorted(set(images.values())))
    stale = [name for name, image in images.items() if not _runs_as_wanted(stack, name, image_ids.get(image))]
    if stale:
        yield Action(functools.partial(_up, stale, timeout))
    elif others := sorted(set(stack.services) - set(stack.wanted)):
        yield Action(functools.partial(_remove, others))
    else:
        host.noop("every service runs as it shall")


@operation()
def migrated(image: str, *, timeout: int = 1800) -> Generator[Action, None, None]:
    """Apply the migrations of this web image once a database, in a container of their own.

    The app's own start script goes on after a failed migration (FACTS §2); here the exit code counts and
    the app is not started on a database that is not ready for it.
    """
    image_id = host.get_fact(ImageIds, names=[image]).get(image, "")
    stamp: dict[str, str] = host.get_fact(DatabaseStamp)
    if stamp.get("migrated_by") == image_id:
        host.noop("this image has migrated the database")
    else:
        new_stamp = {**stamp, "migrated_by": image_id}
        yield Action(functools.partial(migrate, new_stamp, timeout))


@operation()
def apps_seeded(image: str, environment_digest: str, *, timeout: int = 600) -> Generator[Action, None, None]:
    """Run the app-store seed of this web image once an image and environment; its rows are the judge.

    The script does its work and then exits 1 in 6.0.2 (FACTS §13), so its exit code says nothing.
    """
    image_id = host.get_fact(ImageIds, names=[image]).get(image, "")
    wanted = f"{image_id} {environment_digest}"
    stamp: dict[str, str] = host.get_fact(DatabaseStamp)
    if stamp.get("apps_seeded_by") == wanted:
        host.noop("the apps are seeded")
    else:
        new_stamp = {**stamp, "apps_seeded_by": wanted}
        yield Action(functools.partial(seed_apps, new_stamp, timeout))


@operation()
def proxy_loaded(config_digest: str, inner_port: int) -> Generator[Action, None, None]:
    """Make the proxy serve the configuration with this digest: checked first, then reloaded without a gap.

    The inner entrance answers /calstack/config-digest with what is loaded, so a reload that a killed run
    missed is made up for.
    """
    remote = Remote.of(host)
    loaded = _loaded_digest(remote, inner_port)
    if loaded == config_digest:
        host.noop("the proxy serves this configuration")
    else:
        yield Action(functools.partial(_reload, config_digest, inner_port))


def _runs_as_wanted(stack: Stack, name: str, image_id: str | None) -> bool:
    service = stack.services.get(name)
    return (
        service is not None
        and service.running
        and service.health in (None, "healthy")
        and service.config_hash == stack.wanted.get(name)
        and service.image_id == image_id
    )


def _up(services: Sequence[str], timeout: int, remote: Remote) -> None:
    names = " ".join(services)
    result = remote.run(
        f"{_COMPOSE} up -d --no-deps --remove-orphans --wait --wait-timeout {timeout} {names}",
        timeout=timeout + 60,
        check=False,
    )
    if result.code != 0:
        logs = remote.run(f"{_COMPOSE} logs --no-color --tail 15 {names} 2>&1", timeout=60, check=False)
        raise CalstackError(f"{result.error_text}\nlast lines of the log:\n{logs.text}")


def _remove(services: Sequence[str], remote: Remote) -> None:
    for service in services:
        label = shlex.quote(f"label=com.docker.compose.service={service}")
        remote.run(
            f"docker ps -aq --filter label=com.docker.compose.project=calcom --filter {label} "
            "| xargs --no-run-if-empty docker rm --force --volumes",
            timeout=120,
        )


def migrate(stamp: Mapping[str, str], timeout: int, remote: Remote) -> None:
    """Apply the migrations of the host's own web image, and note the stamp on the database.

    Raises `CalstackError` with the last lines where one fails.
    """
    result = remote.run(f"{_COMPOSE} run --rm -T migrate 2>&1", timeout=timeout, check=False)
    if result.code != 0:
        last = "\n".join(result.text.splitlines()[-15:])
        hint = (
            "\na migration failed before and blocks the later ones (P3009): look at the one that it names, "
            "mend its cause, then mark it with `prisma migrate resolve`"
            if "P3009" in result.text
            else ""
        )
        raise CalstackError(f"the migrations ended with {result.code}, the app is not started:\n{last}{hint}")
    _note(remote, stamp)


def seed_apps(stamp: Mapping[str, str], timeout: int, remote: Remote) -> None:
    """Run the app-store seed of the host's own web image, and note the stamp on the database.

    Raises `CalstackError` where it left no app.
    """
    result = remote.run(f"{_COMPOSE} run --rm -T seed-apps 2>&1", timeout=timeout, check=False)
    rows = remote.run(PSQL, stdin=b'select count(*) from "App";\n', timeout=60, check=False)
    if rows.code != 0 or int(rows.text or 0) == 0:
        last = "\n".join(result.text.splitlines()[-15:])
        raise CalstackError(f'the app-store seed left no row in "App":\n{last or rows.error_text}')
    _note(remote, stamp)


def _note(remote: Remote, stamp: Mapping[str, str]) -> None:
    text = json.dumps(dict(stamp)).replace("'", "''")
    remote.run(PSQL, timeout=60, stdin=f"comment on database calcom is '{text}';\n".encode())


def _loaded_digest(remote: Remote, inner_port: int) -> str | None:
    answer = remote.run(
        f"curl -sS -m 5 http://127.0.0.1:{inner_port}/calstack/config-digest", check=False, timeout=15
    )
    return answer.text if answer.code == 0 else None


def _reload(config_digest: str, inner_port: int, remote: Remote) -> None:
    check = remote.run(
        f"{_COMPOSE} exec -T proxy haproxy -c -f /usr/local/etc/haproxy/haproxy.cfg 2>&1",
        timeout=60,
        check=False,
    )
    if check.code != 0:
        raise CalstackError(
            f"the proxy's new configuration is not valid, the old one stays in force:\n{check.text}"
        )
    wait = (
        f"{_COMPOSE} kill -s USR2 proxy >/dev/null; "
        "for attempt in $(seq 50); do "
        f'[ "$(curl -s -m 2 http://127.0.0.1:{inner_port}/calstack/config-digest)" = '
        f"{shlex.quote(config_digest)} ] && exit 0; sleep 0.2; done; exit 1"
    )
    if remote.run(wait, timeout=60, check=False).code != 0:
        raise CalstackError("the proxy did not take its new configuration; see `docker compose logs proxy`")
