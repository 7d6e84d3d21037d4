from __future__ import annotations

from typing import Any

import pytest

from deploy.roles.certificate import ENVIRONMENT_FILE, LEGO
from deploy.settings.layout import ACME
from tests.verify.complaint import complaint, listed
from tests.verify.server import Server

PRIVATE = {
    "/opt/calcom/web.env": ("0600", 0),
    "/opt/calcom/jobs.json": ("0600", 0),
    "/opt/calcom/database/password": ("0400", 999),
    "/opt/calcom/proxy/certificates/site.pem": ("0400", 99),
}
"""Mode and owner of the files that hold secrets; 999 and 99 are the users inside of their containers."""


def _files(server: Server) -> dict[str, dict[str, Any]]:
    return {file["path"]: file for file in server.found("files")}


@pytest.mark.parametrize("path", PRIVATE)
def test_a_file_with_secrets_is_its_owners_alone(server: Server, path: str) -> None:
    mode, owner = PRIVATE[path]
    file = _files(server).get(path)
    assert file is not None, complaint(
        f"{path} is missing", why="the next start of its service fails", fix="calstack deploy"
    )
    assert (file["mode"], file["owner"]) == (mode, owner), complaint(
        f"{path} has mode {file['mode']} and owner {file['owner']}, not {mode} and {owner}",
        why="others on this host can read secrets, or the service itself no longer can",
        fix="calstack deploy puts it right",
    )


def test_nobody_but_root_can_change_what_runs_here(server: Server) -> None:
    loose = [
        f"{path} ({file['mode']}, owner {file['owner']})"
        for path, file in _files(server).items()
        if file["kind"] != "link" and (int(file["mode"], 8) & 0o022 or file["owner"] not in _owners(path))
    ]
    assert not loose, complaint(
        f"writable by others, or owned by somebody: {listed(loose)}",
        why="root runs what stands there: who can change it is root",
        fix="chown root:root and chmod go-w; then calstack deploy",
    )


def _owners(path: str) -> tuple[int, ...]:
    """Who may own it: root and the services; in its own folder, of which root runs nothing, lego."""
    of_lego = path == ACME or path.startswith(f"{ACME}/")
    return (0, 99, 999, LEGO) if of_lego else (0, 99, 999)


def test_account_and_keys_of_lego_are_its_own(server: Server) -> None:
    files = _files(server)
    wanted = {ACME: ("0700", LEGO), ENVIRONMENT_FILE: ("0600", 0)}
    wrong = [
        f"{path} ({files[path]['mode']}, owner {files[path]['owner']})"
        for path, (mode, owner) in wanted.items()
        if path in files and (files[path]["mode"], files[path]["owner"]) != (mode, owner)
    ]
    assert not wrong, complaint(
        f"{listed(wrong)} has not the mode and owner that it should have",
        why="others on this host can read keys and credentials, or lego itself no longer can",
        fix="calstack deploy puts it right",
    )


def test_no_secret_can_be_read_by_others(server: Server) -> None:
    exposed = server.found("exposed")
    assert not exposed, complaint(
        f"readable by every user of this host: {listed(exposed)}",
        why="whoever has any account here, or breaks into any service, has them",
        fix="chmod 0600 the file, then replace the secret: calstack secrets set NAME, calstack deploy",
    )
