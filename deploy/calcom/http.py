"""The HTTP client for an instance, and the one function that sends a request with retries.

An instance is always called by its public name: the name goes into TLS's SNI, into the certificate check and
into the Host header, also when the connection itself goes to another address (`connect_to`), such as a lab
host's loopback address or the near end of an SSH tunnel.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import ipaddress
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import tenacity

from deploy.calcom.errors import CalcomError, NoAnswer, TooManyRequests, UnexpectedShape
from deploy.calcom.pacing import Pacer, read_limits

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
"""A booking waits for each webhook of the event type, so answers may take long (FACTS §5)."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long to try; seconds throughout.

    `longest_wait` bounds each pause: a server that asks for more gets no further try.
    """

    attempts: int = 4
    first_wait: float = 0.2
    longest_wait: float = 15.0
    sleep: Callable[[float], None] = time.sleep


def open_client(
    base_url: str,
    *,
    ca_file: Path | None = None,
    connect_to: tuple[str, int] | None = None,
    connect_seconds: float = CONNECT_SECONDS,
    answer_seconds: float = ANSWER_SECONDS,
) -> httpx.Client:
    """A client whose requests are relative to `base_url`, the public URL of the instance.

    `ca_file`: PEM of the authority to trust instead of the system's. `connect_to`: (address, port) to
    connect to while the public name stays in SNI, certificate check and Host. Redirects are not followed,
    since none of the calls expects one. Raises `CalcomError` where `base_url` is no URL, or where `ca_file`
    cannot be read.
    """
    url = httpx.URL(base_url)
    if url.scheme not in ("http", "https") or not url.host:
        raise CalcomError(f"{base_url!r} is not an http or https URL", fix="give it as https://NAME")
    transport: httpx.BaseTransport = httpx.HTTPTransport(verify=_trust(ca_file))
    if connect_to is not None:
        transport = _PinnedTransport(transport, public_host=url.host, connect_to=connect_to)
    return httpx.Client(
        base_url=url,
        # Only without a transport of ours does httpx honour the environment's proxies.
        transport=None if _may_use_environment_proxy(url.host, connect_to) else transport,
        verify=_trust(ca_file),
        timeout=httpx.Timeout(answer_seconds, connect=connect_seconds),
        headers={"user-agent": "calstack"},
        follow_redirects=False,
    )


def send(
    http: httpx.Client,
    method: str,
    path: str,
    *,
    idempotent: bool,
    params: Mapping[str, str] | None = None,
    json: Any = None,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    policy: RetryPolicy | None = None,
    pacer: Pacer | None = None,
) -> httpx.Response:
    """Send one request and return the answer, whatever its status; `json` None sends no body.

    Tried again, with growing random pauses: what failed before the request left this machine, and 429 after
    the pause that it asks for; `idempotent` requests also after broken connections and 5xx answers, unless
    these ask for a longer pause than the policy's. With a `pacer` each try waits for its leave, which is also
    how a refused one waits for the end of the block. Raises `NoAnswer` when no try got an answer,
    `TooManyRequests` when the last one was a 429. The last 5xx answer is returned.
    """
    policy = policy or RetryPolicy()
    where = f"{method} {path}"
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(policy.attempts),
        wait=lambda state: _pause(state, policy),
        retry=lambda state: _worth_another_try(state, policy, pacer, idempotent=idempotent),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        sleep=policy.sleep,
    )
    try:
        response: httpx.Response = retrying(
            _paced,
            pacer,
            lambda: http.request(method, path, params=params, json=json, data=form, headers=headers),
        )
    except httpx.TransportError as error:
        raise NoAnswer(
            _why(error, http),
            maybe_done=not _never_left(error),
            where=where,
            fix=_connection_fix(error),
        ) from error
    if response.status_code == 429:
        raise TooManyRequests("too many requests (429)", retry_after=_asked_pause(response), where=where)
    return response


def retry_after_seconds(response: httpx.Response) -> float | None:
    """The pause that an answer asks for, as seconds or as a date (RFC 9110 §10.2.3); None without one."""
    value = response.headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isdigit():
        return float(value)
    try:
        until = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=dt.UTC)
    return max(0.0, (until - dt.datetime.now(dt.UTC)).total_seconds())


def _paced(pacer: Pacer | None, request: Callable[[], httpx.Response]) -> httpx.Response:
    if pacer is None:
        return request()
    ticket = pacer.acquire()
    try:
        response = request()
    except BaseException:
        pacer.lost(ticket)
        raise
    pacer.answered(ticket, response.headers, refused=response.status_code == 429)
    return response


def _asked_pause(response: httpx.Response) -> float | None:
    """API v2 says only when its block ends (FACTS §13), a proxy says `Retry-After`."""
    resets = [said.reset for said in read_limits(response.headers).values()]
    return retry_after_seconds(response) or min(resets, default=None)


def json_object(response: httpx.Response, where: str) -> dict[str, Any]:
    """The JSON object that an answer carries; raises `UnexpectedShape` where it carries something else."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise UnexpectedShape(
            where,
            expected="a JSON object",
            came=f"status {response.status_code} with {response.headers.get('content-type', 'no type')}",
        )
    return body


