"""Who may show pages of the instance in a frame."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import docker
import pytest

from tests.lab.entrance import CERTIFICATE, Entrance, running_entrance, write_configuration
from tests.unit.roles.hosts import DOMAIN, host_context

pytestmark = pytest.mark.docker

SITES = ["https://www.shop.test", "https://*.partner.test"]
MEMBERS = ("/settings/my-account/profile", "/event-types", "/bookings/upcoming", "/de/availability")
BOOKING_PAGES = (
    "/ada/intro",
    "/ada/intro/embed?embed=demo&embedType=inline",
    "/team/x/y/embed",
    "/booking/abc",
)


@pytest.fixture(scope="module")
def with_sites(
    client: docker.DockerClient, haproxy: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Entrance]:
    host = host_context(certificate=CERTIFICATE, proxy={"embed_origins": SITES})
    folder = write_configuration(tmp_path_factory.mktemp("proxy"), host)
    with running_entrance(client, haproxy, folder) as entrance:
        yield entrance


def page(path: str, **headers: str) -> str:
    """A path whose answer is a page with these headers."""
    given = {"content-type": "text/html; charset=utf-8"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    query = "&".join(f"answer-{name}={quote(value)}" for name, value in given.items())
    return f"{path}{'&' if '?' in path else '?'}{query}"


@pytest.mark.parametrize("path", BOOKING_PAGES)
def test_every_site_may_embed_booking_pages_where_none_is_named(entrance: Entrance, path: str) -> None:
    answer = entrance.ask(page(path))
    assert not {"x-frame-options", "content-security-policy", "permissions-policy"} & set(answer.headers)
    assert not [name for name in answer.headers if name.startswith("cross-origin-")]


@pytest.mark.parametrize("path", BOOKING_PAGES)
def test_only_the_named_sites_may_embed_booking_pages(with_sites: Entrance, path: str) -> None:
    wanted = "frame-ancestors 'self' https://www.shop.test https://*.partner.test"
    assert with_sites.ask(page(path)).all("content-security-policy") == [wanted]


@pytest.mark.parametrize("path", MEMBERS)
def test_nobody_else_frames_the_pages_behind_the_sign_in(
    entrance: Entrance, with_sites: Entrance, path: str
) -> None:
    for one in (entrance, with_sites):
        assert one.ask(page(path)).all("content-security-policy") == ["frame-ancestors 'self'"]


@pytest.mark.parametrize("path", ["/auth/login", "/ada/intro"])
def test_what_the_app_refuses_to_frame_stays_refused(with_sites: Entrance, path: str) -> None:
    answer = with_sites.ask(page(path, x_frame_options="DENY"))
    assert answer.all("x-frame-options") == ["DENY"]
    # Browsers would let a frame-ancestors of ours win over it.
    assert answer.all("content-security-policy") == []


def test_a_policy_of_the_app_stays_and_ours_stands_beside_it(with_sites: Entrance) -> None:
    answer = with_sites.ask(page("/ada/intro", content_security_policy="script-src 'self'"))
    assert sorted(answer.all("content-security-policy")) == [
        "frame-ancestors 'self' https://www.shop.test https://*.partner.test",
        "script-src 'self'",
    ]


def test_what_is_no_page_has_no_policy(with_sites: Entrance) -> None:
    for path in ("/embed/embed.js", "/api/trpc/public/event", "/_next/static/x.js"):
        assert "content-security-policy" not in with_sites.ask(path).headers


def test_calls_from_other_origins_pass_as_they_are(with_sites: Entrance) -> None:
    asking = "Origin: https://www.shop.test\r\nAccess-Control-Request-Method: POST\r\n"
    answer = with_sites.ask(
        "/api/book/event?answer-access-control-allow-origin=*", method="OPTIONS", headers=asking
    )
    assert answer.reached_app_with("origin") == ["https://www.shop.test"]
    assert answer.reached_app_with("access-control-request-method") == ["POST"]
    assert answer.all("access-control-allow-origin") == ["*"]
    script = with_sites.ask("/embed/embed.js?answer-cross-origin-resource-policy=cross-origin")
    assert script.all("cross-origin-resource-policy") == ["cross-origin"]
    assert script.reached_app_with("host") == [DOMAIN]
