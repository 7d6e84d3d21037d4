"""The reference of all manifest keys, written from the model that checks them.

`python -m deploy.seed.reference` writes it into `docs/seed.md`, between two marks, and the schema for editors
beside the inventories; tests see that both are current.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from deploy.seed import schema
from deploy.seed.model import ManifestFile
from deploy.seed.triggers import DELAYED_TRIGGERS, TRIGGERS, USER_TRIGGERS
from deploy.settings.section import SecretReference

PAGE = Path(__file__).resolve().parents[2] / "docs" / "seed.md"
BEGIN = "<!-- keys: written by python -m deploy.seed.reference -->"
END = "<!-- end of keys -->"


def manifest_reference() -> str:
    """Markdown: a table of keys for each section, in the order in which a manifest nests them."""
    sections = [
        f"### {_heading(path)}\n\n{_paragraph(model)}\n\n{_table(model)}" for path, model in _sections()
    ]
    return "\n\n".join([*sections, f"### Triggers\n\n{_triggers()}"])


def page_with(reference: str, page: str) -> str:
    """The text of the page with this reference between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{reference}\n\n{END}{after}"


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """Each section once, with the key under which it stands first."""
    seen: set[type[BaseModel]] = set()
    waiting: list[tuple[str, type[BaseModel]]] = [("", ManifestFile)]
    while waiting:
        path, model = waiting.pop(0)
        if model in seen:
            continue
        seen.add(model)
        yield path, model
        below = [
            (f"{path}.{name}" if path else name, section)
            for name, field in model.model_fields.items()
            if (section := _section_in(field.annotation)) is not None
        ]
        waiting = below + waiting


def _heading(path: str) -> str:
    return f"`{path}`" if path else "At the top"


def _paragraph(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _table(model: type[BaseModel]) -> str:
    lines = ["| key | value | if left out | meaning |", "| --- | --- | --- | --- |"]
    for name, field in model.model_fields.items():
        cells = (
            f"`{name}`",
            _value(field.annotation),
            _left_out(field),
            " ".join((field.description or "").split()),
        )
        lines.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(lines)


def _triggers() -> str:
    notes = {
        **dict.fromkeys(USER_TRIGGERS, "of the user only"),
        **dict.fromkeys(DELAYED_TRIGGERS, "needs `time` and `time_unit`"),
        "FORM_SUBMITTED_NO_EVENT": "of the user only, needs `time` and `time_unit`",
    }
    return "\n".join(
        f"- `{trigger}`: {notes[trigger]}" if trigger in notes else f"- `{trigger}`" for trigger in TRIGGERS
    )


def _left_out(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if field.default_factory is not None or field.default is None:
        return "–"
    value = field.default
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _value(kind: Any) -> str:
    members = [member for member in _members(kind) if member is not type(None)]
    if SecretReference in members:
        return "`!secret NAME` or `!env NAME`"
    return " or ".join(dict.fromkeys(_word(member) for member in members))


def _word(kind: Any) -> str:
    origin = typing.get_origin(kind)
    if origin is list:
        return f"list of {_value(typing.get_args(kind)[0])}"
    if origin is typing.Literal:
        return ", ".join(f"`{choice}`" for choice in typing.get_args(kind))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "section"
    words = {str: "text", int: "whole number", bool: "`true`, `false`"}
    return words.get(kind, getattr(kind, "__name__", str(kind)))


def _section_in(kind: Any) -> type[BaseModel] | None:
    for member in _members(kind):
        if typing.get_origin(member) is list:
            return _section_in(typing.get_args(member)[0])
        if isinstance(member, type) and issubclass(member, BaseModel) and member is not SecretReference:
            return member
    return None


def _members(kind: Any) -> list[Any]:
    """The types that a value may have, annotations peeled off."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return _members(typing.get_args(kind)[0])
    if origin in (typing.Union, types.UnionType):
        return [member for part in typing.get_args(kind) for member in _members(part)]
    return [kind]


if __name__ == "__main__":
    schema.FILE.write_text(schema.schema_text())
    PAGE.write_text(page_with(manifest_reference(), PAGE.read_text()))
