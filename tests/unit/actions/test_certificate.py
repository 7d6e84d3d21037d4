"""What is said of a certificate, and what is done on the host."""

from __future__ import annotations

import json

import pytest

from deploy.actions.certificate import CertificateLook, look_at_certificate, renew_certificate
from deploy.actions.instance import Instance
from deploy.errors import CalstackError
from deploy.remote import Completed
from deploy.secrets import placeholders
from deploy.settings.load import load_inventory

SERVED = {
    "names": ["cal.example.com"],
    "issuer": "CN=R13,O=Let's Encrypt,C=US",
    "begins": "2026-11-01T00:00:00Z",
    "ends": "2027-01-30T00:00:00Z",
    "share_left": 0.75,
    "fingerprint": "ab" * 32,
}


class Host:
    """Answers each command in its turn, and remembers them."""

    def __init__(self, *answers: Completed) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def run(self, script: str, **_: object) -> Completed:
        self.asked.append(script)
        return self.answers.pop(0)


def instance(host: Host) -> Instance:
    inventory = load_inventory("lab")
    return Instance("cal1", inventory, inventory.hosts["cal1"], placeholders("cal1"), host)  # type: ignore[arg-type]


def said(problem: str | None = None) -> Completed:
    document = {"mode": "acme", "names": ["cal.example.com"], "served": SERVED, "problem": problem}
    return Completed(0, json.dumps(document).encode(), b"")


def test_people_are_told_until_when_and_what_is_due() -> None:
    lines = look_at_certificate(instance(Host(said()))).lines()
    assert "good      2026-11-01T00:00:00Z to 2027-01-30T00:00:00Z, 75% left" in lines
    assert "renewal   the host renews it by itself from 2026-12-31 on" in lines
    assert lines[-1] == "all is well"


def test_programs_are_told_the_same() -> None:
    document = look_at_certificate(instance(Host(said("it ends")))).document()
    assert (document["ok"], document["problem"]) == (False, "it ends")
    assert document["due"] == "2026-12-31T00:00:00Z"
    assert document["served"] == SERVED


def test_six_days_are_due_with_half_of_them_left() -> None:
    served = SERVED | {"ends": "2026-11-07T00:00:00Z"}
    due = CertificateLook("acme", ["cal.example.com"], served, None).due
    assert due is not None
    assert f"{due:%Y-%m-%d}" == "2026-11-04"


def test_where_nothing_is_served_only_that_is_said() -> None:
    look = CertificateLook("acme", ["cal.example.com"], None, "no TLS for cal.example.com")
    assert look.lines()[-1] == "WRONG     no TLS for cal.example.com"
    assert look.document()["due"] is None


def test_renewing_runs_the_host_s_job_and_fails_with_its_line() -> None:
    host = Host(Completed(0, b"", b""), said())
    renew_certificate(instance(host), anew=True)
    assert host.asked[0].endswith("job certificate --wait 960 --anew")
    refusing = Host(Completed(1, b"", b"job certificate failed: the CA cannot be reached: x\n"))
    with pytest.raises(CalstackError, match=r"^cal1: the CA cannot be reached: x"):
        renew_certificate(instance(refusing), anew=False)
