"""The limits of the running proxy against a fake one and a database that answers from a list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from deploy.actions.instance import Instance
from deploy.actions.limits_show import show_limits
from deploy.actions.limits_top import refused_callers
from deploy.actions.proxy_limits import key_limits, load_proxy_limits
from deploy.actions.report import limits_lines, top_lines
from deploy.errors import CalstackError
from deploy.remote import Completed
from deploy.secrets import placeholders
from deploy.settings.load import load_inventory
from tests.unit.actions.fake_proxy import FakeProxy

INSIDE = "/usr/local/etc/haproxy/limits"
N8N, OWN = "a1" * 32, "b2" * 32


@dataclass
class FakeRemote:
    """A host with a proxy, a file of keys, and rows of limits: digest, limit, milliseconds."""

    proxy: FakeProxy = field(default_factory=FakeProxy)
    rows: list[tuple[str, int, int]] = field(default_factory=list)
    keys_file: bytes = b""
    now: int = 1_800_000_010

    def sql(self, query: str) -> list[list[str]]:
        if '"RateLimit"' in query:
            return [[digest, str(limit), str(window), "1000"] for digest, limit, window in self.rows]
        return [[N8N, "n8n"], [OWN, "calstack"]]

    def run(self, script: str, stdin: bytes = b"") -> Completed:
        if script.endswith("onhost.pyz proxy"):
            return self.proxy.answer_all(stdin)
        if script == "date +%s":
            return Completed(0, str(self.now).encode(), b"")
        assert "/opt/calcom/proxy/limits/keys.map" in script
        self.keys_file = stdin
        return Completed(0, b"", b"")


def instance(remote: FakeRemote, **rate_limits: Any) -> Instance:
    inventory = load_inventory("lab")
    settings = inventory.hosts["cal1"]
    limits = settings.rate_limits.model_copy(update=rate_limits)
    fake: Any = remote
    return Instance(
        "cal1", inventory, settings.model_copy(update={"rate_limits": limits}), placeholders("cal1"), fake
    )


def test_settings_and_rows_become_the_proxy_s_maps_once() -> None:
    remote = FakeRemote(rows=[(N8N, 600, 60_000), (OWN, 100_000, 60_000)])
    assert load_proxy_limits(instance(remote)) == [
        "the proxy's limits of api_key, bookings, pages, prefetches, sign_in, slots set",
        "the proxy's limits of single API keys set",
    ]
    assert remote.proxy.maps[f"{INSIDE}/amounts.map"]["pages"] == "1200/60"
    assert remote.proxy.maps[f"{INSIDE}/keys.map"] == {N8N: "600/60", OWN: "100000/60"}
    assert remote.keys_file.splitlines()[1:] == [f"{N8N} 600/60".encode(), f"{OWN} 100000/60".encode()]
    assert load_proxy_limits(instance(remote)) == []


def test_a_limit_that_is_off_leaves_the_proxy() -> None:
    remote = FakeRemote()
    load_proxy_limits(instance(remote))
    assert load_proxy_limits(instance(remote, slots="off")) == ["the proxy's limits of slots set"]
    assert "slots" not in remote.proxy.maps[f"{INSIDE}/amounts.map"]


def test_a_key_that_lost_its_limit_leaves_file_and_proxy() -> None:
    remote = FakeRemote(rows=[(N8N, 600, 60_000)])
    load_proxy_limits(instance(remote))
    remote.rows = []
    assert load_proxy_limits(instance(remote)) == ["the proxy's limits of single API keys set"]
    assert N8N.encode() not in remote.keys_file
    assert remote.proxy.maps[f"{INSIDE}/keys.map"] == {}


@pytest.mark.parametrize(
    ("rows", "together"),
    [
        ([(5, 10_000)], "5/10"),
        ([(5, 10_000), (100, 60_000)], "130/60"),
        ([(3, 500)], "6/1"),
        ([(3, 1_500)], "6/2"),
    ],
)
def test_of_several_limits_the_proxy_allows_what_they_do_together(
    rows: list[tuple[int, int]], together: str
) -> None:
    remote = FakeRemote(rows=[(N8N, *row) for row in rows])
    assert key_limits(instance(remote)) == {N8N: together}


def test_a_proxy_that_does_not_take_them_is_an_error() -> None:
    remote = FakeRemote(FakeProxy(refuses="Out of memory."))
    with pytest.raises(CalstackError, match=r"does not take its new limits: Out of memory\."):
        load_proxy_limits(instance(remote))


def test_show_says_what_is_in_force() -> None:
    remote = FakeRemote(rows=[(N8N, 600, 60_000)])
    load_proxy_limits(instance(remote))
    shown = show_limits(instance(remote, slots="off", exempt=["192.0.2.0/24"]))
    by_name = {limit.what: limit for limit in shown.limits}
    pages = by_name["pages"]
    assert (pages.limit, pages.window_seconds, pages.in_force) == (1200, 60, True)
    assert (by_name["slots"].limit, by_name["slots"].in_force) == (600, False)
    assert (by_name["api_key n8n"].limit, by_name["api_key n8n"].whose) == (600, N8N)
    assert by_name["api"].kept_by == "API"
    lines = limits_lines(shown)
    assert next(line for line in lines if line.startswith("slots")).endswith("NO: run deploy")
    assert lines[-1] == "exempt: 192.0.2.0/24"
    assert shown.document()["exempt"] == ["192.0.2.0/24"]


def test_top_names_who_is_refused_and_why() -> None:
    window = 1_800_000_010 // 60
    proxy = FakeProxy(
        tables={
            "counts/refused": (
                "# table: counts/refused, type: string, size:8, used:3\n"
                "0x1: key=pages|203.0.113.7 use=0 exp=3598000 shard=0 gpc0=40\n"
                f"0x2: key=api_key|{N8N} use=0 exp=1800000 shard=0 gpc0=7\n"
                "0x3: key=api|2001:db8:1:2:: use=0 exp=3600000 shard=0 gpc0=50\n"
            ),
            "counts/pages": f"0x4: key=203.0.113.7|{window} use=0 exp=50 shard=0 gpc0=1240\n"
            f"0x5: key=203.0.113.7|{window - 1} use=0 exp=50 shard=0 gpc0=9\n",
            "counts/api_key": f"0x6: key={N8N}|{window} use=0 exp=50 shard=0 gpc0=1207\n",
        }
    )
    remote = FakeRemote(proxy, rows=[(N8N, 600, 60_000)])
    load_proxy_limits(instance(remote))
    anonymous, pages, key = refused_callers(instance(remote))
    assert (pages.what, pages.caller) == ("pages", "203.0.113.7")
    assert (pages.refused, pages.last_seconds_ago) == (40, 2)
    assert (pages.count, pages.limit, pages.window_rest_seconds) == (1240, 1200, 50)
    assert (key.note, key.limit, key.count, key.last_seconds_ago) == ("n8n", 1200, 1207, 1800)
    assert (anonymous.what, anonymous.limit, anonymous.window_rest_seconds) == ("api", None, None)
    lines = top_lines([anonymous, pages, key])
    assert "key n8n (a1a1a1a1a1a1…)" in lines[3]
    assert "in 50 s" in lines[2]


def test_top_says_that_nobody_was_refused() -> None:
    assert top_lines(refused_callers(instance(FakeRemote()))) == ["nobody was refused within the last hour"]
