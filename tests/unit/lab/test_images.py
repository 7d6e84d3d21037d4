from __future__ import annotations

from pathlib import Path

from deploy.lab import images
from deploy.lab.images import Entry, Service


def service(folder: Path) -> Service:
    return Service("x", "1", lambda: (Entry(file.name, file) for file in folder.iterdir()))


def test_an_image_is_known_by_the_content_and_mode_of_its_files(tmp_path: Path) -> None:
    script = tmp_path / "start.sh"
    script.write_text("one")
    names = {service(tmp_path).exact_reference}
    script.write_text("two")
    names.add(service(tmp_path).exact_reference)
    script.chmod(0o755)
    names.add(service(tmp_path).exact_reference)
    script.rename(tmp_path / "other.sh")
    names.add(service(tmp_path).exact_reference)
    assert len(names) == 4
    assert all(name.startswith("calstack-lab/x:1-") for name in names)


def test_inventories_can_use_plain_names() -> None:
    assert [service.reference for service in images.SERVICES] == [
        "calstack-lab/postgres:17",
        "calstack-lab/haproxy:3.0",
        "calstack-lab/calcom:6.2.0",
        "calstack-lab/redis:8.0",
        "calstack-lab/calcom-api:6.2.0",
        "calstack-lab/restic:0.18",
    ]


def test_the_stand_ins_image_holds_its_package_and_its_files_where_the_official_image_has_them() -> None:
    names = {entry.name for entry in images.CALCOM.content()}
    assert {"Dockerfile", "content/calcom/scripts/start.sh", "content/usr/local/bin/npx"} <= names
    assert "content/opt/standin/standin/__main__.py" in names
    assert not [
        name
        for name in names
        if "__pycache__" in name or name.startswith("content/opt/standin/standin/image")
    ]
