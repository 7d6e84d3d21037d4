"""What a host with `clone: true` gets, and what not."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from deploy.rendering import ManagedFile
from deploy.roles import app, backups, docker, jobs
from deploy.roles.context import HostContext
from deploy.settings.section import SecretReference
from tests.unit.roles.hosts import IMAGES, host_context

SHARED: dict[str, Any] = {
    "images": IMAGES | {"restic": {"reference": "calstack-lab/restic:0.18", "pull": "never"}},
    "smtp": {"host": "mx.example.test"},
    "app": {"env": {"ZOOM_CLIENT_SECRET": SecretReference(secret="token"), "FLAG": "on"}},
    "jobs": {"ping_url": SecretReference(secret="token"), "enable": ["monthly-digest"]},
    "backups": {
        "repositories": {"offsite": {"url": "/mnt/offsite"}},
        "tell": {"mail_to": ["ops@example.test"], "webhook": SecretReference(secret="of_the_original")},
    },
}
"""What a host may share with others by defaults.yaml."""


@pytest.fixture(params=[True, False], ids=["ipv6", "ipv4 alone"])
def clone(request: pytest.FixtureRequest) -> HostContext:
    context = host_context(clone=True, **SHARED)
    return context if request.param else HostContext(**{**context.__dict__, "ipv6": False})


def _file(items: list[Any], path: str) -> bytes:
    (found,) = [item for item in items if isinstance(item, ManagedFile) and item.path == path]
    return found.content


def test_its_app_knows_no_mail_server_and_no_account_of_others(clone: HostContext) -> None:
    environment = app.environment(clone)
    assert not [name for name in environment if name.startswith(("EMAIL", "RESEND", "ZOOM"))]
    assert environment["FLAG"] == "on"


def test_its_app_has_no_way_out_and_its_proxy_has_one_in(clone: HostContext) -> None:
    project = yaml.safe_load(_file(app.files(clone), app.COMPOSE_FILE))
    networks, services = project["networks"], project["services"]
    assert all(networks[name].get("internal") for name in services["web"]["networks"])
    assert all(networks[name].get("internal") for name in services["migrate"]["networks"])
    assert services["web"]["dns"] == ["127.0.0.1"], "nor does its host ask for names on its behalf"
    assert not networks["edge"].get("internal")
    assert set(services["proxy"]["networks"]) == {"edge", "front"}


def test_what_it_tries_to_reach_is_refused_at_once(clone: HostContext) -> None:
    script = _file(docker.files(clone), docker.FIREWALL_SCRIPT).decode()
    assert "INPUT -i br-cal-data -j REJECT" in script
    assert '-i "$bridge" ! -o "$bridge" -j REJECT' in script
    assert "-j DROP" not in script.partition("DOCKER-USER")[0]


def test_cron_calls_the_certificate_s_job_alone_and_pings_nobody(clone: HostContext) -> None:
    files = jobs.files(clone)
    lines = _file(files, "/etc/cron.d/calcom-jobs").decode().splitlines()
    assert [line.rpartition(" ")[2] for line in lines if " job " in line] == ["certificate"]
    document = json.loads(_file(files, "/opt/calcom/jobs.json"))
    assert list(document["jobs"]) == ["certificate"]
    assert document["ping_url"] is None


def test_it_makes_no_runs_that_would_stand_among_the_original_s(clone: HostContext) -> None:
    assert backups.files(clone) == []
    assert backups.cron_lines(clone.settings) == []


def test_other_hosts_are_as_before() -> None:
    project = yaml.safe_load(_file(app.files(host_context()), app.COMPOSE_FILE))
    assert "internal" not in (project["networks"]["front"] or {})
