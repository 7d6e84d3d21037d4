"""Calls of the web app's tRPC procedures: superjson around the input, one error tree for the answers.

Inputs and answers travel as `{"json": …, "meta": {"values": {PATH: ["Date"]}}}` (FACTS §14): JSON knows no
dates, so `meta` names the paths at which a text is one.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json

from deploy.calcom.errors import (
    InvalidInput,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Refused,
    ServerFailed,
    UnexpectedShape,
)
from deploy.calcom.http import RetryPolicy, send

_NO_INPUT = {"json": None, "meta": {"values": ["undefined"]}}
"""What the web app's own client sends to a procedure without input."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Trpc:
    """The procedures of one instance, called with one session (or none, for the public ones)."""

    http: httpx.Client
    session: str | None = None
    policy: RetryPolicy | None = None

    def query(self, procedure: str, data: Mapping[str, Any] | None, answer: type[Answer]) -> Answer:
        """Call a reading procedure (`ROUTER/NAME`) and return its answer as `answer`."""
        response = send(
            self.http,
            "GET",
            f"/api/trpc/{procedure}",
            idempotent=True,
            params={"input": json.dumps(_NO_INPUT if data is None else superjson(data))},
            headers=self._headers(),
            policy=self.policy,
        )
        return read_answer(procedure, response, answer)

    def mutate(
        self, procedure: str, data: Mapping[str, Any], answer: type[Answer], *, idempotent: bool
    ) -> Answer:
        """Call a writing procedure; `idempotent` says whether sending it twice does no harm."""
        response = send(
            self.http,
            "POST",
            f"/api/trpc/{procedure}",
            idempotent=idempotent,
            json=superjson(data),
            headers=self._headers(),
            policy=self.policy,
        )
        return read_answer(procedure, response, answer)

    def _headers(self) -> dict[str, str]:
        return {"cookie": self.session} if self.session else {}


def superjson(data: Mapping[str, Any]) -> dict[str, Any]:
    """The envelope of an input; dates in it become UTC texts in milliseconds, named in `meta`."""
    dates: dict[str, list[str]] = {}
    wrapped: dict[str, Any] = {"json": _without_dates(data, (), dates)}
    if dates:
        wrapped["meta"] = {"values": dates}
    return wrapped


def iso_milliseconds(moment: dt.datetime) -> str:
    """A time as JavaScript writes it, `2026-12-24T10:00:00.000Z`; times without a zone are taken as UTC."""
    utc = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def read_answer(procedure: str, response: httpx.Response, answer: type[Answer]) -> Answer:
    """What a procedure answered, or the error that it says; `UnexpectedShape` for anything else."""
    body = _json(response)
    if not isinstance(body, dict):
        raise UnexpectedShape(
            procedure,
            expected="tRPC's JSON envelope",
            came=f"status {response.status_code} with {response.headers.get('content-type', 'no type')}",
        )
    if "error" in body or response.status_code >= 400:
        raise _refusal(procedure, response, body)
    try:
        data = body["result"]["data"]["json"]
    except (KeyError, TypeError):
        raise UnexpectedShape(
            procedure, expected="result.data.json", came=f"the keys {sorted(body)}"
        ) from None
    return read_shape(procedure, data, answer)


def read_shape(procedure: str, data: Any, answer: type[Answer]) -> Answer:
    """`data` as `answer`; `UnexpectedShape` names the first field that does not fit, without its value."""
    try:
        # A type is hashable, whatever it is a type of.
        return cast("Answer", _adapter(answer).validate_python(data))  # type: ignore[arg-type]
    except ValidationError as error:
        # Values stay out of the message: answers hold webhook secrets.
        problem = error.errors(include_url=False, include_input=True)[0]
        place = ".".join(str(part) for part in problem["loc"]) or "the answer"
        raise UnexpectedShape(
            procedure,
            expected=f"{place}: {problem['msg'].lower()}",
            came="nothing there" if problem["type"] == "missing" else f"a {type(problem['input']).__name__}",
        ) from None


def _without_dates(value: Any, path: tuple[str, ...], dates: dict[str, list[str]]) -> Any:
    if isinstance(value, dt.datetime):
        dates[".".join(path)] = ["Date"]
        return iso_milliseconds(value)
    if isinstance(value, Mapping):
        return {key: _without_dates(item, (*path, str(key)), dates) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_dates(item, (*path, str(index)), dates) for index, item in enumerate(value)]
    return value


@functools.cache
def _adapter(answer: Any) -> TypeAdapter[Any]:
    """Building one takes longer than reading an answer with it."""
    return TypeAdapter(answer)


def _json(response: httpx.Response) -> Any:
    try:
        return from_json(response.content)
    except ValueError:
        return None


class _ZodError(BaseModel):
    formErrors: list[str] = []  # noqa: N815 - Cal.com's name
    fieldErrors: dict[str, list[str]] = {}  # noqa: N815 - Cal.com's name


class _ErrorData(BaseModel):
    code: str | None = None
    zodError: _ZodError | None = None  # noqa: N815 - Cal.com's name


class _ErrorBody(BaseModel):
    message: str = ""
    data: _ErrorData = _ErrorData()


_KIND_BY_STATUS: dict[int, type[Refused]] = {
    400: InvalidInput,
    401: NotSignedIn,
    403: NotAllowed,
    404: NotFound,
    422: InvalidInput,
}


def _refusal(procedure: str, response: httpx.Response, body: dict[str, Any]) -> Refused:
    envelope = body.get("error")
    inner = envelope.get("json", envelope) if isinstance(envelope, dict) else {}
    try:
        error = _ErrorBody.model_validate(inner)
    except ValidationError:
        raise UnexpectedShape(
            procedure, expected="tRPC's error envelope", came=f"status {response.status_code}"
        ) from None
    zod = error.data.zodError or _ZodError()
    fields = {name: tuple(texts) for name, texts in zod.fieldErrors.items()}
    status = response.status_code
    kind = ServerFailed if status >= 500 else _KIND_BY_STATUS.get(status, Refused)
    details = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())
    said = details or " ".join(zod.formErrors) or error.message.strip()[:300]
    return kind(
        f"Cal.com refused ({status}): {said}",
        status=status,
        code=error.data.code,
        message=error.message,
        field_errors=fields,
        request_id=response.headers.get("x-request-id"),
        where=procedure,
        fix="sign in again: there is no session, or it is over" if status == 401 else None,
    )
