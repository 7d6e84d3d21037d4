from __future__ import annotations

from typing import Any, cast

import paramiko
import pytest

from deploy.remote import Completed, Remote


class PrintingRemote(Remote):
    """A host whose psql prints this."""

    def __init__(self, printed: bytes) -> None:
        super().__init__("cal1", cast(paramiko.SSHClient, None), sudo=False)
        self.printed = printed

    def run(self, script: str, **_: Any) -> Completed:
        assert "psql" in script
        return Completed(0, self.printed, b"")


@pytest.mark.parametrize(
    ("printed", "rows"),
    [
        (b"", []),
        (b"1,ada@example.test\n2,bob@example.test\n", [["1", "ada@example.test"], ["2", "bob@example.test"]]),
        (b'a|b,"c,d","e ""f""","two\nlines"\n', [["a|b", "c,d", 'e "f"', "two\nlines"]]),
        (b'"a\r\nb",\xc3\xbc\x1e\xe2\x80\xa8\n', [["a\r\nb", "ü\x1e\u2028"]]),
        (b"\nlast\n", [[""], ["last"]]),
        (b"x" * 200_000 + b"\n", [["x" * 200_000]]),
    ],
    ids=["none", "plain", "signs", "line-ends", "empty", "long"],
)
def test_columns_hold_what_the_database_holds(printed: bytes, rows: list[list[str]]) -> None:
    """As `psql --csv -t` of PostgreSQL 17 prints it."""
    assert PrintingRemote(printed).sql("select 1;") == rows
