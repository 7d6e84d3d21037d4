"""The reference page and the JSON Schema of the settings, generated from the model.

`python -m deploy.settings.reference --write` brings both up to date; without `--write` it says whether they
are.
"""

from __future__ import annotations

import json
import re
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import annotated_types
from pydantic import AfterValidator, BaseModel
from pydantic.fields import FieldInfo

from deploy.settings import app_variables, rules
from deploy.settings.model import HostSettings, LabSettings
from deploy.settings.plain_words import members, model_in
from deploy.settings.section import SecretReference, Section

_ROOT = Path(__file__).resolve().parents[2]
PAGE = _ROOT / "docs" / "settings.md"
SCHEMA = _ROOT / "inventories" / "settings.schema.json"

_HEAD = """\
# Settings of a host

<!-- Generated from deploy/settings/model.py by `python -m deploy.settings.reference --write`. -->

What may stand in an inventory's `defaults.yaml` and, laid over it, in `hosts/NAME.yaml`. Everything is
checked before a connection is made: unknown keys, wrong types and impossible combinations are told all at
once, each with file, line and what to write instead. How to make an inventory:
[inventories.md](inventories.md).

- **required** means that one of the two files must say it, where its section stands there at all.
- `secret` stands for `!secret NAME`: the value lies encrypted in `secrets.age` ([secrets.md](secrets.md)).
- Numbers and `true`/`false` stand without quotes; text that looks like a number needs them.
- Relative paths start at the inventory's folder.
"""


def page() -> str:
    """`docs/settings.md`."""
    parts = [_HEAD, *_sections(HostSettings, ""), _lab(), _variables()]
    return "\n".join(parts)


def schema() -> dict[str, Any]:
    """`inventories/settings.schema.json`, which editors use for both kinds of files.

    Nothing is required in it, since each file may leave to the other what it likes.
    """
    document = HostSettings.model_json_schema()
    lab = LabSettings.model_json_schema()
    document["properties"]["lab"] = {**lab, "type": ["object", "null"]}
    # An editor sees `!secret NAME` as the text NAME, once it knows the tag (docs/inventories.md).
    mapping = document["$defs"]["SecretReference"]
    name = {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,62}$"}
    document["$defs"]["SecretReference"] = {
        "description": mapping.pop("description"),
        "anyOf": [name, mapping],
    }
    _strip(document)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "calstack: settings of a host",
        **document,
    }


def _strip(node: Any) -> None:
    """Drop what is required, titles that repeat the key, and line breaks in descriptions."""
    if isinstance(node, dict):
        node.pop("required", None)
        if isinstance(node.get("title"), str):
            node.pop("title")
        if isinstance(node.get("description"), str):
            node["description"] = _text(node["description"])
        for child in node.values():
            _strip(child)
    elif isinstance(node, list):
        for child in node:
            _strip(child)


def _sections(model: type[BaseModel], inside: str) -> Iterator[str]:
    plain = {name: field for name, field in model.model_fields.items() if not _below(field)}
    if plain:
        rows = [_row(model, name, field) for name, field in plain.items()]
        yield "\n".join(
            ["| key | type | default | meaning and rules |", "| --- | --- | --- | --- |", *rows, ""]
        )
    for rule in _rules_of_section(model):
        yield f"{rule}\n"
    for name, field in model.model_fields.items():
        below = _below(field)
        if below is not None:
            path = f"{inside}.{name}" if inside else name
            yield f"{'##' if not inside else '###'} {path}\n"
            yield f"{_text(below.__doc__)}{_presence(field)}\n"
            if field.description:
                yield f"{_text(field.description)}\n"
            if not _described_before(path):
                yield from _sections(below, path)
            else:
                yield "The same keys as `images.web`.\n"


def _described_before(path: str) -> bool:
    return path.startswith("images.") and path != "images.web"


