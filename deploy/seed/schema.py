"""The JSON Schema of a manifest, for editors that complete and check while somebody writes.

`python -m deploy.seed.reference` writes it to `inventories/seed.schema.json`; a test sees that it is current.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deploy.seed.model import ManifestFile

FILE = Path(__file__).resolve().parents[2] / "inventories" / "seed.schema.json"


def schema() -> dict[str, Any]:
    """JSON Schema, draft 7. An editor that knows the tags sees `!secret NAME` and `!env NAME` as text."""
    document = ManifestFile.model_json_schema()
    name = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]*$"}
    description = " ".join(document["$defs"]["SecretReference"]["description"].split())
    document["$defs"]["SecretReference"] = {**name, "description": description}
    _tidy(document)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **document,
        "title": "calstack: seed manifest",
    }


def schema_text() -> str:
    """The same as it stands in the file."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _tidy(node: Any) -> None:
    """Drop titles that only repeat a key, and line breaks in descriptions."""
    if isinstance(node, list):
        for child in node:
            _tidy(child)
    if isinstance(node, dict):
        if isinstance(node.get("title"), str):
            del node["title"]
        if isinstance(node.get("description"), str):
            node["description"] = " ".join(node["description"].split())
        for child in node.values():
            _tidy(child)
