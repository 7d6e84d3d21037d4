"""Paths, methods and versions: what answers a request, and what a handler is called with (FACTS §4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..database import Row
from ..instance import Instance
from .cache import Queue
from .errors import refusal

VERSIONS = ("2024-04-15", "2024-06-11", "2024-06-14", "2024-08-13", "2024-09-04")
OLDEST = VERSIONS[0]

REQUIRED, OPTIONAL, NOBODY = "required", "optional", "nobody"


@dataclass(frozen=True)
class Call:
    """One request that was let in, as its handler sees it."""

    instance: Instance
    queue: Queue
    params: dict[str, str]
    query: dict[str, str]
    body: Any
    user: Row | None
    key: str | None

    @property
    def caller(self) -> Row:
        """The user of a call that is closed to guests."""
        if self.user is None:
            raise refusal(401, "User not found")
        return self.user

    def now(self) -> datetime:
        """The present instant."""
        return self.instance.now()

    def number(self, name: str) -> int:
        """A number in the path. Raises ApiError where it is none."""
        try:
            return int(self.params[name])
        except ValueError as error:
            raise refusal(400, "Validation failed (numeric string is expected)") from error


Handler = Callable[[Call], dict[str, Any]]


@dataclass(frozen=True)
class Route:
    """What answers one method of one path, in some versions or in all."""

    method: str
    path: str
    run: Handler
    who: str = REQUIRED
    versions: tuple[str, ...] = ()
    status: int = 200

    @property
    def pattern(self) -> re.Pattern[str]:
        """The path with its parameters as named groups."""
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path) + "/?$")


class Routes:
    """All routes of the API."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = [(route.pattern, route) for route in routes]

    def found(self, method: str, path: str, version: str) -> tuple[Route, dict[str, str]] | None:
        """The first route that fits, with the parameters in its path."""
        for pattern, route in self._routes:
            match = pattern.match(path)
            if match and route.method == method and (not route.versions or version in route.versions):
                return route, match.groupdict()
        return None


def spoken_version(header: str | None) -> str:
    """The version that is meant: whatever is not known means the oldest, silently (FACTS §4)."""
    return header if header in VERSIONS else OLDEST


def success(data: Any) -> dict[str, Any]:
    """An answer's envelope."""
    return {"status": "success", "data": data}
