"""Keeps secrets out of whatever is printed."""

from __future__ import annotations

import html
import json
import re
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST = 6
"""Shorter values are left alone: they would turn ordinary words into stars."""


class Masker:
    """Knows values that must not be seen and replaces them, in every form in which tools write them."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def register(self, value: str) -> None:
        """Hide this value from now on; of a text with several lines (a key file) each line as well."""
        before = len(self._forms)
        for part in (value, value.strip(), *_telling_lines(value)):
            if len(part) >= SHORTEST:
                self._forms |= {form for form in _forms(part) if len(form) >= SHORTEST}
        if len(self._forms) != before:
            longest_first = sorted(self._forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def mask(self, text: str) -> str:
        """The text with every known value replaced by `***`."""
        return self._pattern.sub(MASK, text) if self._pattern else text


def _telling_lines(value: str) -> list[str]:
    lines = value.splitlines()
    return [line for line in lines if not line.startswith("-----")] if len(lines) > 1 else []


def _forms(value: str) -> set[str]:
    """The value as it is, and as it stands in URLs, JSON, Python, HTML, shell and Compose files."""
    return {
        value,
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        html.escape(value),
        value.replace("'", "'\"'\"'"),
        value.replace("'", "\\'"),
        value.replace("$", "$$"),
        re.sub(r'(["\\$`])', r"\\\1", value),
    }
