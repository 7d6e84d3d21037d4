from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.errors import CalstackError, InputError
from deploy.seed.abilities import check_abilities
from deploy.seed.apply import apply
from deploy.seed.key_limits import Allowance, ApiKey
from deploy.seed.ledger import Made
from deploy.seed.plan import Plan, make_plan
from deploy.seed.prune import Pruning
from deploy.seed.pull import pull
from tests.unit.seed.fake_channel import FakeChannel
from tests.unit.seed.fake_key_limits import FakeKeyLimits
from tests.unit.seed.manifests import manifest

TEXT = "api_key_limits: [{note: n8n, limit: 120}]\n"
MINUTELY = Allowance(120, 60, 60)


def key(note: str, *allowances: Allowance, made: bool = False) -> ApiKey:
    return ApiKey(f"digest of {note}", note, frozenset(allowances), made=made)


def plan_of(path: Path, limits: FakeKeyLimits, text: str = TEXT, *, prune: bool = False) -> Plan:
    pruning = Pruning(Made()) if prune else None
    return make_plan(manifest(path, text), FakeChannel(), key_limits=limits, pruning=pruning)


def test_it_is_made_once_and_takes_effect_at_once(tmp_path: Path) -> None:
    limits = FakeKeyLimits(own=[key("other"), key("n8n")])
    plan = plan_of(tmp_path, limits)
    assert plan.render() == (
        "+ API key limit n8n\n    limit: 120\n    window_seconds: 60\n    block_seconds: 60\n"
        "1 to create, 0 to update, 0 as declared"
    )
    assert str(apply(plan, FakeChannel(), key_limits=limits)) == "1 created, 0 updated, 0 as declared"
    assert limits.keys[""] == [key("other"), key("n8n", MINUTELY, made=True)]
    assert limits.effective == ["digest of n8n"]


def test_the_second_run_writes_nothing_and_mends_a_copy_that_a_killed_one_left(tmp_path: Path) -> None:
    limits = FakeKeyLimits(own=[key("n8n", MINUTELY)])
    plan = plan_of(tmp_path, limits)
    assert plan.is_empty
    apply(plan, FakeChannel(), key_limits=limits)
    assert limits.writes == []
    assert limits.effective == ["digest of n8n"]


@pytest.mark.parametrize(
    ("keys", "before"),
    [
        ([key("n8n", Allowance(9, 60, 60))], {"limit": "9"}),
        ([key("n8n", MINUTELY, Allowance(9, 1.5, 60))], {"limit": "9, 120", "window_seconds": "1.5, 60"}),
        (
            [key("n8n", MINUTELY), key("n8n")],
            {"limit": "120, none", "window_seconds": "60, none", "block_seconds": "60, none"},
        ),
    ],
    ids=["other numbers", "a second limit", "a second key"],
)
def test_whatever_is_otherwise_is_replaced(
    tmp_path: Path, keys: list[ApiKey], before: dict[str, str]
) -> None:
    limits = FakeKeyLimits(own=keys)
    plan = plan_of(tmp_path, limits)
    (change,) = plan.changes
    assert (change.action, {field.name: field.before for field in change.fields}) == ("update", before)
    apply(plan, FakeChannel(), key_limits=limits)
    assert plan_of(tmp_path, limits).is_empty


def test_programs_read_it_too(tmp_path: Path) -> None:
    document = json.loads(plan_of(tmp_path, FakeKeyLimits(own=[key("n8n")])).to_json())
    (change,) = document["changes"]
    assert (change["kind"], change["action"], change["key"]) == ("api_key_limit", "create", "n8n")
    assert change["fields"][0] == {"name": "limit", "before": None, "after": "120"}


def test_a_key_that_is_not_there_is_pointed_out_and_nothing_fails(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FakeKeyLimits(own=[key("other")]))
    assert plan.is_empty
    assert plan.missing == ("API key limit n8n: the administrator has no API key of this note",)
    assert plan.missing[0] in plan.render()
    assert json.loads(plan.to_json())["notes"] == list(plan.missing)


def test_nothing_is_read_where_the_manifest_names_none(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, FakeKeyLimits(own=[key("n8n", MINUTELY, made=True)]), "schedules: []\n")
    assert plan.limited_keys == ()


