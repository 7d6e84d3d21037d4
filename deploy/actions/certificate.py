"""The certificate that a host serves: look at it, renew it now, hand out the private authority's."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from typing import Any

from deploy.actions.instance import Instance
from deploy.console import Console
from deploy.errors import CalstackError
from deploy.pki import authority_certificate
from deploy.secrets import SecretStore
from deploy.settings.inventory import Inventory
from deploy.settings.layout import ONHOST
from deploy.settings.tls import due_from

_RENEWAL_SECONDS = 1920
"""For a run of the job that is under way, and one of our own; lego's own limit is 900 each."""


@dataclass(frozen=True)
class CertificateLook:
    """What a host serves, as its own job sees it."""

    mode: str
    names: list[str]
    """What it has to carry."""
    served: dict[str, Any] | None
    """`names`, `issuer`, `begins`, `ends` (UTC, RFC 3339), `share_left`, `fingerprint` (SHA-256); None where
    no TLS comes about."""
    problem: str | None
    """What is wrong with it, in one line."""

    @property
    def due(self) -> datetime.datetime | None:
        """When its renewal begins."""
        if self.served is None:
            return None
        begins, ends = (datetime.datetime.fromisoformat(self.served[key]) for key in ("begins", "ends"))
        return due_from(begins, ends)

    def document(self) -> dict[str, Any]:
        """What `certificate show --json` says of one host."""
        return {
            "ok": self.problem is None,
            "mode": self.mode,
            "names": self.names,
            "served": self.served,
            "due": None if self.due is None else self.due.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "problem": self.problem,
        }

    def lines(self) -> list[str]:
        """The same for people."""
        lines = [f"mode      {self.mode}", f"names     {', '.join(self.names)}"]
        if self.served is not None and self.due is not None:
            who = {
                "acme": "the host renews it by itself",
                "internal": "calstack deploy renews it",
                "provided": "put new files in place, then calstack deploy,",
            }[self.mode]
            left = f"{self.served['share_left']:.0%} left"
            lines += [
                f"issuer    {self.served['issuer']}",
                f"good      {self.served['begins']} to {self.served['ends']}, {left}",
                f"renewal   {who} from {self.due:%Y-%m-%d} on",
            ]
        return [*lines, f"WRONG     {self.problem}" if self.problem else "all is well"]


def look_at_certificate(instance: Instance) -> CertificateLook:
    """What the host serves; changes nothing. Raises `CalstackError` for a host that was not deployed."""
    said = json.loads(instance.remote.run(f"{ONHOST} certificate").text)
    return CertificateLook(said["mode"], said["names"], said["served"], said["problem"])


def renew_certificate(instance: Instance, *, anew: bool) -> CertificateLook:
    """Run the host's job now; with `anew` an ACME server is asked for a new one even where none is due.

    Raises `CalstackError` with the job's own line.
    """
    done = instance.remote.run(
        f"{ONHOST} job certificate --wait 960{' --anew' if anew else ''}",
        timeout=_RENEWAL_SECONDS,
        check=False,
    )
    if done.code != 0:
        raise CalstackError(
            done.error_text.removeprefix("job certificate failed: "),
            where=instance.name,
            fix="see docs/certificates.md; lego's words are in /var/log/calcom/certificate.log on the host",
        )
    return look_at_certificate(instance)


def export_authority(inventory: Inventory, console: Console) -> bytes:
    """PEM of the inventory's private authority; how to trust it is told to the console.

    Raises `InputError` where no host is in mode internal.
    """
    store = SecretStore.open(inventory, tell=console.line)
    pem = authority_certificate(inventory, store, datetime.datetime.now(datetime.UTC), tell=console.line)
    file = inventory.authority_file
    console.line(f"the same lies in {file}; it may vouch for this inventory's names alone. To trust it:")
    console.line(f"  Debian, Ubuntu: cp {file} /usr/local/share/ca-certificates/ && update-ca-certificates")
    console.line(f"  macOS: security add-trusted-cert -k ~/Library/Keychains/login.keychain-db {file}")
    console.line("  Firefox: Settings, Certificates, View Certificates, Authorities, Import")
    return pem
