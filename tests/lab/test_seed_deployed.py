"""Seeding a deployed host through the command line: several users, killed runs, pruning, and the way back."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.calcom.http import open_client
from deploy.calcom.models import WebhookFields
from deploy.calcom.session import minted_cookie
from deploy.calcom.web import WebChannel
from tests.bench.seed import manifest_text
from tests.deployed_lab import DeployedLab

pytestmark = pytest.mark.docker

N8N = "https://n8n.example.test/webhook"
OURS = "https://ours.example.test/hook"


@pytest.fixture(autouse=True)
def _as_before(deployed_lab: DeployedLab) -> Iterator[None]:
    """What a test makes goes again: other tests share the instance and the inventory's secrets."""
    kept = (deployed_lab.inventory_path / "secrets.age").read_bytes()
    yield
    deployed_lab.sql(r"delete from \"Webhook\" where \"subscriberUrl\" like 'https://n8n.example.test/%'")
    done = deployed_lab.calstack("seed", "--prune", "--yes")
    (deployed_lab.inventory_path / "secrets.age").write_bytes(kept)
    assert done.returncode == 0, done.stderr


def admin(lab: DeployedLab, http: httpx.Client) -> WebChannel:
    return WebChannel(http, cookie(lab))


def cookie(lab: DeployedLab) -> str:
    (user_id,) = lab.sql("select id from users where role = 'ADMIN'")
    return minted_cookie(lab.secrets("cal1")["nextauth_secret"], int(user_id), lab.admin_email, secure=True)


def public(lab: DeployedLab) -> httpx.Client:
    return open_client(lab.url, ca_file=lab.ca_file, connect_to=(lab.address, 443))


def make_n8n_s_webhook(lab: DeployedLab, secret: str | None = None) -> None:
    fields = WebhookFields(url=N8N, triggers=("BOOKING_CREATED",), active=False, secret=secret)
    with public(lab) as http:
        admin(lab, http).create_webhook(fields)


def planned(lab: DeployedLab, file: Path) -> dict[str, Any]:
    """The plan of the first host."""
    done = lab.calstack("seed", "--file", str(file), "--plan", "--json")
    assert done.returncode == 0, done.stderr
    (host,) = [host for host in json.loads(done.stdout)["hosts"] if host["host"] == "cal1"]
    assert host["applied"] is False
    return dict(host)


def urls(lab: DeployedLab) -> list[str]:
    return lab.sql('select \\"subscriberUrl\\" from \\"Webhook\\" order by 1')


# --- several users


USERS = """\
event_types:
  - {slug: of-the-admin, title: Admin's, length_minutes: 15, locations: [{type: attendee_phone}]}
users:
  - user: Ada@Example.test
    profile: {time_zone: Europe/Berlin}
    schedules:
      - {name: Ada's hours, time_zone: Europe/Berlin, availability: [{days: [monday], times: [10:00-12:00]}]}
    event_types:
      - slug: of-ada
        title: Ada's
        length_minutes: 30
        schedule: Ada's hours
        locations: [{type: attendee_phone}]
    webhooks:
      - {url: 'https://ada.example.test/', event_type: of-ada, triggers: [BOOKING_CREATED], active: false}
"""


@pytest.fixture
def ada(deployed_lab: DeployedLab) -> Iterator[int]:
    """The id of a second user, made as an administrator makes one."""

    def call(procedure: str, given: dict[str, Any]) -> Any:
        with public(deployed_lab) as http:
            answer = http.post(
                f"/api/trpc/users/{procedure}", json={"json": given}, headers={"cookie": cookie(deployed_lab)}
            )
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]["data"]["json"]

    user = call("add", {"email": "ada@example.test", "username": "ada", "name": "Ada", "role": "USER"})
    yield int(user["user"]["id"])
    call("delete", {"userId": user["user"]["id"]})


def test_several_users_have_things_of_their_own(deployed_lab: DeployedLab, ada: int, tmp_path: Path) -> None:
    file = tmp_path / "users.yaml"
    file.write_text(USERS)
    assert {change["user"] for change in planned(deployed_lab, file)["changes"]} == {None, "ada@example.test"}
    done = deployed_lab.calstack("seed", "--file", str(file))
    assert done.returncode == 0, done.stderr
    assert "ada@example.test: event type of-ada created" in done.stderr
    held = (
        'select e.slug, s.name from \\"EventType\\" e left join \\"Schedule\\" s on s.id = e.\\"scheduleId\\"'
    )
    assert deployed_lab.sql(f'{held} where e.\\"userId\\" = {ada}') == ["of-ada|Ada's hours"]
    plan = planned(deployed_lab, file)
    assert (plan["changes"], plan["unchanged"]) == ([], 5)


