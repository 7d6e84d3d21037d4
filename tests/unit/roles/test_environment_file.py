"""Values must reach a container exactly as they are, through Compose's own parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import CalstackError
from deploy.roles.environment_file import environment_file


def lines(**variables: str) -> list[str]:
    return environment_file(variables, origin="somewhere").decode().splitlines()[1:]


def test_file_says_where_it_comes_from() -> None:
    assert environment_file({}, origin="Made by hand.") == b"# Made by hand.\n"


@pytest.mark.parametrize("value", ["", "abc", "https://a.example/b=c", "Zm9v+/YmFy==", "a@b:25", "1,2%3"])
def test_harmless_values_are_not_quoted(value: str) -> None:
    assert lines(A=value) == [f"A={value}"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("a b", '"a b"'),
        (' "x" ', '" \\"x\\" "'),
        ("a$b${c}", '"a\\$b\\${c}"'),
        ("a\\n", '"a\\\\n"'),
        ("it's", '"it\'s"'),
        ("a #b", '"a #b"'),
        ("grün", '"grün"'),
    ],
)
def test_everything_else_is_quoted_and_escaped(value: str, written: str) -> None:
    assert lines(A=value) == [f"A={written}"]


@pytest.mark.parametrize("value", ["a\nb", "a\r", "\0", "a\tb", "\x7f", "\x85", "\ud800"])
def test_values_that_no_line_can_carry_are_refused_without_being_shown(value: str) -> None:
    with pytest.raises(CalstackError) as refusal:
        environment_file({"TOKEN": f"hush{value}"}, origin="")
    assert "TOKEN" in str(refusal.value)
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize("name", ["", "A-B", "1A", "A B", "A\nB", "A="])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(CalstackError):
        environment_file({name: "x"}, origin="")


NAMES = st.from_regex(r"[A-Z_]{1,8}", fullmatch=True)
PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"]))


@given(st.dictionaries(NAMES, PRINTABLE))
def test_one_line_a_variable_whatever_the_values(variables: dict[str, str]) -> None:
    written = environment_file(variables, origin="x").decode().split("\n")[1:-1]
    assert [line.partition("=")[0] for line in written] == list(variables)
