"""Sessions that hold, sessions that do not, and the second factor."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwe
from joserfc.jwk import OctKey

from deploy.lab.standin.core import two_factor
from deploy.lab.standin.web.session import Sessions

NOW = datetime(2026, 11, 23, 23, 19, 10, tzinfo=UTC)
SECRET = "a-secret"


def minted(secret: str, **claims: object) -> str:
    """A token made by the recipe of FACTS §14, without the code under test."""
    raw = HKDF(SHA256(), 32, salt=b"", info=b"NextAuth.js Generated Encryption Key").derive(secret.encode())
    header = {"alg": "dir", "enc": "A256GCM"}
    return jwe.encrypt_compact(
        header, json.dumps(claims), OctKey.import_key(raw), algorithms=["dir", "A256GCM"]
    )


def test_a_minted_session_is_read() -> None:
    token = minted(SECRET, sub="1", email="a@b.test", exp=NOW.timestamp() + 60)
    claims = Sessions(SECRET, secure=True).decoded(token, NOW)
    assert claims is not None
    assert claims["email"] == "a@b.test"


@pytest.mark.parametrize(
    "token",
    [
        minted("another secret", sub="1", exp=NOW.timestamp() + 60),
        minted(SECRET, sub="1", exp=NOW.timestamp() - 60),
        minted(SECRET, sub="1"),
        "nonsense",
        "",
    ],
    ids=["other secret", "expired", "without end", "no token", "empty"],
)
def test_other_tokens_are_guests(token: str) -> None:
    assert Sessions(SECRET, secure=True).decoded(token, NOW) is None


def test_the_clock_may_differ_by_fifteen_seconds() -> None:
    token = minted(SECRET, sub="1", exp=NOW.timestamp())
    sessions = Sessions(SECRET, secure=False)
    assert sessions.decoded(token, NOW + timedelta(seconds=10)) is not None
    assert sessions.decoded(token, NOW + timedelta(seconds=20)) is None


def test_cookies_of_an_https_instance_are_secure_whatever_the_request() -> None:
    cookie = Sessions(SECRET, secure=True).session_cookie({"sub": "1"}, NOW)
    assert cookie.startswith("__Secure-next-auth.session-token=")
    assert cookie.endswith("; HttpOnly; Secure; SameSite=None")


def test_a_totp_secret_is_kept_encrypted() -> None:
    key, secret = "0123456789abcdef0123456789abcdef", two_factor.new_secret()
    stored = two_factor.encrypted(secret, key)
    assert secret not in stored
    assert two_factor.decrypted(stored, key) == secret


@pytest.mark.parametrize("key", ["", "short", "0123456789abcdef0123456789abcdef="])
def test_a_key_of_another_length_fails_here(key: str) -> None:
    with pytest.raises(two_factor.KeyLengthError):
        two_factor.encrypted("secret", key)


def test_codes_are_those_of_the_standard() -> None:
    # RFC 6238, appendix B, SHA-1, time 59: 94287082, of which six digits are used.
    assert two_factor.code_at("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", datetime.fromtimestamp(59, UTC)) == "287082"
