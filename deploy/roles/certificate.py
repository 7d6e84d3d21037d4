"""The certificate as the host itself looks after it: lego's folder and variables, and the job."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from pyinfra.api.deploy import deploy

from deploy.errors import InputError
from deploy.onhost.certificate import lego
from deploy.operations import certificate as certificate_operations
from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles import proxy
from deploy.roles.context import HostContext, origin
from deploy.settings.layout import ACME, CERTIFICATE_RECORD, CERTIFICATES, PROJECT, PROXY_SOCKETS
from deploy.settings.model import Image
from deploy.settings.tls import RED_BELOW, Acme

LEGO = 65532
"""User and group of lego; nobody else's, since it needs no name."""
ENVIRONMENT_FILE = f"{PROJECT}/acme.env"
AUTHORITIES = f"{PROJECT}/acme-authorities"
_AUTHORITY = "directory.pem"
_LIMIT_SECONDS = 900
"""A DNS provider may take many minutes to spread a record."""


def files(host: HostContext) -> list[ManagedFile | ManagedDirectory]:
    """lego's folder, its variables, and the authority behind the ACME server, in `tls.mode: acme` alone.

    Raises `CalstackError` for a secret that is missing, or a value that no environment file can carry.
    """
    acme = _acme(host)
    if acme is None:
        return []
    items: list[ManagedFile | ManagedDirectory] = [
        ManagedDirectory(ACME, mode="0700", owner=LEGO, group=LEGO),
        ManagedFile(ENVIRONMENT_FILE, _environment_file(host, acme), mode="0600", secret=True),
    ]
    if acme.directory_ca_file is not None:
        content = host.inventory.file(acme.directory_ca_file).read_bytes()
        items += [ManagedDirectory(AUTHORITIES), ManagedFile(f"{AUTHORITIES}/{_AUTHORITY}", content)]
    return items


def job(host: HostContext) -> dict[str, Any]:
    """The part of the jobs file that describes the job `certificate`."""
    acme = _acme(host)
    return {
        "certificate": {
            "mode": host.settings.tls.mode,
            "names": list(host.settings.names),
            "file": f"{CERTIFICATES}/site.pem",
            "owner": proxy.HAPROXY,
            "loaded_as": "/usr/local/etc/haproxy/certificates/site.pem",
            "socket": f"{PROXY_SOCKETS}/admin.sock",
            "entrance": "127.0.0.1:443",
            "red_below": RED_BELOW,
            "acme": None if acme is None else _lego(host, acme),
        },
        "limit_seconds": _LIMIT_SECONDS,
        "interval_seconds": 3600,
        # So that not all hosts of the world ask at the same minute.
        "jitter_seconds": 900,
        "only_last_day_of_month": False,
        # A catch-up every ten minutes would meet Let's Encrypt's limit of five failed tries an hour.
        "pause_after_failure_seconds": 3000,
    }


@deploy("Certificate")
def obtain_certificate(host: HostContext) -> None:
    """Get the first certificate, or one for what has changed; what is due later is the host's own affair."""
    certificate_operations.as_wanted(name="The certificate is there", mode=host.settings.tls.mode)


def _acme(host: HostContext) -> Acme | None:
    return host.settings.tls.acme if host.settings.tls.mode == "acme" else None


def _lego(host: HostContext, acme: Acme) -> dict[str, Any]:
    image = host.settings.images.acme
    assert image is not None  # noqa: S101 - the settings say so
    options = ["--accept-tos", "--key-type", acme.key_type]
    for name in host.settings.names:
        options += ["--domains", name]
    if acme.challenge == "http-01":
        options += ["--http", "--http.port", f":{lego.PORT}"]
    else:
        options += ["--dns", acme.dns_provider or ""]
        for resolver in acme.dns_resolvers:
            options += ["--dns.resolvers", resolver]
        if acme.dns_wait_seconds is not None:
            options += ["--dns.propagation-wait", f"{acme.dns_wait_seconds}s"]
    return {
        "image": image.for_architecture(host.architecture),
        "pull": _pull(image),
        "container": lego.ALIAS,
        # In a clone the other one has no way out.
        "network": "calcom_edge" if host.settings.clone else "calcom_front",
        "user": LEGO,
        "folder": ACME,
        "environment_file": ENVIRONMENT_FILE,
        "authorities": AUTHORITIES if acme.directory_ca_file else None,
        "options": options,
        "profile": acme.profile,
        "wanted": _digest(host, acme),
        "record": CERTIFICATE_RECORD,
    }


def _pull(image: Image) -> str:
    """An image that nothing runs may be tidied away; from a registry it comes back by itself."""
    return "never" if image.archive is not None or image.pull == "never" else "missing"


def _digest(host: HostContext, acme: Acme) -> str:
    """Of all that a certificate is made for; the rest decides only how it is got."""
    made_for = [sorted(host.settings.names), acme.directory, acme.email, acme.key_type, acme.profile]
    return hashlib.sha256(json.dumps(made_for).encode()).hexdigest()[:16]


def _environment_file(host: HostContext, acme: Acme) -> bytes:
    variables = {"LEGO_SERVER": acme.directory, "LEGO_EMAIL": acme.email, "LEGO_PATH": "/lego"}
    if acme.directory_ca_file is not None:
        variables["LEGO_CA_CERTIFICATES"] = f"/etc/calcom/{_AUTHORITY}"
    if acme.eab_key_id is not None and acme.eab_hmac is not None:
        variables |= {
            "LEGO_EAB": "true",
            "LEGO_EAB_KID": acme.eab_key_id,
            "LEGO_EAB_HMAC": host.resolve(acme.eab_hmac),
        }
    variables |= {name: host.resolve(value) for name, value in acme.dns_env.items()}
    lines = [f"# {origin('deploy/roles/certificate.py')}"]
    for name, value in variables.items():
        # `docker run` takes each line as it is: there are no quotes.
        if re.search(r"[\x00-\x1f\x7f]", value):
            raise InputError(
                f"the value of {name} contains a line break or another control character, which lego's "
                "environment file cannot carry",
                where=host.name,
                fix="write it on one line (JSON may be)",
            )
        lines.append(f"{name}={value}")
    return "\n".join([*lines, ""]).encode()
