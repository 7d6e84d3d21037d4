from __future__ import annotations

from datetime import timedelta

import pytest

from deploy.onhost.certificate import pem
from deploy.onhost.clock import utc_now
from deploy.onhost.failures import OnhostError
from tests.lab.certificates import self_signed

NOW = utc_now()
GOOD = self_signed("cal.example.test", "*.wide.test")
OTHER = self_signed("other.example.test")


def parts(content: bytes) -> tuple[bytes, bytes]:
    at = content.index(b"-----BEGIN PRIVATE")
    return content[:at], content[at:]


def test_what_a_certificate_says() -> None:
    found = pem.checked(GOOD, ["cal.example.test", "any.wide.test"], NOW)
    assert found.names == ("cal.example.test", "*.wide.test")
    assert found.issuer == "CN=cal.example.test"
    assert found.lifetime == timedelta(days=1, hours=1)
    assert 0.95 < found.share_left(NOW) < 1
    assert not found.covers("two.labels.wide.test")
    assert not found.covers("wide.test")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no certificate in PEM form"),
        (parts(GOOD)[1], "no certificate in PEM form"),
        (parts(GOOD)[0], "0 private keys"),
        (GOOD + parts(OTHER)[1], "2 private keys"),
        (parts(GOOD)[0] + parts(OTHER)[1], "the private key does not belong"),
        (OTHER, "for other.example.test, not for cal.example.test"),
        (GOOD + parts(OTHER)[0], "the chain is out of order: certificate 2"),
        (GOOD.replace(GOOD[60:64], b""), "damaged"),
        (parts(GOOD)[0] + parts(GOOD)[1].replace(parts(GOOD)[1][40:50], b"AAAAAAAAAA"), "key is damaged"),
    ],
)
def test_what_cannot_be_served_is_refused_in_plain_words(content: bytes, says: str) -> None:
    with pytest.raises(OnhostError, match=says):
        pem.checked(content, ["cal.example.test"], NOW)


def test_one_that_has_ended_is_refused() -> None:
    with pytest.raises(OnhostError, match="not now"):
        pem.checked(GOOD, ["cal.example.test"], NOW + timedelta(days=2))


def test_no_empty_line_is_left_that_would_end_a_payload() -> None:
    certificate, key = parts(GOOD)
    spread = b"subject=CN\n\n" + certificate + b"\n\n  \n" + key.replace(b"\n", b"\r\n")
    assert pem.bundle(spread) == GOOD
