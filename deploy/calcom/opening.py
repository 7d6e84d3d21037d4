"""Which channel to take: API v2 where it takes the key, else the web app."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from deploy.calcom.api import ApiChannel
from deploy.calcom.channel import HostChannel
from deploy.calcom.errors import (
    CalcomError,
    KeyExpired,
    KeyNotAccepted,
    NoAnswer,
    NotFound,
    NotSignedIn,
    ServerFailed,
    UnexpectedShape,
    UnlicensedApi,
)
from deploy.calcom.web import WebChannel

Wanted = Literal["auto", "api", "web"]


@dataclass(frozen=True)
class Opened:
    """The channel that was taken, and why, in words for people."""

    channel: HostChannel
    why: str


def open_channel(
    wanted: Wanted,
    *,
    api: Callable[[], ApiChannel] | None,
    web: Callable[[], WebChannel] | None,
) -> Opened:
    """Take a channel; `api` and `web` make one each, None where there is no key, or no way to a session.

    `auto` takes the API where `GET /v2/me` accepts the key, else the web channel, and says what was wrong
    with the API; without a web channel that error is raised. `api` raises whatever `me()` raises. Nothing is
    written.
    """
    if wanted == "web" or (wanted == "auto" and api is None):
        if web is None:
            raise CalcomError(
                "there is neither an API key nor a way to sign in",
                fix="give a key, or a login of the instance",
            )
        return Opened(web(), "as asked" if wanted == "web" else "no API v2, or no key of it, was given")
    if api is None:
        raise CalcomError(
            "the API was asked for, but there is no key", fix="give an API key, or `channel: web`"
        )
    channel = api()
    try:
        channel.me()
    except (NotSignedIn, NotFound, NoAnswer, ServerFailed, UnexpectedShape) as error:
        if wanted == "api" or web is None:
            raise
        return Opened(web(), _why_not(error))
    return Opened(channel, "as asked" if wanted == "api" else "API v2 takes the key")


def _why_not(error: CalcomError) -> str:
    if isinstance(error, UnlicensedApi):
        return "this build of API v2 takes keys only with a licence"
    if isinstance(error, KeyExpired):
        return "the API key is expired"
    if isinstance(error, KeyNotAccepted):
        return "API v2 does not know the key"
    return f"API v2 cannot be used: {error.what}"
