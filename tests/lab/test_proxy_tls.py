"""How TLS is spoken; two tools that judge it have nothing to object to."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from deploy.lab import roots
from deploy.lab.lab import cache_folder
from deploy.pki import proxy_certificate
from deploy.secrets import SecretStore
from tests.deployed_lab import REPOSITORY
from tests.lab.entrance import Entrance, read_answer, running_entrance, write_configuration
from tests.unit.roles.hosts import DOMAIN, host_context
from tests.unit.settings.folders import inventory_in

pytestmark = pytest.mark.docker

TESTSSL = roots.Root(
    name="testssl",
    suite="trixie",
    packages=("bsdextrautils", "ca-certificates", "dnsutils", "openssl", "procps", "testssl.sh"),
)
SSLYZE = REPOSITORY / "requirements" / "sslyze.txt"


def test_old_tls_is_refused_and_new_is_spoken(entrance: Entrance) -> None:
    with entrance.connect(443) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        assert connection.version() == "TLSv1.3"
    with entrance.connect(443, maximum_version=ssl.TLSVersion.TLSv1_2) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        cipher = connection.cipher()
        assert cipher
        assert re.match(r"ECDHE-.*(GCM|CHACHA20)", cipher[0])
    with pytest.raises((ssl.SSLError, OSError)):
        entrance.connect(443, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_who_comes_again_is_spared_the_whole_handshake(entrance: Entrance, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    session: ssl.SSLSession | None = None
    for again in (False, True, True):
        plain = entrance.connect_plainly(443)
        with context.wrap_socket(plain, server_hostname=DOMAIN, session=session) as connection:
            connection.sendall(f"GET /ada HTTP/1.1\r\nHost: {DOMAIN}\r\n\r\n".encode())
            assert read_answer(connection).status == 200
            assert connection.session_reused is again
            session = connection.session


@dataclass(frozen=True)
class Vouched:
    """A proxy with a certificate of a private authority, as `tls.mode: internal` makes it."""

    entrance: Entrance
    domain: str
    authority: Path


@pytest.fixture(scope="module")
def vouched(
    client: docker.DockerClient, haproxy: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Vouched]:
    folder = tmp_path_factory.mktemp("vouched")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CALSTACK_IDENTITY", str(folder / "identity.txt"))
        inventory = inventory_in(folder / "lab")
        now = datetime.datetime.now(datetime.UTC)
        certificate = proxy_certificate(inventory, "cal1", SecretStore.open(inventory), now)
    domain = inventory.hosts["cal1"].domain
    files = write_configuration(
        tmp_path_factory.mktemp("proxy"), host_context(certificate=certificate, domain=domain)
    )
    with running_entrance(client, haproxy, files) as entrance:
        yield Vouched(entrance, domain, inventory.authority_file)


@pytest.fixture(scope="session")
def sslyze() -> Path:
    """The program, in an environment of its own that is made once."""
    folder = cache_folder() / f"sslyze-{hashlib.sha256(SSLYZE.read_bytes()).hexdigest()[:12]}"
    program = folder / "bin" / "sslyze"
    done = folder / "done"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install: list[str | Path] = [
            folder / "bin" / "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "--requirement",
            SSLYZE,
        ]
        subprocess.run(install, check=True)
        done.touch()
    return program


def test_sslyze_finds_mozilla_s_intermediate_profile(vouched: Vouched, sslyze: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    told = subprocess.run(
        [
            *(str(sslyze), "--mozilla_config=intermediate", f"--json_out={report}"),
            *("--resum", "--certinfo", f"--certinfo_ca_file={vouched.authority}"),
            *(f"--sni={vouched.domain}", f"{vouched.entrance.address}:443"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert told.returncode == 0, told.stdout.partition("COMPLIANCE")[2] or told.stderr
    (server,) = json.loads(report.read_text(encoding="utf-8"))["server_scan_results"]
    resumption = server["scan_result"]["session_resumption"]["result"]
    assert resumption["session_id_resumption_result"] == "FULLY_SUPPORTED"


def test_testssl_finds_nothing_above_low_but_the_lab_s_own_authority(
    client: docker.DockerClient, vouched: Vouched
) -> None:
    image = roots.ensure_root(client, TESTSSL, lambda _: None)
    arguments = (
        # Protocols, ciphers, forward secrecy, the server's defaults, headers, known holes; no look-ups.
        "-p -s -f -S -h -U --quiet --warnings off --color 0 --nodns=none"
        f" --ip {vouched.entrance.address} --add-ca /authority.pem --jsonfile /tmp/found.json"
    )
    command = (
        f"testssl {arguments} https://{vouched.domain} >/tmp/said 2>&1; cat /tmp/found.json || cat /tmp/said"
    )
    output = client.containers.run(
        image,
        ["sh", "-c", command],
        network=vouched.entrance.network,
        dns=["127.0.0.1"],
        volumes=[f"{vouched.authority}:/authority.pem:ro"],
        remove=True,
    )
    found = {finding["id"]: finding for finding in json.loads(output)}
    assert {"TLS1_3", "heartbleed", "HSTS_time", "cert_chain_of_trust"} <= set(found), sorted(found)
    # A private authority publishes no list of what it took back.
    bad = {
        name: finding["finding"]
        for name, finding in found.items()
        if finding["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL") and name != "cert_revocation"
    }
    assert bad == {}
