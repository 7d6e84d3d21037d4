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
        "the certificate is self-signed, or comes from an authority that is not trusted here",
        "with a private authority give its CA file; else look whether the proxy sends the whole chain: "
        "openssl s_client -connect NAME:443 -servername NAME -showcerts",
    ),
    "tls-expired": Explanation(
        "the certificate was not renewed, or the clock here is wrong",
        "renew it (calstack deploy makes a new one with tls.mode internal; else put in the new files); "
        "compare `date -u` with the certificate's dates",
    ),
    "tls-wrong-name": Explanation(
        "the certificate is for another name: the proxy has none for this one, or another machine answers",
        "put the public name into the certificate; compare the name's address with the host's",
    ),
    "clock-skew": Explanation(
        "the host's clock, or the one here, is not kept right; sessions, tokens and certificates fail by it",
        "timedatectl on both: is a time service active and synchronised? systemctl restart systemd-timesyncd",
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
    "wants-a-human": Explanation(
        "bookings want Cloudflare's proof of a human (Turnstile), which no program can give",
        "take NEXT_PUBLIC_CLOUDFLARE_USE_TURNSTILE_IN_BOOKER out of app.env; limits keep machines off too: "
        "docs/spam.md",
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
    "key-needs-licence": Explanation(
        "this build of API v2 (6.2.0 and older) takes keys only with a licence; the key was not looked at",
        "test over the web channel, with a user's password: all that the web app offers works without a "
        "licence; or give the API its licence, or deploy a build that wants none",
    ),
    "key-expired": Explanation(
        "the API key was good once",
        "make a new key (Settings, Developer, API keys) and give that; calstack's own is mended by a deploy",
    ),
    "key-wrong-prefix": Explanation(
        "API v2 does not take it for an API key: keys begin with the instance's prefix, `cal_` where nobody "
        "changed it, and what begins otherwise counts as an access token",
        "give the whole key as it was shown; compare API_KEY_PREFIX in the API's environment",
    ),
    "key-unknown": Explanation(
        "API v2 does not know the key: it is of another instance, or was deleted",
        "make a new key on this very instance and give that; calstack's own is mended by a deploy",
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
    # --- what the host sees
    "hairpin-broken": Explanation(
        "the app does not reach its own public name: guests can book, but signing in and parts of pages fail",
        "docker network inspect calcom_front: has the proxy the domain as alias? calstack deploy; is the "
        "name in the container's /etc/hosts with another address?",
    ),
    "hairpin-not-trusted": Explanation(
        "the app does not trust the certificate of its own public name: its authority is unknown inside",
        "give the authority's certificate to the app (NODE_EXTRA_CA_CERTS; with calstack app.ca_file) and "
        "deploy; never switch verification off",
    ),
    "slots-differ": Explanation(
        "guests in far time zones are offered other times than the host has: time zone data in the image is "
        "missing or old, or availability is computed by the server's own zone",
        "is TZ=UTC in the app's environment? compare the instance's version with the supported ones",
    ),
    "calendar-not-written": Explanation(
        "a connected calendar did not take the booking: its access has expired or was revoked, so the host "
        "does not see it there and can be booked twice",
        "sign in as the user, Settings, Calendars: connect it anew, or remove it; " + _WEB_LOG,
    ),
    "mail-refused": Explanation(
        "the app could not hand in its mails, so neither host nor guest hears of a booking: wrong server, "
        "port, password or certificate, a sender that the server does not accept, or a closed port",
        "compare smtp in the settings with the provider's data; from the host: nc -vz SMTPHOST PORT; "
        + _WEB_LOG,
    ),
    "mail-absent": Explanation(
        "the app did not complain, yet no mail of the booking came: mail is switched off (the feature flag "
        "`emails`), or the mail server takes mails and keeps them",
        "look at the flag at /settings/admin/flags and at the mail server's queue; " + _WEB_LOG,
    ),
    # --- the webhooks
    "webhook-unreachable": Explanation(
        "the app's container cannot reach the address of the webhook: a firewall (the host's own, between "
        "the compose network and the host), a wrong address, or a server that is down",
        "try it from inside: docker compose -p calcom exec web wget -O- ADDRESS; let the compose network "
        "(br-cal-front) in at the host's firewall",
    ),
    "webhook-absent": Explanation(
        "the app can reach the receiver or cannot be asked; often webhooks wait in the task queue "
        "(TASKER_ENABLE_WEBHOOKS) and the job `tasks` does not run",
        "does the job `tasks` run: python3 /opt/calcom/onhost.pyz stamps; does the instance reach the "
        f"receiver's address; {_WEB_LOG}",
    ),
    "webhook-late": Explanation(
        "the way from the app to the webhook's address loses packets or is slow, the app is overloaded, or "
        "webhooks are queued (TASKER_ENABLE_WEBHOOKS); without a queue each guest waits for it while booking",
        "is TASKER_ENABLE_WEBHOOKS meant? then the job `tasks` must run every minute; else look at the load "
        f"(docker stats --no-stream) and at firewalls that drop instead of refusing; {_WEB_LOG}",
    ),
    "webhook-other": Explanation(
        "webhooks arrive, but not for this event: this version names or sends it differently",
        "compare the instance's version with those that calstack supports; see the triggers above",
    ),
    "webhook-unsigned": Explanation(
        "the app did not sign although the webhook was given a secret: it was not stored, or was removed",
        "look whether something rewrites webhooks (a trigger in the database, another tool with the same "
        "user); compare the instance's version with those that calstack supports",
    ),
    "webhook-wrong-signature": Explanation(
        "it was signed with another secret than the webhook was given, or the body was changed on its way",
        "look whether something rewrites webhooks (another tool with the same user, a trigger in the "
        "database), and for a proxy between the app and the receiver that rewrites bodies",
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
        case calcom.UnlicensedApi():
            return "key-needs-licence"
        case calcom.KeyExpired():
            return "key-expired"
        case calcom.KeyNotAccepted():
            # What has no prefix of keys is taken for a token of an OAuth client.
            return "key-wrong-prefix" if "access token" in error.message.lower() else "key-unknown"
        case calcom.Refused() if "cloudflare token" in error.message.lower():
            return "wants-a-human"
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


# X509_V_ERR_* of OpenSSL's x509_vfy.h: not yet valid, expired; host name or address mismatch.
_CERTIFICATE_FAULTS = {9: "tls-expired", 10: "tls-expired", 62: "tls-wrong-name", 64: "tls-wrong-name"}

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
    refused = next((cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if refused is not None:
        return _CERTIFICATE_FAULTS.get(refused.verify_code, "tls-not-trusted")
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
