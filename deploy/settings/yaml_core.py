"""What plain words mean in YAML 1.2's core schema (§10.3.2), for PyYAML, which by itself takes them as 1.1.

There `no` is false, `012` is ten and `12:30` is a number; in 1.2, as editors check it, they are what they
look like. The same rules read a file (`yaml_source.py`) and decide what needs quotes in one that is written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, ScalarNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

NULL = "tag:yaml.org,2002:null"
BOOL = "tag:yaml.org,2002:bool"
INT = "tag:yaml.org,2002:int"
FLOAT = "tag:yaml.org,2002:float"
STR = "tag:yaml.org,2002:str"
MERGE = "tag:yaml.org,2002:merge"
MAP = "tag:yaml.org,2002:map"
SEQ = "tag:yaml.org,2002:seq"

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), NULL),
    **dict.fromkeys(("true", "True", "TRUE", "false", "False", "FALSE"), BOOL),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), FLOAT),
    "<<": MERGE,
}
_DEEPEST = 300
_NUMBER_STARTS = frozenset("0123456789+-.")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)")


def plain_tag(text: str) -> str:
    """The tag of a scalar without quotes and without a tag of its own."""
    if text[:1] in _NUMBER_STARTS:
        if _INT.fullmatch(text):
            return INT
        if _FLOAT.fullmatch(text):
            return FLOAT
    return _WORDS.get(text, STR)


class CoreSchema:
    """Stands in for PyYAML's own `Resolver` in a class that reads or writes."""

    def resolve(self, kind: type[Any], value: Any, implicit: Any) -> str:
        """The tag of a node that carries none; `implicit[0]` says of a scalar that it has no quotes."""
        if kind is ScalarNode:
            return plain_tag(value) if implicit[0] else STR
        return MAP if kind is MappingNode else SEQ

    _depth = 0

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:  # noqa: ARG002 - PyYAML's
        """One level down; raises RecursionError where the C library would run out of its stack."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise RecursionError

    def ascend_resolver(self) -> None:
        """One level up."""
        self._depth -= 1


class PythonComposing(CoreSchema, Reader, Scanner, Parser, Composer):
    """A text becomes nodes that know their lines: `get_single_node()`."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)


def composing(text: str) -> PythonComposing:
    """The same by the C library where PyYAML has it, five times as fast."""
    return _Composing(text)


if TYPE_CHECKING or not yaml.__with_libyaml__:
    _Composing = PythonComposing
else:
    from yaml.cyaml import CParser

    class _Composing(CoreSchema, CParser):
        pass
