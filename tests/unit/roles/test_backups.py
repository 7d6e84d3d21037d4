"""What the host learns of its backups: where they go, and who is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.errors import InputError
from deploy.rendering import ManagedFile
from deploy.roles import backups
from tests.unit.roles.hosts import DOMAIN, IMAGES, host_context

WITH_RESTIC = IMAGES | {"restic": {"reference": "calstack-lab/restic:0.18", "pull": "never"}}
NAS = {
    "url": "sftp:backup@nas.example.org:/backups",
    "ssh_key": {"secret": "token"},
    "ssh_known_hosts": "nas.example.org ssh-ed25519 AAAA\n",
}


def files(*, smtp: dict[str, Any] | None = None, **settings: Any) -> dict[str, ManagedFile]:
    chosen = {"repositories": {"disk": {"url": "/var/backups/calcom"}}, **settings}
    host = host_context(images=WITH_RESTIC, backups=chosen, smtp=smtp)
    found = [item for item in backups.files(host) if isinstance(item, ManagedFile)]
    return {file.path.removeprefix("/opt/calcom/backup/"): file for file in found}


def config(**settings: Any) -> dict[str, Any]:
    file = files(**settings)["config.json"]
    assert (file.mode, file.secret) == ("0600", True)
    document: dict[str, Any] = json.loads(file.content)
    return document


def test_a_repository_over_ssh_gets_its_key_and_knows_the_storage_s_own() -> None:
    found = files(repositories={"nas": NAS})
    assert (found["nas.key"].content, found["nas.key"].mode) == (b"t0ken-of-the-user\n", "0600")
    assert found["nas.known_hosts"].content == b"nas.example.org ssh-ed25519 AAAA\n"
    (repository,) = json.loads(found["config.json"].content)["repositories"]
    (option,) = repository["options"]
    assert "-i /opt/calcom/backup/nas.key" in option
    assert "StrictHostKeyChecking=yes" in option


def test_what_restic_reads_of_its_environment_may_be_secrets() -> None:
    repository = {
        "url": "rest:https://nas.example.org:8000/cal1/",
        "environment": {"RESTIC_REST_USERNAME": "cal1", "RESTIC_REST_PASSWORD": {"secret": "token"}},
        "append_only": True,
        "upload_kib": 500,
    }
    (found,) = config(repositories={"nas": repository})["repositories"]
    assert found["environment"] == {
        "RESTIC_REST_USERNAME": "cal1",
        "RESTIC_REST_PASSWORD": "t0ken-of-the-user",
    }
    assert (found["append_only"], found["upload_kib"]) == (True, 500)


def test_nobody_is_told_where_nobody_is_named() -> None:
    told = config()["tell"]
    assert (told["webhook"], told["mail"], told["metrics_file"]) == (None, None, None)


def test_mails_go_by_the_app_s_server() -> None:
    smtp = {"host": "mail.example.org", "user": "cal", "password": {"secret": "token"}, "port": 465}
    assert config(smtp=smtp, tell={"mail_to": ["ada@example.org"]})["tell"]["mail"] == {
        "host": "mail.example.org",
        "port": 465,
        "user": "cal",
        "password": "t0ken-of-the-user",
        "sender": f"noreply@{DOMAIN}",
        "recipients": ["ada@example.org"],
    }


def test_mails_go_by_a_server_of_their_own() -> None:
    tell = {
        "mail_to": ["ada@example.org"],
        "mail_server": "smtp://ops@mail.example.net:587",
        "mail_password": {"secret": "token"},
        "mail_from": "backups@example.net",
    }
    mail = config(tell=tell)["tell"]["mail"]
    assert (mail["host"], mail["user"], mail["password"]) == ("mail.example.net", "ops", "t0ken-of-the-user")
    assert mail["sender"] == "backups@example.net"


def test_a_webhook_may_be_a_secret() -> None:
    assert config(tell={"webhook": {"secret": "token"}})["tell"]["webhook"] == "t0ken-of-the-user"


@pytest.mark.parametrize(
    ("tell", "says"),
    [
        ({"mail_to": ["ada@example.org"]}, "has no mail server"),
        ({"mail_server": "smtp://mail.example.org"}, "without mail_to"),
        ({"mail_to": ["a@example.org"], "mail_server": "smtp://u:pw@h.example"}, "password in plain text"),
        ({"mail_to": ["Ada <ada@example.org>"]}, "display name"),
        ({"metrics_file": "calcom.prom"}, "no absolute path"),
        ({"webhook": "chat.example.org/hook"}, "not an http or https address"),
    ],
)
def test_what_cannot_work_is_refused(tell: dict[str, Any], says: str) -> None:
    with pytest.raises((InputError, ValueError), match=says):
        config(tell=tell)
