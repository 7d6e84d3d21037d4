"""Sign-in sessions: NextAuth's encrypted cookie, made at sign-in or minted by who holds the secret.

The cookie is a JWE (`dir`, `A256GCM`) under a key that HKDF-SHA256 derives from NEXTAUTH_SECRET with an
empty salt (FACTS §14). Its name depends on the scheme of the public URL alone, never on the request.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from starlette.requests import Request

from ..core import people
from ..core.identifiers import new_uuid
from ..database import Connection, Row
from ..instance import Instance

LIFETIME = timedelta(days=30)
CLOCK_TOLERANCE = timedelta(seconds=15)
KEY_INFO = b"NextAuth.js Generated Encryption Key"

Claims = dict[str, Any]


class Sessions:
    """Makes and reads the session cookie of one instance."""

    def __init__(self, secret: str, secure: bool) -> None:
        derived = HKDF(SHA256(), 32, salt=b"", info=KEY_INFO).derive(secret.encode())
        self._key = OctKey.import_key(derived)
        self._prefix = "__Secure-" if secure else ""
        self._secure = secure

    def cookie_name(self, name: str) -> str:
        """The full name of one of NextAuth's cookies."""
        return f"{self._prefix}next-auth.{name}"

    def encoded(self, claims: Claims, now: datetime) -> str:
        """A token that holds for the lifetime of a session."""
        stamped = claims | {
            "iat": int(now.timestamp()),
            "exp": int((now + LIFETIME).timestamp()),
            "jti": new_uuid(),
        }
        header = {"alg": "dir", "enc": "A256GCM"}
        return jwe.encrypt_compact(header, json.dumps(stamped), self._key, algorithms=["dir", "A256GCM"])

    def decoded(self, token: str, now: datetime) -> Claims | None:
        """The claims of a token, or None for one that is not ours, not readable or not valid now."""
        try:
            plain = jwe.decrypt_compact(token, self._key, algorithms=["dir", "A256GCM"]).plaintext
            claims = json.loads(plain or b"")
        except (JoseError, ValueError):
            return None
        if not isinstance(claims, dict):
            return None
        expires = claims.get("exp")
        if not isinstance(expires, int | float) or expires + CLOCK_TOLERANCE.seconds < now.timestamp():
            return None
        return claims

    def set_cookie(
        self, name: str, value: str, http_only: bool = True, expires: datetime | None = None
    ) -> str:
        """A `Set-Cookie` value in NextAuth's form and order."""
        return "; ".join(
            filter(
                None,
                (
                    f"{self.cookie_name(name)}={value}",
                    "Path=/",
                    f"Expires={http_date(expires)}" if expires else "",
                    "HttpOnly" if http_only else "",
                    "Secure" if self._secure else "",
                    f"SameSite={'None' if self._secure else 'Lax'}",
                ),
            )
        )

    def session_cookie(self, claims: Claims, now: datetime) -> str:
        """The cookie that signs somebody in, or goes on with it."""
        return self.set_cookie("session-token", self.encoded(claims, now), expires=now + LIFETIME)


def http_date(moment: datetime) -> str:
    """A date as cookies carry it."""
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")


def claims_of(request: Request, instance: Instance, sessions: Sessions) -> Claims | None:
    """The claims of a request's session cookie, or None."""
    token = request.cookies.get(sessions.cookie_name("session-token"))
    return sessions.decoded(token, instance.now()) if token else None


def signed_in(connection: Connection, claims: Claims | None) -> Row | None:
    """The user behind claims: found by address, as the real app of these versions does (FACTS §14)."""
    email = (claims or {}).get("email")
    return people.by_email(connection, email) if isinstance(email, str) else None


def password_claims(user: Row, password: str) -> Claims:
    """The claims of a password sign-in; an admin without two factors becomes INACTIVE_ADMIN (FACTS §6)."""
    role = user["role"]
    strong = people.password_is_valid(password, people.ADMIN_PASSWORD_LENGTH) and user["twoFactorEnabled"]
    if role == "ADMIN" and not strong:
        role = "INACTIVE_ADMIN"
    return {
        "sub": str(user["id"]),
        "id": user["id"],
        "name": user["name"],
        "email": user["email"],
        "username": user["username"],
        "role": role,
        "locale": user["locale"] or "en",
    }
