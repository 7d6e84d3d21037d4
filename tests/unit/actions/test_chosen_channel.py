"""Over which channel an instance is seeded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from deploy.actions.instance import Instance
from deploy.calcom.errors import CalcomError
from deploy.calcom.web import WebChannel
from deploy.secrets import placeholders
from deploy.settings.load import load_inventory

ME = {
    "id": 1,
    "username": "admin",
    "email": "admin@cal1.calstack.test",
    "name": "Ada",
    "bio": None,
    "timeZone": "UTC",
    "weekStart": "Sunday",
    "timeFormat": 12,
    "defaultScheduleId": None,
    "organizationId": None,
}
TAKEN = httpx.Response(200, json={"status": "success", "data": ME})
LICENCE = httpx.Response(
    401,
    json={
        "status": "error",
        "error": {
            "code": "UnauthorizedException",
            "message": "Invalid or missing CALCOM_LICENSE_KEY environment variable",
        },
    },
)


class BothWays(Instance):
    """An instance whose API gives one answer, and whose web app is not asked anything."""

    answer = TAKEN

    @contextmanager
    def channel(self) -> Iterator[WebChannel]:
        with httpx.Client() as client:
            yield WebChannel(client, "cookie")

    @contextmanager
    def inner_entrance(self, path: str = "") -> Iterator[httpx.Client]:
        transport = httpx.MockTransport(lambda _: self.answer)
        with httpx.Client(transport=transport, base_url=f"http://inner{path}") as client:
            yield client


def instance(channel: str, *, has_api: bool = True) -> BothWays:
    inventory, nowhere = load_inventory("lab"), None
    settings = inventory.hosts["cal1"].model_copy(update={"channel": channel})
    if not has_api:
        images = settings.images.model_copy(update={"api": None, "cache": None})
        settings = settings.model_copy(update={"images": images})
    remote: Any = nowhere
    return BothWays("cal1", inventory, settings, placeholders("cal1"), remote)


def taken(host: BothWays, *, offers: bool = True) -> str:
    with host.chosen_channel(lambda _: offers) as channel:
        return channel.name


def test_the_api_is_taken_where_it_takes_the_key() -> None:
    assert taken(instance("auto")) == "api"
    assert taken(instance("api")) == "api"


def test_the_web_app_is_taken_where_it_is_asked_for_or_there_is_no_api() -> None:
    assert taken(instance("web")) == "web"
    assert taken(instance("auto", has_api=False)) == "web"


def test_auto_passes_by_an_api_that_cannot_do_what_is_wanted() -> None:
    assert taken(instance("auto"), offers=False) == "web"
    assert taken(instance("api"), offers=False) == "api", "what it cannot do is named then"


def test_auto_passes_by_an_api_that_wants_a_licence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BothWays, "answer", LICENCE)
    assert taken(instance("auto")) == "web"
    with pytest.raises(CalcomError, match="licen"):
        taken(instance("api"))
