"""What cron gets, and what `onhost` reads."""

from __future__ import annotations

import json
import re
from typing import Any

from deploy.rendering import ManagedFile
from deploy.roles import jobs
from tests.unit.roles.hosts import DOMAIN, SECRETS, host_context


def file(path: str, **settings: Any) -> ManagedFile:
    (found,) = [item for item in jobs.files(host_context(**settings)) if item.path == path]
    assert isinstance(found, ManagedFile)
    return found


def test_each_line_is_one_call_of_onhost_as_root() -> None:
    lines = file("/etc/cron.d/calcom-jobs").content.decode().splitlines()
    calls = [line for line in lines if line and not line.startswith("#") and not re.match("[A-Z]+=", line)]
    assert len(calls) > 5
    for line in calls:
        assert re.fullmatch(
            r"(@reboot|(\S+ ){4}\S+) root /usr/bin/python3 /opt/calcom/onhost\.pyz [a-z0-9 -]+", line
        )


def test_cron_finds_its_programs_and_mails_nobody() -> None:
    text = file("/etc/cron.d/calcom-jobs").content.decode()
    assert '\nMAILTO=""\n' in text
    assert "\nPATH=" in text
    assert text.endswith("\n")


def test_jobs_come_by_the_inner_entrance_with_the_host_s_secrets() -> None:
    found = file("/opt/calcom/jobs.json", proxy={"inner_port": 9090})
    assert (found.mode, found.secret) == ("0600", True)
    document = json.loads(found.content)
    assert document["origin"] == "http://127.0.0.1:9090"
    assert document["host"] == DOMAIN
    assert SECRETS["cron_secret"] in found.content.decode()


def test_a_disabled_job_is_in_neither_file() -> None:
    settings = {"jobs": {"disable": ["booking-reminder"]}}
    assert "booking-reminder" not in file("/etc/cron.d/calcom-jobs", **settings).content.decode()
    assert "booking-reminder" not in json.loads(file("/opt/calcom/jobs.json", **settings).content)["jobs"]


def test_ping_address_may_be_a_secret() -> None:
    document = json.loads(file("/opt/calcom/jobs.json", jobs={"ping_url": {"secret": "token"}}).content)
    assert document["ping_url"] == "t0ken-of-the-user"
