"""Certificates by ACME: lego, a real ACME server, the rendered HAProxy and the job, as they are on a host."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from deploy.lab import engine
from tests.lab.acme_world import KEY_ID, World, acme_host, acme_world, internal_host
from tests.lab.certificates import self_signed
from tests.lab.entrance import read_answer, until_served
from tests.unit.roles.hosts import DOMAIN, GIVEN

pytestmark = pytest.mark.docker

CHALLENGE = "/.well-known/acme-challenge/some-token"


@pytest.fixture(scope="module")
def running(docker_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:  # noqa: ARG001
    with acme_world(engine.connect(), tmp_path_factory.mktemp("acme")) as world:
        yield world


@pytest.fixture
def world(running: World) -> World:
    """A host without a certificate, and an ACME server that works."""
    settle(running)
    running.forget()
    return running


@pytest.fixture
def served(running: World) -> x509.Certificate:
    """What the host serves: it has got a certificate, whatever came before."""
    settle(running)
    account = list((running.folder / "acme" / "accounts").rglob("account.json"))
    if not account or not running.shown()["as_wanted"]:
        running.forget()
        done = running.job()
        assert done.returncode == 0, (done.stderr, running.log)
    certificate = running.served()
    assert certificate is not None
    return certificate


def settle(world: World) -> None:
    """Everything around the host as it should be, and the host with the settings that most tests want."""
    world.lego_image = None
    world.resolve(world.entrance.address)
    world.start_ca()
    world.place(acme_host(world.ca_file))


def asked(world: World) -> int:
    """How many certificates were asked for so far."""
    return world.log.count("requesting certificates")


def days(certificate: x509.Certificate) -> float:
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return lifetime.total_seconds() / 86400


def names(certificate: x509.Certificate | None) -> list[str]:
    assert certificate is not None
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


def refused(world: World, *options: str) -> str:
    """The one line of a run that fails; it is also in the stamp, which is red."""
    done = world.job(*options)
    assert done.returncode == 1, (done.stdout, done.stderr)
    (line,) = done.stderr.splitlines()
    stamp = json.loads((world.folder / "stamps" / "certificate.json").read_text())
    assert stamp["outcome"] == "failed"
    assert line == f"job certificate failed: {stamp['message']}"
    return line


# Getting and keeping one


def test_one_run_of_the_job_gets_the_first_certificate(world: World) -> None:
    world.start_ca(validating=True)
    assert world.served() is None, "the proxy runs without one"
    assert world.entrance.inner("/auth/login").status == 200
    assert world.entrance.ask(CHALLENGE, port=80).status == 404
    assert not world.shown()["as_wanted"]

    done = world.job()
    assert done.returncode == 0, (done.stderr, world.log)
    first = world.served()
    assert names(first) == [DOMAIN]
    assert isinstance(first.public_key(), ec.EllipticCurvePublicKey) if first else False
    state = world.certificate_file.stat()
    assert (state.st_uid, state.st_mode & 0o777) == (99, 0o400)
    assert [path.name for path in world.certificate_file.parent.iterdir()] == ["site.pem"]
    assert world.shown()["as_wanted"]
    assert "until" in json.loads((world.folder / "stamps" / "certificate.json").read_text())["message"]

    # Nothing is due: nothing is touched, and nobody is asked for a challenge any more.
    before = world.certificate_file.stat().st_mtime_ns
    assert world.job().returncode == 0
    assert world.certificate_file.stat().st_mtime_ns == before
    assert world.entrance.ask(CHALLENGE, port=80).status == 404

    world.entrance.proxy.restart(timeout=1)
    world.entrance.proxy.reload()
    until_served(world.entrance)
    assert world.served() == first, "the same one after a restart"


def test_chain_leads_to_the_server_s_root(running: World, served: x509.Certificate) -> None:
    world = running
    chain = x509.load_pem_x509_certificates(world.certificate_file.read_bytes())
    assert chain[0] == served
    chain[0].verify_directly_issued_by(chain[1])
    chain[1].verify_directly_issued_by(world.root_certificate())


@pytest.mark.usefixtures("served")
def test_forced_renewal_under_load_loses_nothing(running: World) -> None:
    world = running
    world.start_ca(validating=True)
    before = world.served()
    reloads = world.entrance.proxy.logs().count(b"Loading success")
    failures: list[str] = []
    counts = {"new": 0, "kept": 0}
    over = threading.Event()

    def new_connections() -> None:
        while not over.is_set():
            try:
                assert world.entrance.ask("/robots.txt").status == 200
                counts["new"] += 1
            except (OSError, AssertionError) as error:
                failures.append(f"new: {error!r}")
            time.sleep(0.01)

    def one_connection() -> None:
        with world.entrance.connect(443) as connection:
            while not over.is_set():
                try:
                    connection.sendall(f"GET /robots.txt HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode())
                    assert read_answer(connection).status == 200
                    counts["kept"] += 1
                except (OSError, AssertionError) as error:
                    failures.append(f"kept: {error!r}")
                    return
                time.sleep(0.01)

    load = [threading.Thread(target=target) for target in (new_connections, one_connection)]
    for thread in load:
        thread.start()
    done = [world.job("--anew") for _ in range(2)]
    time.sleep(0.3)
    over.set()
    for thread in load:
        thread.join()
    assert [run.returncode for run in done] == [0, 0], done
    assert failures == []
    assert min(counts.values()) > 100, counts
    assert world.served() != before
    assert world.entrance.proxy.logs().count(b"Loading success") == reloads, "no reload"


def test_six_days_are_a_profile(world: World) -> None:
    world.place(acme_host(world.ca_file, profile="shortlived"))
    done = world.job()
    assert done.returncode == 0, done.stderr
    certificate = world.served()
    assert certificate is not None
    assert days(certificate) == pytest.approx(6, abs=0.01)
    assert "of 6.0 days" in world.log


def test_what_nears_its_end_is_renewed_and_red_before_that_fails_for_long(world: World) -> None:
    world.place(acme_host(world.ca_file, profile="brief"))
    assert world.job().returncode == 0
    first = world.served()
    assert first is not None
    end = first.not_valid_after_utc.timestamp()
    time.sleep(max(0.0, end - 3 - time.time()))
    problem = world.shown()["problem"]
    assert "of its lifetime is left" in problem
    assert world.job().returncode == 0
    assert world.served() != first
    assert world.shown()["problem"] is None


def test_other_kinds_of_key_and_changed_settings_get_a_new_one(
    running: World, served: x509.Certificate
) -> None:
    world = running
    world.place(acme_host(world.ca_file, key_type="rsa2048"))
    assert not world.shown()["as_wanted"]
    assert world.job().returncode == 0
    certificate = world.served()
    assert certificate is not None
    assert certificate != served
    assert isinstance(certificate.public_key(), rsa.RSAPublicKey)


def test_external_account_binding(world: World) -> None:
    world.start_ca(binding=True)
    assert "wants an external account binding: set tls.acme.eab_key_id" in refused(world)
    wrong: dict[str, Any] = {"eab_key_id": "kid-2", "eab_hmac": {"secret": "binding"}}
    world.place(acme_host(world.ca_file, **wrong))
    assert "'kid' references a key that is not known" in refused(world)
    world.place(acme_host(world.ca_file, **wrong | {"eab_key_id": KEY_ID}))
    done = world.job()
    assert done.returncode == 0, done.stderr
    assert GIVEN["binding"] not in world.log
    assert names(world.served()) == [DOMAIN]


def test_dns_01_sets_its_records_at_the_provider(world: World) -> None:
    names_server = f"{world.address_of(world.names)}:8055"
    provider = world.start(
        f"{world.network}-provider",
        world.services,
        ["python3", "/servers.py", "dns", names_server],
        ["provider.test"],
    )
    dns: dict[str, Any] = {
        "challenge": "dns-01",
        "dns_provider": "httpreq",
        "dns_env": {
            "HTTPREQ_ENDPOINT": "http://provider.test:8080",
            "HTTPREQ_USERNAME": "calstack",
            "HTTPREQ_PASSWORD": {"secret": "token"},
        },
        "dns_resolvers": [f"{world.address_of(world.names)}:53"],
        "dns_wait_seconds": 1,
    }
    world.start_ca(validating=True)
    world.resolve("")  # the name leads nowhere: nobody could ask on port 80
    world.place(acme_host(world.ca_file, **dns))
    done = world.job()
    assert done.returncode == 0, (done.stderr, world.log)
    assert names(world.served()) == [DOMAIN]

    wrong = dns | {"dns_env": {**dns["dns_env"], "HTTPREQ_USERNAME": "nobody"}}
    world.place(acme_host(world.ca_file, **wrong))
    line = refused(world, "--anew")
    assert "unexpected status code: [status code: 401]" in line
    assert GIVEN["token"] not in line + world.log
    provider.remove(force=True)


# What goes wrong: the site keeps serving the old one, and one line says why


def still_serves(world: World, certificate: x509.Certificate) -> None:
    assert world.served() == certificate
    assert x509.load_pem_x509_certificate(world.certificate_file.read_bytes()) == certificate
    assert [path.name for path in world.certificate_file.parent.iterdir()] == ["site.pem"]
    world.entrance.proxy.restart(timeout=1)
    world.entrance.proxy.reload()
    until_served(world.entrance)
    assert world.served() == certificate, "also after a restart"


def test_ca_that_is_down(running: World, served: x509.Certificate) -> None:
    world = running
    world.stop_ca()
    line = refused(world)
    assert "the CA cannot be reached: " in line
    assert "served is one good until" in line
    still_serves(world, served)


@pytest.mark.long
def test_ca_whose_own_tls_is_not_trusted(world: World) -> None:
    world.place(acme_host(world.ca_file, directory_ca_file=None))
    assert "set tls.acme.directory_ca_file" in refused(world)


def test_challenge_that_is_blocked(running: World, served: x509.Certificate) -> None:
    world = running
    world.start_ca(validating=True)
    world.resolve(world.address_of(world.names))  # another machine, which refuses port 80
    line = refused(world, "--anew")
    assert "the CA could not check that the name is ours (connection)" in line
    assert "connection refused" in line
    still_serves(world, served)


def test_name_without_an_address(running: World, served: x509.Certificate) -> None:
    world = running
    world.start_ca(validating=True)
    world.resolve("")
    line = refused(world, "--anew")
    assert "the CA could not check that the name is ours" in line
    assert "could not resolve" in line
    still_serves(world, served)


@pytest.mark.long
def test_rate_limit_of_the_ca(running: World, served: x509.Certificate) -> None:
    world = running
    world.start_refusing_ca("rateLimited")
    line = refused(world, "--anew")
    assert "the CA refuses for now, by its rate limit: too many certificates already issued" in line
    still_serves(world, served)


def test_some_rejected_nonces_are_retried(world: World) -> None:
    world.start_ca(rejected_nonces=30)
    done = world.job()
    assert done.returncode == 0, (done.stderr, world.log)


@pytest.mark.long
def test_nothing_but_rejected_nonces(running: World, served: x509.Certificate) -> None:
    world = running
    world.start_refusing_ca("badNonce")
    assert "kept rejecting our requests as repeated (nonces)" in refused(world, "--anew")
    still_serves(world, served)


def test_ca_that_has_forgotten_the_account(running: World, served: x509.Certificate) -> None:
    world = running
    account = next((world.folder / "acme" / "accounts").rglob("account.json"))
    known = {path: path.read_bytes() for path in account.parent.rglob("*") if path.is_file()}
    world.stop_ca()
    world.start_ca()
    for path, content in known.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    subprocess.run(["chown", "-R", "65532", str(world.folder / "acme")], check=True)
    assert "does not know our account any more" in refused(world, "--anew")
    still_serves(world, served)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("corrupt", "what lego got is not put in place: the certificate is damaged"),
        ("foreign key", "what lego got is not put in place: the private key does not belong"),
        ("other name", "what lego got is not put in place: the certificate is for other.example.test"),
        ("nothing", "lego left no certificate behind"),
    ],
)
def test_certificate_that_cannot_be_served(
    running: World, served: x509.Certificate, what: str, says: str
) -> None:
    world = running
    good, foreign, other = (parts(self_signed(name)) for name in (DOMAIN, DOMAIN, "other.example.test"))
    prepared = {
        "corrupt": (good[0][:60] + good[0][64:], good[1]),
        "foreign key": (good[0], foreign[1]),
        "other name": other,
        "nothing": (b"", b""),
    }[what]
    with lego_that_leaves(world, *prepared):
        assert says in refused(world, "--anew")
    assert world.client.containers.list(all=True, filters={"name": f"{world.network}-lego"}) == []
    still_serves(world, served)


def test_what_was_damaged_in_the_store_is_got_anew(running: World, served: x509.Certificate) -> None:
    world = running
    (world.store / f"{DOMAIN}.crt").write_bytes(
        b"-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n"
    )
    done = world.job()
    assert done.returncode == 0, done.stderr
    assert world.served() not in (None, served)


def test_file_that_a_restart_would_choke_on_is_mended(running: World, served: x509.Certificate) -> None:
    world = running
    world.certificate_file.write_bytes(b"not a certificate\n")
    assert "the proxy would not start with it" in world.shown()["problem"]
    assert world.job().returncode == 0
    still_serves(world, served)


def test_full_disk(running: World, served: x509.Certificate) -> None:
    world = running
    folder = world.certificate_file.parent
    old = world.certificate_file.read_bytes()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)], check=True)
    try:
        world.certificate_file.write_bytes(old)
        with pytest.raises(OSError, match="No space left"), (folder / "filling").open("wb") as file:
            file.write(b"x" * 100_000)
        line = refused(world, "--anew")
        assert "No space left on device" in line
        before = asked(world)
        assert world.certificate_file.read_bytes() == old
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    assert world.served() == served
    # With room again, what was got already is put in place without asking for another.
    assert world.job().returncode == 0
    assert asked(world) == before
    assert world.served() not in (None, served)


def test_full_disk_of_lego(running: World, served: x509.Certificate) -> None:
    world = running
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k,uid=65532,mode=0700", "tmpfs", str(world.store.parent)],
        check=True,
    )
    try:
        with (
            pytest.raises(OSError, match="No space left"),
            (world.store.parent / "filling").open("wb") as file,
        ):
            file.write(b"x" * 100_000)
        assert "the disk is full" in refused(world, "--anew")
    finally:
        subprocess.run(["umount", str(world.store.parent)], check=True)
    still_serves(world, served)


def test_proxy_that_does_not_run_gets_it_at_its_next_start(running: World, served: x509.Certificate) -> None:
    world = running
    world.entrance.proxy.stop(timeout=1)
    assert "the certificate lies there for the proxy's next start" in refused(world, "--anew")
    world.entrance.proxy.start()
    world.entrance.proxy.reload()
    until_served(world.entrance)
    assert world.served() not in (None, served)


# From one mode to another


def test_moving_between_modes_keeps_account_and_certificate(running: World, served: x509.Certificate) -> None:
    world = running
    internal = self_signed(DOMAIN)
    world.place(internal_host(world.ca_file, internal))
    world.reload_proxy()
    until(lambda: world.served() == x509.load_pem_x509_certificate(internal))
    assert world.job().returncode == 0, "it looks at the other mode's certificate as well"
    assert world.shown()["mode"] == "internal"
    assert world.entrance.ask(CHALLENGE, port=80).status == 301

    world.place(acme_host(world.ca_file))
    world.reload_proxy()
    assert not world.shown()["as_wanted"]
    before = asked(world)
    assert world.job().returncode == 0
    assert asked(world) == before
    assert world.served() == served, "the one from before is as good as new"


def until(true: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def parts(pem: bytes) -> tuple[bytes, bytes]:
    at = pem.index(b"-----BEGIN PRIVATE")
    return pem[:at], pem[at:]


@contextmanager
def lego_that_leaves(world: World, certificate: bytes, key: bytes) -> Iterator[None]:
    """An image in lego's place that says all is well and leaves these files; none where they are empty."""
    leave = "rm -f /lego/certificates/*"
    if certificate:
        (world.store.parent / "prepared").mkdir(exist_ok=True)
        (world.store.parent / "prepared" / f"{DOMAIN}.crt").write_bytes(certificate)
        (world.store.parent / "prepared" / f"{DOMAIN}.key").write_bytes(key)
        leave = "cp -f /lego/prepared/* /lego/certificates/"
    dockerfile = f'FROM {world.services}\nUSER 0\nENTRYPOINT ["sh", "-c", "{leave}"]\n'.encode()
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(dockerfile)
        archive.addfile(member, io.BytesIO(dockerfile))
    context.seek(0)
    image, _ = world.client.images.build(fileobj=context, custom_context=True, tag=f"{world.network}-lego")
    subprocess.run(["chown", "-R", "65532", str(world.store.parent)], check=True)
    world.lego_image = f"{world.network}-lego"
    world.place(acme_host(world.ca_file))
    try:
        yield
    finally:
        world.client.images.remove(str(image.id), force=True)
        world.lego_image = None
        world.place(acme_host(world.ca_file))
