"""A deployed instance in daily use: a page during work on it, and what machines booked taken away."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest

from deploy.calcom.booking import BookingRequest
from deploy.calcom.guest import Guest
from deploy.calcom.http import open_client
from tests.deployed_lab import DeployedLab

pytestmark = pytest.mark.docker


def test_guests_see_a_page_while_all_else_goes_on(deployed_lab: DeployedLab) -> None:
    on = deployed_lab.calstack("maintenance", "on", "--json", "--for", "30", "--message", "Moving house")
    assert on.returncode == 0, on.stderr
    try:
        (host,) = [host for host in json.loads(on.stdout)["hosts"] if host["host"] == "cal1"]
        with open_client(
            deployed_lab.url, ca_file=deployed_lab.ca_file, connect_to=(deployed_lab.address, 443)
        ) as guest:
            page = guest.get(deployed_lab.guest_page)
            assert page.status_code == 503
            assert "Moving house" in page.text
            entered = guest.get(host["link"].removeprefix(deployed_lab.url))
            assert entered.status_code == 303
            assert guest.get(deployed_lab.guest_page).status_code == 200
        deployed = deployed_lab.calstack("deploy", "--json", "--limit", "cal1")
        assert deployed.returncode == 0, deployed.stderr
        (result,) = json.loads(deployed.stdout)["hosts"]
        assert (result["changed"], result["smoke_test"]) == ([], "passed")
        assert any("maintenance is on" in note for note in result["notes"])
        verified = deployed_lab.calstack("verify", "--limit", "cal1")
        assert verified.returncode == 1
        assert re.search("1 of .* checks failed", verified.stderr)
        assert "Moving house" in verified.stderr
        key = host["link"].rpartition("=")[2]
        kept = "cat /opt/calcom/proxy/maintenance.map; cd /opt/calcom; docker compose logs proxy 2>&1"
        assert key not in deployed_lab.on_host(kept)
    finally:
        off = deployed_lab.calstack("maintenance", "off")
    assert off.returncode == 0, off.stderr
    again = deployed_lab.calstack("maintenance", "off")
    assert "nothing to do" in again.stderr


def test_figures_are_read_on_the_host_and_from_nowhere_else(deployed_lab: DeployedLab) -> None:
    figures = deployed_lab.on_host("curl -sf http://127.0.0.1:8405/metrics")
    assert 'haproxy_server_status{proxy="app",server="web1",state="UP"} 1' in figures
    outside = "addr=$(hostname -I | cut -d' ' -f1); curl -s -m 3 http://$addr:8405/metrics; echo code $?"
    assert "code 7" in deployed_lab.on_host(outside)  # connection refused


def book(lab: DeployedLab, email: str, day: int) -> str:
    """Book as a guest over the public entrance; the booking's uid."""
    with open_client(lab.url, ca_file=lab.ca_file, connect_to=(lab.address, 443)) as http:
        guest = Guest(http)
        user, slug = lab.guest_page.strip("/").split("/")
        event = guest.event(user, slug)
        begin = dt.datetime.now(dt.UTC) + dt.timedelta(days=day)
        slots = guest.slots(event, begin, begin + dt.timedelta(days=7))
        return guest.book(BookingRequest(event=event, start=slots[0].start, name="Somebody", email=email)).uid


def test_what_a_machine_booked_goes_and_nothing_else(deployed_lab: DeployedLab) -> None:
    mine = book(deployed_lab, "bot@spam.example", 1)
    sub = book(deployed_lab, "bot@mail.spam.example", 8)
    other = book(deployed_lab, "ada@nospam.example", 15)
    try:
        asked = ("bookings", "purge", "--limit", "cal1", "--since", "1h", "--email-domain", "spam.example")
        refused = deployed_lab.calstack(*asked)
        assert refused.returncode == 2, refused.stderr
        planned = deployed_lab.calstack(*asked, "--plan", "--json")
        (host,) = json.loads(planned.stdout)["hosts"]
        assert {found["uid"] for found in host["found"]} == {mine, sub}
        assert host["removed"] is None
        done = deployed_lab.calstack(*asked, "--yes", "--json")
        assert done.returncode == 0, done.stderr
        (host,) = json.loads(done.stdout)["hosts"]
        assert host["removed"] == 2
        assert deployed_lab.sql('select uid from \\"Booking\\"').count(other) == 1
        assert not {mine, sub} & set(deployed_lab.sql('select uid from \\"Booking\\"'))
        left = "select count(*) from \\\"Attendee\\\" where email like '%spam.example'"
        assert deployed_lab.sql(left) == ["1"]
        by_address = deployed_lab.calstack(
            *asked[:-2], "--address", client_of(deployed_lab), "--plan", "--json"
        )
        (host,) = json.loads(by_address.stdout)["hosts"]
        assert other in {found["uid"] for found in host["found"]}
    finally:
        deployed_lab.sql(
            'delete from \\"Booking\\" where id in '
            '(select \\"bookingId\\" from \\"Attendee\\" where email like \'%spam.example\')'
        )


def client_of(lab: DeployedLab) -> str:
    """The address as which the proxy sees what comes from here."""
    log = lab.on_host(
        "cd /opt/calcom && docker compose logs --no-log-prefix proxy 2>&1 | grep /api/book/event"
    )
    return str(json.loads(log.splitlines()[-1])["client"])
