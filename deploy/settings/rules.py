"""What a single value must be: each rule is a function that returns the value or says why not."""

from __future__ import annotations

import datetime as dt
import difflib
import ipaddress
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

from cronsim import CronSim, CronSimError
from pydantic_core import PydanticCustomError

REFUSED = "refused"
"""Type of the errors that our own rules raise, in pydantic's list of errors."""

VENDOR_ENDINGS = ("cal.com", "cal.dev", "cal.qa", "cal.eu", "cal-staging.com")
"""Endings by which Cal.com takes a host for its own cloud, without a leading dot (FACTS §8)."""

OLDEST_SAFE_VERSION = (6, 0, 7)
"""CVE-2026-23478 is stated as fixed in it (FACTS §0.15)."""

OLDEST_MEASURED_VERSION = (6, 2, 0)
"""The last release; older ones are deployed with a warning."""

CLOSED_NAMES = ("docs", "docs-json", "docs-yaml", "metrics", "haproxy", "calstack")
"""First segments of paths that the public entrance refuses (templates/…/closed_paths.cfg.j2)."""

_SOME_MONDAY = dt.datetime(2024, 1, 1)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_REFERENCE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9.-]*(?::\d+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>[a-z0-9+.-]+:.*))?"
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def refused(what: str, fix: str | None = None, key: str | None = None) -> PydanticCustomError:
    """The error to raise from a validator: what is wrong, what to do, and which key below it is meant."""
    return PydanticCustomError(REFUSED, "{what}", {"what": what, "fix": fix, "key": key})


def refused_together(refusals: list[tuple[str, str, str | None]]) -> PydanticCustomError:
    """One error for several findings in a section, each (key, what, fix)."""
    return PydanticCustomError(
        REFUSED, "{what}", {"what": "; ".join(r[1] for r in refusals), "all": refusals}
    )


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    by_lower_case = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.lower(), by_lower_case, n=1, cutoff=0.6)
    return by_lower_case[found[0]] if found else None


def domain(value: str) -> str:
    """A full DNS name in small letters (RFC 1123 section 2.1), without scheme, port or slash.

    Refused are names that end in cal.com, cal.dev, cal.qa, cal.eu or cal-staging.com, even inside a word,
    since Cal.com takes them for the vendor's own cloud (FACTS §8), and names that begin with cal.com, since
    embedded calendars break there.
    """
    for part, what in (("://", "a scheme"), ("/", "a slash"), (":", "a port"), ("@", "an @")):
        if part in value:
            raise refused(
                f"contains {what}; only the bare host name is wanted", "write it like cal.example.com"
            )
    if value != value.lower():
        raise refused("contains capital letters", f"write {value.lower()}")
    if not value.isascii():
        raise refused(
            "contains letters that DNS does not carry", "write its ASCII form, which begins with xn--"
        )
    if value.endswith("."):
        raise refused("ends with a dot", "leave the dot out")
    if _is_address(value):
        raise refused("is an address; certificates and links need a name", "give the host a DNS name")
    labels = value.split(".")
    if len(value) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        # Cal.com's start script puts the name into a sed expression: `|` and `&` would break it (FACTS §2).
        raise refused(
            "is not a DNS name: letters, digits, hyphens and dots, at most 63 characters between dots",
            "write it like cal.example.com",
        )
    if len(labels) < 2 or labels[-1].isdigit():
        raise refused("is not a full DNS name", "write it like cal.example.com")
    for ending in VENDOR_ENDINGS:
        if value.endswith(ending):
            raise refused(
                f"ends in {ending}: Cal.com then takes the instance for the vendor's own cloud (it compares "
                "the end of the name, even inside a word) and behaves differently",
                f"choose a name that does not end in {ending}",
            )
    if value.startswith("cal.com"):
        raise refused(
            "begins with cal.com: Cal.com's embed script then rewrites it to app.cal.com… and every embedded "
            "calendar breaks",
            "choose a name that does not begin with cal.com",
        )
    return value


