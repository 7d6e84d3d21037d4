"""The smoke test on a real instance, and what is left when it is stopped half-way."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deployed_lab import REPOSITORY, DeployedLab

pytestmark = pytest.mark.docker

_LEFT = """select (select count(*) from "EventType" where slug like 'calstack-smoke-%'),
 (select count(*) from "Booking" b join "Attendee" a on a."bookingId" = b.id
  where a.email = 'smoke-test@calstack.invalid'),
 (select count(*) from "Webhook" where "subscriberUrl" ~ '^http://[0-9.]+:[0-9]+/'),
 (select count(*) from "SelectedSlots"), (select count(*) from "WebhookScheduledTriggers")"""


def left_over(lab: DeployedLab) -> str:
    return lab.sql(_LEFT.replace('"', '\\"').replace("\n", " "))[0]


def test_the_journey_passes_and_leaves_nothing(deployed_lab: DeployedLab) -> None:
    done = deployed_lab.calstack("smoke", "--json")
    assert done.returncode == 0, done.stderr
    (host,) = json.loads(done.stdout)["hosts"]
    assert host["verdict"] == "passed"
    assert [step["outcome"] for step in host["steps"]] == ["ok"] * len(host["steps"])
    assert left_over(deployed_lab) == "0|0|0|0|0"
    assert "receiver" not in deployed_lab.on_host("ps axww -o args")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_what_a_stopped_journey_left_is_cleared_by_itself_or_by_the_next(
    deployed_lab: DeployedLab, how: signal.Signals
) -> None:
    deployed_lab.on_host("iptables -I INPUT -i br-cal-front -p tcp --syn --dport 30000:65535 -j DROP")
    try:
        process = subprocess.Popen(
            deployed_lab.command("smoke"),
            cwd=REPOSITORY,
            env=deployed_lab.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: left_over(deployed_lab) != "0|0|0|0|0")
        process.send_signal(how)
        _, said = process.communicate(timeout=60)
    finally:
        deployed_lab.on_host("iptables -D INPUT -i br-cal-front -p tcp --syn --dport 30000:65535 -j DROP")
    assert process.returncode != 0
    assert "Traceback" not in said
    if how == signal.SIGKILL:
        assert left_over(deployed_lab) != "0|0|0|0|0"
        next_run = deployed_lab.calstack("smoke")
        assert next_run.returncode == 0, next_run.stderr
    assert left_over(deployed_lab) == "0|0|0|0|0"
    assert "onhost.pyz receiver" not in deployed_lab.on_host("ps axww -o args")


def test_a_webhook_that_cannot_arrive_is_named_with_its_fix(deployed_lab: DeployedLab) -> None:
    deployed_lab.on_host("iptables -I INPUT -i br-cal-front -p tcp --syn --dport 30000:65535 -j REJECT")
    try:
        failed = deployed_lab.calstack("smoke", "--json")
    finally:
        deployed_lab.on_host("iptables -D INPUT -i br-cal-front -p tcp --syn --dport 30000:65535 -j REJECT")
    assert failed.returncode == 1
    (host,) = json.loads(failed.stdout)["hosts"]
    assert (host["fault"]["step"], host["fault"]["name"]) == (
        "receive BOOKING_CREATED",
        "webhook-unreachable",
    )
    assert host["fault"]["fix"]
    assert left_over(deployed_lab) == "0|0|0|0|0"


def wait_until(happened: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"nothing happened within {seconds:.0f} s"
        time.sleep(0.1)


def test_two_at_once_with_a_password_do_not_disturb_each_other(
    deployed_lab: DeployedLab, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text(deployed_lab.admin_password, encoding="utf-8")
    calstack = deployed_lab.command()[0]
    command = [
        *(calstack, "smoke", "--json", "--url", deployed_lab.url, "--connect-to", deployed_lab.address),
        *("--ca-file", str(deployed_lab.ca_file)),
        *("--email", deployed_lab.admin_email, "--password-file", str(password)),
        *("--receiver-bind", f"{machine_as_hosts_see_it()}:0"),
    ]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    ended = [(process.communicate(timeout=120)[0], process.returncode) for process in running]
    # A foreign instance keeps its cancelled bookings; this one is ours after all.
    done = """delete from \\"Booking\\" b using \\"Attendee\\" a where a.\\"bookingId\\" = b.id
        and a.email = 'smoke-test@calstack.invalid' and b.status = 'cancelled' returning 1""".replace(
        "\n", " "
    )
    cleared = deployed_lab.sql(done)
    for said, code in ended:
        (report,) = json.loads(said)["hosts"]
        assert (code, report["fault"]) == (0, None)
        assert [step["name"] for step in report["steps"] if step["outcome"] == "skipped"] == [
            "see that the app reaches itself",
            "see it in the host's calendars",
            "see its mails",
        ]
        assert report["cancelled_bookings"] == {"removed": 0, "left": 2}
    assert cleared == ["1"] * 4
    assert left_over(deployed_lab) == "0|0|0|0|0"


def machine_as_hosts_see_it() -> str:
    template = "{{(index .IPAM.Config 0).Gateway}}"
    command = ["docker", "network", "inspect", "bridge", "--format", template]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
