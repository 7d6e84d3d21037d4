"""`/api/auth/…`: NextAuth's endpoints — CSRF, password sign-in, session, sign-out — and two-factor set-up."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..core import people, two_factor
from ..core.refusals import RefusalError
from ..database import Row, update
from ..instance import Instance
from .answers import PAGES_JSON, form_fields, json_answer, parsed_body, with_cookies
from .session import LIFETIME, Sessions, claims_of, password_claims, signed_in

WRONG_PASSWORD = "incorrect-email-password"  # noqa: S105 — an error's name


class SigningIn:
    """NextAuth's endpoints for one instance."""

    def __init__(self, instance: Instance, sessions: Sessions) -> None:
        self._instance = instance
        self._sessions = sessions
        parts = urlsplit(instance.settings.nextauth_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"

    def _csrf_hash(self, token: str) -> str:
        return hashlib.sha256(f"{token}{self._instance.settings.nextauth_secret}".encode()).hexdigest()

    def _csrf_of(self, request: Request) -> str | None:
        cookie = unquote(request.cookies.get(self._sessions.cookie_name("csrf-token"), ""))
        token, _, digest = cookie.partition("|")
        return token if token and hmac.compare_digest(digest, self._csrf_hash(token)) else None

    def _new_csrf(self) -> tuple[str, str]:
        token = secrets.token_hex(32)
        value = quote(f"{token}|{self._csrf_hash(token)}", safe="")
        return token, self._sessions.set_cookie("csrf-token", value)

    def _callback_cookies(self, request: Request, callback: str) -> list[str]:
        known = unquote(request.cookies.get(self._sessions.cookie_name("callback-url"), ""))
        if known == callback:
            return []
        return [self._sessions.set_cookie("callback-url", quote(callback, safe=""), http_only=False)]

    def csrf(self, request: Request, _body: bytes) -> Response:
        """The token that a sign-in must carry, with its cookie where the browser has none."""
        token, cookies = self._csrf_of(request), []
        if token is None:
            token, cookie = self._new_csrf()
            cookies.append(cookie)
        cookies += self._callback_cookies(request, self._callback_of(request, {}))
        return with_cookies(json_answer({"csrfToken": token}, media_type=PAGES_JSON), *cookies)

    def _callback_of(self, request: Request, fields: dict[str, str]) -> str:
        wanted = fields.get("callbackUrl") or unquote(
            request.cookies.get(self._sessions.cookie_name("callback-url"), "")
        )
        if wanted.startswith("/") and not wanted.startswith("//"):
            return self._origin + wanted
        return wanted if wanted == self._origin or wanted.startswith(self._origin + "/") else self._origin

    def sign_in(self, request: Request, body: bytes) -> Response:
        """A password sign-in: JSON for the pages' script, a redirect for a plain form."""
        fields = form_fields(request, body)
        as_json = fields.get("json") == "true"
        token = self._csrf_of(request)
        if token is None or not hmac.compare_digest(token, fields.get("csrfToken", "")):
            # No session, and yet 200: the trap of a cookie jar that dropped the Secure cookie (FACTS §14).
            return self._answer(f"{self._origin}/api/auth/signin?csrf=true", 200, as_json)
        callback = self._callback_of(request, fields)
        user, problem = self._checked_user(fields)
        if user is None:
            if not as_json:
                query = urlencode({"error": problem, "callbackUrl": callback})
                return RedirectResponse(f"{self._origin}/auth/login?{query}", 302)
            return self._answer(f"{self._origin}/api/auth/error?error={problem}", 401, as_json)
        claims = password_claims(user, fields["password"])
        cookies = self._callback_cookies(request, callback)
        cookies.append(self._sessions.session_cookie(claims, self._instance.now()))
        return with_cookies(self._answer(callback, 200, as_json), *cookies)

    def _answer(self, url: str, status: int, as_json: bool) -> Response:
        if as_json:
            return json_answer({"url": url}, status, PAGES_JSON)
        return RedirectResponse(url, 302)

    def _checked_user(self, fields: dict[str, str]) -> tuple[Row | None, str]:
        with self._instance.database.transaction() as connection:
            user = people.by_email(connection, fields.get("email", ""))
            hashed = people.password_hash(connection, user["id"]) if user else None
        if user is None or hashed is None or not people.password_fits(fields.get("password", ""), hashed):
            return None, WRONG_PASSWORD
        if not user["twoFactorEnabled"]:
            return user, ""
        if not fields.get("totpCode"):
            return None, "second-factor-required"
        try:
            secret = two_factor.decrypted(user["twoFactorSecret"], self._instance.settings.encryption_key)
        except (two_factor.KeyLengthError, ValueError):
            return None, "internal-server-error"
        if fields["totpCode"] != two_factor.code_at(secret, self._instance.now()):
            return None, "incorrect-two-factor-code"
        return user, ""

    def session(self, request: Request, _body: bytes) -> Response:
        """Who is signed in; `{}` for a guest. Reading it prolongs the session."""
        claims, now = claims_of(request, self._instance, self._sessions), self._instance.now()
        with self._instance.database.transaction() as connection:
            user = signed_in(connection, claims)
        if claims is None or user is None:
            return json_answer({}, media_type=PAGES_JSON)
        expires = now + LIFETIME
        content = {
            "user": {
                "name": claims.get("name", user["name"]),
                "email": user["email"],
                "id": user["id"],
                "username": user["username"],
                "orgAwareUsername": user["username"],
                # A minted session says nothing of a role: then the database's holds (FACTS §0.8).
                "role": claims.get("role", user["role"]),
                "belongsToActiveTeam": False,
                "org": None,
                "locale": claims.get("locale") or user["locale"] or "en",
            },
            "expires": expires.strftime("%Y-%m-%dT%H:%M:%S.") + f"{expires.microsecond // 1000:03}Z",
            "profileId": None,
            "upId": f"usr-{user['id']}",
            "hasValidLicense": False,
        }
        answer = json_answer(content, media_type=PAGES_JSON)
        return with_cookies(answer, self._sessions.session_cookie(claims, now))

    def sign_out(self, request: Request, body: bytes) -> Response:
        """End the session of this browser."""
        fields = form_fields(request, body)
        gone = self._sessions.set_cookie("session-token", "", expires=self._instance.now() - LIFETIME)
        return with_cookies(self._answer(self._origin, 200, fields.get("json") == "true"), gone)

    def providers(self, _request: Request, _body: bytes) -> Response:
        """The ways to sign in: a password."""
        base = f"{self._origin}/api/auth"
        return json_answer(
            {
                "credentials": {
                    "id": "credentials",
                    "name": self._instance.settings.app_name,
                    "type": "credentials",
                    "signinUrl": f"{base}/signin/credentials",
                    "callbackUrl": f"{base}/callback/credentials",
                }
            },
            media_type=PAGES_JSON,
        )

    def totp_setup(self, request: Request, body: bytes) -> Response:
        """Make a new TOTP secret for the signed-in user; fails under a key of the wrong length."""
        user, fields = self._owner(request, body)
        if user is None:
            return json_answer({"message": "Not authenticated"}, 401)
        with self._instance.database.transaction() as connection:
            hashed = people.password_hash(connection, user["id"])
            if hashed is None or not people.password_fits(str(fields.get("password", "")), hashed):
                return json_answer({"error": "incorrect-password"}, 400)
            secret = two_factor.new_secret()
            backup_codes = [secrets.token_hex(5) for _ in range(10)]
            key = self._instance.settings.encryption_key
            try:
                values: Row = {
                    "twoFactorEnabled": False,
                    "twoFactorSecret": two_factor.encrypted(secret, key),
                    "backupCodes": two_factor.encrypted(repr(backup_codes), key),
                }
            except two_factor.KeyLengthError:
                return json_answer({"error": "internal-server-error"}, 500)
            update(connection, "users", {"id": user["id"]}, values)
        name = self._instance.settings.app_name
        uri = f"otpauth://totp/{quote(name)}:{quote(user['email'])}?secret={secret}&issuer={quote(name)}"
        return json_answer({"secret": secret, "keyUri": uri, "backupCodes": backup_codes})

    def totp_enable(self, request: Request, body: bytes) -> Response:
        """Switch the second factor on, once its first code was right."""
        user, fields = self._owner(request, body)
        if user is None:
            return json_answer({"message": "Not authenticated"}, 401)
        if user["twoFactorEnabled"] or not user["twoFactorSecret"]:
            wrong = "two-factor-already-enabled" if user["twoFactorEnabled"] else "two-factor-setup-required"
            return json_answer({"error": wrong}, 400)
        try:
            secret = two_factor.decrypted(user["twoFactorSecret"], self._instance.settings.encryption_key)
        except (two_factor.KeyLengthError, ValueError):
            return json_answer({"error": "internal-server-error"}, 500)
        if str(fields.get("code")) != two_factor.code_at(secret, self._instance.now()):
            return json_answer({"error": "second-factor-required"}, 400)
        with self._instance.database.transaction() as connection:
            update(connection, "users", {"id": user["id"]}, {"twoFactorEnabled": True})
        return json_answer({"message": "Two-factor enabled"})

    def _owner(self, request: Request, body: bytes) -> tuple[Row | None, dict[str, Any]]:
        with self._instance.database.transaction() as connection:
            user = signed_in(connection, claims_of(request, self._instance, self._sessions))
        try:
            fields = parsed_body(request, body)
        except RefusalError:
            fields = {}
        return user, fields if isinstance(fields, dict) else {}
