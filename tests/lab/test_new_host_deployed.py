"""The worst night: host and secrets of the inventory are gone. And a clone, which nobody hears of."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from deploy.calcom.booking import BookingRequest
from deploy.calcom.guest import Guest
from deploy.calcom.http import open_client
from deploy.calcom.session import password_login
from deploy.lab.lab import Lab
from tests.deployed_lab import NETWORK, REPOSITORY, DeployedLab, copy_of_the_lab

pytestmark = pytest.mark.docker

_PLACE = "/srv/survived"
_BOOKED = """insert into \\"Booking\\" (uid, title, \\"startTime\\", \\"endTime\\", status)
values ('kept', 'Kept', now(), now() + interval '1 hour', 'cancelled')"""
_WEBHOOK = """insert into \\"Webhook\\"
(id, \\"userId\\", \\"subscriberUrl\\", active, \\"eventTriggers\\", secret)
select 'told', id, 'http://192.0.2.25:8025/hook', true, '{BOOKING_CREATED}', 'whisper'
from users where role = 'ADMIN'"""
# The address of each host's own mail server, at another port: a host's containers can reach it.
_LISTENER = """
import http.server
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        open("/root/heard", "ab").write(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200); self.end_headers()
http.server.HTTPServer(("192.0.2.25", 8025), Hook).serve_forever()
"""


@pytest.fixture(scope="module")
def lost(deployed_lab: DeployedLab) -> Iterator[DeployedLab]:
    """The instance that will be lost, after its last run."""
    try:
        deployed_lab.on_host("echo 'services: {}' >/opt/calcom/compose.override.yaml")
        deployed_lab.sql(_BOOKED)
        deployed_lab.sql(_WEBHOOK)
        made = deployed_lab.calstack("backup", "now", "--json")
        assert made.returncode == 0, made.stderr
        yield deployed_lab
    finally:
        deployed_lab.on_host("rm -f /opt/calcom/compose.override.yaml")
        deployed_lab.sql("""delete from \\"Booking\\" where uid = 'kept'""")
        deployed_lab.sql("""delete from \\"Webhook\\" where id = 'told'""")


@pytest.fixture(scope="module")
def survivor(lost: DeployedLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedLab]:
    """Another inventory without any secrets, two bare machines, and a disk with the repository in each."""
    folder = tmp_path_factory.mktemp("survivor")
    inventory = copy_of_the_lab(folder / "test-lab")
    host = inventory / "hosts" / "cal1.yaml"
    text = host.read_text(encoding="utf-8")
    host.write_text(text.replace(f"{NETWORK}0.", f"{NETWORK}7."), encoding="utf-8")
    clone = text.replace(f"{NETWORK}0.1", f"{NETWORK}7.2").replace("domain: cal1.", "domain: copy.")
    (inventory / "hosts" / "cal2.yaml").write_text(f"{clone}\nclone: true\n", encoding="utf-8")
    environment = {
        **os.environ,
        "CALSTACK_IDENTITY": str(folder / "identity.txt"),
        "CALSTACK_BACKUP_PASSWORD": lost.secrets("cal1")["backup_password"],
    }
    lab = DeployedLab(inventory, environment, subprocess.CompletedProcess([], 0, "", ""))
    try:
        up = lab.calstack("lab", "up")
        assert up.returncode == 0, up.stderr
        _carry_the_disk(lost, lab)
        yield lab
    finally:
        down = lab.calstack("lab", "down")
    assert down.returncode == 0, down.stderr


def _carry_the_disk(lost: DeployedLab, lab: DeployedLab) -> None:
    old = Lab.of(lost.inventory_path).container("cal1")
    disk = subprocess.run(
        ["docker", "exec", old, "tar", "-C", "/var/backups/calcom", "-cf", "-", "."],
        capture_output=True,
        check=True,
    ).stdout
    for name in ("cal1", "cal2"):
        new = Lab.of(lab.inventory_path).container(name)
        unpack = f"mkdir -p {_PLACE} && tar -C {_PLACE} -xf -"
        subprocess.run(["docker", "exec", "-i", new, "sh", "-c", unpack], input=disk, check=True)


def _restore(host: str, *options: str) -> tuple[str, ...]:
    return ("restore", "--new-host", "--limit", host, "--repository", _PLACE, "--json", *options)


def test_a_wrong_password_leaves_the_inventory_as_it_was(survivor: DeployedLab) -> None:
    wrong = replace(survivor, environment={**survivor.environment, "CALSTACK_BACKUP_PASSWORD": "wrong"})
    done = wrong.calstack(*_restore("cal1"))
    assert done.returncode == 1
    assert f"the password does not open the repository {_PLACE}" in done.stderr
    assert "the inventory is as it was" in done.stderr
    assert not (survivor.inventory_path / "secrets.age").exists()
    assert not (survivor.inventory_path / "ca.crt").exists()


def test_a_repository_that_went_with_the_lost_host_is_told(survivor: DeployedLab) -> None:
    done = survivor.calstack("restore", "--new-host", "--limit", "cal1", "--from", "local")
    assert done.returncode == 1
    assert "there is no repository at local" in done.stderr
    assert "/var/backups/calcom is a folder of the host itself" in done.stderr
    assert not (survivor.inventory_path / "secrets.age").exists()


def test_killed_half_way_the_same_command_brings_the_instance_back(
    lost: DeployedLab, survivor: DeployedLab
) -> None:
    _kill_once(survivor, "test -e /opt/calcom/compose.yaml", *_restore("cal1"))
    done = survivor.calstack(*_restore("cal1"))
    assert done.returncode == 0, done.stderr
    (host,) = json.loads(done.stdout)["hosts"]
    assert (host["ok"], host["smoke_test"]) == (True, "passed")
    assert "/opt/calcom/compose.override.yaml" in host["files"]

    old, new = lost.secrets("cal1"), survivor.secrets("cal1")
    names = ("encryption_key", "admin_password", "seed_webhook", "api_key", "nextauth_secret")
    assert {name: new[name] for name in names} == {name: old[name] for name in names}
    assert survivor.ca_file.read_bytes() == lost.ca_file.read_bytes(), "nobody has to trust a new authority"
    assert survivor.sql("""select count(*) from \\"Booking\\" where uid = 'kept'""") == ["1"]
    assert survivor.sql("""select secret, active from \\"Webhook\\" where id = 'told'""") == ["whisper|t"]
    _signs_in(survivor, "cal1", old["admin_password"])
    assert survivor.on_host("ls -d /var/lib/calcom/new-host 2>/dev/null || true") == ""

    again = survivor.calstack("deploy", "--limit", "cal1")
    assert again.returncode == 0, again.stderr
    assert "cal1: nothing to do, smoke test passed" in again.stderr
    refused = survivor.calstack(*_restore("cal1"))
    assert refused.returncode == 2
    assert "an instance is on this host already; nothing was touched" in refused.stderr


@pytest.mark.long
def test_nobody_hears_of_a_clone(lost: DeployedLab, survivor: DeployedLab) -> None:
    done = survivor.calstack(*_restore("cal2", "--clone"))
    assert done.returncode == 0, done.stderr
    (host,) = json.loads(done.stdout)["hosts"]
    assert "1 webhooks switched off" in host["lost"]
    _signs_in(survivor, "cal2", lost.secrets("cal1")["admin_password"])
    new, old = survivor.secrets("cal2"), lost.secrets("cal1")
    assert new["encryption_key"] == old["encryption_key"]
    assert new["nextauth_secret"] != old["nextauth_secret"], "a session of the one is none of the other"
    jobs = survivor.on_host("grep -o ' job .*' /etc/cron.d/calcom-jobs", "cal2")
    assert jobs.split() == ["job", "certificate"]

    # Somebody switches everything on again, and a guest books: there is still no way out.
    listening = ("systemd-run", "--unit=hook", "/usr/bin/python3", "-c", f"'{_LISTENER}'")
    survivor.on_host(" ".join(listening), "cal2")
    for change in (
        """update \\"Webhook\\" set active = true""",
        """update \\"Feature\\" set enabled = false where slug = 'emails'""",
    ):
        _sql(survivor, change)
    restart = "cd /opt/calcom && docker compose restart web && docker compose up -d --wait web"
    survivor.on_host(restart, "cal2")
    _books(survivor, "cal2")
    heard = "cat /root/heard /run/calstack-lab-mail/mails.jsonl 2>/dev/null || true"
    assert survivor.on_host(heard, "cal2") == ""
    # Each guest would wait until their names turn out to be unknown.
    _sql(survivor, """update \\"Webhook\\" set active = false""")

    again = survivor.calstack("deploy", "--limit", "cal2")
    assert again.returncode == 0, again.stderr
    assert "cal2: nothing to do, smoke test passed" in again.stderr
    verified = survivor.calstack("verify", "--limit", "cal2")
    assert verified.returncode == 0, verified.stderr


def _sql(lab: DeployedLab, query: str) -> None:
    psql = "docker compose exec -T db psql -XqAt -U calcom -d calcom"
    lab.on_host(f'cd /opt/calcom && {psql} -c "{query}"', "cal2")


def _domain(lab: DeployedLab, host: str) -> str:
    return {"cal1": lab.domain, "cal2": lab.domain.replace("cal1.", "copy.")}[host]


def _signs_in(lab: DeployedLab, host: str, password: str) -> None:
    with open_client(
        f"https://{_domain(lab, host)}", ca_file=lab.ca_file, connect_to=(lab.address_of(host), 443)
    ) as client:
        assert password_login(client, lab.admin_email, password)


def _books(lab: DeployedLab, host: str) -> None:
    with open_client(
        f"https://{_domain(lab, host)}", ca_file=lab.ca_file, connect_to=(lab.address_of(host), 443)
    ) as client:
        guest = Guest(client)
        event = guest.event("admin", "intro")
        now = dt.datetime.now(dt.UTC)
        slot = guest.slots(event, now + dt.timedelta(days=2), now + dt.timedelta(days=9))[0]
        guest.book(
            BookingRequest(
                event=event, start=slot.start, name="Jane", email="jane@example.com", time_zone="UTC"
            )
        )


def _kill_once(lab: DeployedLab, moment: str, *arguments: str) -> None:
    """Begin a command, and kill it with all that it started once this is true on the first host."""
    process = subprocess.Popen(
        lab.command(*arguments),
        cwd=REPOSITORY,
        env=lab.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 240
        while lab.on_host(f"{moment} && echo yes || true").strip() != "yes":
            assert process.poll() is None, "it ended before that moment"
            assert time.monotonic() < deadline, "that moment did not come"
            time.sleep(0.2)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
