"""What is refused before any host is touched."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from deploy.actions import restore_new_host as making
from deploy.actions.restore_new_host import Offer, wish
from deploy.carried_secrets import TakenOver
from deploy.errors import InputError
from deploy.settings.inventory import Inventory
from deploy.smoke.report import SmokeReport
from tests.unit.settings.folders import DEFAULTS, inventory_in

RESTIC = DEFAULTS + "  restic: {reference: 'restic/restic:0.19.1'}\n"
TWO = "backups: {repositories: {here: {url: /var/backups/calcom}, disk: {url: /mnt/disk}}}\n"


def _inventory(folder: Path, *, more: str = TWO, hosts: int = 1) -> Inventory:
    return inventory_in(folder, hosts=hosts, defaults=RESTIC, more=more)


def _offer(**different: str | None) -> Offer:
    return Offer(
        run="20261124T021702Z-9db249",
        instance="cal1.example.org",
        started=dt.datetime(2026, 11, 24, 2, 17, 2, tzinfo=dt.UTC),
        versions={"app": different.get("app") or "6.2.0"},
        newest_booking=None,
        rows=3,
        secrets=different.get("secrets", "{}"),
    )


def test_the_repository_is_named_or_found_by_its_address(tmp_path: Path) -> None:
    inventory = _inventory(tmp_path)
    name, wanted = wish(inventory, ["cal1"], "disk", None, "2026", clone=False)
    assert (name, wanted.repository, wanted.place.url, wanted.run) == ("cal1", "disk", "/mnt/disk", "2026")
    assert wish(inventory, ["cal1"], None, "/mnt/disk", None, clone=False)[1].repository == "disk"
    assert wish(inventory, ["cal1"], None, "/srv/else", None, clone=False)[1].repository == "/srv/else"


@pytest.mark.parametrize(
    ("repository", "url", "says"),
    [
        (None, None, "cal1 has several repositories"),
        ("dsk", None, "no repository 'dsk'"),
        (None, "disk", "neither an absolute path"),
        (None, "sftp:nas:/x", "needs a key"),
    ],
)
def test_a_repository_that_is_none_is_refused(
    tmp_path: Path, repository: str | None, url: str | None, says: str
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        wish(_inventory(tmp_path), ["cal1"], repository, url, None, clone=False)
    assert caught.value.fix


def test_one_host_at_a_time(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one host at a time, of cal1, cal2"):
        wish(_inventory(tmp_path, hosts=2), ["cal1", "cal2"], "disk", None, None, clone=False)


def test_a_clone_must_be_one_for_the_inventory_too(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not say that this host is a clone"):
        wish(_inventory(tmp_path), ["cal1"], "disk", None, None, clone=True)


def test_without_restic_nothing_can_be_read(tmp_path: Path) -> None:
    inventory = inventory_in(tmp_path)
    with pytest.raises(InputError, match=r"images\.restic is missing"):
        wish(inventory, ["cal1"], None, "/mnt/disk", None, clone=False)


def test_a_newer_run_is_no_good_for_an_older_app(tmp_path: Path) -> None:
    inventory = _inventory(tmp_path)
    with pytest.raises(InputError, match=r"made by Cal.com 6.10.0, and the inventory says 6.2.0") as caught:
        making._refuse_unfit(inventory, "cal1", _offer(app="6.10.0"))
    assert "cal1.yaml" in str(caught.value.where) or "defaults.yaml" in str(caught.value.where)
    making._refuse_unfit(inventory, "cal1", _offer(app="6.1.0"))


def test_what_is_told_says_whence_and_names_no_value(tmp_path: Path) -> None:
    taken = TakenOver(("admin_password", "crm"), ("smtp_password",), ("api_key",))
    result = making.NewHost("cal1", "https://cal1.example.org", clone=False, offer=_offer(), taken=taken)
    result.smoke = SmokeReport(dt.datetime.now(dt.UTC), 3.0, "x", (), None, (), 0, 0)
    told = "\n".join(result.lines(_inventory(tmp_path)))
    assert "restored from the run 20261124T021702Z-9db249 of cal1.example.org" in told
    assert "api_key_before_restore" in told
    assert "the inventory's own stay: smtp_password" in told
    assert result.as_json()["ok"] is True


def test_a_failure_is_told_with_what_to_do(tmp_path: Path) -> None:
    result = making.NewHost("cal1", "https://cal1.example.org", clone=False, failure="broken\n  -> mend it")
    assert result.lines(_inventory(tmp_path)) == ["cal1: FAILED", "  broken", "    -> mend it"]
    assert result.as_json()["failure"] == "broken\n  -> mend it"
