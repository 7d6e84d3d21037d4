"""What ssh is asked when restic has no words for it."""

from __future__ import annotations

import pytest

from deploy.onhost.backup import sftp


@pytest.mark.parametrize(
    ("url", "end"),
    [
        ("sftp:ada@nas.example.org:/backups", ["ada@nas.example.org", "-s", "sftp"]),
        ("sftp:nas:backups", ["nas", "-s", "sftp"]),
        ("sftp://ada@nas.example.org//backups", ["ada@nas.example.org", "-s", "sftp"]),
    ],
)
def test_ssh_is_asked_as_restic_asks_it(url: str, end: list[str]) -> None:
    given = ["sftp.args=-i /a/key -o BatchMode=yes"]
    assert sftp.command(url, given) == ["ssh", "-i", "/a/key", "-o", "BatchMode=yes", *end]


def test_a_port_is_kept() -> None:
    assert sftp.command("sftp://ada@nas:2222//backups", []) == ["ssh", "-p", "2222", "ada@nas", "-s", "sftp"]


def test_other_storages_have_no_ssh() -> None:
    assert sftp.command("s3:https://s3.example.org/bucket", []) == []
    assert sftp.why_not("/var/backups", []) == ""
