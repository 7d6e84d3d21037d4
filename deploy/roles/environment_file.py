"""Environment files in the dialect that Docker Compose reads, so that each value arrives exactly as it is.

Compose expands `$NAME`, cuts at ` #` and interprets backslashes, before a quote in single quotes too. In
double quotes every value can be said: tried with Compose 2.26 and 5.6.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from deploy.errors import CalstackError

_NEEDS_NO_QUOTES = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNFIT = ("Cc", "Cs")
"""Unicode's categories of control characters and of halves of characters."""
_ESCAPED = re.compile(r'([\\"$])')


def environment_file(variables: Mapping[str, str], *, origin: str) -> bytes:
    """The file's content, one variable a line in the order given, headed by a comment that says its origin.

    Raises `CalstackError` for a name that is none and for a value with a control character, which no line of
    such a file can carry; the value is not repeated.
    """
    lines = [f"# {origin}"]
    for name, value in variables.items():
        if not _NAME.fullmatch(name):
            raise CalstackError(f"{name!r} is not the name of an environment variable")
        if any(unicodedata.category(letter) in _UNFIT for letter in value):
            raise CalstackError(
                f"the value of {name} contains a line break or another control character, "
                "which an environment file cannot carry",
                fix="write it on one line",
            )
        lines.append(f"{name}={_quoted(value)}")
    return "\n".join([*lines, ""]).encode()


def _quoted(value: str) -> str:
    if _NEEDS_NO_QUOTES.fullmatch(value):
        return value
    return '"' + _ESCAPED.sub(r"\\\1", value) + '"'
