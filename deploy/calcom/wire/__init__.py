"""The web app's own names for things, and their translation into calstack's words and back.

The answer models hold what calstack reads of each recorded answer and ignore the rest; a field that is
missing or of another type is an `UnexpectedShape`. Field names over the web channel: FACTS §15.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Wire(BaseModel):
    """Base of what is read off the wire: more fields than named are fine, other ones are not."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Deleted(Wire):
    """Answer of the deleting procedures that name what they removed."""

    id: int | str
