from __future__ import annotations

from pathlib import Path

import pytest

from deploy.actions import secrets
from deploy.errors import InputError
from deploy.secrets import SecretStore
from deploy.settings.load import load_inventory
from tests.deployed_lab import copy_of_the_lab

KEY = "0123456789abcdef" * 2


@pytest.mark.parametrize("given", [KEY, f"cal_{KEY}"])
def test_the_api_key_is_shown_as_callers_send_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("CALSTACK_IDENTITY", str(tmp_path / "identity.txt"))
    inventory = load_inventory(str(copy_of_the_lab(tmp_path / "mine")))
    secrets.store(inventory, "api_key", given, "cal1", lambda _: None)
    assert secrets.show(inventory, "api_key", "cal1") == f"cal_{KEY}"
    assert SecretStore.open(inventory).show("api_key", "cal1") == KEY
    with pytest.raises(InputError, match="in use"):
        secrets.store(inventory, "api_key", "f" * 32, "cal1", lambda _: None)


def test_other_values_are_shown_as_they_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALSTACK_IDENTITY", str(tmp_path / "identity.txt"))
    inventory = load_inventory(str(copy_of_the_lab(tmp_path / "mine")))
    secrets.store(inventory, "mine", "cal_x", None, lambda _: None)
    assert secrets.show(inventory, "mine", None) == "cal_x"
