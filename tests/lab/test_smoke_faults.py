"""Faults that are put into a real instance one after the other: the smoke test names each, with its fix."""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from deploy.settings.load import load_inventory
from tests.deployed_lab import DeployedLab
from tests.lab.certificates import self_signed
from tests.lab.test_smoke import left_over

pytestmark = pytest.mark.docker

Injection = Callable[[DeployedLab], AbstractContextManager[None]]

_WEBHOOKS_IN = "INPUT -i br-cal-front -p tcp --syn --dport 30000:65535"
_RELOAD = "cd /opt/calcom && docker compose kill -s USR2 proxy && sleep 1"


def sql(lab: DeployedLab, statement: str) -> None:
    psql = "docker compose exec -T db psql -X -q -v ON_ERROR_STOP=1 -U calcom -d calcom"
    lab.on_host(f"cd /opt/calcom && echo {shlex.quote(statement)} | {psql}")


@contextmanager
def nobody_is_there(lab: DeployedLab) -> Iterator[None]:
    sql(
        lab,
        """insert into "OutOfOfficeEntry" (uuid, "start", "end", "userId", "updatedAt")
        select 'fault', now() - interval '2 days', now() + interval '30 days', id, now() from users""",
    )
    try:
        yield
    finally:
        sql(lab, """delete from "OutOfOfficeEntry" where uuid = 'fault'""")


@contextmanager
def firewall(lab: DeployedLab, rule: str) -> Iterator[None]:
    lab.on_host(f"iptables -I {rule}")
    try:
        yield
    finally:
        lab.on_host(f"iptables -D {rule} 2>/dev/null || true")


@contextmanager
def packets_get_lost_for_a_while(lab: DeployedLab) -> Iterator[None]:
    """Whoever knocks knocks again 1, 3, 7 and 15 seconds later, as TCP does; the last time is heard."""
    lifted_after_the_third = (
        "for i in $(seq 300); do iptables -nvxL INPUT 1 | awk '{exit !($1 > 0)}' && break; sleep 0.2; done; "
        f"sleep 9; iptables -D {_WEBHOOKS_IN} -j DROP"
    )
    with firewall(lab, f"{_WEBHOOKS_IN} -j DROP"):
        lifting = threading.Thread(target=lab.on_host, args=[lifted_after_the_third])
        lifting.start()
        yield
        lifting.join()


def no_way_to_the_receiver(lab: DeployedLab) -> AbstractContextManager[None]:
    return firewall(lab, f"{_WEBHOOKS_IN} -j REJECT")


@contextmanager
def secrets_become(lab: DeployedLab, value: str) -> Iterator[None]:
    sql(
        lab,
        f"""create function fault() returns trigger language plpgsql as
        $$ begin new.secret := {value}; return new; end $$;
        create trigger fault before insert or update on "Webhook" for each row execute function fault()""",
    )
    try:
        yield
    finally:
        sql(lab, """drop trigger fault on "Webhook"; drop function fault""")


def secrets_get_lost(lab: DeployedLab) -> AbstractContextManager[None]:
    return secrets_become(lab, "null")


def secrets_are_exchanged(lab: DeployedLab) -> AbstractContextManager[None]:
    return secrets_become(lab, "'another'")


@contextmanager
def the_mail_server_refuses(lab: DeployedLab) -> Iterator[None]:
    lab.on_host("touch /run/calstack-lab-mail/refuse")
    try:
        yield
    finally:
        lab.on_host("rm /run/calstack-lab-mail/refuse")


@contextmanager
def the_clock_is_wrong(lab: DeployedLab) -> Iterator[None]:
    wrong = "http-response set-header date %[date(3600),http_date]"
    with proxy_with(lab, f"sed -i 's/^backend app$/&\\n    {wrong}/' proxy/haproxy.cfg", "proxy/haproxy.cfg"):
        yield


@contextmanager
def the_certificate_is_somebody_s(lab: DeployedLab) -> Iterator[None]:
    pem = self_signed(lab.domain).decode()
    file = "proxy/certificates/site.pem"
    # Written into the file that is there, which keeps its owner and mode.
    with proxy_with(lab, f"echo {shlex.quote(pem)} | tee {file} >/dev/null", file):
        yield


@contextmanager
def proxy_with(lab: DeployedLab, change: str, file: str) -> Iterator[None]:
    lab.on_host(f"cd /opt/calcom && cp -p {file} /root/kept && {change} && {_RELOAD}")
    try:
        yield
    finally:
        lab.on_host(f"cd /opt/calcom && cp -p /root/kept {file} && rm /root/kept && {_RELOAD}")


@contextmanager
def the_name_leads_astray_inside(lab: DeployedLab) -> Iterator[None]:
    hosts = "cd /opt/calcom && docker compose exec -T -u 0 web sh -c"
    lab.on_host(
        f"{hosts} {shlex.quote(f'cp /etc/hosts /tmp/kept; echo 127.0.0.9 {lab.domain} >>/etc/hosts')}"
    )
    try:
        yield
    finally:
        lab.on_host(f"{hosts} 'cat /tmp/kept >/etc/hosts; rm /tmp/kept'")


@contextmanager
def a_calendar_takes_nothing(lab: DeployedLab) -> Iterator[None]:
    sql(
        lab,
        """insert into "Credential" (type, key, "userId", invalid)
        select 'google_calendar', '{"fault": true}', id, true from users where role = 'ADMIN'""",
    )
    try:
        yield
    finally:
        sql(lab, """delete from "Credential" where key ? 'fault'""")


