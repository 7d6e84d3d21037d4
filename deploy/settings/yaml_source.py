"""A YAML file as plain values that know where they stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yaml.error import MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from deploy.errors import Problem
from deploy.settings.yaml_core import BOOL, FLOAT, INT, MAP, MERGE, NULL, SEQ, STR, composing

SECRET_TAG = "!secret"  # noqa: S105 - the tag, not a secret
ENVIRONMENT_TAG = "!env"
PLACEHOLDER = "CHANGE-ME"

_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")
_DEEPEST = 40
_UNFOLDED_VALUES = 20_000
"""How many values aliases may add to those that are written."""


@dataclass(frozen=True)
class SecretName:
    """What `!secret NAME` says."""

    name: str


class EnvironmentText(str):
    """A text that `!env NAME` took from the environment; it may be a secret, and is shown nowhere."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<from the environment>"


Plain = str | int | float | bool | None | SecretName


@dataclass(frozen=True)
class Located:
    """A value, and the file and line where it stands."""

    value: dict[str, Located] | list[Located] | Plain
    file: Path
    line: int


class _UnreadableError(Exception):
    """The file cannot be read any further; carries the one problem to tell."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem


def read(
    file: Path, shown: Path, environment: Mapping[str, str] | None = None
) -> tuple[Located | None, list[Problem]]:
    """The content of a YAML file, and all that is wrong with it as YAML.

    `shown` is the path that problems name. Where an `environment` is given, `!env NAME` stands for its value,
    as a text. The content is None where it cannot be read at all.
    """
    try:
        text = _text(file, shown)
        root = _compose(text, shown)
        reader = _Reader(shown, environment, _UNFOLDED_VALUES + len(text))
        return reader.located(root, "", 0), reader.problems
    except _UnreadableError as error:
        return None, [error.problem]


def plain(content: Located) -> Any:
    """The value without its places, as the models take it; `!secret NAME` is `{"secret": NAME}`."""
    value = content.value
    if isinstance(value, dict):
        return {key: plain(child) for key, child in value.items()}
    if isinstance(value, list):
        return [plain(child) for child in value]
    return {"secret": value.name} if isinstance(value, SecretName) else value


def place(content: Located, path: Sequence[str | int]) -> tuple[Located, int]:
    """The deepest value on the path that is there, and how many steps down it lies."""
    found, depth = content, 0
    for step in path:
        below: Located | None = None
        if isinstance(found.value, dict):
            below = found.value.get(str(step))
        elif isinstance(found.value, list) and isinstance(step, int) and 0 <= step < len(found.value):
            below = found.value[step]
        if below is None:
            break
        found, depth = below, depth + 1
    return found, depth


def _text(file: Path, shown: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise _UnreadableError(Problem(shown, None, "", f"cannot be read: {error.strerror}")) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _UnreadableError(
            Problem(shown, line, "", "is not UTF-8 text", "save the file as UTF-8")
        ) from None
    return text


def _compose(text: str, shown: Path) -> Node:
    try:
        root = composing(text).get_single_node()
    except MarkedYAMLError as error:
        raise _UnreadableError(_syntax_problem(text, shown, error)) from None
    except RecursionError:
        raise _UnreadableError(Problem(shown, None, "", "is nested too deeply")) from None
    except Exception:  # ruamel lets ValueError, AssertionError, AttributeError and others out on odd input
        tab = _line_indented_by_tab(text)
        what = "is indented by a tab" if tab else "is not readable as YAML"
        raise _UnreadableError(Problem(shown, tab, "", what, "indent by spaces" if tab else None)) from None
    if not isinstance(root, Node):
        raise _UnreadableError(Problem(shown, None, "", "is empty"))
    return root


def _syntax_problem(text: str, shown: Path, error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else None
    tab = _line_indented_by_tab(text)
    if tab is not None and (line is None or tab <= line):
        return Problem(shown, tab, "", "is indented by a tab, which YAML does not allow", "indent by spaces")
    column = f" (column {mark.column + 1})" if mark is not None else ""
    said = " ".join(part for part in (error.context, error.problem) if part)
    return Problem(shown, line, "", f"is not readable as YAML{column}: {said or 'broken here'}")


def _line_indented_by_tab(text: str) -> int | None:
    for number, line in enumerate(text.splitlines(), start=1):
        if (
            "\t" in line[: len(line) - len(line.lstrip())]
            and line.strip()
            and not line.strip().startswith("#")
        ):
            return number
    return None


class _Reader:
    def __init__(self, shown: Path, environment: Mapping[str, str] | None, most_values: int) -> None:
        self.shown = shown
        self.environment = environment
        self.most_values = most_values
        self.problems: list[Problem] = []
        self._values = 0

    def located(self, node: Node, key: str, depth: int, line: int = 0) -> Located:
        """The node's value with its place, or this line; problems are collected."""
        self._values += 1
        line = line or node.start_mark.line + 1
        if depth > _DEEPEST or self._values > self.most_values:
            # An alias inside its own anchor never ends, and a few nested aliases unfold to billions.
            raise _UnreadableError(
                Problem(self.shown, line, key[:40], "unfolds to too much; write it without aliases")
            )
        if isinstance(node, MappingNode):
            return Located(self._mapping(node, key, depth), self.shown, line)
        if isinstance(node, SequenceNode):
            self._refuse_tag(node, key, SEQ)
            entries = [
                self.located(entry, f"{key}[{position}]", depth + 1)
                for position, entry in enumerate(node.value)
            ]
            return Located(entries, self.shown, line)
        return Located(self._scalar(node, key), self.shown, line)

    def _mapping(self, node: MappingNode, key: str, depth: int) -> dict[str, Located]:
        self._refuse_tag(node, key, MAP)
        content: dict[str, Located] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            name = self._key(key_node, key)
            if name is None:
                continue
            path = f"{key}.{name}" if key else name
            if name in content:
                first = content[name].line
                self._say(line, path, f"stands there twice, first in line {first}", "keep one of them")
                continue
            content[name] = self.located(value_node, path, depth + 1, line)
        return content

    def _key(self, node: Node, inside: str) -> str | None:
        line = node.start_mark.line + 1
        if not isinstance(node, ScalarNode):
            self._say(line, inside, "has a key that is not a plain word")
            return None
        if node.tag == MERGE:
            fix = "what hosts share belongs into defaults.yaml"
            self._say(line, inside, "uses a merge key (<<), which is not supported", fix)
            return None
        text = str(node.value)
        if node.tag != STR or not text.isprintable():
            self._say(line, inside, f"has a key that is not text: {text[:40]!r}", "put the key in quotes")
            return None
        return text

    def _scalar(self, node: Node, key: str) -> Plain:
        text = str(node.value)
        if _HALF_A_CHARACTER.search(text):
            what = "is written by \\u escapes of half a character each, which no file can carry"
            self._say(node.start_mark.line + 1, key, what, "write the character itself")
            return ""
        if node.tag == SECRET_TAG:
            return SecretName(text)
        if node.tag == ENVIRONMENT_TAG and self.environment is not None:
            return self._from_environment(node, key, text, self.environment)
        convert = _CONVERSIONS.get(str(node.tag))
        if convert is None:
            self._refuse_tag(node, key, STR)
            return text
        try:
            return convert(text)
        except (ValueError, OverflowError):
            return text

    def _from_environment(self, node: Node, key: str, name: str, environment: Mapping[str, str]) -> Plain:
        if environment.get(name):
            return EnvironmentText(environment[name])
        line = node.start_mark.line + 1
        self._say(line, key, f"the environment has no variable {name[:60]}", f"export {name[:60]}=… first")
        return EnvironmentText("unset")

    def _refuse_tag(self, node: Node, key: str, plain: str) -> None:
        if node.tag == plain:
            return
        known = [SECRET_TAG] if self.environment is None else [SECRET_TAG, ENVIRONMENT_TAG]
        fix = f"write {node.tag} NAME, the name on the same line" if node.tag in known else None
        allowed = (
            f"the only tag is {known[0]}" if len(known) == 1 else f"the only tags are {' and '.join(known)}"
        )
        what = f"carries the tag {str(node.tag)[:40]}; {allowed}, in front of a name"
        self._say(node.start_mark.line + 1, key, what, fix)

    def _say(self, line: int, key: str, what: str, fix: str | None = None) -> None:
        self.problems.append(Problem(self.shown, line, key, what, fix))


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    unsigned = digits.lstrip("+-").lower()
    return int(digits, 0 if unsigned.startswith(("0x", "0o", "0b")) else 10)


_CONVERSIONS: dict[str, Callable[[str], Plain]] = {
    NULL: lambda _text: None,
    BOOL: lambda text: text.lower() == "true",
    INT: _integer,
    FLOAT: lambda text: float(text.replace("_", "")),
}
