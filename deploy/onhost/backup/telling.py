"""Tells somebody how backups go: a chat, a mailbox, Prometheus.

One message when something begins to fail, one when it is well again, none in between; a receiver that cannot
be reached gets it after the next job. What was said, and what is still to be said, lies beside the state.
"""

from __future__ import annotations

import contextlib
import json
import os
import smtplib
import ssl
import tempfile
import threading
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from ..clock import from_text, to_text
from ..failures import OnhostError
from ..locks import FileLock
from . import state

LIMIT_SECONDS = 15.0
"""How long all receivers together may keep a job."""
_MOST_KEPT = 100
"""Messages that wait for a receiver; with more than that the oldest goes."""
_TLS_FROM_THE_START = 465
_STATE, _LOCK = "telling.state", "telling.lock"
_VERDICTS = ("proven", "unproven", "damaged")


@dataclass(frozen=True)
class Mail:
    """Where mail is handed in, and for whom."""

    host: str
    port: int
    sender: str
    recipients: Sequence[str]
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Telling:
    """Who is told."""

    webhook: str | None = field(default=None, repr=False)
    """Address that takes `{"text": …}`, as Slack's and Mattermost's do; it is a credential of its own."""
    mail: Mail | None = None
    metrics_file: Path | None = None
    """For the textfile collector of Prometheus' node_exporter."""
    authorities: str | None = field(default=None, repr=False)
    """PEM of authorities that the receivers' certificates may stand on, beside the well-known ones."""

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Telling:
        """Out of /opt/calcom/backup/config.json; raises TypeError for what is not of its form."""
        mail = said.get("mail")
        metrics_file = said.get("metrics_file")
        return cls(
            webhook=said.get("webhook"),
            mail=None if mail is None else Mail(**mail),
            metrics_file=None if metrics_file is None else Path(metrics_file),
            authorities=said.get("authorities"),
        )


NOBODY = Telling()


@dataclass(frozen=True)
class News:
    """How a job went: for each thing that it was about, its name and the words for people."""

    job: str
    """Its name, as in the jobs file."""
    good: Mapping[str, str]
    bad: Mapping[str, str]
    """By repository; the empty name stands for the job as a whole."""

    @classmethod
    def of(cls, job: str, lines: Sequence[str], failures: Sequence[str], repositories: Sequence[str]) -> News:
        """Out of a job's lines, which begin with a repository's name and a colon where they are about one."""
        good: dict[str, str] = {}
        bad: dict[str, str] = {}
        for found, said in ((good, lines), (bad, failures)):
            for line in said:
                name, _, words = line.partition(": ")
                about, text = (name, words) if name in repositories else ("", line)
                found[about] = f"{found[about]}; {text}" if about in found else text
        return cls(job, {name: words for name, words in good.items() if name not in bad}, bad)


