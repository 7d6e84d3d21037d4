"""`calstack verify` without a host to look at, and the parts of its checks that need none."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deploy.actions import verify as verifying
from deploy.actions.verify import verify
from deploy.console import Console
from deploy.errors import CalstackError
from deploy.roles.periodic_endpoints import cron_lines
from deploy.secrets import SecretStore
from deploy.settings.inventory import INVENTORIES, Inventory
from deploy.settings.load import load_inventory
from tests.verify import look
from tests.verify.server import Server
from tests.verify.test_jobs import _LINE

SILENT = "127.88.254.254"
"""A loopback address at which nothing listens."""


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inventory:
    """The lab's inventory, its host at an address where nothing answers, without secrets."""
    monkeypatch.setenv("CALSTACK_IDENTITY", str(tmp_path / "identity.txt"))
    folder = tmp_path / "silent"
    left_out = shutil.ignore_patterns("secrets.age", "ca.crt", "lab-state")
    shutil.copytree(INVENTORIES / "lab", folder, ignore=left_out)
    host = folder / "hosts" / "cal1.yaml"
    host.write_text(host.read_text(encoding="utf-8").replace("127.88.0.1", SILENT), encoding="utf-8")
    return load_inventory(str(folder))


def test_a_host_that_does_not_answer_is_one_finding(
    inventory: Inventory, capsys: pytest.CaptureFixture[str]
) -> None:
    SecretStore.open(inventory).host("cal1")
    assert verify(inventory, ["cal1"]) == 1
    first, second, third = capsys.readouterr().err.splitlines()
    assert first == "cal1: 1 of 1 checks failed"
    assert f"cannot connect to {SILENT}:22" in second
    assert f"ssh -p 22 root@{SILENT}" in third


def test_a_host_that_was_never_deployed_gets_no_secrets_by_being_looked_at(
    inventory: Inventory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(inventory, ["cal1"]) == 1
    assert "holds no secrets of this host" in capsys.readouterr().err
    assert not inventory.secrets_file.exists()


def test_results_are_written_for_ci_systems(inventory: Inventory, tmp_path: Path) -> None:
    SecretStore.open(inventory).host("cal1")
    verify(inventory, ["cal1"], junit=tmp_path / "results.xml")
    assert "cannot connect" in (tmp_path / "results.xml").read_text(encoding="utf-8")


def test_checks_that_cannot_run_are_not_taken_for_a_verdict(inventory: Inventory) -> None:
    with pytest.raises(CalstackError, match=r"could not be run (?s:.*)no host nobody"):
        verify(inventory, ["nobody"])


def test_a_plain_run_of_the_tests_looks_at_no_host() -> None:
    command = [sys.executable, "-m", "pytest", str(verifying.CHECKS), "--collect-only", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=INVENTORIES.parent, check=False)
    assert "no tests collected" in done.stdout
    assert "skip" not in done.stdout


# --- what is printed


def result(host: str, message: str = "") -> dict[str, Any]:
    return {"host": host, "check": "all is well", "passed": not message, "message": message}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], inventory: Inventory) -> Any:
    """Runs `verify` on hosts whose checks come out as given; returns exit code and printed lines."""

    def tell(names: Sequence[str], results: list[dict[str, Any]]) -> tuple[int, list[str]]:
        lines = "".join(json.dumps(line) + "\n" for line in results)

        def command(_: Inventory, __: Sequence[str], report: Path, ___: Path | None) -> list[str]:
            script = f"import pathlib; pathlib.Path({str(report)!r}).write_text({lines!r})"
            return [sys.executable, "-c", script]

        monkeypatch.setattr(verifying, "_command", command)
        code = verify(inventory, names, console=Console())
        return code, capsys.readouterr().err.splitlines()

    return tell


