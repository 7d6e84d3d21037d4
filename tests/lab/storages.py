"""Storages for repositories, all in one container: sshd, an append-only rest-server, an S3 endpoint.

Each has a roomy place and a small one, and can be made to fail as real ones do. A folder of this machine is
the fourth kind.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import bcrypt
import docker

from deploy.lab import engine, pip, roots
from deploy.lab.lab import cache_folder
from deploy.onhost.backup.restic import Repository
from tests.lab.certificates import self_signed

STORAGE = roots.Root(
    name="storage",
    suite="trixie",
    packages=("openssh-server", "openssh-sftp-server", "procps", "python3", "restic", "restic-rest-server"),
)
MOTO = Path(__file__).resolve().parents[2] / "requirements" / "moto.txt"
_ENDPOINT = Path(__file__).with_name("s3_endpoint.py")
_SMALL = "10m"
_START = """
set -eu
mkdir -p /run/sshd /srv/roomy /root/.ssh
ssh-keygen -q -A
cp /srv/keys/id_ed25519.pub /root/.ssh/authorized_keys
/usr/sbin/sshd
restic-rest-server --path /srv --listen :8000 --append-only --htpasswd-file /srv/keys/htpasswd \
    --tls --tls-cert /srv/keys/rest.pem --tls-key /srv/keys/rest.pem >/var/log/rest.log 2>&1 &
echo "key-1" >/srv/s3
python3 /srv/keys/s3_endpoint.py >/var/log/s3.log 2>&1 &
exec sleep infinity
"""


@dataclass(frozen=True)
class Storage:
    """One storage of one kind."""

    kind: str
    house: House
    repository: Repository
    """An empty place in it; `small` is one with 10 MB in all."""
    small: Repository | None = None
    inside: str | None = None
    """The roomy place as restic takes it on another machine: in the container itself."""

    def revoke(self) -> None:
        """What the host signs in with is taken from it."""
        self.house.run(
            {
                "sftp": "rm /root/.ssh/authorized_keys",
                "rest": "true >/srv/keys/htpasswd; pkill -HUP restic-rest-ser",
                "s3": "echo 'another-key' >/srv/s3",
            }[self.kind]
        )

    def make_read_only(self) -> None:
        """Nothing can be written to the small place any more."""
        if self.kind == "s3":
            self.house.run("echo 'key-1 read-only' >/srv/s3")
        else:
            self.house.run("mount -o remount,ro /srv/small")

    def fill(self) -> None:
        """No byte more has room in the small place."""
        if self.kind == "s3":
            self.house.run("echo 'key-1 full' >/srv/s3")
        else:
            self.house.run("cat /dev/zero >/srv/small/ballast 2>/dev/null || true")


@dataclass
class House:
    """The container, and what it needs."""

    name: str
    folder: Path
    address: str = ""
    password: str = field(default_factory=lambda: secrets.token_hex(8))

    def run(self, script: str) -> str:
        """Standard output of a script in the container."""
        done = subprocess.run(
            ["docker", "exec", self.name, "sh", "-c", script], check=True, capture_output=True, text=True
        )
        return done.stdout

    def another_machine(self, repository: str, password: str, *arguments: str) -> subprocess.Popen[bytes]:
        """restic on another machine than this one, of another name, its standard input a pipe of ours."""
        return subprocess.Popen(
            [
                *("docker", "exec", "-i", "-e", f"RESTIC_REPOSITORY={repository}"),
                *("-e", f"RESTIC_PASSWORD={password}", "-e", "AWS_ACCESS_KEY_ID=key-1"),
                *("-e", "AWS_SECRET_ACCESS_KEY=secret", self.name, "restic", "--no-cache", *arguments),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Every process in it is stopped: connections are made, and nobody answers."""
        subprocess.run(["docker", "pause", self.name], check=True, capture_output=True)
        try:
            yield
        finally:
            subprocess.run(["docker", "unpause", self.name], check=True, capture_output=True)

    def write_password(self) -> None:
        """Let the user of the rest-server in."""
        digest = bcrypt.hashpw(self.password.encode(), bcrypt.gensalt(4)).decode()
        (self.folder / "htpasswd").write_text(f"cal1:{digest}\n", encoding="utf-8")

    def mend(self) -> None:
        """Undo all that hinders: what was revoked, filled up, made read-only."""
        self.write_password()
        self.run(
            "mount -o remount,rw /srv/small; rm -f /srv/small/ballast; echo key-1 >/srv/s3; "
            "cp /srv/keys/id_ed25519.pub /root/.ssh/authorized_keys; pkill -HUP restic-rest-ser"
        )

    def storage(self, kind: str, folder: Path) -> Storage:
        """A new, empty place of that kind; `folder` is one of this machine's, for what needs one."""
        place = secrets.token_hex(4)
        if kind == "local":
            (folder / "local").mkdir()
            return Storage(kind, self, Repository(kind, str(folder / "local" / place), "a password"))
        making: Callable[[str], Repository] = {"sftp": self._sftp, "rest": self._rest, "s3": self._s3}[kind]
        roomy, small = making(f"roomy/{place}"), making(f"small/{place}")
        inside = f"s3:http://127.0.0.1:9000/roomy/{place}" if kind == "s3" else f"/srv/roomy/{place}"
        return Storage(kind, self, roomy, small, inside)

    def _sftp(self, place: str) -> Repository:
        arguments = (
            f"-i {self.folder}/id_ed25519 -o UserKnownHostsFile={self.folder}/known_hosts "
            "-o StrictHostKeyChecking=yes -o BatchMode=yes -o IdentitiesOnly=yes"
        )
        url = f"sftp:root@{self.address}:/srv/{place}"
        return Repository("sftp", url, "a password", options=(f"sftp.args={arguments}",))

    def _rest(self, place: str) -> Repository:
        environment = {
            "RESTIC_REST_USERNAME": "cal1",
            "RESTIC_REST_PASSWORD": self.password,
            "RESTIC_CACERT": str(self.folder / "rest.pem"),
        }
        url = f"rest:https://{self.address}:8000/{place}/"
        return Repository("rest", url, "a password", environment, append_only=True)

    def _s3(self, place: str) -> Repository:
        environment = {"AWS_ACCESS_KEY_ID": "key-1", "AWS_SECRET_ACCESS_KEY": "secret"}
        return Repository("s3", f"s3:http://{self.address}:9000/{place}", "a password", environment)


