"""Payload templates of webhooks: the `{{path.to.field}}` part of Handlebars, as hosts write them."""

from __future__ import annotations

import json
import re
from typing import Any

PLACEHOLDER = re.compile(r"\{\{\{?\s*([\w.$@\-\[\]]+)\s*\}?\}\}")


def looked_up(data: Any, path: str) -> Any:
    """The value at a dotted path through objects and lists, or None."""
    for part in path.replace("[", "").replace("]", "").split("."):
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and part.isdigit() and int(part) < len(data):
            data = data[int(part)]
        else:
            return None
    return data


def as_text(value: Any) -> str:
    """A value as Handlebars writes it."""
    if value is None or value is False:
        return ""
    if value is True:
        return "true"
    if isinstance(value, dict):
        return "[object Object]"
    if isinstance(value, list):
        return ",".join(as_text(each) for each in value)
    return str(value)


def rendered(template: str, data: dict[str, Any]) -> str:
    """A template with its fields filled in, before anything is checked."""
    return PLACEHOLDER.sub(lambda found: as_text(looked_up(data, found.group(1))), template)


def is_json(template: str) -> bool:
    """Whether a template means to be JSON, which decides the content type."""
    try:
        json.loads(template)
    except ValueError:
        return False
    return True


def body_from(template: str, data: dict[str, Any]) -> str:
    """The body that is sent: JSON re-written compactly; a JSON template that came out broken is `false`."""
    text = rendered(template, data)
    if not is_json(template):
        return text
    try:
        return json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)
    except ValueError:
        return "false"
