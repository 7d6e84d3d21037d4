"""A bare host to a booking over a certificate of a real ACME server, and from one mode to another."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import docker
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from docker.models.containers import Container

from deploy.lab import images, roots
from tests.deployed_lab import NETWORK, DeployedLab, copy_of_the_lab, results
from tests.lab.acme_world import pebble_root, until_open, write_ca_files

pytestmark = [pytest.mark.docker, pytest.mark.long]


@pytest.fixture(scope="module")
def lab(client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedLab]:
    """A lab host of its own, not deployed yet, and an ACME server that finds it."""
    folder = tmp_path_factory.mktemp("acme-deploy")
    inventory = copy_of_the_lab(folder / "acme-lab")
    (host,) = (inventory / "hosts").iterdir()
    host.write_text(host.read_text().replace(f"{NETWORK}0.", f"{NETWORK}9."))
    environment = {**os.environ, "CALSTACK_IDENTITY": str(folder / "identity.txt")}
    made = DeployedLab(inventory, environment, subprocess.CompletedProcess([], 0, "", ""))
    with ExitStack() as cleaning:
        cleaning.callback(made.calstack, "lab", "down")
        up = made.calstack("lab", "up")
        assert up.returncode == 0, up.stderr
        root = start_ca(client, cleaning, folder / "ca", lab_container(client, inventory))
        (inventory / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
        (inventory / "directory.pem").write_bytes((folder / "ca" / "cert.pem").read_bytes())
        lego = images.ensure_service_image(client, images.LEGO)
        save = ["docker", "save", "-o", str(inventory / "lego.tar"), lego]
        subprocess.run(save, check=True)
        yield made


def lab_container(client: docker.DockerClient, inventory: Path) -> Container:
    (container,) = client.containers.list(filters={"label": f"calstack.lab={inventory}"})
    return container


def start_ca(
    client: docker.DockerClient, cleaning: ExitStack, folder: Path, host: Container
) -> x509.Certificate:
    """Pebble and its DNS on the machine's own bridge, where lab hosts are; every name leads to the host."""
    image = roots.ensure_root(client, roots.ACME, lambda _: None)
    address = host.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    names = ["pebble-challtestsrv", "-defaultIPv4", address, "-defaultIPv6", "", "-dnsserver", ":53"]
    names += ["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""]
    dns = client.containers.run(image, names, detach=True)
    cleaning.callback(dns.remove, force=True)
    # Its own certificate names its address, which it has only once it runs.
    wait = "until [ -e /ca/eab.json ]; do sleep 0.1; done"
    serve = f"exec pebble -config /ca/plain.json -dnsserver {address_of(dns)}:53"
    ca = client.containers.run(
        image,
        ["sh", "-c", f"{wait}; {serve}"],
        environment={"PEBBLE_VA_NOSLEEP": "1"},
        volumes=[f"{folder}:/ca:ro"],
        detach=True,
    )
    cleaning.callback(ca.remove, force=True)
    write_ca_files(folder, address_of(ca))
    until_open(address_of(ca), 14000, ca)
    (folder / "address").write_text(address_of(ca))
    return pebble_root(address_of(ca))


def address_of(container: Container) -> str:
    container.reload()
    return str(container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])


def choose(lab: DeployedLab, mode: str) -> None:
    """Write the mode into the inventory, with all that `acme` needs."""
    directory = (lab.inventory_path.parent / "ca" / "address").read_text()
    file = lab.inventory_path / "defaults.yaml"
    text = file.read_text()
    if "lego.tar" not in text:
        text = text.replace(
            "images:\n",
            "images:\n  acme:\n    reference: calstack-lab/lego:4\n    archive: lego.tar\n    pull: never\n",
            1,
        )
        text = text.replace(
            "tls:\n  mode: internal\n",
            f"tls:\n  mode: internal\n  acme:\n    email: ada@example.test\n"
            f"    directory: https://{directory}:14000/dir\n    directory_ca_file: directory.pem\n"
            "    issuer_ca_file: root.pem\n    profile: shortlived\n",
        )
    for other in ("acme", "internal"):
        text = text.replace(f"  mode: {other}\n", f"  mode: {mode}\n")
    file.write_text(text)


def deploy(lab: DeployedLab) -> list[str]:
    done = lab.calstack("deploy", "--json")
    (host,) = results(done).values()
    assert (done.returncode, host["ok"]) == (0, True), (host, done.stderr)
    changed: list[str] = host["changed"]
    return changed


def served_by(lab: DeployedLab) -> str:
    done = lab.calstack("certificate", "show")
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_bare_host_to_booking_and_from_mode_to_mode(lab: DeployedLab) -> None:
    choose(lab, "acme")
    assert "Certificate | The certificate is there" in deploy(lab)
    assert deploy(lab) == [], "the second deploy changes nothing"
    shown = served_by(lab)
    assert "Pebble Intermediate CA" in shown
    assert "the host renews it by itself" in shown
    first = lab.on_host("sha256sum /opt/calcom/proxy/certificates/site.pem")

    assert lab.calstack("certificate", "renew", "--anew").returncode == 0
    assert lab.on_host("sha256sum /opt/calcom/proxy/certificates/site.pem") != first
    assert deploy(lab) == [], "nor does what the host has renewed"
    verified = lab.calstack("verify")
    assert verified.returncode == 0, verified.stderr + verified.stdout

    choose(lab, "internal")
    assert "Proxy | The proxy serves its configuration" in deploy(lab)
    assert "calstack deploy renews it" in served_by(lab)

    choose(lab, "acme")
    before = lab.on_host("grep -c 'requesting certificates' /var/log/calcom/certificate.log")
    deploy(lab)
    assert "Pebble Intermediate CA" in served_by(lab)
    assert lab.on_host("grep -c 'requesting certificates' /var/log/calcom/certificate.log") == before
