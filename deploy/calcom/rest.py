"""Calls of API v2: the key, the version of each resource, one envelope for answers, one tree for refusals.

Answers are `{"status": "success", "data": …}`; refusals carry `error` with a code, a message and, from the
validation of bodies, `details.errors` by field (FACTS §4). Without its version header a resource answers in
an older shape and says nothing, so no call goes out without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from deploy.calcom.errors import (
    AlreadyExists,
    InvalidInput,
    KeyExpired,
    KeyNotAccepted,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Refused,
    ServerFailed,
    UnexpectedShape,
    UnlicensedApi,
)
from deploy.calcom.http import RetryPolicy, send
from deploy.calcom.pacing import Pacer
from deploy.calcom.trpc import read_shape

EVENT_TYPES = "2024-06-14"
SCHEDULES = "2024-06-11"
BOOKINGS = "2024-08-13"
SLOTS = "2024-09-04"
ANY = "2024-08-13"
"""For resources that have one shape only: me, webhooks, keys."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Rest:
    """API v2 at the base URL of `http`; `key` None calls as a guest, for what guests may.

    A key that is refused is refused even where none is needed (FACTS §4), so guests send none.
    """

    http: httpx.Client
    key: str | None = field(default=None, repr=False)
    policy: RetryPolicy | None = None
    pacer: Pacer | None = None

    def get(
        self, path: str, version: str, answer: type[Answer], params: Mapping[str, str] | None = None
    ) -> Answer:
        """The `data` of a reading call, as `answer`."""
        body = self._call("GET", path, version, params=params, idempotent=True)
        return read_shape(f"GET {path}", body.get("data"), answer)

    def page(
        self, path: str, version: str, answer: type[Answer], params: Mapping[str, str]
    ) -> tuple[Answer, bool]:
        """The `data` of one page of a list, and whether there is a next one."""
        body = self._call("GET", path, version, params=params, idempotent=True)
        pagination = body.get("pagination")
        more = bool(pagination.get("hasNextPage")) if isinstance(pagination, dict) else False
        return read_shape(f"GET {path}", body.get("data"), answer), more

    def write(
        self,
        method: str,
        path: str,
        version: str,
        answer: type[Answer],
        body: Mapping[str, Any] | None = None,
        *,
        idempotent: bool,
    ) -> Answer:
        """The `data` of a writing call; `idempotent` says whether sending it twice does no harm."""
        answered = self._call(method, path, version, body=body, idempotent=idempotent)
        return read_shape(f"{method} {path}", answered.get("data"), answer)

    def _call(
        self,
        method: str,
        path: str,
        version: str,
        *,
        idempotent: bool,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        headers = {"cal-api-version": version}
        if self.key is not None:
            headers["authorization"] = f"Bearer {self.key}"
        response = send(
            self.http,
            method,
            path,
            idempotent=idempotent,
            params=params,
            json=None if body is None else dict(body),
            headers=headers,
            policy=self.policy,
            pacer=self.pacer,
        )
        return _read_envelope(f"{method} {path}", response)


def _read_envelope(where: str, response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict) and response.status_code < 400 and body.get("status") == "success":
        return body
    error = body.get("error") if isinstance(body, dict) else None
    if response.status_code >= 400 and isinstance(error, dict):
        raise _refusal(where, response, error)
    if response.status_code >= 500:
        # From a proxy, or from before the framework: no envelope, but certainly a failure.
        raise ServerFailed(
            f"API v2 failed ({response.status_code})", status=response.status_code, where=where
        )
    raise UnexpectedShape(
        where,
        expected="API v2's envelope",
        came=f"status {response.status_code} with {response.headers.get('content-type', 'no type')}",
    )


_KIND_BY_STATUS: dict[int, type[Refused]] = {
    400: InvalidInput,
    401: NotSignedIn,
    403: NotAllowed,
    404: NotFound,
    409: AlreadyExists,
    422: InvalidInput,
}

_REFUSED_KEYS: tuple[tuple[str, type[Refused], str], ...] = (
    (
        "CALCOM_LICENSE_KEY",
        UnlicensedApi,
        "use the web channel (`channel: web`), which does the same without a licence; or give the API its "
        "licence, or deploy a build that wants none",
    ),
    ("key is expired", KeyExpired, "make a new key, and give that"),
    ("Invalid API Key", KeyNotAccepted, "check that the key is of this instance and was not deleted"),
    ("api key is not valid", KeyNotAccepted, "check that the key is of this instance and was not deleted"),
    ("Invalid Access Token", KeyNotAccepted, "an API key begins with the instance's prefix, usually `cal_`"),
)
"""How API v2 says that it does not take a key, by a part of its message."""


def _refusal(where: str, response: httpx.Response, error: dict[str, Any]) -> Refused:
    status = response.status_code
    message = str(error.get("message", ""))
    kind = ServerFailed if status >= 500 else _KIND_BY_STATUS.get(status, Refused)
    fix: str | None = None
    if status == 401:
        fix = "give an API key of the instance"
        for part, its_kind, its_fix in _REFUSED_KEYS:
            if part.lower() in message.lower():
                kind, fix = its_kind, its_fix
                break
    fields = field_errors(error.get("details"))
    told = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())
    code = error.get("code")
    return kind(
        f"Cal.com refused ({status}): {(told or message.strip())[:300]}",
        status=status,
        code=code if isinstance(code, str) else None,
        message=message,
        field_errors=fields,
        request_id=response.headers.get("x-request-id"),
        where=where,
        fix=fix,
    )


def field_errors(details: Any) -> dict[str, tuple[str, ...]]:
    """The validation's complaints by field, nested ones as `seats.seatsPerTimeSlot`; {} without any."""
    errors = details.get("errors") if isinstance(details, dict) else None
    found: dict[str, tuple[str, ...]] = {}
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict):
            _collect(error, (), found)
    return found


def _collect(error: dict[str, Any], path: tuple[str, ...], found: dict[str, tuple[str, ...]]) -> None:
    path = (*path, str(error.get("property", "")))
    constraints = error.get("constraints")
    if isinstance(constraints, dict) and constraints:
        found[".".join(path)] = tuple(str(text) for text in constraints.values())
    children = error.get("children")
    for child in children if isinstance(children, list) else ():
        if isinstance(child, dict):
            _collect(child, path, found)
