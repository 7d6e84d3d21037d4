"""templates/ and settings become the files that a host gets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"


@dataclass(frozen=True)
class ManagedFile:
    """One file as it shall lie on a host."""

    path: str
    """Absolute path on the host."""
    content: bytes
    mode: str = "0644"
    """Octal, four digits."""
    owner: int = 0
    """Numeric user id; containers' users have no names on the host."""
    group: int = 0
    """Numeric group id."""
    secret: bool = False
    """Whether its content must never be shown."""
    once: bool = False
    """Whether its content is only a beginning: what lies there already is left as it is."""

    @property
    def digest(self) -> str:
        """SHA-256 of the content, hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class ManagedDirectory:
    """One directory as it shall lie on a host."""

    path: str
    mode: str = "0755"
    owner: int = 0
    group: int = 0


_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEMPLATES),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - configuration files, not HTML
)


def render(template: str, **values: Any) -> bytes:
    """The text of `templates/TEMPLATE.j2` with the values filled in.

    A value that the template needs and that is missing raises `jinja2.UndefinedError`.
    """
    return _environment.get_template(f"{template.lstrip('/')}.j2").render(**values).encode()
