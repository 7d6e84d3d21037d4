"""What can go wrong between us and an instance: one tree, each error with all that Cal.com said.

`what` says what happened in words for people, `where` names the call, `fix` says what to do where that is
known. No error carries a request body, since bodies hold passwords and webhook secrets.
"""

# ruff: noqa: N818 - names say what happened; that they are errors says their place in the tree

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from deploy.errors import CalstackError


class CalcomError(CalstackError):
    """Anything that this package raises on purpose."""


class NoAnswer(CalcomError):
    """The instance could not be reached, or the connection broke before the answer was there.

    `maybe_done` is true where the request may have been carried out all the same.
    """

    def __init__(
        self, what: str, *, maybe_done: bool, where: str | None = None, fix: str | None = None
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.maybe_done = maybe_done


class NotReady(CalcomError):
    """The instance did not become ready in the time that it was given."""


class UnexpectedShape(CalcomError):
    """This version of Cal.com answers differently from the ones whose answers were recorded."""

    def __init__(self, procedure: str, *, expected: str, came: str) -> None:
        super().__init__(
            f"this version of Cal.com answers differently: expected {expected}, got {came}",
            where=procedure,
            fix="compare the instance's version with the versions that calstack's documentation names; "
            "nothing was read from this answer",
        )
        self.procedure = procedure
        self.expected = expected
        self.came = came


class Refused(CalcomError):
    """Cal.com answered, and the answer was no.

    `status` is the HTTP status, `code` Cal.com's own code (`BAD_REQUEST`), `message` its text, `field_errors`
    its complaints by input field, `request_id` what finds the call in the server's log.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int,
        code: str | None = None,
        message: str = "",
        field_errors: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
        request_id: str | None = None,
        where: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.status = status
        self.code = code
        self.message = message
        self.field_errors = dict(field_errors)
        self.request_id = request_id

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text}\n  (trace {self.request_id})" if self.request_id else text


class InvalidInput(Refused):
    """Cal.com does not accept the values; `field_errors` names them where it says which."""


class NotSignedIn(Refused):
    """There is no session, or the instance does not accept it."""


class UnlicensedApi(NotSignedIn):
    """This build of API v2 takes keys only with a licence (6.2.0 and older); the key was not looked at."""


class KeyExpired(NotSignedIn):
    """The API key was good once."""


class KeyNotAccepted(NotSignedIn):
    """API v2 does not know the key, or does not take it for one."""


class NotOffered(CalcomError):
    """This channel has no way to do it; `deploy.calcom.abilities` says so beforehand."""


class NotAllowed(Refused):
    """The session is good, but may not do this."""


class NotFound(Refused):
    """There is no such thing, or it belongs to somebody else."""


class AlreadyExists(Refused):
    """A thing with this natural key (slug, URL) is there already."""


class SlotTaken(Refused):
    """The slot is not, or no longer, free."""


class AlreadyCancelled(Refused):
    """The booking was cancelled before."""


class AlreadySetUp(Refused):
    """The instance has a user already, so it takes no first admin; whose it is must be looked at."""


class TooManyRequests(Refused):
    """The instance, or a proxy before it, wants us to slow down; `retry_after` is in seconds."""

    def __init__(self, what: str, *, retry_after: float | None, where: str | None = None) -> None:
        super().__init__(
            what,
            status=429,
            where=where,
            fix="wait, then run it again; or go through the host's inner entrance, which has no limits",
        )
        self.retry_after = retry_after


class ServerFailed(Refused):
    """Cal.com failed inside (5xx)."""


class SignInFailed(CalcomError):
    """The password login gave no session."""


class WrongPassword(SignInFailed):
    """E-mail address or password are wrong."""


class SecondFactorNeeded(SignInFailed):
    """The account wants a code of its authenticator app."""


class LostAnswer(CalcomError):
    """A booking was sent, its answer never came, and a look did not settle whether it was made."""
