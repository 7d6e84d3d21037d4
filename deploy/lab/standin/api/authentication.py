"""Who calls: an API key, or the web app's own session cookie (FACTS §4, API keys)."""

from __future__ import annotations

from starlette.requests import Request

from ..core import people
from ..database import Row, one
from ..instance import Instance
from ..web.session import Sessions, claims_of, signed_in
from .errors import refusal
from .settings import ApiSettings
from .throttling import bearer, digest

# The prefix by which keys are told from tokens is fixed: the setting that is asked does not exist (FACTS §3).
KEY_PREFIX = "cal_"

NOTHING_PROVIDED = (
    "ApiAuthStrategy - No authentication method provided. Either pass an API key as 'Bearer' header or OAuth "
    "client credentials as 'x-cal-secret-key' and 'x-cal-client-id' headers"
)
ONLY_ONE_PROVIDED = (
    "ApiAuthStrategy - Only '{}' header provided. Please also provide '{}' header or Auth bearer token as "
    "'Authentication' header"
)
CLIENT_ID, CLIENT_SECRET = "x-cal-client-id", "x-cal-secret-key"
LICENCE_MISSING = "ApiAuthStrategy - api key - Invalid or missing CALCOM_LICENSE_KEY environment variable"


class Authentication:
    """Finds the user behind a request."""

    def __init__(self, settings: ApiSettings, instance: Instance) -> None:
        self._settings = settings
        self._instance = instance
        self._sessions = Sessions(settings.shared.nextauth_secret, settings.shared.secure_cookies)

    def user_of(self, request: Request, optional: bool) -> Row | None:
        """The user, or None for a guest where guests may call. Raises ApiError with 401.

        A credential that is supplied and rejected is an error even where none is needed.
        """
        client, secret = (request.headers.get(name) for name in (CLIENT_ID, CLIENT_SECRET))
        token = bearer(request.headers)
        if token and not (client and secret):
            return self._user_of_key(token) if token.startswith(KEY_PREFIX) else self._user_of_token()
        if client and secret:
            raise refusal(401, f"ApiAuthStrategy - oAuth client - Client with ID {client} not found")
        claims = claims_of(request, self._instance, self._sessions)
        if claims:
            with self._instance.database.transaction() as connection:
                user = signed_in(connection, claims)
            if user is None:
                raise refusal(
                    401,
                    "ApiAuthStrategy - next auth - User associated with the authentication token email"
                    " not found.",
                )
            return user
        if secret and not client:
            raise refusal(401, ONLY_ONE_PROVIDED.format(CLIENT_SECRET, CLIENT_ID))
        if optional:
            return None
        raise refusal(401, ONLY_ONE_PROVIDED.format(CLIENT_ID, CLIENT_SECRET) if client else NOTHING_PROVIDED)

    def _user_of_key(self, key: str) -> Row:
        if self._settings.licence_required:
            raise refusal(401, LICENCE_MISSING)
        bare = key.removeprefix(self._settings.shared.api_key_prefix)
        with self._instance.database.transaction() as connection:
            row = one(connection, 'SELECT * FROM "ApiKey" WHERE "hashedKey" = %s', (digest(bare),))
            if row is None:
                raise refusal(401, "ApiAuthStrategy - api key - Your api key is not valid")
            # Compared by day: a key holds until the end of the day on which it expires.
            if row["expiresAt"] and self._instance.now().date() > row["expiresAt"].date():
                raise refusal(401, "ApiAuthStrategy - api key - Your api key is expired")
            user = people.by_id(connection, row["userId"])
        if user is None:
            raise refusal(401, "ApiAuthStrategy - bearer token - No user associated with the provided token")
        return user

    def _user_of_token(self) -> Row:
        """No OAuth client exists here, so no access token was ever given out."""
        raise refusal(401, "Invalid Access Token.")
