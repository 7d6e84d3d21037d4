"""The sheet that one keeps elsewhere: what opens the repositories, and the way back with restic alone."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Iterator, Sequence

from deploy.secrets import SecretStore
from deploy.settings.backups import Repository
from deploy.settings.inventory import Inventory
from deploy.settings.model import HostSettings
from deploy.settings.section import SecretReference

BEGIN, END = "--8<-- type or paste from here --8<--", "--8<-- as far as here --8<--"
"""Lines around the commands."""


def sheet(inventory: Inventory, store: SecretStore, hosts: Sequence[str], now: dt.datetime) -> str:
    """The sheet for these hosts, as text, full of secrets. Raises `CalstackError` where one is missing."""
    lines = [
        f"BACKUPS OF {inventory.name}: THE WAY BACK",
        "",
        f"Made by calstack on {now:%d %B %Y}. Whoever has this sheet can read the backups and, with them,",
        "everything that the instances know. Print it, and keep it where neither the hosts nor the computer",
        "with this inventory are. Make a new one after a change of repositories or passwords.",
        "",
        "With calstack and the inventory, one command leads back: see docs/backups.md. What follows needs",
        "neither: a machine with restic 0.17 or newer, and Docker.",
    ]
    for name in hosts:
        lines += ["", *_host(inventory, store, name, inventory.hosts[name])]
    return "\n".join(lines) + "\n"


def _host(inventory: Inventory, store: SecretStore, name: str, settings: HostSettings) -> Iterator[str]:
    title = f"{name}: https://{settings.domain}"
    yield from (title, "=" * len(title))
    if not settings.backups.repositories:
        yield from ("", "No backups are set up for this host.")
    for repository, chosen in settings.backups.repositories.items():
        yield ""
        yield from _repository(inventory, store, name, repository, chosen)


def _repository(
    inventory: Inventory, store: SecretStore, host: str, name: str, chosen: Repository
) -> Iterator[str]:
    def value(it: str | SecretReference) -> str:
        return store.resolve(it.secret, host) if isinstance(it, SecretReference) else it

    settings = inventory.hosts[host]
    password = value(chosen.password) if chosen.password else store.host(host).backup_password
    yield f"Repository {name}"
    yield f"  place     {chosen.url}"
    if chosen.url.startswith("/"):
        yield "            a folder of the host itself: lost with its disk"
    yield f"  password  {password}"
    for variable, content in chosen.environment.items():
        yield f"  {variable}  {value(content)}"
    yield from (
        "",
        "The newest run, taken out into the folder `back`:",
        "",
        BEGIN,
        "umask 077 && mkdir -p back && cd back",
    )
    options = ""
    if chosen.ssh_key is not None and chosen.ssh_known_hosts is not None:
        yield from _file("ssh.key", value(chosen.ssh_key))
        yield from _file("ssh.known_hosts", chosen.ssh_known_hosts)
        arguments = "-i ssh.key -o UserKnownHostsFile=ssh.known_hosts -o StrictHostKeyChecking=yes"
        options = f" -o sftp.args={shlex.quote(arguments)}"
    if chosen.ca_file is not None:
        yield from _file("ca.pem", inventory.file(chosen.ca_file).read_text(encoding="utf-8"))
        yield "export RESTIC_CACERT=ca.pem"
    for variable, content in chosen.environment.items():
        yield f"export {variable}={shlex.quote(value(content))}"
    yield from (
        f"export RESTIC_REPOSITORY={shlex.quote(chosen.url)}",
        f"export RESTIC_PASSWORD={shlex.quote(password)}",
        f'calrestic() {{ restic --no-lock{options} "$@"; }}',
        f"wanted=instance={settings.domain},part=manifest",
        "run=$(calrestic snapshots --json --tag $wanted | grep -o 'run=[0-9TZa-f-]*' | sort | tail -n 1)",
        'part() { calrestic dump --tag "$run,part=$1" latest "/$2" >"$2"; }',
        "part manifest manifest.json && part files files.tar && part roles roles.sql",
        "part dump database.dump",
        'echo "$run" && ls -l',
        END,
        "",
        "The database in a container of its own; files.tar has the keys, the settings and the certificates",
        "(opt/calcom/web.env: CALENDSO_ENCRYPTION_KEY, without which a part of the data cannot be read):",
        "",
        BEGIN,
        "tar -xf files.tar",
        "docker run -d --name calcom-back -e POSTGRES_USER=calcom -e POSTGRES_DB=calcom \\",
        f"    -e POSTGRES_HOST_AUTH_METHOD=trust {shlex.quote(settings.images.database.reference)}",
        "until docker exec calcom-back pg_isready -q -h 127.0.0.1 -U calcom; do sleep 1; done",
        "# The user calcom is there already: one error about it is right.",
        "docker exec -i calcom-back psql -q -U calcom -d postgres <roles.sql",
        "docker exec -i calcom-back pg_restore --exit-on-error -U calcom -d calcom <database.dump",
        "docker exec calcom-back psql -U calcom -d calcom -c 'select count(*) from \"Booking\"'",
        END,
    )


def _file(name: str, content: str) -> Iterator[str]:
    yield f"cat >{name} <<'END_OF_FILE'"
    yield from content.rstrip("\n").splitlines()
    yield "END_OF_FILE"
