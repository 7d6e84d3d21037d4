"""Where the proxy's certificate comes from: the settings `tls`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from deploy.settings import rules
from deploy.settings.app_variables import looks_secret
from deploy.settings.section import FilePath, Line, SecretReference, Section

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
LETS_ENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
"""Unlimited tries, for certificates that nobody trusts (letsencrypt.org/docs/staging-environment)."""

RED_BELOW = 0.2
"""Share of a certificate's lifetime that has to be left. Renewal begins at a third (at half, where the
lifetime is ten days or less), so that below a fifth it has failed for long; a number of days would not serve
certificates of six days and of a year alike."""

_OWN_VARIABLES = ("LEGO_SERVER", "LEGO_EMAIL", "LEGO_PATH", "LEGO_EAB", "LEGO_CA_")


def _directory(value: str) -> str:
    """An https address; `staging` stands for Let's Encrypt's staging environment."""
    if value == "staging":
        return LETS_ENCRYPT_STAGING
    if not re.fullmatch(r"https://[^\s/@]+/\S*", value):
        raise rules.refused(
            "is not the https address of an ACME directory",
            "write it like https://ca.example.com/acme/directory",
        )
    return value


def _provider(value: str) -> str:
    """A provider's code in lego's list, e.g. `cloudflare`."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", value):
        raise rules.refused(
            "is not the code of a DNS provider", "see https://go-acme.github.io/lego/dns/ for the codes"
        )
    return value


def _profile(value: str) -> str:
    """A profile's name: letters, digits, hyphens, underscores and dots."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", value):
        raise rules.refused("is not the name of a profile", "write it like shortlived or tlsserver")
    return value


def _resolver(value: str) -> str:
    """ADDRESS:PORT of a DNS server."""
    if not re.fullmatch(r"(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}", value):
        raise rules.refused("is not the address and port of a DNS server", "write it like 192.0.2.53:53")
    return value


class Acme(Section):
    """How certificates come from an ACME server (RFC 8555), by lego; with `tls.mode: acme` you agree to the
    terms of the server that `directory` names."""

    email: Annotated[str, AfterValidator(rules.email)]
    """Contact of the account at the ACME server."""
    directory: Annotated[str, AfterValidator(_directory)] = LETS_ENCRYPT
    """Address of the server's directory; `staging` is Let's Encrypt's staging environment."""
    challenge: Literal["http-01", "dns-01"] = "http-01"
    """How the server is shown that the names are yours. `http-01`: it asks on port 80 of each name;
    `dns-01`: by a record that lego makes at your DNS provider."""
    dns_provider: Annotated[str, AfterValidator(_provider)] | None = None
    """Code of your DNS provider in lego's list, for `dns-01`."""
    dns_env: dict[str, str | SecretReference] = {}
    """The provider's variables, as lego's page about it names them; credentials as secrets."""
    dns_resolvers: list[Annotated[str, AfterValidator(_resolver)]] = []
    """DNS servers that lego asks for the zone, each as ADDRESS:PORT; without them the host's own."""
    dns_wait_seconds: Annotated[int, Field(ge=1, le=3600)] | None = None
    """Wait that long for the record to spread, instead of asking the zone's own name servers for it."""
    profile: Annotated[str, AfterValidator(_profile)] | None = None
    """Certificate profile of the server, e.g. `shortlived` (six days) or `tlsserver`."""
    key_type: Literal["ec256", "ec384", "rsa2048", "rsa4096"] = "ec256"
    """Kind of the private key."""
    eab_key_id: Line | None = None
    """Key id of an external account binding, where the server wants one."""
    eab_hmac: SecretReference | None = None
    """Its HMAC key, in base64url as the server gave it."""
    directory_ca_file: FilePath | None = None
    """PEM of the authority behind the ACME server's own TLS, where it is a private one; relative to the
    inventory."""
    issuer_ca_file: FilePath | None = None
    """PEM of the root behind the certificates that it issues, where browsers do not know it: the app and
    calstack itself then trust it; relative to the inventory."""

    @field_validator("dns_env")
    @classmethod
    def _variables_are_allowed(
        cls, value: dict[str, str | SecretReference]
    ) -> dict[str, str | SecretReference]:
        """No variable that follows from another setting, and no secret in plain text."""
        found: list[tuple[str, str, str | None]] = []
        for name, content in value.items():
            if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
                found.append((name, "is not the name of one of lego's variables", None))
            elif name.startswith(_OWN_VARIABLES):
                found.append((name, "is set by calstack from the other settings of tls.acme", "remove it"))
            elif name.endswith("_FILE"):
                plain = name.removesuffix("_FILE")
                fix = f"give the value itself: {plain}: !secret {plain.lower()}"
                found.append((name, "names a file, which lego's container does not see", fix))
            elif isinstance(content, str) and looks_secret(name):
                fix = f"write {name}: !secret {name.lower()}"
                found.append((name, "looks like a secret and stands there in plain text", fix))
        if found:
            raise rules.refused_together(found)
        return value

    @model_validator(mode="after")
    def _parts_belong_together(self) -> Acme:
        """`dns_provider` with `dns-01` and only there; `eab_key_id` and `eab_hmac` only together."""
        found: list[tuple[str, str, str | None]] = []
        if self.challenge == "dns-01" and self.dns_provider is None:
            fix = "name it, see https://go-acme.github.io/lego/dns/"
            found.append(("dns_provider", "is missing; challenge dns-01 needs it", fix))
        if self.challenge == "http-01":
            for key in ("dns_provider", "dns_env", "dns_resolvers", "dns_wait_seconds"):
                if getattr(self, key):
                    what = "has no meaning with challenge http-01"
                    found.append((key, what, "write challenge: dns-01, or remove it"))
        if (self.eab_key_id is None) != (self.eab_hmac is None):
            there, lacking = (
                ("eab_key_id", "eab_hmac") if self.eab_hmac is None else ("eab_hmac", "eab_key_id")
            )
            found.append((there, f"stands there without {lacking}", f"add {lacking}, or remove {there}"))
        if found:
            raise rules.refused_together(found)
        return self


