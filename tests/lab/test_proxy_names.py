"""Who is asked for: the own names alone, the same in TLS and in HTTP; plain HTTP leads to https."""

from __future__ import annotations

import ssl

import pytest

from tests.lab.entrance import Entrance
from tests.unit.roles.hosts import DOMAIN

pytestmark = pytest.mark.docker


def test_plain_http_sends_to_https_and_keeps_path_and_query(entrance: Entrance) -> None:
    answer = entrance.ask("/ada/intro?a=b", port=80)
    assert (answer.status, answer.headers["location"]) == (301, f"https://{DOMAIN}/ada/intro?a=b")
    posted = entrance.ask("/api/book/event", port=80, method="POST", body=b"{}")
    assert posted.status == 308


def test_plain_http_sends_nobody_to_another_name(entrance: Entrance) -> None:
    assert entrance.ask("/", port=80, host="elsewhere.test").status == 421
    assert entrance.raw(b"GET / HTTP/1.0\r\n\r\n", port=80).status in (400, 421)


@pytest.mark.parametrize(
    "host", ["elsewhere.test", f"www.{DOMAIN}", f"{DOMAIN}.", f"{DOMAIN}.evil.test", "127.0.0.1", ""]
)
def test_another_host_name_is_refused(entrance: Entrance, host: str) -> None:
    assert entrance.ask("/", host=host).status in (400, 421)


@pytest.mark.parametrize("host", [f"{DOMAIN}:443", DOMAIN.upper()])
def test_other_ways_to_write_the_own_name_are_the_own_name(entrance: Entrance, host: str) -> None:
    assert entrance.ask("/", host=host).reached_app_with("host") == [DOMAIN]


def test_name_in_tls_and_name_in_http_must_agree(entrance: Entrance) -> None:
    # The certificate is good for this name too, so the handshake succeeds.
    assert entrance.ask("/", sni="shop.elsewhere.test").status == 421
    assert entrance.ask("/", sni="shop.elsewhere.test", host="shop.elsewhere.test").status == 421


@pytest.mark.parametrize("sni", ["unknown.test", None])
def test_no_handshake_for_unknown_or_no_names(entrance: Entrance, sni: str | None) -> None:
    with pytest.raises(ssl.SSLError):
        entrance.ask("/", sni=sni)


@pytest.mark.parametrize(
    "lines",
    [
        f"Host: {DOMAIN}\r\nHost: elsewhere.test",
        f"Host: elsewhere.test\r\nHost: {DOMAIN}",
        f"Host: {DOMAIN},elsewhere.test",
        f"host : {DOMAIN}",
    ],
)
def test_only_one_host_header_is_accepted(entrance: Entrance, lines: str) -> None:
    answer = entrance.raw(f"GET / HTTP/1.1\r\n{lines}\r\n\r\n".encode())
    assert answer.status in (400, 421)


def test_a_target_in_full_must_name_the_same_host(entrance: Entrance) -> None:
    assert entrance.ask("https://elsewhere.test/ada").status in (400, 421)
    assert entrance.ask("CONNECT", method="CONNECT").status in (400, 405)


def test_methods_that_the_app_does_not_serve_are_refused(entrance: Entrance) -> None:
    assert entrance.ask("/", method="TRACE").status == 405
    assert entrance.ask("*", method="OPTIONS").status == 400
