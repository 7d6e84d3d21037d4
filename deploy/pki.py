"""The proxy's certificate: from a private authority made for the inventory, or from the user's own files.

In `tls.mode: acme` the host gets its own, see `deploy/onhost/certificate/`.

The private authority may sign for the inventory's own names alone (RFC 5280 section 4.2.1.10), so that who
trusts it trusts nothing else. Its key lies in `secrets.age`; its certificate is `ca.crt`, for browsers.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.errors import InputError
from deploy.secrets import Content, SecretStore
from deploy.settings.inventory import Inventory
from deploy.settings.model import HostSettings
from deploy.settings.tls import RED_BELOW

AUTHORITY_LIFETIME = timedelta(days=3652)
LEAF_LIFETIME = timedelta(days=365)
"""Mozilla's intermediate profile allows 366 days at most (wiki.mozilla.org/Security/Server_Side_TLS)."""
CLOCK_DIFFERENCE = timedelta(hours=1)
"""Certificates begin this much earlier, for hosts whose clock is behind."""


@dataclass(frozen=True)
class _Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def proxy_certificate(
    inventory: Inventory,
    host_name: str,
    store: SecretStore,
    now: datetime,
    tell: Callable[[str], None] = lambda _: None,
) -> bytes:
    """What HAProxy reads for a host: certificate, chain and private key as PEM; not for mode acme.

    The same from run to run until it nears its end. In mode internal, the authority is made when it is first
    needed and `ca.crt` written where it is missing. `now` has a time zone. `tell` gets what a person should
    know. Raises InputError where the user's own files do not fit together, or `ca.crt` cannot be written.
    """
    settings = inventory.hosts[host_name]
    assert settings.tls.mode != "acme"  # noqa: S101 - such a host gets its own
    if settings.tls.mode == "provided":
        return _provided(inventory, host_name, settings, store, now, tell)
    authority = _pair(store.content, "authority", None)
    leaf = _pair(store.content, "tls", host_name)
    if (
        authority is None
        or leaf is None
        or not _authority_serves(authority, inventory, now)
        or not _leaf_serves(leaf, authority, settings.names, now)
    ):
        with store.changing() as content:
            authority = _authority(content, inventory, now, tell)
            leaf = _leaf(content, host_name, settings.names, authority, now)
    _export(inventory, authority.certificate)
    return _pem(leaf.certificate) + _key_pem(leaf.key)


def authority_certificate(
    inventory: Inventory, store: SecretStore, now: datetime, tell: Callable[[str], None] = lambda _: None
) -> bytes:
    """PEM of the inventory's private authority; made where it is missing, and written to `ca.crt`."""
    if not _internal_domains(inventory):
        raise InputError(f"no host of the inventory {inventory.name} has tls.mode internal")
    authority = _pair(store.content, "authority", None)
    if authority is None or not _authority_serves(authority, inventory, now):
        with store.changing() as content:
            authority = _authority(content, inventory, now, tell)
    _export(inventory, authority.certificate)
    return _pem(authority.certificate)


def permitted_names(domains: list[str]) -> list[str]:
    """The names, subdomains included, that the authority of these domains may sign for.

    The parent of each domain, so that a further host beside it needs no new authority; the domain itself
    where the parent would be a public suffix such as `com` or `co.uk` (told by its shape: there is no list).
    """
    names = {_parent(domain) for domain in domains}
    return sorted(name for name in names if not any(name != other and _below(name, other) for other in names))


def _parent(domain: str) -> str:
    parent = domain.partition(".")[2]
    if "." not in parent or re.fullmatch(r"[a-z]{1,3}\.[a-z]{2}", parent):
        return domain
    return parent


def _below(name: str, other: str) -> bool:
    return name == other or name.endswith(f".{other}")


def _internal_domains(inventory: Inventory) -> list[str]:
    hosts = [host for host in inventory.hosts.values() if host.tls.mode == "internal"]
    return [name for host in hosts for name in host.names]


# The private authority


