"""One host as the checks see it: its settings, testinfra's view of it, and what was found inside."""

from __future__ import annotations

import base64
import inspect
import json
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import testinfra
import testinfra.host
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from deploy.calcom.http import open_client
from deploy.errors import InputError
from deploy.maintenance import OPERATOR_HEADER, Maintenance, parse
from deploy.secrets import SecretStore
from deploy.settings.inventory import Inventory
from deploy.settings.layout import MAINTENANCE_MAP, PROXY_LIMITS_INSIDE, RESTORE_STATE
from deploy.settings.model import HostSettings
from tests.verify import look

SAMPLES = ("secret", "password", "changeme", "magical_password", "0cc0e6c35519bba620c9360cfe3e68d0")
"""Values that Cal.com's own sample files carry; nobody's instance may run with one (FACTS §2)."""

_SHARED = {"NEXTAUTH_SECRET": "nextauth_secret", "CALENDSO_ENCRYPTION_KEY": "encryption_key"}
_EXPECTED = {
    "web": _SHARED | {"CRON_API_KEY": "cron_api_key", "CRON_SECRET": "cron_secret"},
    "api": _SHARED | {"JWT_SECRET": "jwt_secret"},
}
"""Variables of a service, and the secret that each holds."""
_SHORTEST_NEEDLE = 8
_LONGEST_LOOK_SECONDS = 120


class NotSeenError(Exception):
    """The host cannot be looked at; the text is a whole message."""


