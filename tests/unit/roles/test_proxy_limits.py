"""The proxy's limits as files; what they do is tried on a real HAProxy in tests/lab/test_proxy_limits.py."""

from __future__ import annotations

import re
from typing import Any

from deploy.rendering import ManagedFile
from deploy.roles import proxy, proxy_limits
from tests.unit.roles.hosts import WITH_API, host_context


def files(**settings: Any) -> dict[str, ManagedFile]:
    items = proxy.files(host_context(**settings))
    return {item.path.rpartition("/")[2]: item for item in items if isinstance(item, ManagedFile)}


def test_amounts_change_without_a_new_configuration() -> None:
    before, after = (
        files(rate_limits={"pages": {"limit": limit, "window_seconds": 60}}) for limit in (100, 200)
    )
    assert "pages 100/60\n" in before["amounts.map"].content.decode()
    assert "pages 200/60\n" in after["amounts.map"].content.decode()
    assert before["haproxy.cfg"] == after["haproxy.cfg"]


def test_what_is_off_stands_in_no_map() -> None:
    text = files(rate_limits={"slots": "off"})["amounts.map"].content.decode()
    assert "slots" not in text
    assert "pages" in text


def test_entries_are_kept_for_their_window_and_the_longest_of_the_keys() -> None:
    limits = {
        "bookings": {"limit": 5, "window_seconds": 3600},
        "api": {"keys": [{"note": "n8n", "limit": 600, "window_seconds": 7200}]},
    }
    windows = proxy_limits.tables(host_context(images=WITH_API, rate_limits=limits).settings).windows
    assert windows == {
        "pages": 60,
        "prefetches": 60,
        "slots": 60,
        "bookings": 3600,
        "sign_in": 600,
        "api_key": 7200,
    }


def test_tables_stay_within_an_eighth_of_the_proxy_s_memory() -> None:
    for memory in (64, 256, 1024):
        tables = proxy_limits.tables(host_context(proxy={"memory_mb": memory}).settings)
        assert sum(tables.entries.values()) * 256 <= memory * 1024 * 1024 // 8
        assert min(tables.entries.values()) >= 2000


def test_the_map_of_keys_is_not_the_deploy_s_to_overwrite() -> None:
    keys = files(images=WITH_API)["keys.map"]
    assert keys.once
    assert (keys.mode, keys.group) == ("0640", proxy.HAPROXY)
    assert keys.content.count(b"\n") == 1


def test_exempt_networks_stand_in_the_configuration() -> None:
    text = files(rate_limits={"exempt": ["192.0.2.0/24", "2001:db8::/48"]})["haproxy.cfg"].content.decode()
    assert re.findall(r"unset-var\(txn\.rate\) if \{ src ([^i ]+) \}", text) == [
        "192.0.2.0/24",
        "2001:db8::/48",
    ]


def test_without_an_api_nothing_asks_for_keys() -> None:
    text = files()["haproxy.cfg"].content.decode()
    assert "keys.map" not in text
    assert "api_key" not in text
