from __future__ import annotations

import datetime
import ssl
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from deploy.errors import InputError
from deploy.pki import authority_certificate, permitted_names, proxy_certificate
from deploy.secrets import SecretStore
from deploy.settings.inventory import Inventory
from deploy.settings.load import load_inventory
from tests.unit.settings.folders import inventory_in

NOW = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
PROVIDED = "tls:\n  mode: provided\n  certificate_file: chain.pem\n  key: !secret tls_key\n"


@pytest.fixture(autouse=True)
def _identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALSTACK_IDENTITY", str(tmp_path / "identity" / "identity.txt"))


def chain_of(pem: bytes) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(pem)


def verify(
    leaf: x509.Certificate, authority: x509.Certificate, domain: str, at: datetime.datetime = NOW
) -> None:
    verifier = PolicyBuilder().store(Store([authority])).time(at).build_server_verifier(x509.DNSName(domain))
    verifier.verify(leaf, [])


def test_a_host_gets_a_certificate_that_its_authority_vouches_for(tmp_path: Path) -> None:
    inventory = inventory_in(tmp_path / "lab")
    pem = proxy_certificate(inventory, "cal1", SecretStore.open(inventory), NOW)
    leaf = chain_of(pem)[0]
    authority = x509.load_pem_x509_certificate(inventory.authority_file.read_bytes())

    verify(leaf, authority, "cal1.example.org")
    with pytest.raises(VerificationError):
        verify(leaf, authority, "cal2.example.org")
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=397)
    assert inventory.authority_file.stat().st_mode & 0o777 == 0o644
    assert b"PRIVATE" not in inventory.authority_file.read_bytes()
    key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == leaf.public_key()


