from __future__ import annotations

import stat
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from deploy.lab import client_key
from deploy.lab.lab import Lab


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_the_key_is_made_once_and_is_nobody_elses_to_read(tmp_path: Path) -> None:
    lab = Lab.of(tmp_path / "lab")
    first = client_key.ensure_client_key(lab)
    assert first == client_key.ensure_client_key(lab)
    assert first.startswith("ssh-ed25519 ")
    assert (mode(lab.state), mode(lab.key_file)) == (0o700, 0o600)
    load_ssh_private_key(lab.key_file.read_bytes(), password=None)


def test_a_damaged_key_is_replaced(tmp_path: Path) -> None:
    lab = Lab.of(tmp_path / "lab")
    first = client_key.ensure_client_key(lab)
    lab.key_file.write_text("half a k")
    assert client_key.ensure_client_key(lab) != first


def test_a_killed_write_does_not_stop_the_next(tmp_path: Path) -> None:
    lab = Lab.of(tmp_path / "lab")
    lab.state.mkdir(parents=True)
    (lab.state / ".id_ed25519.new").write_text("left by a kill")
    client_key.ensure_client_key(lab)
    client_key.write_known_hosts(lab, ["127.88.0.1 ssh-ed25519 AAAA"])
    assert lab.known_hosts_file.read_text() == "127.88.0.1 ssh-ed25519 AAAA\n"
    assert sorted(file.name for file in lab.state.iterdir()) == ["id_ed25519", "known_hosts"]