@dataclass(frozen=True)
class _Said:
    failing: Mapping[str, str] = field(default_factory=dict)
    """Since when what fails, as `JOB/REPOSITORY`."""
    jobs: Sequence[str] = ()
    """Those that ever ran."""
    unsent: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What each receiver has still to be told, oldest first."""


def tell(
    telling: Telling,
    folder: Path,
    instance: str,
    repositories: Sequence[str],
    max_age_hours: float,
    news: News,
    now: datetime,
) -> list[str]:
    """Say what is new, and write the metrics; why a receiver was not reached comes back, a line each.

    It takes LIMIT_SECONDS at most, and never raises: a job does not fail because nobody hears of it.
    """
    problems = []
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        with FileLock(folder / _LOCK, who="onhost", what="telling", wait_seconds=2 * LIMIT_SECONDS):
            said = _with_news(_read(folder), telling, instance, repositories, news, now)
            _write(folder / _STATE, _as_json(said), mode=0o600)
            problems += _metrics(telling, folder, instance, repositories, max_age_hours, said)
            left, unreached = _deliver(telling, said, instance)
            _write(folder / _STATE, _as_json(replace(said, unsent=left)), mode=0o600)
            problems += unreached
    except (OSError, OnhostError) as error:
        problems.append(f"nobody could be told: {error}")
    return problems


def _with_news(
    said: _Said, telling: Telling, instance: str, repositories: Sequence[str], news: News, now: datetime
) -> _Said:
    """What is said once these news are added: a message wherever something has turned."""
    failing = {key: since for key, since in said.failing.items() if _is_about(key, repositories)}
    texts = []
    for name, words in news.bad.items():
        if f"{news.job}/{name}" not in failing:
            failing[f"{news.job}/{name}"] = to_text(now)
            texts.append(f"{instance}: {_title(news.job, name)} fails: {words}")
    # A job that got as far as its repositories is well as a whole.
    for name in {"": "", **news.good} if "" not in news.bad else news.good:
        since = failing.pop(f"{news.job}/{name}", None)
        if since is not None:
            words = news.good.get(name) or "it went through"
            title = _title(news.job, name)
            texts.append(f"{instance}: {title} is well again (it failed since {since}): {words}")
    receivers = [name for name, _ in _receivers(telling, instance)]
    unsent = {name: [*said.unsent.get(name, ()), *texts][-_MOST_KEPT:] for name in receivers}
    return _Said(failing, sorted({*said.jobs, news.job}), unsent)


def _is_about(key: str, repositories: Sequence[str]) -> bool:
    """Whether something that failed still exists: a repository may have been taken out of the settings."""
    return key.partition("/")[2] in ("", *repositories)


def _title(job: str, repository: str) -> str:
    return f"{job} ({repository})" if repository else job


def _receivers(telling: Telling, instance: str) -> list[tuple[str, Callable[[str], None]]]:
    found: list[tuple[str, Callable[[str], None]]] = []
    if telling.webhook is not None:
        found.append(("webhook", lambda text: _post(telling, text)))
    if telling.mail is not None:
        found.append(("mail", lambda text: _mail(telling, instance, text)))
    return found


def _deliver(telling: Telling, said: _Said, instance: str) -> tuple[dict[str, list[str]], list[str]]:
    """Send what waits, to all receivers at once; what is left for each, and why."""
    deliveries = [
        _Delivery(name, send, said.unsent[name])
        for name, send in _receivers(telling, instance)
        if said.unsent.get(name)
    ]
    for delivery in deliveries:
        delivery.start()
    ends = datetime.now().timestamp() + LIMIT_SECONDS
    for delivery in deliveries:
        delivery.join(max(0.0, ends - datetime.now().timestamp()))
    left = {delivery.name: delivery.left for delivery in deliveries}
    return left, [delivery.problem for delivery in deliveries if delivery.left]


class _Delivery(threading.Thread):
    """Sends messages one after the other. Abandoned where it hangs: a socket's own limit bounds no whole."""

    def __init__(self, name: str, send: Callable[[str], None], texts: Sequence[str]) -> None:
        super().__init__(name=name, daemon=True)
        self._send = send
        self._texts = list(texts)
        self._sent = 0
        self._reason = f"no answer within {LIMIT_SECONDS:g} s"

    def run(self) -> None:
        for text in self._texts:
            try:
                self._send(text)
            except urllib.error.HTTPError as error:
                self._reason = f"it answered {error.code}"
                return
            except smtplib.SMTPResponseException as error:
                self._reason = f"it answered {error.smtp_code}"
                return
            except (OSError, ValueError, smtplib.SMTPException) as error:
                reason = error.reason if isinstance(error, urllib.error.URLError) else error
                self._reason = str(reason) or type(error).__name__
                return
            self._sent += 1

    @property
    def left(self) -> list[str]:
        return self._texts[self._sent :]

    @property
    def problem(self) -> str:
        """Without the address, which is a credential."""
        return f"the {self.name} was not reached: {self._reason}; it is told after the next job"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A message that is sent on as a GET would be lost, and count as delivered."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _post(telling: Telling, text: str) -> None:
    address = telling.webhook or ""
    if not address.startswith(("https://", "http://")):
        raise ValueError("its address is no http(s) address")
    request = urllib.request.Request(  # noqa: S310 - the line above looks at the scheme
        address,
        data=json.dumps({"text": text}).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "calstack"},
        method="POST",
    )
    opener = urllib.request.build_opener(_NoRedirect, urllib.request.HTTPSHandler(context=_trust(telling)))
    with opener.open(request, timeout=LIMIT_SECONDS):
        pass


