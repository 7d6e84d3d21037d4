from __future__ import annotations

from pathlib import Path

import pytest

from deploy.lab.lab import Lab, cache_folder, remove_folder


def test_two_folders_of_the_same_name_share_nothing(tmp_path: Path) -> None:
    one, other = Lab.of(tmp_path / "a" / "lab"), Lab.of(tmp_path / "b" / "lab")
    assert one.container("cal1") != other.container("cal1")
    assert one.docker_volume("cal1") != other.docker_volume("cal1")
    assert one.state != other.state
    assert one.labels != other.labels


def test_the_same_folder_is_the_same_lab_however_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "inventories" / "lab"
    folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    assert Lab.of(Path("inventories/lab")) == Lab.of(folder) == Lab.of(tmp_path / "link")


@pytest.mark.parametrize("name", ["lab", "My Lab", "müller & söhne", "../x", "…"])
def test_any_folder_and_host_name_makes_a_name_that_an_engine_takes(name: str) -> None:
    lab = Lab(Path("/somewhere") / name)
    container = lab.container("CAL_1.example")
    assert container.startswith("calstack-lab-")
    assert container.endswith("-cal-1-example")
    assert set(container) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_keys_lie_in_the_inventory_where_git_ignores_them() -> None:
    lab = Lab(Path("/repo/inventories/lab"))
    assert lab.key_file == Path("/repo/inventories/lab/lab-state/id_ed25519")
    assert lab.known_hosts_file.parent == lab.state


def test_caches_follow_the_base_directory_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "calstack" / "lab"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/not/allowed")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_folder() == Path("/home/somebody/.cache/calstack/lab")


def test_a_folder_is_removed_with_all_in_it_and_once_more_is_fine(tmp_path: Path) -> None:
    folder = tmp_path / "-a folder"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "file").write_text("x")
    remove_folder(folder)
    remove_folder(folder)
    assert not folder.exists()
