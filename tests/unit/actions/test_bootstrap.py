"""Bootstrap against a host whose database answers from a script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from deploy.actions.bootstrap import bootstrap
from deploy.actions.instance import Instance
from deploy.errors import CalstackError
from deploy.remote import Completed
from deploy.secrets import placeholders
from deploy.settings.inventory import Inventory
from deploy.settings.layout import PROXY_LIMITS_INSIDE
from deploy.settings.load import load_inventory
from deploy.settings.rate_limits import RateLimits
from tests.unit.actions.fake_proxy import FakeProxy


@dataclass
class FakeRemote:
    """A host whose users table is a list, and whose app is a handler."""

    users: list[tuple[int, str, str]]
    onboarded: bool = False
    sign_up_closed: bool = False
    has_key: bool = False
    limited: bool = False
    proxy: FakeProxy = field(
        default_factory=lambda: FakeProxy({f"{PROXY_LIMITS_INSIDE}/amounts.map": RateLimits().amounts()})
    )
    commands: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)

    def sql(self, query: str) -> list[list[str]]:
        self.queries.append(query)
        if query.startswith("select id, email"):
            return [[str(number), email] for number, email, _ in self.users if f"'{email}'" in query]
        if query.startswith("select email"):
            return [[email] for _, email, role in self.users if role == "ADMIN"]
        if query.startswith("update users"):
            changed, self.onboarded = not self.onboarded, True
            return [["1"]] if changed else []
        if query.startswith('select k."hashedKey"'):
            return [["digest", "100000", "60000", "1000"]]
        if '"RateLimit"' in query:
            changed, self.limited = not self.limited, True
            return [["digest", "t", "t" if changed else "f", "calstack"]]
        if '"ApiKey"' in query:
            changed, self.has_key = not self.has_key, True
            return [["id"]] if changed else []
        changed, self.sign_up_closed = not self.sign_up_closed, True
        return [["disable-signup"]] if changed else []

    def run(self, script: str, stdin: bytes = b"") -> Completed:
        """The proxy answers; the rest is only written down."""
        if script.endswith("onhost.pyz proxy"):
            return self.proxy.answer_all(stdin)
        self.commands.append(script)
        return Completed(0, b"", b"")


class FakeInstance(Instance):
    """An instance whose inner entrance is a function."""

    api_says = httpx.Response(200, json={"status": "success"})

    @contextmanager
    def inner_entrance(self, path: str = "") -> Iterator[httpx.Client]:  # noqa: ARG002 - the whole of it
        remote: Any = self.remote

        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.path == "/api/version":
                return httpx.Response(200, json={"version": "6.2.0"})
            if request.url.path == "/api/v2/me":
                return self.api_says
            if remote.users:
                return httpx.Response(400, json={"message": "No setup needed."})
            remote.users.append((1, self.settings.admin.email, "ADMIN"))
            return httpx.Response(200, json={"message": "First admin user created successfully."})

        with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://inner") as client:
            yield client


@pytest.fixture
def inventory() -> Inventory:
    return load_inventory("lab")


def instance(inventory: Inventory, remote: FakeRemote) -> FakeInstance:
    fake: Any = remote
    return FakeInstance("cal1", inventory, inventory.hosts["cal1"], placeholders("cal1"), fake)


def test_an_empty_instance_gets_its_administrator_once(inventory: Inventory) -> None:
    remote = FakeRemote(users=[])
    assert bootstrap(instance(inventory, remote)) == [
        "administrator admin@cal1.calstack.test made",
        "onboarding finished",
        "sign-up closed",
        "API key calstack made",
        "limit of API key calstack set",
        "the proxy's limits of single API keys set",
    ]
    assert bootstrap(instance(inventory, remote)) == []


def test_a_stranger_who_was_first_is_named(inventory: Inventory) -> None:
    remote = FakeRemote(users=[(1, "mallory@example.test", "ADMIN")])
    with pytest.raises(CalstackError, match="set up by somebody else: its administrators are mallory@"):
        bootstrap(instance(inventory, remote))
    assert not remote.onboarded, "nothing of theirs is touched"


def test_an_instance_without_an_api_gets_no_key(inventory: Inventory) -> None:
    settings = inventory.hosts["cal1"]
    images = settings.images.model_copy(update={"api": None, "cache": None})
    remote: Any = FakeRemote(users=[])
    without = FakeInstance(
        "cal1", inventory, settings.model_copy(update={"images": images}), placeholders("cal1"), remote
    )
    assert "API key calstack made" not in bootstrap(without)
    assert not remote.has_key
    assert remote.commands == []


def test_a_build_that_wants_a_licence_is_noted_and_nothing_fails(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = "Invalid or missing CALCOM_LICENSE_KEY environment variable"
    answer = httpx.Response(401, json={"status": "error", "error": {"message": message}})
    monkeypatch.setattr(FakeInstance, "api_says", answer)
    notes: list[str] = []
    assert "API key calstack made" in bootstrap(instance(inventory, FakeRemote(users=[])), notes.append)
    (note,) = notes
    assert "without a licence of Cal.com" in note
    assert "over the web app instead" in note
