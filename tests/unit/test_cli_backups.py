"""The commands for backups that need no host: the sheet, and what is refused."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from deploy.secrets import SecretStore
from deploy.settings.load import load_inventory
from tests.unit.settings.folders import DEFAULTS, write_inventory
from tests.unit.test_cli import calstack

WITH_BACKUPS = """
backups:
  repositories:
    vault:
      url: rest:https://vault.example.org:8000/cal1/
      environment: {RESTIC_REST_USERNAME: cal1, RESTIC_REST_PASSWORD: !secret rest_password}
      ca_file: vault.pem
    here:
      url: /var/backups/calcom
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CALSTACK_IDENTITY", str(tmp_path / "identity.txt"))
    folder = write_inventory(
        tmp_path / "mine",
        hosts=2,
        defaults=DEFAULTS + "  restic: {reference: 'restic/restic:0.19.1'}\n",
    )
    host = folder / "hosts" / "cal1.yaml"
    host.write_text(host.read_text(encoding="utf-8") + WITH_BACKUPS, encoding="utf-8")
    (folder / "vault.pem").write_text("-----BEGIN CERTIFICATE-----\nVAULT\n", encoding="utf-8")
    SecretStore.open(load_inventory(str(folder))).set("rest_password", "it's a $secret")
    return folder


def test_the_sheet_goes_where_it_was_told_and_is_its_owner_s_alone(mine: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.txt"
    said = calstack("backup", "key", "--inventory", str(mine), "--to", str(sheet))
    assert said.returncode == 0, said.stderr
    text = sheet.read_text(encoding="utf-8")
    password = SecretStore.open(load_inventory(str(mine))).host("cal1").backup_password
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    assert f"export RESTIC_PASSWORD={password}\n" in text
    assert """export RESTIC_REST_PASSWORD='it'"'"'s a $secret'\n""" in text
    assert "VAULT" in text
    assert "lost with its disk" in text
    assert "No backups are set up for this host." in text, "cal2 has none, and that is said"
    assert password not in said.stdout + said.stderr
    assert "$secret" not in said.stdout + said.stderr


def test_the_sheet_is_printed_only_when_asked(mine: Path) -> None:
    refused = calstack("backup", "key", "--inventory", str(mine))
    assert refused.returncode == 2
    assert "either --to FILE or --print" in refused.stderr
    assert refused.stdout == ""
    printed = calstack("backup", "key", "--inventory", str(mine), "--limit", "cal1", "--print").stdout
    assert "RESTIC_PASSWORD" in printed
    assert "cal2" not in printed


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--repository", "/var/backups", "--repository", "here"), "one address at a time"),
        (("--repository", "/var/backups", "--limit", "cal1"), "one address at a time"),
        (("--instance", "cal.example.org"), "belong to the address of a repository"),
        (("--repository", "/var/backups"), "set CALSTACK_BACKUP_PASSWORD"),
    ],
)
def test_a_drill_without_a_host_says_what_it_lacks(
    mine: Path, arguments: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CALSTACK_BACKUP_PASSWORD", raising=False)
    done = calstack("check-backups", "--inventory", str(mine), *arguments)
    assert done.returncode == 2
    assert says in done.stderr
