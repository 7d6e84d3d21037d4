"""What HAProxy 3.0 answers, as it was seen."""

from __future__ import annotations

from deploy import haproxy

TABLE = """\
# table: counts/pages, type: string, size:32768, used:1
0x7f9a50582508: key=203.0.0.2|29925261 use=0 exp=59999 shard=0 gpc0=3
0x7f9a50582608: key=2001:db8:1:2::|29925261 use=1 exp=100 shard=0 gpc0=12"""


def test_a_map_is_read_as_it_is_written() -> None:
    assert haproxy.map_text({"b": "2/60", "a": "1/60"}) == "a 1/60\nb 2/60\n"
    assert haproxy.map_entries("0x7f9a50 a 1/60\n0x7f9a90 b 2/60") == {"a": "1/60", "b": "2/60"}
    assert haproxy.map_entries("") == {}


def test_an_unknown_map_has_no_entries() -> None:
    assert haproxy.map_entries("Unknown map identifier. Please use #<id> or <file>.") == {}


def test_entries_of_a_table_have_their_count_and_their_end() -> None:
    assert haproxy.table_entries(TABLE) == [
        haproxy.TableEntry("203.0.0.2|29925261", 3, 59.999),
        haproxy.TableEntry("2001:db8:1:2::|29925261", 12, 0.1),
    ]


def test_a_table_without_counters_can_be_read_too() -> None:
    line = "0x7f9a500b2060: key=172.28.0.2 use=0 exp=3599997 shard=0"
    assert haproxy.table_entries(line) == [haproxy.TableEntry("172.28.0.2", 0, 3599.997)]


def test_a_map_is_filled_beside_the_one_in_force_and_then_takes_its_place() -> None:
    assert haproxy.prepared_version("New version created: 3") == 3
    assert haproxy.prepared_version("Unknown map identifier.") is None
    assert haproxy.filling("/a.map", 3, {"a": "1/60"}) == [
        "add map @3 /a.map <<\na 1/60\n",
        "commit map @3 /a.map",
    ]
    assert haproxy.filling("/a.map", 3, {}) == ["commit map @3 /a.map"]
