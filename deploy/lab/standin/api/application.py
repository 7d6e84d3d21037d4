"""API v2 over HTTP: the order in which a request is looked at, and the headers of every answer."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import anyio.to_thread
import psycopg
import redis
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route as HttpRoute

from ..core.identifiers import new_uuid
from ..core.payloads import iso
from ..core.refusals import RefusalError
from ..instance import Instance
from . import api_keys, bookings, event_types, me, schedules, slots, webhooks
from .authentication import Authentication
from .cache import Queue, QueueHangsError, client
from .errors import ApiError, of_procedure, refusal
from .routing import NOBODY, OPTIONAL, Call, Routes, spoken_version
from .settings import ApiSettings
from .throttling import Throttler, bearer

# Each request may need two connections at once, and the pool has twenty.
WORKERS = 10
BODY_LIMIT = 100 * 1024
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

# What the real API's security middleware adds to everything (FACTS §9; contract/both).
SECURITY_HEADERS = {
    "content-security-policy": "default-src 'self';base-uri 'self';font-src 'self' https: data:;"
    "form-action 'self';frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';"
    "script-src-attr 'none';style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=15552000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
}

ALLOWED_HEADERS = (
    "Accept, Authorization, Content-Type, Origin, x-cal-client-id, x-cal-secret-key, cal-api-version,"
    " x-cal-force-slug"
)

DOCS = "<!DOCTYPE html>\n<html><head><title>Swagger UI</title></head><body></body></html>\n"

BROKEN = {"statusCode": 500, "message": "Internal server error"}

log = logging.getLogger("standin.api")


class Application:
    """Answers requests to one instance."""

    def __init__(self, settings: ApiSettings, instance: Instance) -> None:
        self._settings = settings
        self._instance = instance
        self._queue = Queue(settings)
        self._throttler = Throttler(settings, instance.database, client(settings.redis_url))
        self._authentication = Authentication(settings, instance)
        self._routes = Routes(
            [
                *me.ROUTES, *api_keys.ROUTES, *schedules.ROUTES, *event_types.ROUTES, *webhooks.ROUTES,
                *slots.ROUTES, *bookings.ROUTES,
            ]
        )  # fmt: skip

    def answer(self, request: Request, body: bytes) -> Response:
        """Answer one request."""
        headers = {**SECURITY_HEADERS, "access-control-allow-origin": "*"}
        if request.method == "OPTIONS":
            headers["access-control-allow-methods"] = "GET,HEAD,PUT,PATCH,POST,DELETE"
            headers["access-control-allow-headers"] = ALLOWED_HEADERS
            return Response(status_code=204, headers=headers)
        path = self._rewritten(request.url.path)
        url = path + (f"?{request.url.query}" if request.url.query else "")
        if path in ("/docs", "/docs/"):
            return self._docs(headers)
        headers["x-request-id"] = request.headers.get("x-request-id") or new_uuid()
        try:
            return self._answered(request, path, url, body, headers)
        except RefusalError as error:
            return self._refused(of_procedure(error), url, headers)
        except ApiError as error:
            return self._refused(error, url, headers)
        except psycopg.errors.UniqueViolation as error:
            log.info("%s %s: %s", request.method, path, error)
            return self._refused(ApiError(409, "CONFLICT", "There was a conflict"), url, headers)
        except (psycopg.DataError, OverflowError) as error:
            # A number or a text that no column, or no calendar, can hold.
            log.info("%s %s: %s", request.method, path, error)
            return self._refused(ApiError(400, "BAD_REQUEST", "Invalid value"), url, headers)
        except (QueueHangsError, redis.RedisError) as error:
            log.error("Redis: %r", error)
            return sent(BROKEN, 500, headers)
        except Exception:
            # The framework's own answer to what nobody expected, so that a caller meets no other.
            log.exception("%s %s", request.method, path)
            return sent(BROKEN, 500, headers)

    def _rewritten(self, path: str) -> str:
        if self._settings.rewrite_prefix and path.startswith("/api/v2"):
            path = path.removeprefix("/api")
        return re.sub(r"^/v2/ee/", "/v2/", path)

    def _docs(self, headers: dict[str, str]) -> Response:
        if self._settings.docs_url:
            return RedirectResponse(self._settings.docs_url, 302, headers)
        return Response(DOCS, headers={**headers, "content-type": "text/html; charset=utf-8"})

    def _answered(
        self, request: Request, path: str, url: str, body: bytes, headers: dict[str, str]
    ) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        content = parsed(request.headers.get("content-type"), body)
        peer = request.client.host if request.client else None
        if path == "/health" and method == "GET":
            self._throttler.admit(request.headers, peer, headers)
            return Response("OK", headers={**headers, "content-type": "text/html; charset=utf-8"})
        found = self._routes.found(method, path, spoken_version(request.headers.get("cal-api-version")))
        if found is None:
            raise refusal(404, f"Cannot {request.method} {url}")
        route, params = found
        self._throttler.admit(request.headers, peer, headers)
        user = None
        if route.who != NOBODY:
            user = self._authentication.user_of(request, optional=route.who == OPTIONAL)
        call = Call(
            self._instance, self._queue, params, dict(request.query_params), content, user,
            bearer(request.headers),
        )  # fmt: skip
        return sent(route.run(call), route.status, headers)

    def _refused(self, error: ApiError, url: str, headers: dict[str, str]) -> Response:
        return sent(error.as_sent(iso(self._instance.now()), url), error.status, headers)


def sent(content: dict[str, Any], status: int, headers: dict[str, str]) -> Response:
    """JSON as the real API writes it: compact, letters as they are."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return Response(text, status, {**headers, "content-type": "application/json; charset=utf-8"})


def parsed(content_type: str | None, body: bytes) -> Any:
    """The body of a request: JSON where it says so. Raises ApiError for what is too large or broken."""
    if len(body) > BODY_LIMIT:
        raise refusal(413, "request entity too large")
    if not body or "json" not in (content_type or ""):
        return {}
    text = body.decode(errors="replace")
    try:
        content = json.loads(text)
    except ValueError as error:
        raise refusal(400, complaint(text, getattr(error, "pos", 0))) from error
    except RecursionError as error:
        raise refusal(400, complaint(text, 0)) from error
    if not isinstance(content, dict | list):
        raise refusal(400, complaint(text, 0))
    return content


def complaint(text: str, position: int) -> str:
    """What JavaScript's parser says of broken JSON."""
    if position >= len(text):
        return "Unexpected end of JSON input"
    if text[:position].rstrip().endswith("{") and text[position] != '"':
        return f"Expected property name or '}}' in JSON at position {position}"
    return f"Unexpected token '{text[position]}', \"{text[:10]}\"... is not valid JSON"


def application(settings: ApiSettings) -> Starlette:
    """The application of API v2; it opens and closes its instance with itself."""
    instance = Instance.of(settings.shared)
    api = Application(settings, instance)

    async def answer(request: Request) -> Response:
        return await run_in_threadpool(api.answer, request, await request.body())

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = WORKERS
        instance.database.open()
        yield
        instance.close()

    return Starlette(routes=[HttpRoute("/{path:path}", answer, methods=METHODS)], lifespan=lifespan)
