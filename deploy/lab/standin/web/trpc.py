"""tRPC over HTTP: `/api/trpc/ROUTER/PROCEDURE`, one call or a batch of them, superjson both ways."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..core.refusals import STATUS, RefusalError
from ..database import Connection, Row
from ..instance import Instance
from . import superjson
from .session import Claims, Sessions, claims_of, signed_in
from .superjson import UNDEFINED
from .validation import Check, InvalidError, anything, checked, flattened

# The numbers that JSON-RPC gives to tRPC's codes.
NUMBERS = {
    "BAD_REQUEST": -32600,
    "UNAUTHORIZED": -32001,
    "FORBIDDEN": -32003,
    "NOT_FOUND": -32004,
    "METHOD_NOT_SUPPORTED": -32005,
    "CONFLICT": -32009,
    "INTERNAL_SERVER_ERROR": -32603,
}

# What a browser may keep of an answer: the procedures that answer everybody alike (recorded).
CACHED = {
    ("features", "list"): "no-cache",
    ("features", "map"): "max-age=300, stale-while-revalidate=60",
    ("public", "event"): "no-cache",
}

log = logging.getLogger("standin.trpc")


@dataclass
class Call:
    """What a procedure is called with; `user` is None for a guest."""

    instance: Instance
    request: Request
    claims: Claims | None
    connection: Connection
    user: Row | None
    cookies: list[str] = field(default_factory=list)

    @property
    def host(self) -> Row:
        """The signed-in user of a procedure that is closed to guests."""
        if self.user is None:
            raise RefusalError("UNAUTHORIZED")
        return self.user


@dataclass(frozen=True)
class Procedure:
    """One procedure: what it does, what it takes and who may call it."""

    run: Callable[[Call, Any], Any]
    takes: Check = anything
    changes: bool = False
    guests: bool = False
    admins_only: bool = False


Router = dict[str, Procedure]


def query(run: Callable[[Call, Any], Any], takes: Check = anything, **who: bool) -> Procedure:
    """A procedure that only reads."""
    return Procedure(run, takes, **who)


def mutation(run: Callable[[Call, Any], Any], takes: Check = anything, **who: bool) -> Procedure:
    """A procedure that changes something, and is called by POST alone."""
    return Procedure(run, takes, changes=True, **who)


@dataclass(frozen=True)
class Answer:
    """One call's answer, with its status."""

    status: int
    body: dict[str, Any]


def failure(path: str, code: str, message: str, zod: dict[str, Any] | None = None) -> Answer:
    """An error in tRPC's envelope."""
    data: dict[str, Any] = {"code": code, "httpStatus": STATUS[code], "path": path}
    if zod is not None:
        # The real app's own formatter puts the HTTP status where tRPC's number stands otherwise.
        data["zodError"] = zod
    number = STATUS[code] if zod is not None else NUMBERS[code]
    return Answer(STATUS[code], {"error": {"json": {"message": message, "code": number, "data": data}}})


class Dispatcher:
    """Answers the calls to all routers."""

    def __init__(self, instance: Instance, sessions: Sessions, routers: dict[str, Router]) -> None:
        self._instance = instance
        self._sessions = sessions
        self._routers = routers

    def knows(self, router: str) -> bool:
        """Whether there is such a router; the real app has a page of its own for each."""
        return router in self._routers

    def answer(self, request: Request, router: str, names: str, body: bytes) -> Response:
        """Answer one request: `names` is a procedure, or several with commas between in a batch."""
        batched = request.query_params.get("batch") == "1"
        paths = names.split(",") if batched else [names]
        try:
            inputs = self._inputs(request, body, batched)
        except ValueError as error:
            refused = [failure(path, "BAD_REQUEST", str(error)) for path in paths]
            return self._response(refused, batched, [], router, names)
        claims = claims_of(request, self._instance, self._sessions)
        cookies: list[str] = []
        answers = [
            self._call(request, claims, router, path, inputs.get(str(index)), cookies)
            for index, path in enumerate(paths)
        ]
        return self._response(answers, batched, cookies, router, names)

    def _inputs(self, request: Request, body: bytes, batched: bool) -> dict[str, Any]:
        source: Any = None
        if request.method == "GET":
            text = request.query_params.get("input")
            source = json.loads(text) if text else None
        elif body:
            source = json.loads(body)
        if batched:
            return source if isinstance(source, dict) else {}
        return {"0": source}

    def _call(
        self,
        request: Request,
        claims: Claims | None,
        router: str,
        path: str,
        envelope: Any,
        cookies: list[str],
    ) -> Answer:
        procedure = self._routers[router].get(path)
        if procedure is None:
            return failure(path, "NOT_FOUND", f'No procedure found on path "{path}"')
        if procedure.changes != (request.method == "POST"):
            kind = "mutation" if procedure.changes else "query"
            return failure(
                path,
                "METHOD_NOT_SUPPORTED",
                f'Unsupported {request.method}-request to {kind} procedure at path "{path}"',
            )
        try:
            value = superjson.loaded(envelope) if envelope is not None else UNDEFINED
            with self._instance.database.transaction() as connection:
                user = signed_in(connection, claims)
                if user is None and not procedure.guests:
                    return failure(path, "UNAUTHORIZED", "UNAUTHORIZED")
                # The role in the database decides, also for a session that shows INACTIVE_ADMIN (FACTS §16).
                if procedure.admins_only and (user is None or user["role"] != "ADMIN"):
                    return failure(path, "FORBIDDEN", "FORBIDDEN")
                given = checked(procedure.takes, value)
                call = Call(self._instance, request, claims, connection, user, cookies)
                result = procedure.run(call, given)
            return Answer(200, {"result": {"data": superjson.dumped(result)}})
        except InvalidError as error:
            return failure(path, "BAD_REQUEST", "Invalid input", flattened(error.problems))
        except RefusalError as refusal:
            return failure(path, refusal.code, refusal.message)
        except Exception:
            log.exception("procedure %s/%s failed", router, path)
            return failure(path, "INTERNAL_SERVER_ERROR", "Internal server error")

    def _response(
        self, answers: list[Answer], batched: bool, cookies: list[str], router: str, names: str
    ) -> Response:
        statuses = {answer.status for answer in answers}
        status = statuses.pop() if len(statuses) == 1 else 207
        content: Any = [answer.body for answer in answers] if batched else answers[0].body
        response = Response(
            json.dumps(content, separators=(",", ":"), ensure_ascii=False),
            status,
            media_type="application/json",
        )
        if status == 200 and (router, names) in CACHED:
            response.headers["cache-control"] = CACHED[router, names]
        for cookie in cookies:
            response.headers.append("set-cookie", cookie)
        return response
