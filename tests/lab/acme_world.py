"""A real ACME server with its DNS, and a host's proxy and jobs beside it, on a network of their own."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from cryptography import x509
from docker.models.containers import Container

from deploy.lab import images, roots
from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles import certificate, jobs, onhost_archive, proxy
from deploy.roles.context import HostContext
from tests.lab.certificates import self_signed
from tests.lab.entrance import WITHOUT_LIMITS, Entrance, create_app, until_served
from tests.unit.roles.hosts import IMAGES, host_context

SERVERS = Path(__file__).with_name("acme_servers.py")
PROFILES = {"default": 7776000, "shortlived": 518400, "brief": 20}
"""Lifetimes by profile, in seconds; Let's Encrypt's shortlived has six days."""
KEY_ID, KEY = "kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


def acme_host(ca: Path, **settings: Any) -> HostContext:
    """A host that gets its certificates from the server below, with these settings of `tls.acme`."""
    return _host(ca, "acme", None, settings)


def internal_host(ca: Path, certificate: bytes) -> HostContext:
    """The same host in mode internal, with this certificate."""
    return _host(ca, "internal", certificate, {})


def _host(ca: Path, mode: str, certificate: bytes | None, settings: dict[str, Any]) -> HostContext:
    acme = {
        "email": "ada@example.test",
        "directory": "https://ca.test:14000/dir",
        "directory_ca_file": str(ca),
        # Where none is asked for, Pebble takes any.
        "profile": "default",
        **settings,
    }
    return host_context(
        certificate=certificate,
        tls={"mode": mode, "acme": acme},
        rate_limits=WITHOUT_LIMITS,
        images=IMAGES | {"acme": {"reference": images.LEGO.reference, "pull": "never"}},
    )


@dataclass
class World:
    """The network, who is on it, and the folder of the host's files."""

    client: docker.DockerClient
    network: str
    folder: Path
    services: str
    cleaning: ExitStack
    entrance: Entrance
    names: Container
    root: str
    lego: str
    ca: Container | None = None
    ca_kind: str = ""
    """Which one runs; empty where none of ours does."""
    lego_image: str | None = None
    """Another image in lego's place."""

    @property
    def ca_file(self) -> Path:
        """The certificate behind the ACME server's own TLS."""
        return self.folder / "ca" / "cert.pem"

    # The ACME server

    def start_ca(self, *, validating: bool = False, binding: bool = False, rejected_nonces: int = 0) -> None:
        """A fresh one: it knows no account (nor does the host any more), and signs with a new root.
        One of the same kind that runs already goes on.

        Only with `validating` does it ask for proof that a name is ours, which costs lego five seconds;
        `binding` wants accounts bound to the key above; `rejected_nonces` is a percentage.
        """
        kind = f"{validating} {binding} {rejected_nonces}"
        if kind == self.ca_kind:
            return
        shutil.rmtree(self.folder / "acme" / "accounts", ignore_errors=True)
        environment = {
            "PEBBLE_VA_NOSLEEP": "1",
            "PEBBLE_VA_ALWAYS_VALID": str(int(not validating)),
            "PEBBLE_AUTHZREUSE": "0",
            "PEBBLE_WFE_NONCEREJECT": str(rejected_nonces),
        }
        configuration = "eab" if binding else "plain"
        command = [
            "pebble",
            "-config",
            f"/ca/{configuration}.json",
            "-dnsserver",
            f"{self.address_of(self.names)}:53",
        ]
        self._replace_ca(self.root, command, environment)
        self.ca_kind = kind

    def start_refusing_ca(self, kind: str) -> None:
        """One that refuses every order with this kind of problem."""
        self._replace_ca(self.services, ["python3", "/servers.py", "refuse", kind], {})

    def stop_ca(self) -> None:
        if self.ca is not None:
            self.ca.remove(force=True)
            self.ca, self.ca_kind = None, ""

    def _replace_ca(self, image: str, command: list[str], environment: dict[str, str]) -> None:
        self.stop_ca()
        self.ca = self.start(f"{self.network}-ca", image, command, ["ca.test"], environment)
        until_open(self.address_of(self.ca), 14000, self.ca)

    def root_certificate(self) -> x509.Certificate:
        """What the ACME server's certificates go back to."""
        assert self.ca is not None
        return pebble_root(self.address_of(self.ca))

    # Names

    def resolve(self, address: str) -> None:
        """What every name leads to, for the ACME server; an empty address for none."""
        self.tell_names("set-default-ipv4", {"ip": address})

    def tell_names(self, verb: str, said: dict[str, Any]) -> None:
        url = f"http://{self.address_of(self.names)}:8055/{verb}"
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(said).encode(), method="POST")):
            pass

    # Containers

    def start(
        self,
        name: str,
        image: str,
        command: list[str],
        aliases: Sequence[str] = (),
        environment: dict[str, str] | None = None,
    ) -> Container:
        container = self.client.containers.create(
            image,
            command,
            name=name,
            entrypoint=[],
            environment=environment or {},
            volumes=[f"{self.folder / 'ca'}:/ca:ro", f"{SERVERS}:/servers.py:ro"],
            stop_signal="SIGKILL",
            user="0",
        )
        self.cleaning.callback(_remove, self.client, name)
        self.client.networks.get(self.network).connect(container, aliases=list(aliases))
        self.client.networks.get("bridge").disconnect(container)
        container.start()
        return container

    def address_of(self, container: Container) -> str:
        container.reload()
        return str(container.attrs["NetworkSettings"]["Networks"][self.network]["IPAddress"])

    # The host

    @property
    def certificate_file(self) -> Path:
        return self.folder / "proxy" / "certificates" / "site.pem"

    @property
    def store(self) -> Path:
        """Where lego keeps what it got."""
        return self.folder / "acme" / "certificates"

    @property
    def log(self) -> str:
        file = self.folder / "logs" / "certificate.log"
        return file.read_text() if file.exists() else ""

    def place(self, host: HostContext) -> None:
        """Write the host's files, as a deploy does, but for folders of the test's own."""
        place_files(self.folder, [*proxy.files(host), *certificate.files(host)])
        (described,) = [item for item in jobs.files(host) if item.path == "/opt/calcom/jobs.json"]
        assert isinstance(described, ManagedFile)
        document = json.loads(described.content)
        document["directories"] = {name: str(self.folder / name) for name in ("stamps", "logs", "locks")}
        job = document["jobs"]["certificate"]
        job["limit_seconds"] = 120
        described_certificate = job["certificate"] | {
            "file": str(self.certificate_file),
            "socket": str(self.folder / "sockets" / "admin.sock"),
            "entrance": f"{self.entrance.address}:443",
        }
        if described_certificate["acme"] is not None:
            described_certificate["acme"] |= {
                "network": self.network,
                "container": f"{self.network}-lego",
                "folder": str(self.folder / "acme"),
                "environment_file": str(self.folder / "acme.env"),
                "authorities": str(self.folder / "acme-authorities"),
                "record": str(self.folder / "certificate.json"),
            }
            if self.lego_image is not None:
                described_certificate["acme"]["image"] = self.lego_image
        job["certificate"] = described_certificate
        (self.folder / "jobs.json").write_text(json.dumps(document))

    def onhost(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the archive that a host gets."""
        command = [sys.executable, "-I", str(self.folder / "onhost.pyz"), "--jobs-file"]
        return subprocess.run(
            [*command, str(self.folder / "jobs.json"), *arguments],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def job(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the job, now."""
        return self.onhost("job", "certificate", "--wait", "0", *options)

    def shown(self) -> dict[str, Any]:
        """What `onhost certificate` says."""
        done = self.onhost("certificate")
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def served(self) -> x509.Certificate | None:
        """What a visitor is shown, or None where TLS does not come about."""
        try:
            with self.entrance.connect(443) as connection:
                assert isinstance(connection, ssl.SSLSocket)
                return x509.load_der_x509_certificate(connection.getpeercert(binary_form=True) or b"")
        except OSError:
            return None

    def reload_proxy(self) -> None:
        self.entrance.proxy.kill("SIGUSR2")

    def forget(self) -> None:
        """A host without certificate and account, its proxy started afresh."""
        for pattern in ("acme/**/*", "certificate.json", "proxy/certificates/*", "logs/*", "stamps/*"):
            for path in self.folder.glob(pattern):
                if path.is_file():
                    path.unlink()
        self.entrance.proxy.restart(timeout=1)
        self.entrance.proxy.reload()
        until_served(self.entrance)


def place_files(folder: Path, items: Sequence[ManagedFile | ManagedDirectory]) -> None:
    """Files of /opt/calcom, and the folder of sockets, with their modes and owners, below another folder."""
    for item in items:
        if item.path.startswith("/var/lib/calcom/proxy"):
            path = folder / "sockets"
        else:
            path = folder / item.path.removeprefix("/opt/calcom/")
        if isinstance(item, ManagedDirectory):
            path.mkdir(exist_ok=True, parents=True)
        else:
            path.unlink(missing_ok=True)
            path.write_bytes(item.content)
        path.chmod(int(item.mode, 8))
        subprocess.run(["chown", f"{item.owner}:{item.group}", str(path)], check=True)


def pebble_root(address: str) -> x509.Certificate:
    """The root that a Pebble has made for itself."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with urllib.request.urlopen(f"https://{address}:15000/roots/0", context=context) as answer:
        return x509.load_pem_x509_certificate(answer.read())


def until_open(address: str, port: int, container: Container) -> None:
    for _ in range(100):
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            container.reload()
            assert container.status == "running", container.logs().decode()
            time.sleep(0.1)
            continue
        return
    raise AssertionError(container.logs().decode())


@contextmanager
def acme_world(client: docker.DockerClient, folder: Path) -> Iterator[World]:
    """All of it, without an ACME server yet; the proxy runs and has no certificate."""
    folder.chmod(0o755)
    services = images.ensure_service_image(client, images.HAPROXY)
    lego = images.ensure_service_image(client, images.LEGO)
    root = roots.ensure_root(client, roots.ACME, lambda _: None)
    network = f"calstack-acme-{uuid.uuid4().hex[:8]}"
    write_ca_files(folder / "ca")
    host = acme_host(folder / "ca" / "cert.pem")
    place_files(folder, [*proxy.files(host), *certificate.files(host)])
    (folder / "onhost.pyz").write_bytes(onhost_archive.build())
    with ExitStack() as cleaning:
        client.networks.create(network)
        cleaning.callback(client.networks.get(network).remove)
        app = create_app(client, f"{network}-app", services)
        cleaning.callback(app.remove, force=True)
        front = client.containers.create(
            services,
            name=f"{network}-proxy",
            network=network,
            user="99:99",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            volumes=[f"{folder / 'proxy'}:/usr/local/etc/haproxy:ro", f"{folder / 'sockets'}:/run/haproxy"],
            mem_limit="256m",
        )
        cleaning.callback(front.remove, force=True)
        client.networks.get(network).connect(app, aliases=["web"])
        app.start()
        front.start()
        entrance = Entrance(front, app, network, folder / "sockets")
        until_served(entrance)
        world = World(client, network, folder, services, cleaning, entrance, front, root, lego)
        world.names = world.start(
            f"{network}-names",
            root,
            [
                *("pebble-challtestsrv", "-defaultIPv4", entrance.address, "-defaultIPv6", ""),
                *("-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-dnsserver", ":53"),
            ],
            ["names.test"],
        )
        until_open(world.address_of(world.names), 8055, world.names)
        yield world


def write_ca_files(folder: Path, name: str = "ca.test") -> None:
    """Pebble's configurations, and a certificate for its own TLS under that name or address."""
    folder.mkdir(exist_ok=True)
    pem = self_signed(name)
    at = pem.index(b"-----BEGIN PRIVATE")
    (folder / "cert.pem").write_bytes(pem[:at])
    (folder / "key.pem").write_bytes(pem[at:])
    described: dict[str, Any] = {
        "listenAddress": "0.0.0.0:14000",
        "managementListenAddress": "0.0.0.0:15000",
        "certificate": "/ca/cert.pem",
        "privateKey": "/ca/key.pem",
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
        "retryAfter": {"authz": 1, "order": 1},
        "profiles": {
            name: {"description": name, "validityPeriod": seconds} for name, seconds in PROFILES.items()
        },
    }
    binding = {"externalAccountBindingRequired": True, "externalAccountMACKeys": {KEY_ID: KEY}}
    (folder / "plain.json").write_text(json.dumps({"pebble": described}))
    (folder / "eab.json").write_text(json.dumps({"pebble": described | binding}))


def _remove(client: docker.DockerClient, name: str) -> None:
    try:
        client.containers.get(name).remove(force=True)
    except docker.errors.NotFound:
        return
