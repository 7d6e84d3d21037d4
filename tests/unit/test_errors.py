from __future__ import annotations

from pathlib import Path

from deploy.errors import CalstackError, InputError, Problem


def test_a_message_says_where_what_and_what_to_do() -> None:
    error = CalstackError("the disk is full", where="cal1", fix="make room on /var")
    assert str(error) == "cal1: the disk is full\n  -> make room on /var"
    assert error.exit_code == 1


def test_wrong_input_lists_every_problem_with_its_place() -> None:
    error = InputError(
        "the inventory has 1 problem",
        problems=(Problem(Path("hosts/cal1.yaml"), 3, "domain", "is no name", "write it in small letters"),),
    )
    assert str(error).splitlines() == [
        "the inventory has 1 problem",
        "hosts/cal1.yaml:3: domain: is no name",
        "  -> write it in small letters",
    ]
    assert error.exit_code == 2
