from __future__ import annotations

import io
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deploy.settings.yaml_core import PythonComposing, composing, plain_tag


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *((text, "null") for text in ("", "~", "null", "Null")),
        *((text, "bool") for text in ("true", "False")),
        *((text, "int") for text in ("0", "-12", "012", "0o17", "0x1F")),
        *((text, "float") for text in ("1.", "-.5", "1e3", ".inf", ".NaN")),
        # What PyYAML's own rules, those of YAML 1.1, would make something else of.
        *((text, "str") for text in ("no", "on", "12:30", "09:00-17:00", "2026-12-24", "1_000", "0b1", "=")),
        ("<<", "merge"),
    ],
)
def test_plain_words_are_what_they_are_in_yaml_1_2(text: str, kind: str) -> None:
    assert plain_tag(text) == f"tag:yaml.org,2002:{kind}"


@pytest.mark.parametrize("text", ["- " * 100_000, "[" * 100_000 + "]" * 100_000])
def test_a_text_without_end_is_refused_and_does_not_kill_the_process(text: str) -> None:
    with pytest.raises((RecursionError, yaml.YAMLError)):
        composing(text).get_single_node()


def tree(node: yaml.Node | None) -> Any:
    """The node with its tags and lines."""
    if isinstance(node, yaml.MappingNode):
        return node.tag, node.start_mark.line, [(tree(key), tree(value)) for key, value in node.value]
    if isinstance(node, yaml.SequenceNode):
        return node.tag, node.start_mark.line, [tree(item) for item in node.value]
    return node and (node.tag, node.start_mark.line, node.value)


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab:-# ", max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(DOCUMENTS, st.booleans())
@settings(max_examples=150, deadline=None)
def test_the_c_library_and_python_read_the_same(document: object, flow: bool) -> None:
    out = io.StringIO()
    yaml.safe_dump(document, out, allow_unicode=True, default_flow_style=flow)
    assume("!!" not in out.getvalue())
    read = tree(composing(out.getvalue()).get_single_node())
    assert read == tree(PythonComposing(out.getvalue()).get_single_node())