def test_pruning_takes_what_a_manifest_made(tmp_path: Path) -> None:
    held = [key("n8n", MINUTELY, made=True), key("by hand", MINUTELY), key("bare")]
    limits = FakeKeyLimits(own=held)
    assert plan_of(tmp_path, limits, "schedules: []\n", prune=True).is_empty
    assert plan_of(tmp_path, limits, prune=True).is_empty
    plan = plan_of(tmp_path, limits, "api_key_limits: []\n", prune=True)
    assert plan.render() == (
        "- API key limit n8n\n= API key limit by hand stays: it was not made by a manifest\n"
        "0 to create, 0 to update, 1 to delete, 0 as declared"
    )
    apply(plan, FakeChannel(), key_limits=limits)
    assert limits.writes == ["remove :n8n"]
    assert limits.effective == ["digest of n8n"]
    assert plan_of(tmp_path, limits, "api_key_limits: []\n", prune=True).is_empty


def test_others_have_limits_of_their_own(tmp_path: Path) -> None:
    text = f"{TEXT}users: [{{user: Ada, api_key_limits: [{{note: n8n, limit: 7, window_seconds: 1}}]}}]\n"
    whole = manifest(tmp_path, text)
    limits = FakeKeyLimits(own=[key("n8n")], ada=[key("n8n")])
    plan = make_plan(whole.users["ada"], FakeChannel(), user="ada", key_limits=limits)
    apply(plan, FakeChannel(), key_limits=limits)
    assert limits.keys == {"": [key("n8n")], "ada": [key("n8n", Allowance(7, 1, 60), made=True)]}
    missing = make_plan(whole.users["ada"], FakeChannel(), user="ada", key_limits=FakeKeyLimits())
    assert missing.missing == ("API key limit n8n: ada has no API key of this note",)


def test_a_failure_on_the_way_leaves_no_copy_of_what_was_written(tmp_path: Path) -> None:
    class Failing(FakeKeyLimits):
        def write(self, user: str, note: str, allowance: Allowance) -> None:
            super().write(user, note, allowance)
            raise CalstackError("the SSH connection is gone")

    limits = Failing(own=[key("n8n")])
    with pytest.raises(CalstackError, match="connection is gone"):
        apply(plan_of(tmp_path, limits), FakeChannel(), key_limits=limits)
    assert limits.effective == ["digest of n8n"]


@pytest.mark.parametrize("text", [TEXT, f"users: [{{user: ada, {TEXT.strip()}}}]\n"])
def test_where_it_cannot_be_done_that_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"api_key_limits \(n8n\): .* API v2 that calstack deployed"):
        check_abilities(manifest(tmp_path, text), FakeChannel(), other_users=True, key_limits=False)
    check_abilities(manifest(tmp_path, text), FakeChannel(), other_users=True, key_limits=True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TEXT + "users: []\n", None),
        ("api_key_limits: [{note: n8n, limit: 1}, {note: n8n, limit: 2}]\n", "stands there twice"),
        ("api_key_limits: [{note: calstack, limit: 1}]\n", "is calstack's own key"),
        ("api_key_limits: [{key: n8n, limit: 1}]\n", "key"),
        ("api_key_limits: [{note: n8n, limit: 0}]\n", "api_key_limits[0].limit"),
    ],
)
def test_a_manifest_is_checked(tmp_path: Path, text: str, told: str | None) -> None:
    if told is None:
        (limit,) = manifest(tmp_path, text).key_limits
        assert (limit.note, limit.allowance) == ("n8n", MINUTELY)
        assert limit.where.endswith("seed.yaml:1")
        return
    with pytest.raises(InputError) as caught:
        manifest(tmp_path, text)
    assert told in str(caught.value)


def test_what_was_pulled_plans_to_nothing(tmp_path: Path) -> None:
    limits = FakeKeyLimits(
        own=[
            key("n8n", MINUTELY),
            key("it's: odd", Allowance(600, 60, 10)),
            key("bare"),
            key("half", Allowance(6, 1.5, 60)),
            key("two", MINUTELY, Allowance(1, 1, 1)),
            key("twins", MINUTELY),
            key("twins"),
            key("", MINUTELY),
        ]
    )
    pulled = pull(FakeChannel(), lambda _, name: name, key_limits=limits)
    assert "api_key_limits:\n  - note: n8n\n    limit: 120\n  - note:" in pulled.text
    assert [line.partition(":")[0] for line in pulled.left_out] == [
        "API key limit half",
        "API key limit two",
        "API key limit twins",
        "API key limit",
    ]
    assert len(manifest(tmp_path, pulled.text).key_limits) == 2
    assert plan_of(tmp_path, limits, pulled.text).is_empty
    assert "api_key_limits" not in pull(FakeChannel(), lambda _, name: name).text