def _below(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a key stands for; one that may also be a word has a row in its parent's table."""
    below = model_in(field.annotation)
    return None if below is SecretReference or len(members(field.annotation)) > 1 else below


def _presence(field: FieldInfo) -> str:
    return " **Required.**" if field.is_required() else ""


def _row(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    default = "**required**" if field.is_required() else _default(field.get_default())
    said = [_text(field.description), *_rules(field), *_rules_of_field(model, name)]
    meaning = " ".join(sentence for sentence in said if sentence)
    return f"| `{name}` | {_type(field)} | {default} | {_cell(meaning)} |"


def _default(value: Any) -> str:
    if value is None or value in ({}, []):
        return ""
    if isinstance(value, Section):
        return f"`{{{', '.join(f'{key}: {content}' for key, content in value)}}}`"
    return f"`{json.dumps(value)}`" if isinstance(value, bool | int) else f"`{value}`"


def _type(field: FieldInfo) -> str:
    names = [_type_name(member) for member in members(field.annotation)]
    limits = "".join(_limits(field))
    return _cell(" or ".join(dict.fromkeys(names)) + limits)


def _type_name(kind: Any) -> str:
    origin = typing.get_origin(kind)
    if isinstance(kind, type) and issubclass(kind, Section) and kind is not SecretReference:
        return "section"
    if origin is typing.Literal:
        return " or ".join(f"`{choice}`" for choice in typing.get_args(kind))
    if origin is list:
        return "list of sections" if model_in(typing.get_args(kind)[0]) else "list of text"
    if origin is dict:
        return "section of text or secret"
    return {str: "text", int: "number", bool: "`true` or `false`", SecretReference: "secret"}[kind]


def _limits(field: FieldInfo) -> Iterator[str]:
    limits = [
        entry for entry in _metadata(field) if isinstance(entry, annotated_types.Ge | annotated_types.Le)
    ]
    for limit in limits:
        yield f", ≥ {limit.ge}" if isinstance(limit, annotated_types.Ge) else f", ≤ {limit.le}"


def _metadata(field: FieldInfo) -> list[Any]:
    return [*field.metadata, *_inner_metadata(field.annotation)]


def _inner_metadata(kind: Any) -> Iterator[Any]:
    if hasattr(kind, "__metadata__"):
        yield from kind.__metadata__
    for part in typing.get_args(kind):
        yield from _inner_metadata(part)


def _rules(field: FieldInfo) -> Iterator[str]:
    """What the rules of `deploy/settings/rules.py` say about themselves."""
    unspoken = (rules.not_blank, rules.file_path, rules.single_line)
    for entry in _metadata(field):
        function = entry.func if isinstance(entry, AfterValidator) else None
        if getattr(function, "__module__", None) == rules.__name__ and function not in unspoken:
            yield _text(function.__doc__)


def _rules_of_field(model: type[BaseModel], name: str) -> Iterator[str]:
    for decorator in model.__pydantic_decorators__.field_validators.values():
        if name in decorator.info.fields:
            yield _text(getattr(model, decorator.cls_var_name).__doc__)


def _rules_of_section(model: type[BaseModel]) -> Iterator[str]:
    for decorator in model.__pydantic_decorators__.model_validators.values():
        yield _text(getattr(model, decorator.cls_var_name).__doc__)


def _lab() -> str:
    rows = "\n".join(_row(LabSettings, name, field) for name, field in LabSettings.model_fields.items())
    return (
        f"## lab\n\n{_text(LabSettings.__doc__)} In `defaults.yaml` alone; `lab: {{}}` is enough.\n\n"
        f"| key | type | default | meaning and rules |\n| --- | --- | --- | --- |\n{rows}\n"
    )


def _variables() -> str:
    governed = "\n".join(f"| `{name}` | {_cell(why)} |" for name, why in app_variables.GOVERNED.items())
    forbidden = "\n".join(f"| `{name}` | {_cell(why)} |" for name, why in app_variables.FORBIDDEN.items())
    return f"""\
## Variables that `app.env` refuses

Set by calstack:

| variable | what decides |
| --- | --- |
{governed}

Harmful:

| variable | why |
| --- | --- |
{forbidden}

Also refused: names that end in `_FILE` (Cal.com's image does not read them), and names that end in `SECRET`,
`KEY`, `PASSWORD`, `TOKEN` and the like with a value in plain text: write `!secret NAME`. Names that begin
with `NEXT_PUBLIC_` are seen by every browser and may stand in plain text. `GOOGLE_API_CREDENTIALS` takes the
JSON file that Google's console offers, as a secret; it is checked and put on one line.
"""


def _text(text: str | None) -> str:
    """On one line, without the sources that developers look up."""
    return " ".join(re.sub(r"\s*\(FACTS[^)]*\)", "", text or "").split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _written() -> dict[Path, str]:
    return {PAGE: page(), SCHEMA: json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"}


def main(arguments: list[str]) -> int:
    """Write both files, or name those that are not current; the exit code."""
    stale = [
        file
        for file, text in _written().items()
        if not file.exists() or file.read_text(encoding="utf-8") != text
    ]
    if "--write" in arguments:
        for file, text in _written().items():
            file.write_text(text, encoding="utf-8")
        return 0
    for file in stale:
        print(f"{file} is not current; run: python -m deploy.settings.reference --write")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
