"""How often callers may come: the settings `rate_limits`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from deploy.settings import rules
from deploy.settings.section import Line, Section

OWN_KEY_NOTE = "calstack"
"""Note of the API key that calstack makes for itself."""


class KeyLimit(Section):
    """A limit of its own for one API key, in place of `rate_limits.api.limit`."""

    note: Line
    """The note that the key was made with; it finds the key."""
    limit: Annotated[int, Field(ge=1, le=10_000_000)]
    """Calls in a window."""
    window_seconds: Annotated[int, Field(ge=1, le=86_400)] = 60
    """Length of the window."""
    block_seconds: Annotated[int, Field(ge=1, le=86_400)] = 60
    """How long the key is refused after one call too many."""

    @field_validator("note")
    @classmethod
    def _note_is_not_ours(cls, value: str) -> str:
        """Not `calstack`: that key is calstack's own, and its limit is generous."""
        if value == OWN_KEY_NOTE:
            raise rules.refused("is calstack's own key, which seeds; its limit is fixed", "remove the entry")
        return value


class ApiLimits(Section):
    """What API v2 allows, counted in the cache; a refusal is 429."""

    limit: Annotated[int, Field(ge=1, le=10_000_000)] = 120
    """Calls that one API key may make in a window."""
    window_seconds: Annotated[int, Field(ge=1, le=86_400)] = 60
    """Length of the window."""
    block_seconds: Annotated[int, Field(ge=1, le=86_400)] = 60
    """How long a caller is refused after one call too many."""
    anonymous_limit: Annotated[int, Field(ge=1, le=10_000_000)] = 120
    """Calls that one address may make in a window without a key."""
    keys: list[KeyLimit] = []
    """Keys with limits of their own. Each entry: `note` (of the key), `limit`, and if they differ from 60
    `window_seconds` and `block_seconds`."""

    @field_validator("keys")
    @classmethod
    def _each_key_once(cls, value: list[KeyLimit]) -> list[KeyLimit]:
        """Each key stands there once."""
        notes = [key.note for key in value]
        if twice := sorted({note for note in notes if notes.count(note) > 1}):
            raise rules.refused(f"names {', '.join(twice)} twice", "keep one entry a key")
        return value


class AddressLimit(Section):
    """A limit that the proxy keeps for each address (IPv6: each /64), counted exactly."""

    limit: Annotated[int, Field(ge=1, le=10_000_000)]
    """Requests in a window."""
    window_seconds: Annotated[int, Field(ge=1, le=86_400)]
    """Length of the window; windows begin at whole multiples of it (a minute at each full minute)."""


# What a browser was measured to send (FACTS §14): a booking is 14 requests that reach the app, one of them
# the booking; a sign-in is 18, one of them with the password. The rest are static files, which are free.
_OFFICE = 50
"""People behind one address who may all book, or sign in, within the same minute."""


class RateLimits(Section):
    """How often callers may come. The proxy's limits are sections of `limit` (requests of one address; of
    IPv6, one /64) and `window_seconds`, or `off`."""

    api: ApiLimits = ApiLimits()
    sign_in: AddressLimit | Literal["off"] = AddressLimit(limit=_OFFICE * 2, window_seconds=600)
    """Attempts of one address to sign in, sign up, or get a new password, and codes of the second factor."""
    bookings: AddressLimit | Literal["off"] = AddressLimit(limit=_OFFICE * 2, window_seconds=60)
    """Bookings, moves and cancellations of one address, on the pages and over the API without a key."""
    slots: AddressLimit | Literal["off"] = AddressLimit(limit=_OFFICE * 12, window_seconds=60)
    """Looks of one address at free slots. A guest who is refused one reads "no availability": keep it far
    above what people do."""
    pages: AddressLimit | Literal["off"] = AddressLimit(limit=_OFFICE * 24, window_seconds=60)
    """Everything else that one address asks of the app and the API, but for static files; as much again for
    what browsers fetch beforehand."""
    exempt: list[Annotated[str, AfterValidator(rules.network)]] = []
    """Whom the proxy's limits do not count; the API's own count all."""

    def amounts(self) -> dict[str, str]:
        """LIMIT/WINDOW, in seconds, of each class that is not off, as the proxy reads it.

        `prefetches` has what `pages` has: what browsers fetch beforehand uses up nobody's pages. `api_key` is
        for keys that have no limit of their own.
        """
        by_class = {
            "sign_in": self.sign_in,
            "bookings": self.bookings,
            "slots": self.slots,
            "pages": self.pages,
            "prefetches": self.pages,
            "api_key": self.api,
        }
        given = {name: limit for name, limit in by_class.items() if limit != "off"}
        return {name: f"{limit.limit}/{limit.window_seconds}" for name, limit in given.items()}

    def warnings(self) -> list[str]:
        """Limits that a single person would meet."""
        return [
            f"rate_limits.{name}.limit is {limit.limit}; one person {what} sends {needed} such requests"
            for name, limit, needed, what in (
                ("pages", self.pages, 18, "who signs in"),
                ("slots", self.slots, 5, "who books"),
            )
            if limit != "off" and limit.limit < needed
        ]