class Tls(Section):
    """Where the proxy's certificate comes from."""

    mode: Literal["internal", "provided", "acme"] = "internal"
    """`internal`: a private authority made for this inventory (browsers warn until they trust it);
    `provided`: your own files; `acme`: from Let's Encrypt or another ACME server, renewed by the host
    itself."""
    certificate_file: FilePath | None = None
    """PEM with the certificate and its chain, for `provided`; relative to the inventory."""
    key: SecretReference | None = None
    """PEM of the private key, for `provided`."""
    acme: Acme | None = None
    """The ACME server and the account there, for `acme`; may stay while another mode is in force."""
    hsts: bool = True
    """Tell browsers to come by https alone from now on (two years)."""

    @model_validator(mode="after")
    def _mode_has_its_parts(self) -> Tls:
        """Mode `provided` needs `certificate_file` and `key`, which no other mode takes; mode `acme` needs
        `acme`."""
        found: list[tuple[str, str, str | None]] = []
        for key, fix in (
            (
                "certificate_file",
                "add certificate_file: tls/fullchain.pem (certificate first, then its chain)",
            ),
            ("key", "add key: !secret tls_key and store it with `calstack secrets set tls_key`"),
        ):
            there = getattr(self, key) is not None
            if self.mode == "provided" and not there:
                found.append((key, "is missing; mode provided needs certificate_file and key", fix))
            if self.mode != "provided" and there:
                what = f"has no meaning in mode {self.mode}"
                found.append((key, what, "write mode: provided, or remove it"))
        if self.mode == "acme" and self.acme is None:
            what = "is missing; mode acme needs an address for the account at the ACME server"
            found.append(("acme", what, "add acme: {email: YOU@EXAMPLE.COM}"))
        if found:
            raise rules.refused_together(found)
        return self

    @property
    def private_root(self) -> str | None:
        """File of the private root behind what an ACME server issues, as `acme.issuer_ca_file` says it."""
        return self.acme.issuer_ca_file if self.mode == "acme" and self.acme is not None else None


def due_from(begins: datetime, ends: datetime) -> datetime:
    """When the renewal of a certificate begins: with a third of its lifetime left, as lego does it, or with
    half of it where that is ten days or less.
    """
    lifetime = ends - begins
    return ends - lifetime / (2 if lifetime <= timedelta(days=10) else 3)