def test_a_user_who_is_not_there_is_told_and_nothing_sent(deployed_lab: DeployedLab, tmp_path: Path) -> None:
    file = tmp_path / "users.yaml"
    file.write_text(USERS)
    refused = deployed_lab.calstack("seed", "--file", str(file))
    assert refused.returncode == 1
    assert "the instance has no user ada@example.test; nothing was sent" in refused.stderr
    assert deployed_lab.sql("select 1 from \\\"EventType\\\" where slug = 'of-the-admin'") == []


# --- the way back


def test_what_was_pulled_plans_to_nothing_and_its_secrets_are_kept(
    deployed_lab: DeployedLab, tmp_path: Path
) -> None:
    make_n8n_s_webhook(deployed_lab, "made-by-hand-in-n8n")
    pulled = deployed_lab.calstack("seed", "pull")
    assert pulled.returncode == 0, pulled.stderr
    assert "secret: !secret webhook_n8n_example_test\n" in pulled.stdout
    assert "secret: !secret seed_webhook\n" in pulled.stdout, "what is stored already is named"
    for value in ("made-by-hand-in-n8n", deployed_lab.secrets("cal1")["seed_webhook"]):
        assert value not in pulled.stdout + pulled.stderr
    shown = deployed_lab.calstack("secrets", "show", "webhook_n8n_example_test", "--host", "cal1")
    assert shown.stdout.strip() == "made-by-hand-in-n8n"
    file = tmp_path / "pulled.yaml"
    file.write_text(pulled.stdout)
    plan = planned(deployed_lab, file)
    assert (plan["changes"], plan["notes"]) == ([], [])


# --- pruning


def answered(lab: DeployedLab, answer: str, *arguments: str) -> tuple[int, str]:
    """Exit code and output of a command at a terminal where a person answers the question."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            lab.command(*arguments),
            env=lab.environment, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        os.write(ours, f"{answer}\n".encode())
        said, _ = process.communicate(timeout=120)
    finally:
        os.close(ours)
        os.close(theirs)
    return process.returncode, said


def test_pruning_asks_and_leaves_what_somebody_else_made(deployed_lab: DeployedLab, tmp_path: Path) -> None:
    file, nothing = tmp_path / "one.yaml", tmp_path / "none.yaml"
    file.write_text(f"webhooks: [{{url: '{OURS}', triggers: [BOOKING_CREATED], active: false}}]\n")
    nothing.write_text("webhooks: []\n")
    before = urls(deployed_lab)
    assert deployed_lab.calstack("seed", "--file", str(file)).returncode == 0
    make_n8n_s_webhook(deployed_lab)
    all_of_them = sorted([*before, OURS, N8N])

    nobody = deployed_lab.calstack("seed", "--prune", "--file", str(nothing))
    assert nobody.returncode == 2
    assert "nobody is there to confirm" in nobody.stderr
    code, said = answered(deployed_lab, "n", "seed", "--prune", "--file", str(nothing))
    assert (code, "not confirmed; nothing was changed" in said) == (1, True), said
    assert f"- webhook {OURS}" in said
    assert urls(deployed_lab) == all_of_them

    code, said = answered(deployed_lab, "y", "seed", "--prune", "--file", str(nothing))
    assert code == 0, said
    assert f"webhook {N8N} stays: it was not made by calstack" in said
    assert urls(deployed_lab) == [N8N]


# --- killed


@pytest.mark.parametrize("channel", ["api", "web"])
def test_a_large_run_that_was_killed_is_completed_by_the_next(
    deployed_lab: DeployedLab, tmp_path: Path, channel: str
) -> None:
    inventory = tmp_path / deployed_lab.inventory_path.name
    shutil.copytree(deployed_lab.inventory_path, inventory, symlinks=True)
    with (inventory / "hosts" / "cal1.yaml").open("a") as host:
        host.write(f"\nchannel: {channel}\n")
    lab = DeployedLab(inventory, deployed_lab.environment, deployed_lab.first_deploy)
    file = tmp_path / "large.yaml"
    file.write_text(manifest_text(150, 10).replace("!secret hook", "!secret seed_webhook"))

    process = subprocess.Popen(lab.command("seed", "--file", str(file)), env=lab.environment)
    count = "select count(*) from \\\"EventType\\\" where slug like 'type-%'"
    end = time.monotonic() + 60
    while int(lab.sql(count)[0]) < 10 and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=30) == -signal.SIGKILL
    assert 10 <= int(lab.sql(count)[0]) < 150

    done = lab.calstack("seed", "--file", str(file))
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d+ created, \d+ updated, \d+ as declared", done.stderr), done.stderr
    plan = planned(lab, file)
    assert (plan["changes"], plan["unchanged"]) == ([], 162)
    # Nor does a run leave behind what only it knows: all ten webhooks are noted as calstack's.
    assert lab.calstack("seed", "--prune", "--yes").returncode == 0
    assert lab.sql(count) == ["0"]
    assert len(urls(lab)) == 2