def _authority(content: Content, inventory: Inventory, now: datetime, tell: Callable[[str], None]) -> _Pair:
    """The authority in the locked content, made anew where it does not serve."""
    there = _pair(content, "authority", None)
    if there is not None and _authority_serves(there, inventory, now):
        return there
    made = _new_authority(inventory, now)
    _keep(content, "authority", None, made)
    if there is not None:
        why = (
            "nears its end" if _names_covered(there, inventory) else "may not sign for a host that was added"
        )
        tell(
            f"{inventory.name}: the private authority {why}, so a new one was made. Deploy every host, and "
            f"let browsers trust {inventory.authority_file} in place of the old one."
        )
    return made


def _authority_serves(authority: _Pair, inventory: Inventory, now: datetime) -> bool:
    lasts = authority.certificate.not_valid_after_utc - now > LEAF_LIFETIME
    begun = authority.certificate.not_valid_before_utc <= now
    return begun and lasts and _names_covered(authority, inventory)


def _names_covered(authority: _Pair, inventory: Inventory) -> bool:
    constraints = authority.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    permitted = [
        name.value for name in constraints.permitted_subtrees or [] if isinstance(name, x509.DNSName)
    ]
    return all(any(_below(domain, name) for name in permitted) for domain in _internal_domains(inventory))


