from __future__ import annotations

import subprocess
from pathlib import Path

from deploy.facts.files import PathStates


def test_states_are_what_the_system_says(tmp_path: Path) -> None:
    secret = tmp_path / "with a space|and a bar"
    secret.write_bytes(b"abc")
    secret.chmod(0o600)
    (tmp_path / "folder").mkdir(mode=0o755)
    paths = [str(secret), str(tmp_path / "folder"), str(tmp_path / "missing")]

    fact = PathStates()
    output = subprocess.run(
        ["sh", "-c", fact.command(paths=paths)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    states = fact.process(output)

    assert set(states) == set(paths[:2])
    assert states[paths[0]].mode == "0600"
    assert states[paths[0]].digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert states[paths[1]].kind == "directory"
    assert states[paths[1]].digest is None
