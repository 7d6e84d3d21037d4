"""Small parts of HTTP that all endpoints share."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from ..core.refusals import RefusalError

Handler = Callable[[Request, bytes], Response]

# The two ways in which the real app's two kinds of endpoint say "JSON".
APP_JSON = "application/json"
PAGES_JSON = "application/json; charset=utf-8"


def endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """An asynchronous endpoint around a handler that may block: the body is read first."""

    async def answer(request: Request) -> Response:
        return await run_in_threadpool(handler, request, await request.body())

    return answer


def json_answer(content: Any, status: int = 200, media_type: str = APP_JSON) -> Response:
    """JSON as the real app writes it: compact, letters as they are."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return Response(text, status, {"content-type": media_type})


def with_cookies(response: Response, *cookies: str) -> Response:
    """The same response with `Set-Cookie` headers, written out by hand to keep the real attributes."""
    for cookie in cookies:
        response.headers.append("set-cookie", cookie)
    return response


def parsed_body(request: Request, body: bytes) -> Any:
    """A JSON body, or a form as an object. Refuses what is neither."""
    if "form" in request.headers.get("content-type", ""):
        return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    try:
        return json.loads(body)
    except ValueError as error:
        raise RefusalError("BAD_REQUEST", "Bad Request (Invalid JSON)") from error


def form_fields(request: Request, body: bytes) -> dict[str, str]:
    """The fields of a form, or of a JSON object in its place."""
    if "json" in request.headers.get("content-type", ""):
        try:
            content = json.loads(body)
        except ValueError:
            return {}
        return {key: str(value) for key, value in content.items()} if isinstance(content, dict) else {}
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
