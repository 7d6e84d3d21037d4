from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from deploy.errors import CalstackError
from deploy.operations.images import archived_image_id


def archive(path: Path, config: str) -> Path:
    manifest = json.dumps([{"Config": config, "RepoTags": ["lab/web:6.2.0"], "Layers": []}]).encode()
    with tarfile.open(path, "w") as contents:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(manifest)
        contents.addfile(member, io.BytesIO(manifest))
    return path


@pytest.mark.parametrize("config", ["abc123.json", "blobs/sha256/abc123"])
def test_the_id_is_read_from_both_forms_of_docker_save(tmp_path: Path, config: str) -> None:
    assert archived_image_id(archive(tmp_path / "a.tar", config), "lab/web:6.2.0") == "sha256:abc123"


def test_an_archive_without_the_image_says_so(tmp_path: Path) -> None:
    with pytest.raises(CalstackError, match=r"holds no image named lab/db:17"):
        archived_image_id(archive(tmp_path / "a.tar", "abc.json"), "lab/db:17")


@pytest.mark.parametrize("content", [b"", b"no archive at all", None])
def test_what_is_no_archive_says_so(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.tar"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CalstackError, match="cannot be read as an image archive"):
        archived_image_id(path, "lab/web:6.2.0")
