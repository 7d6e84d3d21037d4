"""The job `certificate`: keeps an ACME certificate fresh and in place, and looks at what is really served."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Callable

from ..clock import to_text, utc_now
from ..failures import OnhostError
from . import lego, pem
from .install import install
from .pem import Certificate
from .served import served
from .settings import Acme, Settings


def run(settings: Settings, *, limit_seconds: float, log: Callable[[str], None], anew: bool = False) -> str:
    """Do what is due; one line on what is served. Raises OnhostError with one line on what is wrong.

    `anew` gets a new certificate even where none is due. `limit_seconds` bounds lego; `log` gets its words.
    """
    trouble = None
    if settings.acme is not None:
        try:
            _keep(settings, settings.acme, limit_seconds, log, anew)
        except OnhostError as error:
            trouble = str(error)
        except OSError as error:
            trouble = f"{error.filename}: {error.strerror}"
    state = _state(settings)
    complaints = [words for words in (trouble, state.problem) if words]
    if complaints:
        still = [f"served is one {_describe(state.shown)}"] if state.shown is not None else []
        raise OnhostError("; ".join(complaints + still))
    assert state.shown is not None  # noqa: S101 - nothing served is a problem
    return _describe(state.shown)


def show(settings: Settings) -> dict[str, Any]:
    """What is there, for `certificate show`: mode, names, what is served, what is wrong with it."""
    state, now = _state(settings), utc_now()
    shown = state.shown
    return {
        "mode": settings.mode,
        "names": list(settings.names),
        "served": None
        if shown is None
        else {
            "names": list(shown.names),
            "issuer": shown.issuer,
            "begins": to_text(shown.begins),
            "ends": to_text(shown.ends),
            "share_left": round(shown.share_left(now), 3),
            "fingerprint": shown.fingerprint,
        },
        "problem": state.problem,
        "as_wanted": state.problem is None and (settings.acme is None or _stored_is(settings, shown)),
    }


def _keep(
    settings: Settings, acme: Acme, limit_seconds: float, log: Callable[[str], None], anew: bool
) -> None:
    """Have lego get or renew the certificate, and put in place what it then holds."""
    begun = time.monotonic()
    usable = _usable(settings, acme)
    trouble = None
    try:
        if anew or usable is None or not lego.has_account(acme):
            lego.obtain(acme, limit_seconds=limit_seconds, log=log)
        else:
            lego.renew(acme, limit_seconds=limit_seconds, log=log)
    except OnhostError as error:
        trouble = error
    log(f"lego took {time.monotonic() - begun:.1f} s")
    # Also after a failure: what an earlier run got and could not put in place is as good as new.
    content = lego.stored(acme, settings.names[0])
    if trouble is None and content is None:
        raise OnhostError("lego left no certificate behind; see this job's log")
    if content is not None and (trouble is None or _usable(settings, acme) is not None):
        try:
            found = pem.checked(content, settings.names, utc_now())
        except OnhostError as error:
            raise OnhostError(f"what lego got is not put in place: {error}") from error
        _put_in_place(settings, pem.bundle(content), found)
    if trouble is not None:
        raise trouble


def _usable(settings: Settings, acme: Acme) -> Certificate | None:
    """What lego holds, where it is for these names and could be served."""
    content = lego.stored(acme, settings.names[0])
    try:
        return None if content is None else pem.checked(content, settings.names, utc_now())
    except OnhostError:
        return None


def _put_in_place(settings: Settings, content: bytes, certificate: Certificate) -> None:
    try:
        shown = served(settings.entrance, settings.names[0])
    except OnhostError:
        shown = None
    on_disk = settings.file.read_bytes() if settings.file.exists() else None
    if on_disk != content or shown is None or shown.fingerprint != certificate.fingerprint:
        install(settings, content)


@dataclass(frozen=True)
class _State:
    """What is served, and what is wrong with it in one line."""

    shown: Certificate | None
    problem: str | None


def _state(settings: Settings) -> _State:
    now = utc_now()
    try:
        shown = served(settings.entrance, settings.names[0])
    except OnhostError as error:
        return _State(None, str(error))
    return _State(shown, _what_is_wrong(settings, shown, now))


def _what_is_wrong(settings: Settings, shown: Certificate, now: datetime) -> str | None:
    missing = [name for name in settings.names if not shown.covers(name)]
    if missing:
        return f"the certificate is for {', '.join(shown.names)}, not for {', '.join(missing)}"
    if shown.ends <= now:
        return f"the certificate has ended on {to_text(shown.ends)}; {_remedy(settings)}"
    if shown.share_left(now) < settings.red_below:
        share = f"{shown.share_left(now):.0%} of its lifetime"
        return f"the certificate ends on {to_text(shown.ends)}, {share} is left; {_remedy(settings)}"
    try:
        on_disk = pem.checked(settings.file.read_bytes(), settings.names, now)
    except OSError as error:
        return f"{settings.file}: {error.strerror}; the proxy would not find it after a restart"
    except OnhostError as error:
        return f"{settings.file}: {error}; the proxy would not start with it"
    if on_disk.fingerprint != shown.fingerprint:
        return f"the proxy serves another certificate than {settings.file} holds; {_remedy(settings)}"
    return None


def _remedy(settings: Settings) -> str:
    return {
        "internal": "calstack deploy makes a new one",
        "provided": "put in the new files, then calstack deploy",
    }.get(settings.mode, "its renewal fails, see this job's log")


def _stored_is(settings: Settings, shown: Certificate | None) -> bool:
    usable = _usable(settings, settings.acme) if settings.acme is not None else None
    return usable is not None and shown is not None and usable.fingerprint == shown.fingerprint


def _describe(shown: Certificate) -> str:
    left, whole = ((shown.ends - instant) / timedelta(days=1) for instant in (utc_now(), shown.begins))
    issuer = shown.issuer if len(shown.issuer) <= 80 else f"{shown.issuer[:79]}…"
    return f"good until {to_text(shown.ends)} ({left:.1f} of {whole:.1f} days), by {issuer}"