@dataclass
class Server:
    """One host of the inventory that is to be checked."""

    name: str
    inventory: Inventory
    store: SecretStore
    ssh_folder: Path
    """Folder of our own for ssh's configuration and the socket of the one connection."""
    unreachable: str | None = None
    """Why the host could not be looked at, or None."""
    _found: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def settings(self) -> HostSettings:
        """What the inventory says of this host."""
        return self.inventory.hosts[self.name]

    @cached_property
    def host(self) -> testinfra.host.Host:
        """testinfra's view of it, as root, over the one connection."""
        address = self.settings.ssh.address
        return testinfra.get_host(
            f"ssh://[{address}]" if ":" in address else f"ssh://{address}",
            ssh_config=str(self._ssh_config),
            sudo=self.settings.ssh.user != "root",
        )

    def found(self, part: str) -> Any:
        """What was found inside: see `look.look`. Fails the check where that part could not be looked at."""
        value = self._found[part]
        if isinstance(value, dict) and "problem" in value:
            # The same words whatever part it was: a reader needs the one cause once.
            raise NotSeenError(f"not all could be looked at: {value['problem']}")
        return value

    def contact(self) -> None:
        """Connect and look inside; sets `unreachable` instead of raising."""
        try:
            self._write_ssh_config()
            self._found = self._look()
            self._refuse_bare_host()
        except (NotSeenError, InputError) as error:
            self.unreachable = str(error)

    @cached_property
    def entrance_problem(self) -> str | None:
        """Why TLS with the public entrance does not come about, whatever its certificate; None if it does."""
        try:
            self.certificate()
        except OSError as error:
            ssh = self.settings.ssh
            return (
                f"the public entrance does not answer: no TLS for {self.settings.domain} "
                f"with {ssh.address}:443: {error}\n"
                "-> cd /opt/calcom && docker compose ps proxy; docker compose logs --since 15m proxy"
            )
        return None

    @cached_property
    def app_problem(self) -> str | None:
        """Why the app gives no answer at the public entrance; None if it does.

        The proxy waits some twelve seconds for an app that is away: so one check finds that out for all.
        """
        return self._unanswered(self.settings.public_url, "/api/version", "web")

    @cached_property
    def api_problem(self) -> str | None:
        """The same of the API."""
        return self._unanswered(self.settings.api_url, "/v2/me", "api cache")

    def _unanswered(self, url: str, path: str, services: str) -> str | None:
        try:
            with self.public_client(url) as client:
                status = client.get(str(client.base_url).rstrip("/") + path).status_code
        except httpx.HTTPError as error:
            said = f"gets no answer: {error}"
        else:
            if status not in (502, 503, 504):
                return None
            said = f"answers {status}"
        return (
            f"what stands behind the proxy does not work: {url}{path} {said}\n"
            f"-> cd /opt/calcom && docker compose ps; docker compose logs --since 15m {services} proxy"
        )

    def certificate(self) -> x509.Certificate:
        """The certificate that the proxy shows for the public name, whoever signed it. Raises `OSError`."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection((self.settings.ssh.address, 443), timeout=5) as connection,
            context.wrap_socket(connection, server_hostname=self.settings.domain) as tls,
        ):
            return x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")

    def hang_up(self) -> None:
        """Close the connection that ssh keeps open for us."""
        if self._ssh_config.exists():
            command = ["ssh", "-F", str(self._ssh_config), "-O", "exit", self.settings.ssh.address]
            subprocess.run(command, capture_output=True, timeout=15, check=False)

    def public_client(self, url: str | None = None) -> httpx.Client:
        """A stranger's client: the public name (or that of `url`), TLS, at the address that SSH uses.

        During a maintenance it is let in, since what stands behind the page is looked at.
        """
        client = open_client(
            url or self.settings.public_url,
            ca_file=self.authority_file,
            connect_to=(self.settings.ssh.address, 443),
            connect_seconds=5,
            answer_seconds=20,
        )
        if (maintenance := self.maintenance) is not None:
            secret = self.store.show("nextauth_secret", self.name)
            client.headers[OPERATOR_HEADER] = maintenance.operator_key(secret)
        return client

    @property
    def maintenance(self) -> Maintenance | None:
        """The maintenance that is on, or None while guests reach the instance."""
        try:
            return parse(self.found("maintenance"))
        except ValueError as error:
            raise NotSeenError(f"{error}\n-> calstack maintenance off") from None

    def plain_client(self) -> httpx.Client:
        """The same without TLS."""
        return open_client(
            f"http://{self.settings.domain}",
            connect_to=(self.settings.ssh.address, 80),
            connect_seconds=5,
            answer_seconds=20,
        )

    @property
    def authority_file(self) -> Path | None:
        """Certificate of the private authority that signed for this host, if one did."""
        return self.inventory.authority_of(self.settings)

    def images(self) -> dict[str, str]:
        """The reference that each service shall run, on a machine of this kind."""
        images, architecture = self.settings.images, self.found("machine")["architecture"]
        chosen = {
            "web": images.web,
            "db": images.database,
            "proxy": images.proxy,
            "api": images.api,
            "cache": images.cache,
        }
        return {
            service: image.for_architecture(architecture)
            for service, image in chosen.items()
            if image is not None
        }

    def _refuse_bare_host(self) -> None:
        """One message instead of a failure of every check where there is nothing to check."""
        deployed = any(file["path"] == "/opt/calcom/compose.yaml" for file in self.found("files"))
        if not deployed and not self._found["containers"]:
            raise NotSeenError(
                f"nothing was deployed here\n-> calstack deploy --inventory {self.inventory.name} "
                f"--limit {self.name}"
            )

    @property
    def _ssh_config(self) -> Path:
        return self.ssh_folder / self.name

    def _write_ssh_config(self) -> None:
        ssh = self.settings.ssh
        options = {
            "User": ssh.user,
            "Port": str(ssh.port),
            "StrictHostKeyChecking": "yes",
            "BatchMode": "yes",
            "ConnectTimeout": "10",
            "ServerAliveInterval": "10",
            "ControlMaster": "auto",
            "ControlPath": f"{self.ssh_folder}/%C",
            "ControlPersist": "60",
            "LogLevel": "ERROR",
        }
        if ssh.key_file is not None:
            options |= {"IdentityFile": _quoted(self.inventory.file(ssh.key_file)), "IdentitiesOnly": "yes"}
        if ssh.known_hosts_file is not None:
            options["UserKnownHostsFile"] = _quoted(self.inventory.file(ssh.known_hosts_file))
        lines = [f"{name} {value}" for name, value in options.items()]
        # ssh takes the first value it meets: ours win over the user's own file, which may name a jump host.
        lines.append(f"Include {_quoted(Path.home() / '.ssh' / 'config')}")
        self._ssh_config.write_text("\n".join([*lines, ""]))

    def _look(self) -> dict[str, Any]:
        request = self._request()
        program = f"{inspect.getsource(look)}\nprint(json.dumps(look(json.loads({json.dumps(request)!r}))))\n"
        interpreter = "python3 -I -"
        command = interpreter if self.settings.ssh.user == "root" else f"sudo -n {interpreter}"
        try:
            done = subprocess.run(
                ["ssh", "-F", str(self._ssh_config), self.settings.ssh.address, command],
                input=program,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_LONGEST_LOOK_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NotSeenError(
                f"the host did not answer within {_LONGEST_LOOK_SECONDS} s\n"
                "-> look at its load and its disks; `docker ps` on it should answer at once"
            ) from None
        if done.returncode != 0:
            raise NotSeenError(self._why_not(done.returncode, done.stderr.strip()))
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _why_not(self, code: int, said: str) -> str:
        ssh = self.settings.ssh
        last = said.splitlines()[-1] if said else f"code {code}"
        if code == 255:
            return (
                f"cannot connect to {ssh.address}:{ssh.port}: {last}\n"
                "-> check that the machine is up, and that this gets in: "
                f"ssh -p {ssh.port} {ssh.user}@{ssh.address}"
            )
        if code == 127:
            return (
                f"the host has no python3, so nothing was deployed here\n"
                f"-> calstack deploy --inventory {self.inventory.name} --limit {self.name}"
            )
        return (
            f"looking at the host failed: {last}\n"
            f"-> the user {ssh.user} must be root, or have sudo without a password"
        )

    def _request(self) -> dict[str, Any]:
        try:
            values = {
                service: {name: self.store.show(secret, self.name) for name, secret in secrets.items()}
                for service, secrets in _EXPECTED.items()
            }
        except InputError:
            raise NotSeenError(
                f"the inventory holds no secrets of this host: it was not deployed from here\n"
                f"-> calstack deploy --limit {self.name}, or fetch the {self.inventory.secrets_file.name} "
                "that belongs to it"
            ) from None
        images = self.settings.images
        references = [
            reference
            for image in (images.web, images.database, images.proxy, images.api, images.cache)
            if image is not None
            for reference in (image.reference, image.reference_arm64)
            if reference is not None
        ]
        return {
            "domain": self.settings.domain,
            "inner_port": self.settings.proxy.inner_port,
            "images": references,
            "needles": self._needles(),
            "expected": values,
            "samples": SAMPLES,
            "maintenance_map": MAINTENANCE_MAP,
            "restore_state": RESTORE_STATE,
            "limits_map": f"{PROXY_LIMITS_INSIDE}/amounts.map",
        }

    def _needles(self) -> dict[str, list[str]]:
        """Every secret of this host and of the whole inventory in the forms in which files would hold it."""
        needles: dict[str, list[str]] = {}
        for entry in self.store.listing():
            if entry.host not in (None, self.name) or entry.origin == "missing":
                continue
            value = self.store.show(entry.name, entry.host)
            if value.lstrip().startswith("-----BEGIN CERTIFICATE"):
                continue
            forms = _key_lines(value) or [value, quote(value, safe=""), json.dumps(value)[1:-1]]
            needles[entry.name] = sorted({form for form in forms if len(form) >= _SHORTEST_NEEDLE})
        return needles


def _key_lines(value: str) -> list[str]:
    """The secret lines inside of PEM's private keys; no text of a file could hold more than these.

    A private key holds its public one too, which certificates show to everybody: those lines are left out.
    """
    keys = re.findall(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*-----", value, re.DOTALL)
    return [line for key in keys for line in _secret_lines(key)]


def _secret_lines(key: str) -> Iterator[str]:
    public = load_pem_private_key(key.encode(), password=None).public_key()
    known = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for line in key.splitlines()[1:-1]:
        if base64.b64decode(line + "=" * (-len(line) % 4)) not in known:
            yield line


def _quoted(path: Path) -> str:
    return f'"{path}"'
