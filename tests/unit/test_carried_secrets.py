from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.carried_secrets import Carried, carry, read, take_over
from deploy.errors import CalstackError, InputError
from deploy.secrets import BOUND_TO_DATA, SecretStore
from tests.unit.settings.folders import inventory_in

SMTP = "smtp: {host: mx, user: u, password: !secret smtp_password}\n"
LATER = datetime.now(UTC) + timedelta(hours=1)
BEFORE = datetime.now(UTC) - timedelta(hours=1)


def store_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> SecretStore:
    """An inventory with an identity of its own, as on another machine."""
    monkeypatch.setenv("CALSTACK_IDENTITY", str(folder / "elsewhere" / "identity.txt"))
    return SecretStore.open(inventory_in(folder / "inventory", hosts=2, more=SMTP))


@pytest.fixture
def carried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Carried:
    """What the runs of cal1 carry of an inventory that is lost by now."""
    store = store_in(tmp_path / "lost", monkeypatch)
    store.host("cal1")
    store.host("cal2")
    store.set("smtp_password", "of everybody")
    store.set("of_another", "nobody's here")
    store.set("crm", "of cal1", "cal1")
    with store.changing() as content:
        content.keep("authority_certificate", "a certificate", None)
        content.keep("authority_private_key", "a key", None)
    return read(carry(store, "cal1", ["smtp_password"], authority=True))


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, carried: Carried) -> SecretStore:
    assert carried.host == "cal1"
    return store_in(tmp_path / "new", monkeypatch)


def test_a_run_carries_what_its_host_needs_and_nothing_of_other_hosts(carried: Carried) -> None:
    assert set(carried.own) == BOUND_TO_DATA | {"crm"}
    assert set(carried.shared) == {"smtp_password", "authority_certificate", "authority_private_key"}


def test_an_empty_inventory_gets_all_of_it_and_a_second_time_nothing(
    new: SecretStore, carried: Carried
) -> None:
    taken = take_over(new, "cal1", carried, BEFORE)
    assert set(taken.added) == set(carried.own) | set(carried.shared)
    again = SecretStore.open(new.inventory)
    assert again.host("cal1").admin_password == carried.own["admin_password"]["value"]
    assert again.resolve("smtp_password", "cal1") == "of everybody"
    assert {secret.name: secret.origin for secret in again.listing()}["crm"] == "given"
    assert take_over(again, "cal1", carried, BEFORE).added == ()


def test_what_was_made_after_the_run_gives_way_and_is_kept(new: SecretStore, carried: Carried) -> None:
    made_for_nothing = new.host("cal1").encryption_key
    taken = take_over(new, "cal1", carried, BEFORE)
    assert "encryption_key" in taken.replaced
    assert new.host("cal1").encryption_key == carried.own["encryption_key"]["value"]
    assert new.show("encryption_key_before_restore", "cal1") == made_for_nothing


def test_what_may_be_in_use_is_neither_replaced_nor_mixed(new: SecretStore, carried: Carried) -> None:
    before = new.host("cal1")
    with pytest.raises(InputError, match=r"other values than the run for: admin_password, .*encryption_key"):
        take_over(new, "cal1", carried, LATER)
    again = SecretStore.open(new.inventory)
    assert again.host("cal1").encryption_key == before.encryption_key
    assert again.content.value("smtp_password", None) is None, "nothing at all was taken"


def test_the_inventory_s_own_word_counts_for_what_no_data_depends_on(
    new: SecretStore, carried: Carried
) -> None:
    new.set("smtp_password", "changed since")
    taken = take_over(new, "cal1", carried, BEFORE)
    assert taken.kept == ("smtp_password",)
    assert new.resolve("smtp_password", "cal1") == "changed since"


def test_certificate_and_key_come_from_one_source(new: SecretStore, carried: Carried) -> None:
    with new.changing() as content:
        content.keep("authority_private_key", "a new one", None)
    take_over(new, "cal1", carried, BEFORE)
    assert new.content.value("authority_certificate", None) is None


def test_a_clone_takes_what_it_is_told_and_replaces_what_was_made_for_it(
    new: SecretStore, carried: Carried
) -> None:
    own = new.host("cal2")
    take_over(new, "cal2", carried.only({"encryption_key"}), LATER, replace=True)
    clone = new.host("cal2")
    assert clone.encryption_key == carried.own["encryption_key"]["value"]
    assert clone.nextauth_secret == own.nextauth_secret
    assert new.content.value("smtp_password", None) is None


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"format": 1, "host": "x", "own": 3}'])
def test_a_document_that_is_none_is_refused(document: bytes) -> None:
    with pytest.raises(CalstackError):
        read(document)


def test_a_document_of_a_newer_calstack_is_refused() -> None:
    with pytest.raises(CalstackError, match="newer calstack"):
        read(json.dumps({"format": 2, "host": "cal1", "own": {}, "shared": {}}).encode())