@pytest.mark.parametrize(
    ("inject", "step", "fault"),
    [
        (nobody_is_there, "look for free slots", "no-slots"),
        (packets_get_lost_for_a_while, "receive BOOKING_CREATED", "webhook-late"),
        (no_way_to_the_receiver, "receive BOOKING_CREATED", "webhook-unreachable"),
        (secrets_get_lost, "receive BOOKING_CREATED", "webhook-unsigned"),
        (secrets_are_exchanged, "receive BOOKING_CREATED", "webhook-wrong-signature"),
        (the_mail_server_refuses, "see its mails", "mail-refused"),
        (the_clock_is_wrong, "open the sign-in page", "clock-skew"),
        (the_certificate_is_somebody_s, "open the sign-in page", "tls-not-trusted"),
        (the_name_leads_astray_inside, "see that the app reaches itself", "hairpin-broken"),
        (a_calendar_takes_nothing, "see it in the host's calendars", "calendar-not-written"),
    ],
)
def test_each_fault_is_told_from_the_others(
    deployed_lab: DeployedLab, inject: Injection, step: str, fault: str
) -> None:
    with inject(deployed_lab):
        code, report = smoke(deployed_lab)
    assert code == 1
    assert (report["fault"]["step"], report["fault"]["name"]) == (step, fault), report["fault"]
    assert report["fault"]["fix"]
    assert left_over(deployed_lab) == "0|0|0|0|0"


def test_with_all_faults_undone_it_passes_in_time(deployed_lab: DeployedLab) -> None:
    code, report = smoke(deployed_lab)
    assert (code, report["fault"]) == (0, None)
    assert report["seconds"] < 5


def smoke(lab: DeployedLab) -> tuple[int, dict[str, Any]]:
    done = lab.calstack("smoke", "--json")
    assert done.stdout, done.stderr
    (host,) = json.loads(done.stdout)["hosts"]
    assert "fault" in host, host
    return done.returncode, host


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("cal_" + "0" * 32, "key-unknown"),
        ("key_" + "0" * 32, "key-wrong-prefix"),
        ("cal_" + "e" * 32, "key-expired"),
    ],
)
def test_a_key_that_is_not_good_is_named(deployed_lab: DeployedLab, key: str, fault: str) -> None:
    if load_inventory(str(deployed_lab.inventory_path)).hosts["cal1"].images.api is None:
        pytest.skip("this lab has no API")
    digest = hashlib.sha256(b"e" * 32).hexdigest()
    sql(
        deployed_lab,
        f"""insert into "ApiKey" (id, "userId", note, "hashedKey", "expiresAt")
        select 'fault', id, 'fault', '{digest}', now() - interval '3 days' from users where role = 'ADMIN'""",  # noqa: S608 - a digest of ours
    )
    try:
        code, report = smoke_by_url(deployed_lab, CALSTACK_API_KEY=key)
    finally:
        sql(deployed_lab, """delete from "ApiKey" where id = 'fault'""")
    assert (code, report["fault"]["name"]) == (1, fault), report["fault"]
    assert left_over(deployed_lab) == "0|0|0|0|0"


def smoke_by_url(lab: DeployedLab, *options: str, **environment: str) -> tuple[int, dict[str, Any]]:
    """As one who did not deploy the instance, with what the environment gives: a key, or a password."""
    done = subprocess.run(
        [
            *(lab.command()[0], "smoke", "--json", "--url", lab.url, *options),
            *("--connect-to", lab.address, "--ca-file", str(lab.ca_file)),
        ],
        env={**lab.environment, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout, done.stderr
    (report,) = json.loads(done.stdout)["hosts"]
    return done.returncode, report


@contextmanager
def the_api_wants_a_licence(lab: DeployedLab) -> Iterator[None]:
    override = "services: {api: {environment: {STANDIN_LICENCE: required}}}"
    up = "docker compose up -d --wait api"
    lab.on_host(f"cd /opt/calcom && echo '{override}' >compose.override.yaml && {up}")
    try:
        yield
    finally:
        lab.on_host(f"cd /opt/calcom && rm compose.override.yaml && {up}")


def test_a_build_that_wants_a_licence_is_named_and_the_web_channel_goes_on(deployed_lab: DeployedLab) -> None:
    if load_inventory(str(deployed_lab.inventory_path)).hosts["cal1"].images.api is None:
        pytest.skip("this lab has no API")
    key = f"cal_{deployed_lab.secrets('cal1')['api_key']}"
    with the_api_wants_a_licence(deployed_lab):
        code, report = smoke_by_url(deployed_lab, CALSTACK_API_KEY=key)
        assert (code, report["fault"]["name"]) == (1, "key-needs-licence")
        assert "web channel" in report["fault"]["fix"]
        code, report = smoke_by_url(
            deployed_lab, "--email", deployed_lab.admin_email, CALSTACK_PASSWORD=deployed_lab.admin_password
        )
        assert (code, report["fault"], report["cancelled_bookings"]["left"]) == (0, None, 2)
        code, report = smoke(deployed_lab)
        assert (code, report["fault"]) == (0, None)
        (told,) = [step for step in report["steps"] if step["name"] == "see that API v2 takes the key"]
        assert (told["outcome"], "licence" in told["detail"]) == ("skipped", True)
    # Who comes by password can remove no cancelled bookings, and counts them.
    sql(deployed_lab, """delete from "Booking" where status = 'cancelled' and metadata ? 'calstack-smoke'""")
    assert left_over(deployed_lab) == "0|0|0|0|0"
