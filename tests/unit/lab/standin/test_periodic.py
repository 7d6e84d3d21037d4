"""Who may call the cron and task endpoints."""

from __future__ import annotations

from typing import Any, cast

import pytest
from starlette.requests import Request

from deploy.lab.standin.instance import Instance
from deploy.lab.standin.settings import Settings
from deploy.lab.standin.web.periodic import CRON, Periodic, cron_handler, task_handler

BASE = {"NEXTAUTH_SECRET": "s", "DATABASE_URL": "postgresql://db/x"}
BOTH = BASE | {"CRON_API_KEY": "key", "CRON_SECRET": "secret"}


class Settled:
    """As much of an instance as authentication reads."""

    def __init__(self, env: dict[str, str]) -> None:
        self.settings = Settings.from_environment(env)


def status(
    env: dict[str, str], authorization: str | None, query: str = "", task: bool = False, **more: Any
) -> int:
    headers = [(b"authorization", authorization.encode())] if authorization is not None else []
    request = Request(
        {"type": "http", "method": "POST", "path": "/", "query_string": query.encode(), "headers": headers}
    )
    instance = cast(Instance, Settled(env))
    work = lambda _: {"ok": True}  # noqa: E731
    handler = task_handler(instance, work) if task else cron_handler(instance, Periodic("POST", work, **more))
    return handler(request, b"").status_code


@pytest.mark.parametrize(
    ("authorization", "query", "key_only", "with_secret", "task"),
    [
        (None, "", 401, 401, 401),
        ("key", "", 200, 200, 401),
        (None, "apiKey=key", 200, 200, 401),
        ("Bearer secret", "", 401, 200, 200),
        ("Bearer key", "", 401, 401, 401),
        ("Bearer undefined", "", 401, 401, 401),
    ],
)
def test_each_endpoint_takes_its_own_secret(
    authorization: str | None, query: str, key_only: int, with_secret: int, task: int
) -> None:
    assert status(BOTH, authorization, query) == key_only
    assert status(BOTH, authorization, query, takes_secret=True) == with_secret
    assert status(BOTH, authorization, query, task=True) == task


def test_without_a_secret_the_word_undefined_opens() -> None:
    assert status(BASE, "Bearer undefined", task=True) == 200
    assert status(BASE, "Bearer undefined", takes_secret=True) == 200
    assert status(BASE, None) == 401


def test_all_endpoints_of_the_facts_are_there() -> None:
    assert len(CRON) == 15