def ssh_address(value: str) -> str:
    """A host name or address, without user and port."""
    if "://" in value or "/" in value or not value or any(letter.isspace() for letter in value):
        raise refused("is not a host name or address", "write it like cal.example.com or 203.0.113.5")
    if "@" in value:
        raise refused("contains a user", "write the user under ssh.user")
    if ":" in value and not _is_address(value):
        raise refused("contains a port", "write the port under ssh.port")
    return value


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def network(value: str) -> str:
    """An address, or a network whose address has no bits beyond its length; never the whole internet."""
    try:
        found = ipaddress.ip_network(value)
    except ValueError as error:
        fix = "write it like 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
        if "host bits set" in str(error):
            fix = f"write {ipaddress.ip_network(value, strict=False)}, or the bare address"
        raise refused("is not an address or network", fix) from None
    if found.prefixlen == 0:
        raise refused("is the whole internet", "name the networks that are meant")
    return value


def private_address(value: str) -> str:
    """One address that the internet does not lead to, nor one that stands for all of a host's."""
    try:
        found = ipaddress.ip_address(value)
    except ValueError:
        raise refused("is not an address", "write it like 127.0.0.1 or 10.0.0.5") from None
    if found.is_unspecified:
        raise refused("is every address of the host, public ones too", "name a private one, or 127.0.0.1")
    if found.is_global or found.is_multicast:
        raise refused("is a public address", "name a private one, or 127.0.0.1")
    return value


def client_address_header(value: str) -> str:
    """The name of a header (RFC 9110 section 5.1) that carries addresses and nothing else."""
    if not re.fullmatch(r"[A-Za-z0-9-]+", value):
        raise refused("is not the name of a header", "write it like X-Forwarded-For or CF-Connecting-IP")
    if value.lower() == "forwarded":
        raise refused(
            "carries more than addresses, and is not understood", "let your proxy set X-Forwarded-For"
        )
    return value


def origin(value: str) -> str:
    """Scheme, host and where needed port, without a path; one star may stand for the first labels."""
    if not re.fullmatch(r"https?://(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::\d{1,5})?", value):
        raise refused(
            "is not an origin: scheme, host in small letters, port if it is an unusual one, no path",
            "write it like https://www.example.com",
        )
    return value


def door_user(value: str) -> str:
    """Letters, digits, dots, hyphens and underscores: names of users at the proxy's own door."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", value):
        raise refused(f"{value!r} is not a name: letters, digits, dots, hyphens and underscores")
    return value


def version(value: str) -> str:
    """Three numbers; below 6.0.7 is refused, below 6.2.0 earns a warning."""
    if re.fullmatch(r"v\d+\.\d+\.\d+", value):
        raise refused("has a v in front", f'write "{value[1:]}"')
    if not re.fullmatch(r"\d{1,6}\.\d{1,6}\.\d{1,6}", value):
        raise refused("is not a version of three numbers", 'write it like "6.2.0"')
    if version_numbers(value) < OLDEST_SAFE_VERSION:
        raise refused(
            f"{value} is open to CVE-2026-23478 (a stranger can take over any account); the same holds for "
            "every version below 6.0.7, the 5.x line included",
            "deploy 6.2.0, the last release",
        )
    return value


def version_numbers(value: str) -> tuple[int, ...]:
    """`6.2.0` as numbers that compare."""
    return tuple(int(part) for part in value.split("."))


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("ascii").split())


def time_zone(value: str) -> str:
    """A name of the IANA time zone database, e.g. Europe/Berlin."""
    if value not in _time_zones():
        meant = nearest(value, _time_zones())
        raise refused(
            "is not an IANA time zone",
            f"did you mean {meant}?" if meant else "write it like Europe/Berlin or UTC",
        )
    return value


def email(value: str) -> str:
    """A bare e-mail address, without display name."""
    if "<" in value or ">" in value or '"' in value:
        raise refused(
            "carries a display name; only the bare address is wanted", "write it like mail@example.com"
        )
    if not _EMAIL.fullmatch(value) or ".." in value or "." not in value.partition("@")[2]:
        raise refused("is not an e-mail address", "write it like mail@example.com")
    return value


def sender(value: str) -> str:
    """A bare e-mail address; Cal.com adds the display name by itself, and would wrap another one twice."""
    if "<" in value or ">" in value or '"' in value:
        raise refused(
            "carries a display name, which Cal.com would wrap a second time",
            "write the bare address here and the name under smtp.from_name",
        )
    return email(value)


def single_line(value: str) -> str:
    """One line, without control characters."""
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
        raise refused("contains a line break or another control character", "write it on one line")
    return value


def not_blank(value: str) -> str:
    """One line, not empty."""
    if not value.strip():
        raise refused("is empty", "remove the key or fill it")
    return single_line(value)


def file_path(value: str) -> str:
    """A path; `~/` is the user's own home."""
    if value.startswith("~") and not value.startswith("~/"):
        raise refused("begins with another user's home", "write the whole path, or begin with ~/")
    return not_blank(value)