@contextmanager
def running_house(client: docker.DockerClient, folder: Path) -> Iterator[House]:
    """The container with its three servers; it takes a second, and half a minute where it has to be built."""
    image = roots.ensure_root(client, STORAGE, lambda _: None)
    house = House(f"calstack-storage-{secrets.token_hex(4)}", folder)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "id_ed25519"], check=True)
    house.write_password()
    shutil.copy(_ENDPOINT, folder)
    (folder / "start.sh").write_text(_START, encoding="utf-8")
    # Its address decides what the certificate says, so it is there before what it runs.
    subprocess.run(
        [
            *("docker", "create", "--name", house.name, "--hostname", "another-host", "--init"),
            *("--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined"),
            *("--tmpfs", f"/srv/small:size={_SMALL}", "-v", f"{folder}:/srv/keys"),
            *("-v", f"{_moto(client)}:/opt/moto:ro", image),
            *("sh", "-c", "while [ ! -e /srv/keys/rest.pem ]; do sleep 0.05; done; . /srv/keys/start.sh"),
        ],
        check=True,
        capture_output=True,
    )
    try:
        subprocess.run(["docker", "start", house.name], check=True, capture_output=True)
        container = client.containers.get(house.name)
        house.address = container.attrs["NetworkSettings"]["IPAddress"]
        (folder / "rest.pem").write_bytes(self_signed(house.address))
        _wait(house)
        scanned = subprocess.run(
            ["ssh-keyscan", "-t", "ed25519", house.address], check=True, capture_output=True
        )
        (folder / "known_hosts").write_bytes(scanned.stdout)
        yield house
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", house.name], capture_output=True, check=False)


def _wait(house: House) -> None:
    answers = (
        "import socket\nfor port in 22, 8000, 9000: socket.create_connection(('127.0.0.1', port)).close()"
    )
    for _ in range(200):
        done = subprocess.run(
            ["docker", "exec", house.name, "python3", "-c", answers], capture_output=True, check=False
        )
        if done.returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(house.run("cat /var/log/rest.log /var/log/s3.log"))


def _moto(client: docker.DockerClient) -> Path:
    """The folder of moto's packages, for the Python of the container; made once."""
    architecture = engine.architecture(client)
    digest = hashlib.sha256(MOTO.read_bytes()).hexdigest()[:12]
    folder = cache_folder() / f"moto-{architecture}-{digest}"
    if not folder.is_dir():
        partial = folder.with_suffix(f".{secrets.token_hex(4)}")
        pip.fetch("install", MOTO, partial, architecture=architecture, python="3.13", what="moto")
        partial.rename(folder)
    return folder
