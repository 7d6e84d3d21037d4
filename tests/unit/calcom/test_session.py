from __future__ import annotations

import base64
import datetime as dt
import json
from urllib.parse import parse_qs

import httpx
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from deploy.calcom import errors
from deploy.calcom.session import minted_cookie, password_login

NOW = dt.datetime(2026, 11, 24, 6, 0, tzinfo=dt.UTC)


def claims(token: str, secret: str) -> dict[str, object]:
    """What a token says, decrypted by the text of RFC 7516 and not by the library that made it."""
    header, key, iv, ciphertext, tag = token.split(".")
    assert key == ""
    derived = HKDF(SHA256(), 32, b"", b"NextAuth.js Generated Encryption Key").derive(secret.encode())
    plain = AESGCM(derived).decrypt(_raw(iv), _raw(ciphertext) + _raw(tag), header.encode())
    assert json.loads(_raw(header)) == {"alg": "dir", "enc": "A256GCM"}
    content: dict[str, object] = json.loads(plain)
    return content


def _raw(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class TestMinted:
    def test_claims(self) -> None:
        name, _, token = minted_cookie("s3cret", 7, "ada@example.test", secure=True, now=NOW).partition("=")
        said = claims(token, "s3cret")
        assert name == "__Secure-next-auth.session-token"
        assert (said["sub"], said["email"]) == ("7", "ada@example.test")
        assert (said["iat"], said["exp"]) == (NOW.timestamp(), NOW.timestamp() + 600)

    def test_the_name_over_plain_http(self) -> None:
        cookie = minted_cookie("s3cret", 7, "a@example.test", secure=False, now=NOW)
        assert cookie.startswith("next-auth.session-token=")

    def test_lifetime(self) -> None:
        cookie = minted_cookie(
            "s3cret", 7, "a@example.test", secure=False, now=NOW, lifetime=dt.timedelta(minutes=1)
        )
        said = claims(cookie.partition("=")[2], "s3cret")
        assert said["exp"] == NOW.timestamp() + 60

    def test_each_is_its_own(self) -> None:
        one, two = (minted_cookie("s", 7, "a@example.test", secure=True, now=NOW) for _ in range(2))
        assert one != two


class Login:
    """The sign-in of an instance with an https URL, seen over plain HTTP: all cookies are Secure ones."""

    def __init__(self, status: int, url: str, cookies: tuple[str, ...] = ()) -> None:
        self.answer = (status, url, cookies)
        self.sent: list[httpx.Request] = []
        self.http = httpx.Client(base_url="http://127.0.0.1:8080", transport=httpx.MockTransport(self))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        if request.url.path == "/api/auth/csrf":
            return httpx.Response(
                200,
                json={"csrfToken": "t0ken"},
                headers=[("set-cookie", "__Host-next-auth.csrf-token=c; Path=/; HttpOnly; Secure")],
            )
        status, url, cookies = self.answer
        return httpx.Response(status, json={"url": url}, headers=[("set-cookie", item) for item in cookies])

    def sign_in(self, totp_code: str | None = None) -> str:
        return password_login(self.http, "ada@example.test", "pw", totp_code=totp_code)


class TestPassword:
    SESSION = "__Secure-next-auth.session-token=tok; Path=/; HttpOnly; Secure"

    def test_works_over_plain_http_for_an_https_instance(self) -> None:
        login = Login(200, "https://cal.example.test", (self.SESSION, "next-auth.callback-url=; Path=/"))
        assert login.sign_in() == "__Secure-next-auth.session-token=tok"
        assert login.sent[1].headers["cookie"] == "__Host-next-auth.csrf-token=c"

    def test_a_long_session_comes_in_pieces(self) -> None:
        pieces = tuple(self.SESSION.replace("token=tok", f"token.{n}=t{n}") for n in range(2))
        assert Login(200, "https://cal.example.test", pieces).sign_in() == (
            "__Secure-next-auth.session-token.0=t0; __Secure-next-auth.session-token.1=t1"
        )

    def test_the_code_goes_along(self) -> None:
        login = Login(200, "https://cal.example.test", (self.SESSION,))
        login.sign_in("123456")
        assert parse_qs(login.sent[1].content.decode())["totpCode"] == ["123456"]

    @pytest.mark.parametrize(
        ("status", "url", "kind"),
        [
            (401, "https://c.test/api/auth/error?error=incorrect-email-password", errors.WrongPassword),
            (401, "https://c.test/api/auth/error?error=second-factor-required", errors.SecondFactorNeeded),
            (401, "https://c.test/api/auth/error?error=incorrect-two-factor-code", errors.SecondFactorNeeded),
            (401, "https://c.test/api/auth/error?error=internal-server-error", errors.SignInFailed),
            (200, "https://c.test/api/auth/signin?csrf=true", errors.SignInFailed),
            (200, "https://c.test", errors.SignInFailed),
        ],
    )
    def test_failures(self, status: int, url: str, kind: type[errors.SignInFailed]) -> None:
        with pytest.raises(errors.SignInFailed) as caught:
            Login(status, url).sign_in()
        assert type(caught.value) is kind

    def test_a_dropped_sign_in_says_that_the_cookie_was_lost(self) -> None:
        login = Login(200, "https://c.test/api/auth/signin?csrf=true", (self.SESSION,))
        with pytest.raises(errors.SignInFailed, match="CSRF cookie"):
            login.sign_in()

    def test_no_json(self) -> None:
        http = httpx.Client(
            base_url="http://x.test", transport=httpx.MockTransport(lambda _: httpx.Response(200, text="hi"))
        )
        with pytest.raises(errors.UnexpectedShape):
            password_login(http, "a@example.test", "pw")