def _mail(telling: Telling, instance: str, text: str) -> None:
    mail = telling.mail
    if mail is None:
        raise ValueError("there is no mail server")
    message = EmailMessage()
    message["Subject"] = _subject(instance, text)
    message["From"], message["To"] = mail.sender, ", ".join(mail.recipients)
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain=instance)
    message.set_content(f"{text}\n\nsent by calstack on the host of {instance}\n")
    trust = _trust(telling)
    if mail.port == _TLS_FROM_THE_START:
        server: smtplib.SMTP = smtplib.SMTP_SSL(mail.host, mail.port, timeout=LIMIT_SECONDS, context=trust)
    else:
        server = smtplib.SMTP(mail.host, mail.port, timeout=LIMIT_SECONDS)
    try:
        server.ehlo_or_helo_if_needed()
        if mail.port != _TLS_FROM_THE_START and server.has_extn("starttls"):
            server.starttls(context=trust)
        if mail.user is not None and mail.password is not None:
            server.login(mail.user, mail.password)
        server.send_message(message)
    finally:
        # What the server says to that changes nothing: the mail was taken, or was not.
        with contextlib.suppress(OSError, smtplib.SMTPException):
            server.quit()


def _subject(instance: str, text: str) -> str:
    """The message up to its reason."""
    head = text[len(instance) + 2 :].partition(":")[0].partition(" (it failed")[0]
    return f"{instance}: {head}"


def _trust(telling: Telling) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if telling.authorities:
        context.load_verify_locations(cadata=telling.authorities)
    return context


def _metrics(
    telling: Telling,
    folder: Path,
    instance: str,
    repositories: Sequence[str],
    max_age_hours: float,
    said: _Said,
) -> list[str]:
    """Write the metrics; a line where they cannot be written."""
    if telling.metrics_file is None:
        return []
    known = {name: state.read(folder, name) for name in repositories}
    text = metrics(instance, known, max_age_hours, said.jobs, said.failing)
    try:
        _write(telling.metrics_file, text, mode=0o644)
    except OSError as error:
        return [f"the metrics were not written: {telling.metrics_file}: {error.strerror}"]
    return []


def metrics(
    instance: str,
    known: Mapping[str, state.Known],
    max_age_hours: float,
    jobs: Sequence[str],
    failing: Mapping[str, str],
) -> str:
    """The metrics in Prometheus' text format; `failing` has since when what fails, as `JOB/REPOSITORY`."""
    families: dict[str, tuple[str, list[tuple[dict[str, str], float]]]] = {}

    def add(name: str, meaning: str, value: float | None, **labels: str) -> None:
        samples = families.setdefault(name, (meaning, []))[1]
        if value is not None:
            samples.append(({"domain": instance, **labels}, value))

    add("max_age_seconds", "How old the newest proven run may be.", max_age_hours * 3600)
    for name, it in known.items():
        of = {"repository": name}
        add("last_run_timestamp_seconds", "When the newest run was stored.", _instant(it.finished), **of)
        add("last_run_duration_seconds", "How long that took.", it.seconds, **of)
        add("last_run_bytes", "What the run holds, before deduplication.", it.bytes, **of)
        add("last_proven_timestamp_seconds", "When a drill last proved a run.", _instant(it.proven_at), **of)
        add("last_drill_timestamp_seconds", "When the last drill ended.", _instant(it.drilled), **of)
        add("last_drill_duration_seconds", "How long it took.", it.drill_seconds, **of)
        for verdict in _VERDICTS if it.verdict else ():
            add(
                "last_drill_verdict",
                "1 for the verdict it had.",
                verdict == it.verdict,
                verdict=verdict,
                **of,
            )
    for job in jobs:
        for name in ("", *known):
            failed = f"{job}/{name}" in failing
            add(
                "job_failing",
                "1 while it fails; without a repository: as a whole.",
                failed,
                job=job,
                repository=name,
            )
    lines = []
    for family, (meaning, samples) in families.items():
        lines += [f"# HELP calcom_backup_{family} {meaning}", f"# TYPE calcom_backup_{family} gauge"]
        for labels, value in samples:
            written = ",".join(f'{label}="{text}"' for label, text in labels.items())
            lines.append(f"calcom_backup_{family}{{{written}}} {float(value):.15g}")
    return "\n".join(lines) + "\n"


def _instant(text: str | None) -> float | None:
    return None if text is None else from_text(text).timestamp()


def _read(folder: Path) -> _Said:
    try:
        return _Said(**json.loads((folder / _STATE).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return _Said()


def _as_json(said: _Said) -> str:
    return json.dumps(asdict(said)) + "\n"


def _write(file: Path, text: str, *, mode: int) -> None:
    """Put it in place in one step, readable as `mode` says."""
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fchmod(opened.fileno(), mode)
            os.fsync(opened.fileno())
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
