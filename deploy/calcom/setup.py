"""What happens before an instance has a user: is it there, which version, and the first administrator."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import httpx

from deploy.calcom.errors import AlreadySetUp, InvalidInput, NoAnswer, NotReady, Refused, UnexpectedShape
from deploy.calcom.http import RetryPolicy, send


def version(http: httpx.Client, *, policy: RetryPolicy | None = None) -> str:
    """The version that the instance says it is, such as `6.2.0` (`GET /api/version`)."""
    response = send(http, "GET", "/api/version", idempotent=True, policy=policy)
    try:
        answer = response.json()["version"]
    except (ValueError, KeyError, TypeError):
        answer = None
    if response.status_code != 200 or not isinstance(answer, str):
        raise UnexpectedShape(
            "GET /api/version", expected="200 with a version", came=f"status {response.status_code}"
        )
    return answer


def wait_ready(
    http: httpx.Client,
    *,
    seconds: float,
    pause: float = 1.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Wait until the instance answers, and return its version.

    The first start of the web app takes over a minute (FACTS §13). Raises `NotReady` with the last reason
    when `seconds` are over.
    """
    give_up = clock() + seconds
    once = RetryPolicy(attempts=1)
    while True:
        try:
            return version(http, policy=once)
        except (NoAnswer, UnexpectedShape, Refused) as error:
            if clock() + pause > give_up:
                raise NotReady(
                    f"not ready after {seconds:.0f} seconds; last: {error.what}",
                    where=str(http.base_url),
                    fix="look at the log of the web service",
                ) from error
        sleep(pause)


def create_first_admin(
    http: httpx.Client, *, username: str, full_name: str, email: str, password: str
) -> None:
    """Make the first user of an empty instance, an administrator (FACTS §6).

    The password needs 15 characters or more with digits, lower and upper case, and no spaces at its ends.
    Raises `InvalidInput` (422, with `field_errors`), `AlreadySetUp` (400, there is a user already: look whose
    it is), `Refused` for any other no. Not tried again after a lost answer: look for the user instead.
    """
    where = "POST /api/auth/setup"
    response = send(
        http,
        "POST",
        "/api/auth/setup",
        idempotent=False,
        json={"username": username, "full_name": full_name, "email_address": email, "password": password},
    )
    if response.status_code == 200:
        return
    message = _message(response)
    if response.status_code == 422:
        fields = _field_errors(message)
        what = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())
        raise InvalidInput(
            what or "Cal.com does not accept the administrator's data",
            status=422,
            message=message,
            field_errors=fields,
            where=where,
        )
    if response.status_code == 400 and "no setup needed" in message.lower():
        raise AlreadySetUp(
            "the instance has a user already",
            status=400,
            message=message,
            where=where,
            fix="check that its administrator is yours before going on",
        )
    raise Refused(
        f"Cal.com refused to make the first administrator ({response.status_code}) {message[:200]}".rstrip(),
        status=response.status_code,
        message=message,
        where=where,
    )


def _message(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return ""
    return str(body.get("message", "")) if isinstance(body, dict) else ""


def _field_errors(message: str) -> dict[str, tuple[str, ...]]:
    """The complaints by field; Cal.com sends them as JSON inside the message."""
    try:
        issues = json.loads(message)
    except ValueError:
        return {}
    errors: dict[str, tuple[str, ...]] = {}
    for issue in issues if isinstance(issues, list) else []:
        name = ".".join(str(part) for part in issue.get("path", []))
        errors[name] = (*errors.get(name, ()), str(issue.get("message", "")))
    return errors