def absolute_path(value: str) -> str:
    """A path on the host, from the root on."""
    if not re.fullmatch(r"(/[^/\x00-\x1f]+)+", value) or "/../" in f"{value}/":
        raise refused("is no absolute path", "write it like /var/lib/calcom/file")
    return value


def full_name(value: str) -> str:
    """Three characters at least; Cal.com refuses less."""
    if len(value.strip()) < 3:
        raise refused("is shorter than three characters, which Cal.com refuses")
    return single_line(value)


def username(value: str) -> str:
    """Small letters, digits and, inside, hyphens; 63 characters at most; not docs, metrics, haproxy or
    calstack, whose pages the proxy refuses.
    """
    if not _LABEL.fullmatch(value):
        raise refused("may hold small letters, digits and, inside, hyphens: it becomes a part of links")
    if value in CLOSED_NAMES:
        raise refused(f"is closed at the proxy, so nobody could book at /{value}", "choose another name")
    return value


def secret_name(value: str) -> str:
    """A small letter, then small letters, digits and underscores."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", value):
        raise refused(
            "is not a name of a secret: a small letter, then small letters, digits and underscores",
            "write it like !secret smtp_password",
        )
    return value


def package(value: str) -> str:
    """Names of Debian packages (Debian policy, section 5.6.1)."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", value):
        raise refused(f"{value!r} is not the name of a Debian package")
    return value


def image_reference(value: str) -> str:
    """With a version tag or a digest; no tag, or `latest`, is refused without a digest."""
    found = _REFERENCE.fullmatch(value)
    if found is None:
        raise refused("is not an image reference", "write it like haproxy:3.2.4 or name:tag@sha256:…")
    digest = found["digest"]
    if digest is not None and not _DIGEST.fullmatch(digest):
        raise refused("has a digest that is not sha256: with 64 hexadecimal digits")
    if digest is None and found["tag"] is None:
        raise refused("has neither tag nor digest, so nobody knows what it is tomorrow", "add a version tag")
    if digest is None and found["tag"] == "latest":
        raise refused(
            "is tagged latest, so nobody knows what it is tomorrow", "name a version tag or a digest"
        )
    return value


def version_in_tag(reference: str) -> str | None:
    """The version that the tag of a reference states, as `6.2.0`; None where it states none."""
    found = _REFERENCE.fullmatch(reference)
    tag = (found["tag"] if found else None) or ""
    stated = re.fullmatch(r"v?(\d+\.\d+\.\d+)(?:-arm(?:64)?)?", tag)
    return stated[1] if stated else None


def is_official_web_image(reference: str) -> bool:
    """Whether the image is Cal.com's own, which has a tag of its own for each processor (FACTS §1)."""
    found = _REFERENCE.fullmatch(reference)
    return found is not None and found["name"].endswith("calcom/cal.com")


def web_address(value: str) -> str:
    """An http or https address."""
    if not re.fullmatch(r"https?://[^\s/]+(?:/\S*)?", value):
        raise refused("is not an http or https address", "write it like https://hc.example.com/ping/…")
    return value


def cron_schedule(value: str) -> str:
    """Five fields of crontab(5)."""
    try:
        CronSim(value, _SOME_MONDAY)
    except CronSimError as error:
        raise refused(
            f"is no schedule of cron's: {error}", 'write it like "17 2 * * *" (02:17 each day)'
        ) from None
    return value


def longest_pause(schedule: str) -> float:
    """Seconds between two starts of a cron schedule, where they lie furthest apart (of 400, in a year)."""
    starts = CronSim(schedule, _SOME_MONDAY)
    longest, before = 0.0, next(starts)
    for _, start in zip(range(400), starts, strict=False):
        longest = max(longest, (start - before).total_seconds())
        before = start
        if (start - _SOME_MONDAY).days > 366:
            break
    return longest