def test_openssl_accepts_the_certificate_too(tmp_path: Path) -> None:
    inventory = inventory_in(tmp_path / "lab")
    now = datetime.datetime.now(datetime.UTC)
    (tmp_path / "leaf.pem").write_bytes(
        proxy_certificate(inventory, "cal1", SecretStore.open(inventory), now)
    )
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname"]
    checked = subprocess.run(
        [*command, "cal1.example.org", "-CAfile", str(inventory.authority_file), str(tmp_path / "leaf.pem")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    ssl.create_default_context(cafile=str(inventory.authority_file))


def test_nothing_changes_from_run_to_run(tmp_path: Path) -> None:
    inventory = inventory_in(tmp_path / "lab", hosts=2)
    first = proxy_certificate(inventory, "cal1", SecretStore.open(inventory), NOW)
    proxy_certificate(inventory, "cal2", SecretStore.open(inventory), NOW)
    secrets, authority = inventory.secrets_file.read_bytes(), inventory.authority_file.read_bytes()

    later = proxy_certificate(inventory, "cal1", SecretStore.open(inventory), NOW + timedelta(days=200))

    assert later == first
    assert inventory.secrets_file.read_bytes() == secrets
    assert inventory.authority_file.read_bytes() == authority


def test_a_certificate_is_renewed_in_the_last_third_of_its_life(tmp_path: Path) -> None:
    inventory = inventory_in(tmp_path / "lab")
    store = SecretStore.open(inventory)
    first = proxy_certificate(inventory, "cal1", store, NOW)
    late = NOW + timedelta(days=270)
    renewed = proxy_certificate(inventory, "cal1", store, late)
    assert renewed != first
    leaf = chain_of(renewed)[0]
    assert leaf.not_valid_after_utc > late + timedelta(days=360)
    # Mozilla's intermediate profile.
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=366)
    verify(chain_of(renewed)[0], chain_of(inventory.authority_file.read_bytes())[0], "cal1.example.org", late)


def test_another_domain_gets_another_certificate(tmp_path: Path) -> None:
    before = inventory_in(tmp_path / "lab")
    first = proxy_certificate(before, "cal1", SecretStore.open(before), NOW)
    host = tmp_path / "lab/hosts/cal1.yaml"
    host.write_text(host.read_text().replace("cal1.example.org", "book.example.org"))
    after = load_inventory(str(tmp_path / "lab"))
    second = proxy_certificate(after, "cal1", SecretStore.open(after), NOW)
    assert second != first
    verify(chain_of(second)[0], chain_of(after.authority_file.read_bytes())[0], "book.example.org")


def test_an_api_s_own_name_stands_in_the_certificate(tmp_path: Path) -> None:
    proxy_certificate(first := inventory_in(tmp_path / "lab"), "cal1", SecretStore.open(first), NOW)
    more = (
        "images: {api: {reference: 'calcom-api:6.2.0'}, cache: {reference: 'redis:7.4.6'}}\n"
        "api: {own_host: api.elsewhere.example}\n"
    )
    inventory = inventory_in(tmp_path / "lab", more=more)
    pem = proxy_certificate(inventory, "cal1", SecretStore.open(inventory), NOW)
    authority = x509.load_pem_x509_certificate(
        authority_certificate(inventory, SecretStore.open(inventory), NOW)
    )
    for name in ("cal1.example.org", "api.elsewhere.example"):
        verify(chain_of(pem)[0], authority, name)
    assert proxy_certificate(inventory, "cal1", SecretStore.open(inventory), NOW) == pem


def test_a_missing_ca_crt_is_written_again(tmp_path: Path) -> None:
    inventory = inventory_in(tmp_path / "lab")
    proxy_certificate(inventory, "cal1", SecretStore.open(inventory), NOW)
    content = inventory.authority_file.read_bytes()
    inventory.authority_file.unlink()
    proxy_certificate(inventory, "cal1", SecretStore.open(inventory), NOW)
    assert inventory.authority_file.read_bytes() == content


def test_a_host_beside_the_first_needs_no_new_authority(tmp_path: Path) -> None:
    one = inventory_in(tmp_path / "lab")
    proxy_certificate(one, "cal1", SecretStore.open(one), NOW)
    authority = one.authority_file.read_bytes()
    two = inventory_in(tmp_path / "lab", hosts=2)
    leaf = chain_of(proxy_certificate(two, "cal2", SecretStore.open(two), NOW))[0]
    assert two.authority_file.read_bytes() == authority
    verify(leaf, chain_of(authority)[0], "cal2.example.org")


def test_a_host_elsewhere_gets_a_new_authority_and_a_person_is_told(tmp_path: Path) -> None:
    one = inventory_in(tmp_path / "lab")
    proxy_certificate(one, "cal1", SecretStore.open(one), NOW)
    old = one.authority_file.read_bytes()
    (tmp_path / "lab/hosts/far.yaml").write_text(
        "ssh: {address: 203.0.113.9}\ndomain: cal.example.net\nadmin: {email: a@example.net}\n"
    )
    two = load_inventory(str(tmp_path / "lab"))
    told: list[str] = []
    far = chain_of(proxy_certificate(two, "far", SecretStore.open(two), NOW, told.append))[0]
    near = chain_of(proxy_certificate(two, "cal1", SecretStore.open(two), NOW, told.append))[0]
    new = chain_of(two.authority_file.read_bytes())[0]
    assert two.authority_file.read_bytes() != old
    assert len(told) == 1
    assert "new one" in told[0]
    verify(far, new, "cal.example.net")
    verify(near, new, "cal1.example.org")


def test_an_authority_near_its_end_is_replaced(tmp_path: Path) -> None:
    inventory = inventory_in(tmp_path / "lab")
    store = SecretStore.open(inventory)
    old = authority_certificate(inventory, store, NOW)
    told: list[str] = []
    late = NOW + timedelta(days=3652 - 360)
    new = authority_certificate(inventory, store, late, told.append)
    assert new != old
    assert "nears its end" in told[0]


def test_the_authority_cannot_vouch_for_other_names(tmp_path: Path) -> None:
    inventory = inventory_in(tmp_path / "lab")
    store = SecretStore.open(inventory)
    proxy_certificate(inventory, "cal1", store, NOW)
    authority = chain_of(inventory.authority_file.read_bytes())[0]
    key = serialization.load_pem_private_key(store.show("authority_private_key").encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    forged = signed("bank.example.com", authority.subject, key)
    with pytest.raises(VerificationError):
        verify(forged, authority, "bank.example.com")
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert len(constraints.value.excluded_subtrees or []) == 2


@pytest.mark.parametrize(
    ("domains", "names"),
    [
        (["cal1.calstack.test", "cal2.calstack.test"], ["calstack.test"]),
        (["example.com"], ["example.com"]),
        (["book.co.uk"], ["book.co.uk"]),
        (["cal.book.co.uk"], ["book.co.uk"]),
        (["a.example.org", "b.c.example.org"], ["example.org"]),
    ],
)
def test_names_that_an_authority_may_sign_for(domains: list[str], names: list[str]) -> None:
    assert permitted_names(domains) == names


# The user's own files


def signed(
    name: str,
    issuer: x509.Name,
    issuer_key: CertificateIssuerPrivateKeyTypes,
    *,
    key: CertificateIssuerPrivateKeyTypes | None = None,
    names: tuple[str, ...] | None = None,
    begins: datetime.datetime = NOW - timedelta(days=1),
    ends: datetime.datetime = NOW + timedelta(days=60),
    ca: bool = False,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    own = key or ec.generate_private_key(ec.SECP256R1())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(n) for n in names or (name,)]), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )


