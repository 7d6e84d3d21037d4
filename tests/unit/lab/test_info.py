from __future__ import annotations

import json
from pathlib import Path

from deploy.lab.info import describe
from deploy.lab.lab import LabHost


def test_programs_learn_how_to_reach_each_host(tmp_path: Path) -> None:
    hosts = {"cal1": LabHost("cal1", "127.88.0.1", "cal1.calstack.test", ssh_port=2201)}
    assert json.loads(json.dumps(describe(tmp_path, hosts))) == {
        "hosts": [
            {
                "name": "cal1",
                "address": "127.88.0.1",
                "ssh": {
                    "port": 2201,
                    "user": "root",
                    "key_file": str(tmp_path / "lab-state" / "id_ed25519"),
                    "known_hosts_file": str(tmp_path / "lab-state" / "known_hosts"),
                },
                "domain": "cal1.calstack.test",
                "url": "https://cal1.calstack.test",
                "ca_file": None,
            }
        ]
    }


def test_the_authority_is_named_once_a_deploy_has_made_it(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("")
    hosts = {"cal1": LabHost("cal1", "127.88.0.1", "cal1.calstack.test")}
    assert describe(tmp_path, hosts)["hosts"][0]["ca_file"] == str(tmp_path / "ca.crt")
