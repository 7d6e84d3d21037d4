"""What the host of an instance of ours shows of a journey, beside what a guest sees."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from deploy.smoke.stage import GUEST_EMAIL


@dataclass(frozen=True)
class Probe:
    """Whether the app's container reaches an address."""

    reached: bool
    certificate_refused: bool = False
    """It was reached, but the app does not trust what answered there."""
    said: str = ""


@dataclass(frozen=True)
class Calendars:
    """The types of the user's connected calendars, and of those that took a booking: one of them, mostly."""

    connected: tuple[str, ...]
    written: tuple[str, ...]


class Inside(Protocol):
    """The host's view; every method raises `CalstackError` where the host does not do what it is asked."""

    @property
    def sends_mail(self) -> bool:
        """Whether a mail server is configured."""

    def own_name(self) -> Probe:
        """Whether the app reaches its own public name: signing in does not work without (FACTS §9)."""

    def reaches(self, url: str) -> Probe:
        """Whether the app's container reaches an http URL."""

    def log(self) -> Sequence[str]:
        """The app's log since the test began."""

    def calendars(self, user_id: int, uid: str) -> Calendars:
        """Which calendars there are, and to which of them a booking was written."""


# What Cal.com's mailer and nodemailer write; Cal.com swallows the failure itself (FACTS §2, Email).
_MAIL_COMPLAINT = re.compile(
    r"\bSEND_[A-Z_]+_ERROR\b|\bsendEmail\b.*[Ee]rror|Skipped Sending Email|\bmail to \S+ was not sent\b"
)


def mail_complaint(log: Iterable[str]) -> str | None:
    """The first line that says that a mail did not go out, or None.

    The guest's own address is made up, and real mail servers refuse it: that is no complaint.
    """
    return next((line for line in log if _MAIL_COMPLAINT.search(line) and GUEST_EMAIL not in line), None)
