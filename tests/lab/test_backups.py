"""Backups of a deployed host, as a person sees them: made and proven from the first deploy on."""

from __future__ import annotations

import json
import shlex
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.deployed_lab import REPOSITORY, DeployedLab

pytestmark = pytest.mark.docker


def said(lab: DeployedLab, *arguments: str) -> dict[str, Any]:
    """What a command says of the first host, as JSON."""
    done = lab.calstack(*arguments, "--limit", "cal1", "--json")
    document = json.loads(done.stdout or "null")
    assert document, done.stderr
    host: dict[str, Any] = document["hosts"][0] if "hosts" in document else document
    return host


def test_the_newest_run_is_proven_and_the_list_knows(deployed_lab: DeployedLab) -> None:
    made = said(deployed_lab, "backup", "now")
    assert made["ok"], made
    (verdict,) = said(deployed_lab, "check-backups")["repositories"]
    assert (verdict["verdict"], verdict["reasons"]) == ("proven", [])
    assert verdict["run"] == made["repositories"][0]["run"]
    (listed,) = said(deployed_lab, "backup", "list")["repositories"]
    newest = listed["runs"][-1]
    assert (newest["run"], newest["proven"], newest["kept_as"]) == (verdict["run"], True, "one of the last")
    assert len(listed["runs"]) >= 2, "the first one was made by the first deploy"


def test_a_file_comes_out_of_a_run_as_it_is_on_the_host_for_its_owner_alone(
    deployed_lab: DeployedLab, tmp_path: Path
) -> None:
    target = tmp_path / "compose.yaml"
    done = deployed_lab.calstack(
        *("backup", "browse", "newest", "/opt/calcom/compose.yaml"),
        *("--to", str(target), "--limit", "cal1"),
    )
    assert done.returncode == 0, done.stderr
    assert target.read_text(encoding="utf-8") == deployed_lab.on_host("cat /opt/calcom/compose.yaml")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_what_changed_between_two_runs_is_told(deployed_lab: DeployedLab) -> None:
    assert said(deployed_lab, "backup", "now")["ok"]
    old = said(deployed_lab, "backup", "show", "newest")["run"]
    deployed_lab.sql("""insert into \\"OutOfOfficeReason\\" (emoji, reason) values ('x', 'backup test')""")
    try:
        assert said(deployed_lab, "backup", "now")["ok"]
        differences = said(deployed_lab, "backup", "diff", old)["differences"]
    finally:
        deployed_lab.sql("""delete from \\"OutOfOfficeReason\\" where reason = 'backup test'""")
    assert "~ table public.OutOfOfficeReason: 5 rows -> 6 rows" in differences


def test_no_secret_of_a_run_is_shown_and_nothing_private_is_readable(deployed_lab: DeployedLab) -> None:
    password = deployed_lab.secrets("cal1")["backup_password"]
    done = deployed_lab.calstack("backup", "show", "--limit", "cal1")
    assert password not in done.stdout + done.stderr
    assert deployed_lab.on_host("stat -c %a /opt/calcom/backup /opt/calcom/backup/config.json").split() == [
        "700",
        "600",
    ]
    assert deployed_lab.on_host("find /var/backups/calcom -perm /o+rwx -not -type l | head -3") == ""


def test_a_run_that_is_forgotten_is_gone_and_the_newest_one_stays(deployed_lab: DeployedLab) -> None:
    assert said(deployed_lab, "backup", "now")["ok"]
    (listed,) = said(deployed_lab, "backup", "list")["repositories"]
    *_, older, newest = [run["run"] for run in listed["runs"]]
    refused = deployed_lab.calstack("backup", "forget", newest, "--yes", "--limit", "cal1")
    assert refused.returncode == 2
    assert "is the newest run" in refused.stderr
    done = deployed_lab.calstack("backup", "forget", older, "--yes", "--limit", "cal1")
    assert done.returncode == 0, done.stderr
    (listed,) = said(deployed_lab, "backup", "list")["repositories"]
    assert older not in [run["run"] for run in listed["runs"]]
    assert said(deployed_lab, "check-backups")["ok"]


def test_the_schedule_fires_by_real_cron(deployed_lab: DeployedLab) -> None:
    log = "/var/log/calcom/repository-check.log"
    job = "/usr/bin/python3 /opt/calcom/onhost.pyz job repository-check"
    lines = int(deployed_lab.on_host(f"wc -l <{log}"))
    one_more = f"for i in $(seq 100); do test $(wc -l <{log}) -gt {lines} && exit; sleep 1; done; exit 1"
    deployed_lab.on_host(f"echo '* * * * * root {job}' >/etc/cron.d/calcom-test-of-cron")
    try:
        deployed_lab.on_host(one_more)
    finally:
        deployed_lab.on_host("rm /etc/cron.d/calcom-test-of-cron")
    assert "done in" in deployed_lab.on_host(f"tail -1 {log}")


def test_the_worst_night_s_commands_work_as_the_page_has_them(deployed_lab: DeployedLab) -> None:
    page = (REPOSITORY / "docs" / "backups.md").read_text(encoding="utf-8")
    block = page.partition("## The worst night")[2].partition("```sh\n")[2].partition("```")[0]
    commands = [shlex.split(line, comments=True)[1:] for line in block.splitlines()]
    assert len(commands) == 5
    assert said(deployed_lab, "backup", "now")["ok"]
    (listed,) = said(deployed_lab, "backup", "list")["repositories"]
    older = listed["runs"][-2]["run"]
    for command in commands:
        there = command.index("--inventory")
        given = [
            older if word == "20261123T0217" else word for word in command[:there] + command[there + 2 :]
        ]
        done = deployed_lab.calstack(*given, *(["--yes"] if "restore" in given else []))
        assert done.returncode == 0, (given, done.stderr)
