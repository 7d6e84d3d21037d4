"""API v2, where there is one: who gets in, what it was started with, and its cache."""

from __future__ import annotations

import itertools

import httpx
import pytest

from tests.verify.complaint import complaint, listed
from tests.verify.server import NotSeenError, Server

REFUSED = (401, 429)
"""Without a key, or once this address has used up its calls: either is the API's own refusal."""
LOGS = "cd /opt/calcom && docker compose logs --since 15m api cache proxy"


def _ask(
    server: Server, path: str, headers: dict[str, str] | None = None, url: str | None = None
) -> httpx.Response:
    with server.public_client(url or server.settings.api_url) as client:
        try:
            return client.get(str(client.base_url).rstrip("/") + path, headers=headers)
        except httpx.HTTPError as error:
            raise NotSeenError(f"GET {client.base_url}{path} got no answer: {error}\n-> {LOGS}") from None


def test_the_api_opens_to_its_key(api: Server) -> None:
    key = f"cal_{api.store.show('api_key', api.name)}"
    answer = _ask(api, "/v2/me", {"Authorization": f"Bearer {key}"})
    # Up to 6.2.0 a build may take keys only with a licence; calstack does without the API then (FACTS §0.1).
    if answer.status_code == 401 and "LICENSE" in answer.text:
        return
    assert answer.status_code == 200, complaint(
        f"{api.settings.api_url}/v2/me answers {answer.status_code} to calstack's own key",
        why="401: the key's row is gone or expired; 5xx: the API does not reach its database or its cache",
        fix=f"calstack deploy; then: {LOGS}",
    )


def test_the_api_opens_to_nobody_without_a_key(api: Server) -> None:
    for what, headers in (
        ("without a key", {}),
        ("to an invented key", {"Authorization": f"Bearer cal_{'0' * 32}"}),
    ):
        status = _ask(api, "/v2/me", headers).status_code
        assert status in REFUSED, complaint(
            f"{api.settings.api_url}/v2/me answers {status} {what}",
            why="200: the API asks nobody who they are; 404: it is not the API that answers",
            fix=LOGS,
        )


def test_the_api_is_there_under_the_public_name_too(api: Server) -> None:
    status = _ask(api, "/api/v2/me", url=api.settings.public_url).status_code
    assert status in REFUSED, complaint(
        f"{api.settings.public_url}/api/v2/me answers {status} without a key, not 401",
        why="programs that were given this address fail",
        fix="calstack deploy; is REWRITE_API_V2_PREFIX exactly 1 in /opt/calcom/api.env?",
    )


def test_the_api_s_own_name_leads_to_its_resources_alone(api: Server) -> None:
    if api.settings.api.own_host is None:
        return
    reached = [
        path
        for path in ("/docs", "/docs-json", "/health", "/auth/login")
        if _ask(api, path).status_code != 404
    ]
    assert not reached, complaint(
        f"{api.settings.api_url} also answers at {listed(reached)}",
        why="the API's documentation, or the app under a name that its pages do not know",
        fix="calstack deploy",
    )


@pytest.mark.parametrize("header", ["CF-Connecting-IP", "X-Real-IP"])
def test_nobody_can_get_further_calls_by_pretending_to_come_from_elsewhere(api: Server, header: str) -> None:
    # RFC 5737: documentation only, so nobody comes from there. Each would have a count of its own.
    counts = []
    for number in (77, 78, 79):
        answer = _ask(api, "/v2/me", {header: f"192.0.2.{number}"})
        left = answer.headers.get("x-ratelimit-remaining-default")
        assert left is not None, complaint(
            f"{api.settings.api_url}/v2/me answers {answer.status_code} and tells no calls that are left",
            why="the API counts nothing, or something else answers in its place",
            fix=LOGS,
        )
        counts.append(int(left))
    # Another window may have begun in between, but not twice.
    falls = sum(after < before or after == 0 for before, after in itertools.pairwise(counts))
    assert falls >= 1, complaint(
        f"the API believes the client's own {header}: calls left were {', '.join(map(str, counts))}",
        why="its limit for strangers can be walked around",
        fix="calstack deploy",
    )


@pytest.mark.parametrize("name", ["NEXTAUTH_SECRET", "CALENDSO_ENCRYPTION_KEY", "JWT_SECRET"])
def test_the_api_runs_with_the_inventory_s_own_secret(api: Server, name: str) -> None:
    secret = api.found("api_environment")["secrets"][name]
    assert secret["is_the_inventory_s"], complaint(
        f"{name} of the running API is not the one in the inventory",
        why="it would not know the app's sessions, or not read what the app has stored",
        fix="calstack deploy restarts the API with it",
    )


def test_the_api_s_truthy_switches_are_as_they_must_be(api: Server) -> None:
    public = api.found("api_environment")["public"]
    for name, wanted, why in (
        ("REWRITE_API_V2_PREFIX", "1", "any other text, true included, switches /api/v2 off (FACTS §0.12)"),
        ("IS_TEAM_BILLING_ENABLED", "", "any text, false included, sends teams to Stripe (FACTS §0.13)"),
        ("LOG_LEVEL", "warn", "from info on every caller's key stands in the log (FACTS §13)"),
    ):
        assert public[name] == wanted, complaint(
            f"{name} is {public[name]!r} in the running API, not {wanted!r}", why=why, fix="calstack deploy"
        )


def test_nobody_but_the_instance_reaches_the_cache(api: Server) -> None:
    reached = api.found("cache_from_host")
    why = "it asks for no password: limits could be lifted, and the API's queue filled"
    fix = "systemctl restart calcom-firewall.service; then: iptables -S INPUT"
    assert not reached, complaint(
        f"this host can connect to the cache at {listed(reached)}", why=why, fix=fix
    )
    out = [place for place, verdict in api.found("cache_reaches").items() if verdict == "open"]
    assert not out, complaint(
        f"the cache can connect to this host at {listed(out)}",
        why="whoever breaks into it could go on",
        fix=fix,
    )
