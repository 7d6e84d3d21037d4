"""Every file that a host of the example inventory gets, compared with what was approved.

`CALSTACK_UPDATE_SNAPSHOTS=1 pytest tests/unit/roles/test_catalogue.py` writes the snapshots anew; review them
with `git diff` before they are committed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles.catalogue import all_files
from deploy.roles.context import HostContext
from deploy.secrets import placeholders
from deploy.settings.inventory import Inventory
from deploy.settings.load import load_inventory
from tests.unit.roles.hosts import GIVEN, SECRETS, WITH_API, host_context

REPOSITORY = Path(__file__).parents[3]
SNAPSHOTS = REPOSITORY / "tests" / "unit" / "snapshots"
FILLED_IN = {
    "email: CHANGE-ME": "email: ada@example.com",
    "url: CHANGE-ME": "url: smtp://mailer@mail.example.com:587",
    "address: CHANGE-ME": "address: 192.0.2.10",
    "domain: CHANGE-ME": "domain: cal.example.com",
}


@pytest.fixture
def example(tmp_path: Path) -> Inventory:
    folder = tmp_path / "example"
    shutil.copytree(REPOSITORY / "inventories" / "example", folder)
    for file in (folder / "defaults.yaml", folder / "hosts" / "cal1.yaml"):
        text = file.read_text()
        for blank, value in FILLED_IN.items():
            text = text.replace(blank, value)
        file.write_text(text)
    return load_inventory(str(folder))


def files_of(host: HostContext) -> list[ManagedFile]:
    return [item for item in all_files(host) if isinstance(item, ManagedFile)]


def listing(items: list[ManagedFile | ManagedDirectory]) -> bytes:
    """What no file shows by itself: modes, owners, and which are secret."""
    lines = []
    for item in items:
        kind = "secret" if isinstance(item, ManagedFile) and item.secret else "-"
        end = "/" if isinstance(item, ManagedDirectory) else ""
        lines.append(f"{item.mode} {item.owner:>3} {item.group:>3} {kind:<6} {item.path}{end}\n")
    return "".join(lines).encode()


def test_files_of_the_example_are_the_approved_ones(example: Inventory) -> None:
    host = HostContext(
        name="cal1",
        inventory=example,
        settings=example.hosts["cal1"],
        secrets=placeholders("cal1"),
        architecture="amd64",
        certificate=b"<certificate, chain and private key>\n",
        authority=b"<authorities that the app trusts>\n",
        onhost=b"",
    )
    items = all_files(host)
    rendered = {item.path.lstrip("/"): item.content for item in items if isinstance(item, ManagedFile)}
    del rendered["opt/calcom/onhost.pyz"]
    compare(SNAPSHOTS / "example" / "cal1", {**rendered, "LISTING": listing(items)})


def compare(folder: Path, rendered: Mapping[str, bytes]) -> None:
    if os.environ.get("CALSTACK_UPDATE_SNAPSHOTS"):
        shutil.rmtree(folder, ignore_errors=True)
        for name, content in rendered.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    approved = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    assert sorted(rendered) == sorted(approved)
    for name, content in rendered.items():
        assert content.decode() == approved[name].decode(), f"{name} differs"


def test_every_text_says_where_it_comes_from() -> None:
    no_comments = {"/etc/docker/daemon.json", "/opt/calcom/jobs.json"}
    not_written_by_us = {
        "/opt/calcom/onhost.pyz",
        "/opt/calcom/authorities/ca.pem",
        "/opt/calcom/database/password",
        "/opt/calcom/proxy/certificates/site.pem",
    }
    for file in files_of(host_context(images=WITH_API)):
        if file.path not in no_comments | not_written_by_us:
            head = b"\n".join(file.content.splitlines()[:2]).decode()
            assert "Made by calstack from " in head, file.path
            source = head.split("Made by calstack from ")[1].split(";")[0]
            assert (REPOSITORY / source).is_file(), source


def test_secrets_stand_only_in_files_that_no_other_user_can_read() -> None:
    host = host_context(
        smtp={"url": "smtp://u@mail.example.test", "password": {"secret": "smtp_password"}},
        app={"env": {"DAILY_API_KEY": {"secret": "token"}}},
        images=WITH_API,
        certificate=b"PRIVATE KEY",
    )
    hidden = [value.encode() for value in (*SECRETS.values(), *GIVEN.values())] + [b"PRIVATE KEY"]
    open_files = [file for file in files_of(host) if not file.secret]
    assert not [file.path for file in open_files if any(value in file.content for value in hidden)]
    for file in files_of(host):
        if file.secret:
            assert file.mode in ("0400", "0600"), file.path


def test_no_path_is_described_twice_and_directories_come_before_their_files() -> None:
    paths = [item.path for item in all_files(host_context(docker={"source": "vendor"}, images=WITH_API))]
    assert len(paths) == len(set(paths))
    assert paths.index("/opt/calcom") == min(
        place for place, path in enumerate(paths) if path.startswith("/opt/calcom")
    )


def test_nothing_is_rendered_differently_the_second_time() -> None:
    assert all_files(host_context()) == all_files(host_context())


def test_user_s_own_override_is_never_touched() -> None:
    assert not [file.path for file in files_of(host_context()) if "override" in file.path]