class _PinnedTransport(httpx.BaseTransport):
    """Connects to one address, whatever the request's host; the names inside TLS and HTTP stay."""

    def __init__(self, inner: httpx.BaseTransport, *, public_host: str, connect_to: tuple[str, int]) -> None:
        self._inner = inner
        self._public_host = public_host
        self._address, self._port = connect_to

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != self._public_host:
            raise httpx.UnsupportedProtocol(f"{request.url.host} is not the instance {self._public_host}")
        # A copy, since the client files cookies under the URL of its own request.
        pinned = httpx.Request(
            request.method,
            request.url.copy_with(host=self._address, port=self._port),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": self._public_host},
        )
        return self._inner.handle_request(pinned)

    def close(self) -> None:
        self._inner.close()


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    if ca_file is None:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        raise CalcomError(
            f"the certificate authority cannot be read: {error}", where=str(ca_file), fix="give its PEM file"
        ) from error


def _may_use_environment_proxy(host: str, connect_to: tuple[str, int] | None) -> bool:
    if connect_to is not None or host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def _never_left(error: BaseException) -> bool:
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.UnsupportedProtocol)


def _certificate_refused(error: BaseException) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def _worth_another_try(
    state: tenacity.RetryCallState, policy: RetryPolicy, pacer: Pacer | None, *, idempotent: bool
) -> bool:
    if state.outcome is None:
        return False
    error = state.outcome.exception()
    if error is not None:
        if not isinstance(error, httpx.TransportError) or isinstance(error, httpx.UnsupportedProtocol):
            return False
        return (idempotent or _never_left(error)) and not _certificate_refused(error)
    response: httpx.Response = state.outcome.result()
    if response.status_code == 429:
        return (_asked_pause(response) or 0.0) <= (pacer or policy).longest_wait
    if not idempotent or response.status_code < 500:
        return False
    # A maintenance may ask for an hour, whatever the limits: whoever waits for us is told instead.
    return (retry_after_seconds(response) or 0.0) <= policy.longest_wait


def _pause(state: tenacity.RetryCallState, policy: RetryPolicy) -> float:
    jittered = tenacity.wait_random_exponential(multiplier=policy.first_wait, max=policy.longest_wait)(state)
    if state.outcome is None or state.outcome.exception() is not None:
        return jittered
    # Never earlier than asked for; the random part keeps several clients from coming back together.
    asked = retry_after_seconds(state.outcome.result()) or 0.0
    return asked + min(jittered, policy.first_wait) if asked else jittered


def _why(error: httpx.TransportError, http: httpx.Client) -> str:
    place = f"{http.base_url.scheme}://{http.base_url.netloc.decode('ascii')}"
    if isinstance(error, httpx.TimeoutException) and not _never_left(error):
        return f"{place} did not answer in time"
    if _certificate_refused(error):
        return f"the certificate of {place} is not trusted: {error}"
    if _never_left(error):
        return f"{place} cannot be reached: {error}"
    return f"the connection to {place} broke: {error}"


def _connection_fix(error: httpx.TransportError) -> str | None:
    if _certificate_refused(error):
        return "give the authority's certificate (ca_file), and check that the name is the certificate's"
    return None
