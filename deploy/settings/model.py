"""The settings of a host: names, types, defaults and rules.

The reference page `docs/settings.md` and the JSON Schema `inventories/settings.schema.json` are generated
from this module (`deploy/settings/reference.py`).
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Section(BaseModel):
    """A part of the settings; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class SecretReference(Section):
    """A value that lies in the inventory's `secrets.age`; written `!secret NAME` in YAML."""

    secret: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    """Name of the secret."""


class Ssh(Section):
    """How to reach the host."""

    address: str
    """Host name or address of the server."""
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    """Port of sshd."""
    user: str = "root"
    """Who signs in; any other user than root needs sudo without a password."""
    key_file: str | None = None
    """Private key; relative paths start at the inventory's folder. Without it ssh's own keys and agent serve."""
    known_hosts_file: str | None = None
    """Known hosts file; relative paths start at the inventory's folder. Without it ~/.ssh/known_hosts."""


class Admin(Section):
    """The first administrator of the instance."""

    email: str
    """E-mail address; the sign-in name."""
    username: Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")] = "admin"
    """The user's part of booking links, https://DOMAIN/USERNAME."""
    name: Annotated[str, Field(min_length=3)] = "Admin"
    """Full name; three characters at least (FACTS §6)."""
    time_zone: str = "UTC"
    """IANA time zone."""


class Image(Section):
    """Where a container image comes from: a registry, or an archive that is sent to the host over SSH."""

    reference: str
    """Registry reference, pinned by digest where possible, or the name that the archive's image carries."""
    reference_arm64: str | None = None
    """The reference for arm64 hosts where the image is not multi-arch (Cal.com's is not: FACTS §1)."""
    archive: str | None = None
    """`docker save` file, sent only when the host lacks the image; relative to the inventory's folder."""
    pull: Literal["missing", "always", "never"] = "missing"
    """When to ask the registry."""
