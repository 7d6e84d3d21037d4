"""A lab of the tests' own, deployed once, so that a lab of `make deploy` is left alone."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from deploy.secrets import SecretStore
from deploy.settings.inventory import INVENTORIES
from deploy.settings.load import load_inventory

REPOSITORY = Path(__file__).resolve().parents[1]
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
NETWORK = f"127.{89 + (zlib.crc32(bytes(REPOSITORY)) + 53 * _WORKER) % 160}."
"""What the test hosts' loopback addresses begin with: other checkouts and workers have theirs."""

REDEPLOYING = ("test_deploy.py", "test_api.py", "test_limits.py")
"""Files whose tests deploy their lab again and again; they take as long as those of all other files."""


@dataclass(frozen=True)
class DeployedLab:
    """A lab inventory in a folder of its own, whose first host is deployed."""

    inventory_path: Path
    environment: dict[str, str]
    first_deploy: subprocess.CompletedProcess[str]

    def calstack(self, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run the command on this lab, as a person would."""
        return subprocess.run(
            self.command(*arguments),
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def command(self, *arguments: str) -> list[str]:
        """The argument list of `calstack`, with this lab as its inventory."""
        calstack = str(Path(sys.executable).with_name("calstack"))
        return [calstack, *arguments, "--inventory", str(self.inventory_path)]

    def on_host(self, script: str, host: str = "cal1") -> str:
        """Standard output of a shell script on a host, over SSH."""
        state = self.inventory_path / "lab-state"
        done = subprocess.run(
            [
                *("ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"),
                *("-o", f"UserKnownHostsFile={state / 'known_hosts'}", "-i", str(state / "id_ed25519")),
                f"root@{self.address_of(host)}",
                script,
            ],
            capture_output=True,
            text=True,
            errors="replace",  # archives are read as well
            timeout=120,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        return done.stdout

    def sql(self, query: str) -> list[str]:
        """Rows of the first host's database, columns split by `|`."""
        script = f'cd /opt/calcom && docker compose exec -T db psql -XqAt -U calcom -d calcom -c "{query}"'
        return self.on_host(script).splitlines()

    def address_of(self, host: str) -> str:
        """Loopback address of a host."""
        return load_inventory(str(self.inventory_path)).hosts[host].ssh.address

    @property
    def domain(self) -> str:
        """Public name of the first host's instance."""
        return load_inventory(str(self.inventory_path)).hosts["cal1"].domain

    @property
    def url(self) -> str:
        """Public address of the first host's instance."""
        return f"https://{self.domain}"

    @property
    def address(self) -> str:
        """Loopback address of the first host."""
        return self.address_of("cal1")

    @property
    def ca_file(self) -> Path:
        """Certificate of the lab's own authority."""
        return self.inventory_path / "ca.crt"

    @property
    def admin_email(self) -> str:
        """Sign-in name of the administrator."""
        return load_inventory(str(self.inventory_path)).hosts["cal1"].admin.email

    @property
    def admin_password(self) -> str:
        """Password of the administrator."""
        return self.secrets("cal1")["admin_password"]

    @property
    def guest_page(self) -> str:
        """Path of a public booking page that the manifest declares."""
        return "/admin/intro"

    def secrets(self, host: str) -> dict[str, str]:
        """Every secret value of a host, by name."""
        with mock.patch.dict(os.environ, self.environment):
            store = SecretStore.open(load_inventory(str(self.inventory_path)))
        names = [secret.name for secret in store.listing() if secret.host == host]
        return {name: store.show(name, host) for name in names}


@pytest.fixture(scope="session")
def deployed_lab(
    docker_engine: None,  # noqa: ARG001 - has to be there first
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[DeployedLab]:
    """The lab, from nothing to a booked and cleaned-up appointment; removed at the end."""
    folder = tmp_path_factory.mktemp("deployed")
    inventory = copy_of_the_lab(folder / "test-lab")
    environment = {**os.environ, "CALSTACK_IDENTITY": str(folder / "identity.txt")}
    lab = DeployedLab(inventory, environment, subprocess.CompletedProcess([], 0, "", ""))
    try:
        first = lab.calstack("deploy", "--json")
        yield DeployedLab(inventory, environment, first)
    finally:
        down = lab.calstack("lab", "down")
    assert down.returncode == 0, down.stderr
    assert _left_of(inventory) == [], "lab down leaves nothing"


@functools.cache
def lab_of(file: Path) -> str | None:
    """Which of two deployed labs the tests of this file work on; None where they need none.

    Who shares the tests among workers has no tests at hand, only files: so it is the text that tells.
    """
    asks_while_running = file.is_relative_to(REPOSITORY / "tests" / "browser")
    if not asks_while_running and "deployed_lab" not in file.read_text(encoding="utf-8"):
        return None
    return "a lab that is deployed again" if file.name in REDEPLOYING else "a deployed lab"


def _left_of(inventory: Path) -> list[str]:
    left: list[str] = [str(path) for path in inventory.glob("lab-state")]
    for kind in ("container ls -a", "volume ls", "network ls"):
        listed = subprocess.run(
            ["docker", *kind.split(), "-q", "--filter", f"label=calstack.lab={inventory}"],
            capture_output=True,
            text=True,
            check=True,
        )
        left += listed.stdout.split()
    return left


def copy_of_the_lab(target: Path) -> Path:
    """The lab inventory with loopback addresses of its own; without the secrets of the lab in use."""
    shutil.copytree(
        INVENTORIES / "lab", target, ignore=shutil.ignore_patterns("secrets.age", "ca.crt", "lab-state")
    )
    for host in (target / "hosts").iterdir():
        host.write_text(host.read_text(encoding="utf-8").replace("127.88.", NETWORK), encoding="utf-8")
    return target


def results(completed: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """The hosts of a `deploy --json` document, by name."""
    document = json.loads(completed.stdout)
    return {host["host"]: host for host in document["hosts"]}


def container_ids(
    lab: DeployedLab, services: Sequence[str] = ("db", "web", "api", "cache", "proxy")
) -> dict[str, str]:
    """Id of each service's container on the first host."""
    script = "; ".join(f"cd /opt/calcom && docker compose ps -q {service}" for service in services)
    return dict(zip(services, lab.on_host(script).split(), strict=True))