def _new_authority(inventory: Inventory, now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    # The serial in the name tells a successor from its predecessor where both are trusted.
    serial = x509.random_serial_number()
    common_name = f"calstack {inventory.name[:40]} {serial % 0x10000:04x}"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    permitted = [x509.DNSName(permitted) for permitted in permitted_names(_internal_domains(inventory))]
    # A constraint on names says nothing about addresses: those are excluded, all of them.
    excluded = [x509.IPAddress(ipaddress.ip_network(network)) for network in ("0.0.0.0/0", "::/0")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - CLOCK_DIFFERENCE)
        .not_valid_after(now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted, excluded), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _Pair(certificate, key)


# The certificate of a host


def _leaf(content: Content, host_name: str, names: tuple[str, ...], authority: _Pair, now: datetime) -> _Pair:
    there = _pair(content, "tls", host_name)
    if there is not None and _leaf_serves(there, authority, names, now):
        return there
    made = _new_leaf(names, authority, now)
    _keep(content, "tls", host_name, made)
    return made


def _leaf_serves(leaf: _Pair, authority: _Pair, names: tuple[str, ...], now: datetime) -> bool:
    certificate = leaf.certificate
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return lifetime <= LEAF_LIFETIME + CLOCK_DIFFERENCE and (
        _names(certificate) == list(names)
        and certificate.not_valid_before_utc <= now
        and certificate.not_valid_after_utc - now >= lifetime / 3
        and _signed_by(certificate, authority.certificate)
    )


def _new_leaf(names: tuple[str, ...], authority: _Pair, now: datetime) -> _Pair:
    domain = names[0]
    key = ec.generate_private_key(ec.SECP256R1())
    # A common name holds 64 characters at most (RFC 5280 appendix A.1); clients look at the SAN alone.
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, domain)] if len(domain) <= 64 else []
    issuer_key = authority.key.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(attributes))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_DIFFERENCE)
        .not_valid_after(now + LEAF_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=not attributes
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return _Pair(certificate, key)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


# The user's own files


def _provided(
    inventory: Inventory,
    host_name: str,
    settings: HostSettings,
    store: SecretStore,
    now: datetime,
    tell: Callable[[str], None],
) -> bytes:
    tls = settings.tls
    if tls.certificate_file is None or tls.key is None:
        raise InputError("tls.mode provided needs certificate_file and key", where=host_name)
    file = inventory.file(tls.certificate_file)

    def refuse(what: str, fix: str | None = None) -> InputError:
        return InputError(what, where=f"{host_name}: {file}", fix=fix)

    try:
        chain = x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        raise refuse(f"the certificate cannot be read: {error.strerror}") from None
    except ValueError:
        raise refuse(
            "holds no certificate in PEM form", "PEM begins with -----BEGIN CERTIFICATE-----"
        ) from None
    key = _users_key(store.resolve(tls.key.secret, host_name), tls.key.secret, host_name)
    if not _belong_together(chain[0], key):
        if any(_belong_together(certificate, key) for certificate in chain[1:]):
            raise refuse(
                "the host's own certificate does not stand first", "put it first, then its chain in order"
            )
        raise refuse(f"the private key (secret {tls.key.secret}) does not belong to this certificate")
    for position, (certificate, issuer) in enumerate(itertools.pairwise(chain), start=1):
        if not _signed_by(certificate, issuer):
            raise refuse(
                f"the chain is out of order: certificate {position + 1} did not sign certificate {position}",
                "put the host's certificate first, then each one's issuer",
            )
    if (weakness := _weakness(key)) is not None:
        raise refuse(f"the private key is {weakness}, which browsers and HAProxy refuse", "make a new key")
    names = _names(chain[0])
    for wanted in settings.names:
        if not any(_covers(name, wanted) for name in names):
            raise refuse(f"the certificate is for {', '.join(names) or 'no name'}, not for {wanted}")
    for certificate in chain:
        subject = certificate.subject.rfc4514_string() or settings.domain
        if certificate.not_valid_after_utc <= now:
            ended = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
            raise refuse(f"the certificate of {subject} ended on {ended}", "get a new one")
        if certificate.not_valid_before_utc > now:
            begins = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
            raise refuse(f"the certificate of {subject} begins on {begins}", "check this machine's clock")
    left = chain[0].not_valid_after_utc - now
    if left < RED_BELOW * (chain[0].not_valid_after_utc - chain[0].not_valid_before_utc):
        tell(f"{host_name}: the certificate in {file} ends in {left.days} days")
    return b"".join(map(_pem, chain)) + _key_pem(key)


def _users_key(pem: str, secret: str, host_name: str) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        what, fix = "is protected by a passphrase", "store it without: openssl pkey -in FILE"
    except (ValueError, UnsupportedAlgorithm):
        what, fix = "is not a private key in PEM form", "PEM begins with -----BEGIN PRIVATE KEY-----"
    raise InputError(f"the secret {secret} {what}", where=host_name, fix=fix)


def _weakness(key: PrivateKeyTypes) -> str | None:
    """What is too weak about a key (OpenSSL's security level 2, Debian's default, draws the same line)."""
    if isinstance(key, dsa.DSAPrivateKey):
        return "DSA"
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < 2048:
        return f"RSA with {key.key_size} bits"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size < 224:
        return f"on a curve of {key.key_size} bits"
    return None


def _covers(name: str, domain: str) -> bool:
    """Whether a certificate's name stands for the domain; a star is one label (RFC 6125 §6.4.3)."""
    name = name.lower()
    return name == domain or (name.startswith("*.") and name[2:] == domain.partition(".")[2])


def _belong_together(certificate: x509.Certificate, key: PrivateKeyTypes) -> bool:
    try:
        return _public_bytes(certificate.public_key()) == _public_bytes(key.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return False


def _public_bytes(key: object) -> bytes:
    encoded: bytes = key.public_bytes(  # type: ignore[attr-defined]  # every kind of public key has it
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


# What both share


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return []
    return extension.value.get_values_for_type(x509.DNSName)


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _pair(content: Content, kind: str, host: str | None) -> _Pair | None:
    certificate = content.value(f"{kind}_certificate", host)
    key_pem = content.value(f"{kind}_private_key", host)
    if certificate is None or key_pem is None:
        return None
    key = serialization.load_pem_private_key(key_pem.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 - nobody else writes under these names
    return _Pair(x509.load_pem_x509_certificate(certificate.encode()), key)


def _keep(content: Content, kind: str, host: str | None, pair: _Pair) -> None:
    content.keep(f"{kind}_certificate", _pem(pair.certificate).decode(), host)
    content.keep(f"{kind}_private_key", _key_pem(pair.key).decode(), host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _export(inventory: Inventory, certificate: x509.Certificate) -> None:
    file, content = inventory.authority_file, _pem(certificate)
    try:
        if file.exists() and file.read_bytes() == content:
            return
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as new:
            new.write(content)
        Path(new.name).chmod(0o644)
        Path(new.name).replace(file)
    except OSError as error:
        raise InputError(
            f"the authority's certificate cannot be written: {error.strerror}",
            where=str(file),
            fix="make the inventory's folder writable",
        ) from None
