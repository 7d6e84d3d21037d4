"""What is refused of the manifest's limits of API keys before anything is connected."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.actions.seed import check_manifest
from deploy.errors import InputError
from deploy.settings.inventory import INVENTORIES, Inventory
from deploy.settings.load import load_inventory

IN_THE_SETTINGS = (
    "\nrate_limits:\n  api:\n    keys:\n      - {note: zapier, limit: 5}\n      - {note: n8n, limit: 6}\n"
)


def inventory(path: Path, seed: str, *, more: str = "", has_api: bool = True) -> Inventory:
    """The lab's, of one host, with another manifest and further settings."""
    (path / "hosts").mkdir()
    lab = INVENTORIES / "lab"
    host = (lab / "hosts" / "cal1.yaml").read_text(encoding="utf-8")
    (path / "hosts" / "cal1.yaml").write_text(host + more, encoding="utf-8")
    text = (lab / "defaults.yaml").read_text(encoding="utf-8")
    if not has_api:
        text = text[: text.index("  # Both are optional")] + "\n" + text[text.index("api:\n  memory_mb") :]
    (path / "defaults.yaml").write_text(text, encoding="utf-8")
    (path / "seed.yaml").write_text(seed, encoding="utf-8")
    return load_inventory(str(path))


@pytest.mark.parametrize(
    "seed",
    [
        "schedules: []\napi_key_limits:\n  - note: n8n\n    limit: 120\n",
        "users:\n  - user: ada\n    api_key_limits: [{note: n8n, limit: 120}]\n",
    ],
)
def test_a_key_that_the_settings_limit_too_is_refused_with_both_places(tmp_path: Path, seed: str) -> None:
    given = inventory(tmp_path, seed, more=IN_THE_SETTINGS)
    lines = (tmp_path / "hosts" / "cal1.yaml").read_text(encoding="utf-8").splitlines()
    line = 1 + next(number for number, text in enumerate(lines) if "note: n8n" in text)
    with pytest.raises(InputError) as caught:
        check_manifest(given, ["cal1"])
    assert f"n8n: {tmp_path / 'seed.yaml'}:3 and {tmp_path / 'hosts' / 'cal1.yaml'}:{line}" in str(
        caught.value
    )
    assert "zapier" not in str(caught.value)


def test_another_key_than_the_settings_name_is_fine(tmp_path: Path) -> None:
    seed = "api_key_limits: [{note: make, limit: 120}]\n"
    check_manifest(inventory(tmp_path, seed, more=IN_THE_SETTINGS), ["cal1"])


def test_a_host_without_api_is_named(tmp_path: Path) -> None:
    given = inventory(tmp_path, "api_key_limits: [{note: n8n, limit: 120}]\n", has_api=False)
    with pytest.raises(InputError, match=r"seed.yaml:1: cal1 has no API v2"):
        check_manifest(given, ["cal1"])
    check_manifest(given, [])
