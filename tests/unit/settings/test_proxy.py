"""The settings `proxy`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from deploy.settings import cloudflare
from deploy.settings.proxy import Proxy


def refusal(**settings: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Proxy.model_validate(settings)
    return str(caught.value)


@pytest.mark.parametrize(
    ("network", "says"),
    [
        ("192.0.2.1/24", "not an address or network"),
        ("0.0.0.0/0", "whole internet"),
        ("::/0", "whole internet"),
        ("lb.example.com", "not an address or network"),
        ("192.0.2.0/24 if TRUE", "not an address or network"),
    ],
)
def test_networks_are_networks(network: str, says: str) -> None:
    assert says in refusal(trusted_proxies={"networks": [network], "header": "X-Real-IP"})
    assert says in refusal(trusted_proxies={"proxy_protocol_networks": [network]})
    assert says in refusal(admin_access={"networks": [network]})


@pytest.mark.parametrize(
    ("trusted", "says"),
    [
        ({"networks": ["192.0.2.0/24"]}, "which header"),
        ({"header": "X-Real-IP"}, "believed from nobody"),
        ({"networks": ["192.0.2.0/24"], "header": "Forwarded"}, "more than addresses"),
        ({"networks": ["192.0.2.0/24"], "header": "X Real IP"}, "not the name of a header"),
        ({"networks": ["192.0.2.0/24"], "header": "X-Real-IP,-1) if TRUE #"}, "not the name of a header"),
    ],
)
def test_a_header_and_who_may_send_it_belong_together(trusted: dict[str, Any], says: str) -> None:
    assert says in refusal(trusted_proxies=trusted)


def test_cloudflare_brings_its_networks_and_its_header() -> None:
    trusted = Proxy.model_validate({"trusted_proxies": {"cloudflare": True}}).trusted_proxies
    assert trusted.believed_networks == cloudflare.NETWORKS
    assert trusted.believed_header == "CF-Connecting-IP"
    further = {"cloudflare": True, "networks": ["192.0.2.7"], "header": "X-Forwarded-For"}
    both = Proxy.model_validate({"trusted_proxies": further}).trusted_proxies
    assert both.believed_networks == ("192.0.2.7", *cloudflare.NETWORKS)
    assert both.believed_header == "X-Forwarded-For"


def test_nobody_is_believed_by_default() -> None:
    trusted = Proxy().trusted_proxies
    assert trusted.believed_networks == ()
    assert trusted.believed_header is None
    assert trusted.proxy_protocol_networks == []


@pytest.mark.parametrize(
    "site",
    ["www.shop.test", "https://shop.test/", "https://shop.test; script-src *", "https://*", "'none'", "*"],
)
def test_sites_that_embed_are_origins(site: str) -> None:
    assert "is not an origin" in refusal(embed_origins=[site])


@pytest.mark.parametrize("site", ["https://shop.test", "https://*.shop.test:8443", "http://localhost:3000"])
def test_origins_are_accepted(site: str) -> None:
    assert Proxy.model_validate({"embed_origins": [site]}).embed_origins == [site]


def test_somebody_must_get_to_the_admin_pages() -> None:
    assert "lets nobody in" in refusal(admin_access={})
    assert "is not a name" in refusal(admin_access={"users": {"ada if TRUE": {"secret": "a"}}})