def test_a_good_host_is_one_line(told: Any) -> None:
    code, lines = told(["cal1", "cal2"], [result("cal1"), result("cal1"), result("cal2")])
    assert code == 0
    assert lines == ["cal1: as it should be (2 checks)", "cal2: as it should be (1 checks)"]


def test_one_cause_of_many_failures_is_told_once(told: Any) -> None:
    cause = "web does not run\nno one can book\n-> start it"
    code, lines = told(["cal1", "cal2"], [result("cal1", cause), result("cal1", cause), result("cal2")])
    assert code == 1
    assert lines == [
        "cal1: 2 of 2 checks failed",
        "  web does not run (2 checks)",
        "    no one can book",
        "    -> start it",
        "cal2: as it should be (1 checks)",
    ]


def test_a_host_of_which_nothing_was_checked_is_not_good(told: Any) -> None:
    assert told(["cal1"], []) == (1, ["cal1: nothing was checked"])


# --- secrets that others can read


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that everybody can enter (pytest's own are private), looked at instead of /opt/calcom."""
    with tempfile.TemporaryDirectory(prefix="calstack-test-") as folder:
        path = Path(folder)
        path.chmod(0o755)
        monkeypatch.setattr(look, "ROOTS", (folder,))
        yield path


def put(path: Path, content: str, mode: int) -> None:
    path.write_text(content, encoding="utf-8")
    path.chmod(mode)


NEEDLES = {"cron_secret": ["s3cr3t-s3cr3t", "s3cr3t%2Ds3cr3t"]}


def test_a_secret_in_a_file_that_others_can_read_is_found(root: Path) -> None:
    put(root / "web.env", "CRON_SECRET=s3cr3t-s3cr3t\n", 0o644)
    put(root / "url", "http://x/?key=s3cr3t%2Ds3cr3t\n", 0o604)
    assert look._exposed(NEEDLES) == [f"cron_secret in {root}/url", f"cron_secret in {root}/web.env"]


def test_a_secret_in_a_file_for_root_alone_is_no_finding(root: Path) -> None:
    put(root / "web.env", "CRON_SECRET=s3cr3t-s3cr3t\n", 0o600)
    put(root / "compose.yaml", "no secret here\n", 0o644)
    closed = root / "closed"
    closed.mkdir(mode=0o700)
    put(closed / "loose", "s3cr3t-s3cr3t", 0o644)
    assert look._exposed(NEEDLES) == []


@pytest.mark.usefixtures("root")
def test_a_secret_in_a_command_line_is_found() -> None:
    # One of a kind: another run of this test on the same machine has a process of its own.
    secret = uuid.uuid4().hex
    script = "import time; print('up', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", script, secret], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()  # a program that is just starting has no command line yet
        assert look._exposed({"key": [secret]}) == [f"key in /proc/{process.pid}/cmdline"]
    finally:
        process.kill()
        process.wait()


def test_private_keys_are_searched_for_line_by_line_and_certificates_not_at_all(
    inventory: Inventory, tmp_path: Path
) -> None:
    store = SecretStore.open(inventory)
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    store.set("tls_key", pem)
    with store.changing() as content:
        content.keep("authority_certificate", "-----BEGIN CERTIFICATE-----\nMIIB\n", None)
    needles = Server("cal1", inventory, store, tmp_path)._needles()
    # The third line holds a part of the public key alone, which the certificate shows to everybody.
    assert needles["tls_key"] == sorted(pem.splitlines()[1:3])
    assert "authority_certificate" not in needles


# --- the file of jobs as cron reads it


def test_every_line_that_calstack_writes_is_one_that_cron_reads() -> None:
    for line in cron_lines():
        assert _LINE.fullmatch(f"{line.schedule} root {line.command}")


@pytest.mark.parametrize(
    "line",
    ["* * * * root /bin/true", "* * * * * /bin/true", "every minute root /bin/true", "@reboot root"],
)
def test_a_line_that_cron_cannot_read_is_seen(line: str) -> None:
    assert not _LINE.fullmatch(line)
