"""From what went wrong to its likely cause and the fix, for whoever reads the report at 3 a.m."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

from deploy.calcom import errors as calcom
from deploy.smoke.deliveries import NoDeliveryError, ReceiverGoneError


@dataclass(frozen=True)
class Fault:
    """Why a step failed."""

    name: str
    """Stable, for programs; one of `EXPLANATIONS`."""
    step: str
    what: str
    cause: str
    fix: str


@dataclass(frozen=True)
class Explanation:
    """Likely cause and fix of one kind of failure."""

    cause: str
    fix: str


class CheckError(Exception):
    """The journey saw something that must not be; `fault` is a name of `EXPLANATIONS`."""

    def __init__(self, fault: str, what: str) -> None:
        super().__init__(what)
        self.fault = fault


_WEB_LOG = "docker compose -p calcom logs --since 15m web"
_PROXY_LOG = "docker compose -p calcom logs --since 15m proxy"

EXPLANATIONS: dict[str, Explanation] = {
    # --- the way to the instance
    "name-unknown": Explanation(
        "the public name has no address in DNS, as seen from here",
        "create its A or AAAA record and wait until `getent ahosts NAME` shows the host's address",
    ),
    "connection-refused": Explanation(
        "nothing listens on port 443 there: the proxy is down, or the name points to another machine",
        "docker compose -p calcom ps proxy on the host; compare the name's address with the host's",
    ),
    "unreachable": Explanation(
        "a firewall drops the packets, or the name points to a machine that is off",
        "open ports 80 and 443 to the world, in the provider's firewall too; compare the name's address",
    ),
    "tls-not-trusted": Explanation(
        "the certificate is the inventory's own or self-signed, has expired, or is for another name",
        "with tls.mode internal give its CA file; else look at the certificate's names and dates",
    ),
    "tls-failed": Explanation(
        "the proxy has no certificate for this name, or what listens there speaks no TLS",
        f"is the name the `domain` of a host behind this address? {_PROXY_LOG}",
    ),
    "connection-broke": Explanation(
        "the proxy or the app ended the connection before it answered: it restarts, or ran out of memory",
        f"docker compose -p calcom ps; {_PROXY_LOG}; {_WEB_LOG}",
    ),
    "no-answer": Explanation(
        "the app is overloaded or waits for something: its database, a calendar, a mail server",
        f"{_WEB_LOG}; docker stats --no-stream",
    ),
    "app-down": Explanation(
        "the proxy has no healthy app behind it: it still starts (a minute or two), or has crashed",
        f"docker compose -p calcom ps web; {_WEB_LOG}",
    ),
    "too-many-requests": Explanation(
        "the rate limits of the host count this machine's requests as too many",
        "wait a minute and run it again; raise rate_limits if guests meet this too",
    ),
    "refused-by-proxy": Explanation(
        "the public entrance refuses a path that guests need",
        f"look for the request in {_PROXY_LOG}; compare the proxy's rules with those that calstack renders",
    ),
    # --- the instance
    "event-page-missing": Explanation(
        "the event type was made, but its public page is not found: the user's name in the address is "
        "another one, or the proxy leads to another instance than the channel",
        "open https://NAME/USERNAME in a browser; compare the proxy's backend with the inner entrance's",
    ),
    "no-username": Explanation(
        "the user of the channel has no user name, hence no public page",
        "give the user one (Settings, Profile), or name another user",
    ),
    "no-schedule": Explanation(
        "the user has no default schedule, so Cal.com would make the test's own one the default, "
        "which cannot be removed again",
        "declare a schedule with `default: true` in seed.yaml and run calstack seed",
    ),
    "no-slots": Explanation(
        "the user is out of office or fully booked for two weeks, a connected calendar blocks everything, or "
        "booking limits of the user's are spent",
        "look at the user's out-of-office entries and connected calendars; then at the instance's clock",
    ),
    "slot-taken": Explanation(
        "slots are offered that cannot be booked: a calendar that is read only when booking, "
        "two instances on one database, or clocks that differ",
        f"{_WEB_LOG}; compare `date -u` on the host with the time here",
    ),
    "booking-refused": Explanation(
        "the app does not accept what the booking page sends, or needs more than name and e-mail address",
        f"compare the instance's version with those that calstack supports; {_WEB_LOG}",
    ),
    "booking-slow": Explanation(
        "a booking waits for mail, calendars and webhooks: an SMTP server that does not answer is the "
        "usual one, a webhook of the user's that hangs the next",
        "try the SMTP server from the host itself (nc -vz SMTPHOST PORT); look at the user's webhooks",
    ),
    "booking-unclear": Explanation(
        "the connection broke while the app was booking; the test clears away what it may have made",
        f"run it again; if it happens twice: {_WEB_LOG}",
    ),
    "booking-differs": Explanation(
        "the app reports another booking than it made: two instances behind one name, or a replica that lags",
        "docker compose -p calcom ps; check that only one instance serves this name",
    ),
    "still-active": Explanation(
        "the booking was cancelled, yet it still counts",
        f"look at it in the host's list of bookings; {_WEB_LOG}",
    ),
    "app-failed": Explanation(
        "the app failed inside: often the database is out of space or connections, or a migration is missing",
        f"{_WEB_LOG}; docker compose -p calcom logs --since 15m db; df -h",
    ),
    "session-refused": Explanation(
        "NEXTAUTH_SECRET here is not the app's, the clocks differ by more than 15 s, or the user is gone",
        "deploy again; compare `date -u` on the host with the time here",
    ),
    "other-version": Explanation(
        "this version of Cal.com answers differently from the versions that calstack knows",
        "compare images.web with the supported versions; report the line above with the version",
    ),
    "refused": Explanation("the app said no", _WEB_LOG),
    "too-slow": Explanation(
        "the app is overloaded or waits for something: its database, a calendar, a mail server, a webhook",
        f"run it again once the host is idle; {_WEB_LOG}; docker stats --no-stream",
    ),
    # --- the webhooks
    "webhook-absent": Explanation(
        "the app cannot reach the receiver on the host (a firewall between the compose network and the "
        "host), or webhooks wait in the task queue (TASKER_ENABLE_WEBHOOKS) and the job `tasks` does not run",
        "does the job `tasks` run: python3 /opt/calcom/onhost.pyz stamps; does the host's firewall let the "
        f"compose network in; {_WEB_LOG}",
    ),
    "webhook-other": Explanation(
        "webhooks arrive, but not for this event: this version names or sends it differently",
        "compare the instance's version with those that calstack supports; see the triggers above",
    ),
    "webhook-unsigned": Explanation(
        "the app did not sign although the webhook has a secret",
        "compare the instance's version with those that calstack supports",
    ),
    "webhook-wrong-signature": Explanation(
        "the body was changed on its way, or signed with another secret",
        "look for a proxy between the app and the receiver that rewrites bodies",
    ),
    "webhook-wrong-booking": Explanation(
        "the webhook speaks of another booking: two smoke tests at once, or two instances on one database",
        "run it again while nobody else does",
    ),
    "webhook-without-metadata": Explanation(
        "what a guest's booking carries in `metadata` does not come back in the webhook",
        "compare the instance's version with those that calstack supports",
    ),
    "receiver-gone": Explanation(
        "the ssh connection to the host broke, or the receiver could not listen there",
        "run it again; does `python3 /opt/calcom/onhost.pyz receiver` start on the host?",
    ),
    "left-behind": Explanation(
        "the journey is over, but not all that the test made could be removed",
        "run it again: each run removes what earlier ones left; else remove it by hand",
    ),
    "host-failed": Explanation(
        "something that the test needs on the host did not work", "see the line above"
    ),
}


def diagnose(error: Exception, step: str) -> Fault:
    """The fault behind an error that ended a step."""
    name = _name(error)
    explanation = EXPLANATIONS[name]
    fix = getattr(error, "fix", None) if name in ("refused", "host-failed") else None
    return Fault(name, step, _what(error), explanation.cause, fix or explanation.fix)


def _what(error: Exception) -> str:
    """The error in one line, without the advice that some errors carry."""
    what = getattr(error, "what", None) or str(error)
    where = getattr(error, "where", None)
    return " ".join(f"{where}: {what}".split() if where else what.split())


def _name(error: Exception) -> str:
    match error:
        case CheckError():
            return error.fault
        case NoDeliveryError():
            return "webhook-other" if error.others else "webhook-absent"
        case ReceiverGoneError():
            return "receiver-gone"
        case calcom.NoAnswer():
            return _connection_fault(error)
        case calcom.UnexpectedShape():
            return _by_status(_status_of_no_json(error)) or "other-version"
        case calcom.LostAnswer():
            return "booking-slow" if "in time" in error.what else "booking-unclear"
        case calcom.SlotTaken():
            return "slot-taken"
        case calcom.TooManyRequests():
            return "too-many-requests"
        case calcom.NotSignedIn():
            return "session-refused"
        case calcom.InvalidInput() if "/api/book/event" in (error.where or ""):
            return "booking-refused"
        case calcom.NotFound():
            return _NOT_FOUND.get(error.where or "", "refused")
        case calcom.Refused() if error.status >= 500:
            return _by_status(error.status) or "refused"
        case calcom.CalcomError():
            return "refused"
    return "host-failed"


_NOT_FOUND = {
    "public/event": "event-page-missing",
    "POST /api/book/event": "event-page-missing",
    "bookings/find": "booking-differs",
}


def _by_status(status: int | None) -> str | None:
    if status in (502, 503, 504):
        return "app-down"
    if status is not None and status >= 500:
        return "app-failed"
    return {403: "refused-by-proxy", 404: "event-page-missing", 429: "too-many-requests"}.get(status or 0)


def _status_of_no_json(error: calcom.UnexpectedShape) -> int | None:
    """The status of an answer that was a page instead of the app's JSON: a proxy's own answer, mostly."""
    found = re.match(r"status (\d{3}) with ", error.came)
    return int(found[1]) if found else None


def _connection_fault(error: calcom.NoAnswer) -> str:
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return "tls-not-trusted"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "tls-failed"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "name-unknown"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "connection-refused"
    if not error.maybe_done:
        return "unreachable"
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return "no-answer"
    return "connection-broke"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
