"""Two ways to a session of the web app, both ending in the text of a Cookie header.

The text is sent by hand and never through a cookie jar: over plain HTTP, as on a host's inner entrance, a jar
drops the `__Secure-` cookies that an instance with an https URL sets and wants (FACTS §14).
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterable

import httpx
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwe
from joserfc.jwk import OctKey

from deploy.calcom.errors import SecondFactorNeeded, SignInFailed, UnexpectedShape, WrongPassword
from deploy.calcom.http import json_object, send

_SECURE_COOKIE = "__Secure-next-auth.session-token"
_PLAIN_COOKIE = "next-auth.session-token"

DEFAULT_LIFETIME = dt.timedelta(minutes=10)
"""Long enough for a seeding run, short enough to be worthless in a log."""


def minted_cookie(
    secret: str,
    user_id: int,
    email: str,
    *,
    secure: bool,
    now: dt.datetime | None = None,
    lifetime: dt.timedelta = DEFAULT_LIFETIME,
) -> str:
    """A Cookie header that signs a user in, made from the instance's own `NEXTAUTH_SECRET` (FACTS §14).

    `secure`: whether the public URL is https, which decides the cookie's name. Both `sub` and `email` must be
    the user's: 6.0.2 looks at the one, later versions at the other. It works with or without a second factor
    and leaves no session behind. `now` is an aware time, the instance's clock; 15 seconds of difference pass.
    """
    issued = now or dt.datetime.now(dt.UTC)
    claims = {
        "sub": str(user_id),
        "email": email,
        "iat": int(issued.timestamp()),
        "exp": int((issued + lifetime).timestamp()),
        "jti": str(uuid.uuid4()),
    }
    # The derivation that next-auth 4 uses for its session tokens.
    key = HKDF(SHA256(), 32, salt=b"", info=b"NextAuth.js Generated Encryption Key").derive(secret.encode())
    token = jwe.encrypt_compact(
        {"alg": "dir", "enc": "A256GCM"},
        json.dumps(claims, separators=(",", ":")).encode(),
        OctKey.import_key(key),
        algorithms=["dir", "A256GCM"],
    )
    return f"{_SECURE_COOKIE if secure else _PLAIN_COOKIE}={token}"


def password_login(http: httpx.Client, email: str, password: str, *, totp_code: str | None = None) -> str:
    """Sign in as a person does, and return the Cookie header of the session.

    Raises `WrongPassword`, `SecondFactorNeeded` where the account wants a TOTP code (or refuses the one
    given), `SignInFailed` for every other way of not being signed in, and what `send` raises.
    """
    token, cookies = _login_token(http)
    form = {
        "email": email,
        "password": password,
        "csrfToken": token,
        "json": "true",
        "callbackUrl": str(http.base_url).rstrip("/"),
        "redirect": "false",
    }
    if totp_code is not None:
        form["totpCode"] = totp_code
    response = send(
        http,
        "POST",
        "/api/auth/callback/credentials",
        idempotent=False,
        form=form,
        headers={"cookie": _header(cookies)},
    )
    _refuse_failed_login(response)
    session = [cookie for cookie in _set_cookies(response) if _PLAIN_COOKIE in cookie.partition("=")[0]]
    if not session:
        raise SignInFailed(
            "the answer carries no session", fix="check that the instance's NEXTAUTH_URL is its public URL"
        )
    return _header(session)


def _login_token(http: httpx.Client) -> tuple[str, list[str]]:
    procedure = "GET /api/auth/csrf"
    response = send(http, "GET", "/api/auth/csrf", idempotent=True)
    token = json_object(response, procedure).get("csrfToken")
    if not isinstance(token, str):
        raise UnexpectedShape(
            procedure, expected="a csrfToken", came=f"an answer {response.status_code} without"
        )
    return token, _set_cookies(response)


def _refuse_failed_login(response: httpx.Response) -> None:
    url = str(json_object(response, "POST /api/auth/callback/credentials").get("url", ""))
    if "error=second-factor-required" in url:
        raise SecondFactorNeeded(
            "the account wants a code of its authenticator app", fix="give the current six-digit code"
        )
    if "two-factor" in url or "backup-code" in url:
        raise SecondFactorNeeded("the code of the authenticator app is wrong", fix="give the current code")
    if "error=incorrect-email-password" in url:
        raise WrongPassword("e-mail address or password are wrong")
    if "csrf=true" in url:
        # Answered with 200 where the cookie of the token did not come back (FACTS §14).
        raise SignInFailed("the sign-in was dropped: the instance did not get back its own CSRF cookie")
    if response.status_code != 200 or "error=" in url:
        reason = url.partition("error=")[2].partition("&")[0] or f"status {response.status_code}"
        raise SignInFailed(f"Cal.com refused the sign-in: {reason}")


def _set_cookies(response: httpx.Response) -> list[str]:
    """The `name=value` of each cookie that an answer sets, without those that it clears."""
    pairs = (header.partition(";")[0].strip() for header in response.headers.get_list("set-cookie"))
    return [pair for pair in pairs if pair.partition("=")[2]]


def _header(cookies: Iterable[str]) -> str:
    return "; ".join(cookies)
