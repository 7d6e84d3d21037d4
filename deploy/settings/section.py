"""What every section of the settings is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from deploy.settings import rules

Line = Annotated[str, AfterValidator(rules.not_blank)]
FilePath = Annotated[str, AfterValidator(rules.file_path)]


class Section(BaseModel):
    """A part of the settings; unknown keys are refused, and no value is turned into another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class SecretReference(Section):
    """A value that lies in the inventory's `secrets.age`; written `!secret NAME` in YAML."""

    secret: Annotated[str, AfterValidator(rules.secret_name)]
    """Name of the secret."""