class Files:
    """A certificate of cal1.example.org from an intermediate authority, as a public one would give it."""

    def __init__(self, bits: int = 2048, **leaf: object) -> None:
        self.key = rsa.generate_private_key(65537, bits)
        root_key, middle_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
        self.middle = signed("middle", root, root_key, key=middle_key, ca=True)
        self.leaf = signed("cal1.example.org", self.middle.subject, middle_key, key=self.key, **leaf)  # type: ignore[arg-type]

    def key_pem(self, passphrase: bytes | None = None) -> str:
        encryption = (
            serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        )
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(encoding, form, encryption).decode()


def pem_of(*certificates: x509.Certificate) -> bytes:
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


def provided(tmp_path: Path, chain: bytes, key: str) -> tuple[Inventory, SecretStore]:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/chain.pem").write_bytes(chain)
    inventory = inventory_in(tmp_path / "own", more=PROVIDED)
    store = SecretStore.open(inventory)
    store.set("tls_key", key)
    return inventory, store


def test_provided_files_become_chain_and_key(tmp_path: Path) -> None:
    files = Files()
    inventory, store = provided(tmp_path, pem_of(files.leaf, files.middle), files.key_pem())
    pem = proxy_certificate(inventory, "cal1", store, NOW)
    assert chain_of(pem) == [files.leaf, files.middle]
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.private_numbers() == files.key.private_numbers()
    assert not inventory.authority_file.exists()


def test_a_star_covers_one_label(tmp_path: Path) -> None:
    files = Files(names=("*.example.org",))
    inventory, store = provided(tmp_path, pem_of(files.leaf, files.middle), files.key_pem())
    assert proxy_certificate(inventory, "cal1", store, NOW)


def test_a_person_is_told_before_a_provided_certificate_ends(tmp_path: Path) -> None:
    files = Files(begins=NOW - timedelta(days=25), ends=NOW + timedelta(days=5, hours=1))
    inventory, store = provided(tmp_path, pem_of(files.leaf, files.middle), files.key_pem())
    told: list[str] = []
    proxy_certificate(inventory, "cal1", store, NOW, told.append)
    assert "ends in 5 days" in told[0]


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("other key", "does not belong"),
        ("chain first", "does not stand first"),
        ("foreign chain", "out of order"),
        ("other name", "is for www.example.org, not for cal1.example.org"),
        ("two labels", "not for cal1.example.org"),
        ("ended", "ended on 2026-11-20"),
        ("not begun", "begins on 2026-11-30"),
        ("no pem", "no certificate in PEM"),
        ("bad key", "not a private key"),
        ("passphrase", "passphrase"),
        ("weak key", "RSA with 1024 bits"),
    ],
)
def test_files_that_do_not_fit_are_refused_in_plain_words(tmp_path: Path, case: str, says: str) -> None:
    ends, begins = NOW - timedelta(days=4), NOW + timedelta(days=6)
    leaf: dict[str, dict[str, object]] = {
        "other name": {"names": ("www.example.org",)},
        "two labels": {"names": ("*.org",)},
        "ended": {"ends": ends, "begins": ends - timedelta(days=9)},
        "not begun": {"begins": begins},
        "weak key": {"bits": 1024},
    }
    files, others = Files(**leaf.get(case, {})), Files()  # type: ignore[arg-type]
    chain = {
        "chain first": pem_of(files.middle, files.leaf),
        "foreign chain": pem_of(files.leaf, others.middle),
        "no pem": b"\x30\x82\x01",
    }.get(case, pem_of(files.leaf, files.middle))
    key = {
        "other key": others.key_pem(),
        "bad key": "hunter2-hunter2",
        "passphrase": files.key_pem(b"sesame"),
    }.get(case, files.key_pem())
    inventory, store = provided(tmp_path, chain, key)
    with pytest.raises(InputError) as caught:
        proxy_certificate(inventory, "cal1", store, NOW)
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)
