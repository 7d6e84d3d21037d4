"""Which settings of a host name a secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from deploy.settings.model import HostSettings
from deploy.settings.section import SecretReference


def secret_references(settings: HostSettings) -> list[tuple[str, str]]:
    """(key, name of the secret) of each, e.g. `("smtp.password", "smtp_password")`."""
    return list(_references(settings, ""))


def _references(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, SecretReference):
        yield key, value.secret
    elif isinstance(value, BaseModel | dict):
        children = value.items() if isinstance(value, dict) else iter(value)
        for name, child in children:
            yield from _references(child, f"{key}.{name}" if key else str(name))
