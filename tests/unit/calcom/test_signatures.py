from __future__ import annotations

import json

from deploy.calcom.signatures import NO_SECRET, is_signed, sign

BODY = '{"triggerEvent":"BOOKING_CREATED","payload":{"title":"Grüße"}}'.encode()


def test_known_value() -> None:
    # RFC 4231, test case 2
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert sign(b"what do ya want for nothing?", "Jefe") == expected


def test_the_right_secret_over_the_raw_bytes() -> None:
    assert is_signed(BODY, sign(BODY, "s3cret"), "s3cret")


def test_the_wrong_secret() -> None:
    assert not is_signed(BODY, sign(BODY, "other"), "s3cret")


def test_json_that_was_written_again_is_another_body() -> None:
    again = json.dumps(json.loads(BODY)).encode()
    assert not is_signed(again, sign(BODY, "s3cret"), "s3cret")


def test_without_a_secret_the_header_says_so() -> None:
    assert is_signed(BODY, NO_SECRET, None)
    assert not is_signed(BODY, NO_SECRET, "s3cret")
    assert not is_signed(BODY, sign(BODY, ""), None)


def test_no_header_and_no_ascii() -> None:
    assert not is_signed(BODY, None, "s3cret")
    assert not is_signed(BODY, "ünsigned", "s3cret")
