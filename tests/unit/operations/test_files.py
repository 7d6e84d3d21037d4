from __future__ import annotations

import io
import tarfile

import pytest

from deploy.facts.files import PathState
from deploy.operations.files import _archive, as_wanted
from deploy.rendering import ManagedDirectory, ManagedFile

FILE = ManagedFile("/opt/calcom/web.env", b"abc", mode="0600", owner=99, group=99, secret=True)


def state(**changes: object) -> PathState:
    values: dict[str, object] = {
        "kind": "regular file",
        "mode": "0600",
        "owner": 99,
        "group": 99,
        "digest": FILE.digest,
    }
    return PathState(**{**values, **changes})  # type: ignore[arg-type]


def test_a_fileas_wanted_is_left_alone() -> None:
    assert as_wanted(FILE, state())


@pytest.mark.parametrize(
    "changes",
    [{"mode": "0644"}, {"owner": 0}, {"group": 0}, {"digest": "0" * 64}, {"kind": "symbolic link"}],
)
def test_content_mode_owner_and_kind_all_count(changes: dict[str, object]) -> None:
    assert not as_wanted(FILE, state(**changes))


def test_what_is_missing_is_notas_wanted() -> None:
    assert not as_wanted(FILE, None)
    assert not as_wanted(ManagedDirectory("/opt/calcom"), None)


def test_files_travel_with_their_final_mode_and_owner() -> None:
    with tarfile.open(fileobj=io.BytesIO(_archive([FILE]))) as archive:
        (member,) = archive.getmembers()
    assert (member.name, member.mode, member.uid, member.gid) == (
        "opt/calcom/web.env.calstack-new",
        0o600,
        99,
        99,
    )


def test_a_beginning_is_left_as_it_has_become() -> None:
    beginning = ManagedFile("/a.map", b"", mode="0600", owner=99, group=99, once=True)
    assert as_wanted(beginning, state(digest="0" * 64))
    assert not as_wanted(beginning, state(digest="0" * 64, mode="0644"))
    assert not as_wanted(beginning, None)
