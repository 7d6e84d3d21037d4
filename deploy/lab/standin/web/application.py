"""The web app: every path that is answered, and what answers it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial

import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ..instance import Instance
from . import embed, first_admin
from .account_pages import AccountPages
from .answers import Handler, endpoint, json_answer
from .booking_pages import BookingPages
from .guest import Guest
from .markup import not_found
from .periodic import CRON, TASKS, cron_handler, task_handler
from .procedures import ROUTERS
from .session import Sessions
from .signing_in import SigningIn
from .trpc import Dispatcher

# Each request may need two connections at once, and the pool has twenty.
WORKERS = 10

AVATAR = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
    '<rect width="64" height="64" fill="#d5d9e0"/>'
    '<circle cx="32" cy="24" r="12" fill="#8c94a3"/><path d="M8 64a24 24 0 0 1 48 0z" fill="#8c94a3"/></svg>'
)


def get(path: str, handler: Handler) -> Route:
    """A path for GET and HEAD."""
    return Route(path, endpoint(handler), methods=["GET"])


def post(path: str, handler: Handler) -> Route:
    """A path for POST."""
    return Route(path, endpoint(handler), methods=["POST"])


def application(instance: Instance) -> Starlette:
    """The application of one instance; it opens and closes the instance with itself."""
    settings = instance.settings
    sessions = Sessions(settings.nextauth_secret, settings.secure_cookies)
    signing_in = SigningIn(instance, sessions)
    guest = Guest(instance, sessions)
    accounts = AccountPages(instance, sessions)
    booking_pages = BookingPages(instance, guest)
    dispatcher = Dispatcher(instance, sessions, ROUTERS)

    def call_procedures(request: Request, body: bytes) -> Response:
        router = request.path_params["router"]
        if not dispatcher.knows(router):
            return not_found(settings.app_name)
        return dispatcher.answer(request, router, request.path_params["names"], body)

    api = [
        get("/api/version", lambda _request, _body: json_answer({"version": settings.version})),
        get("/api/ip", lambda request, _body: json_answer({"ip": client_address(request)})),
        post("/api/auth/setup", partial(first_admin.set_up, instance)),
        post("/api/auth/signup", partial(first_admin.sign_up, instance)),
        get("/api/auth/csrf", signing_in.csrf),
        get("/api/auth/session", signing_in.session),
        get("/api/auth/providers", signing_in.providers),
        get("/api/auth/error", accounts.error),
        post("/api/auth/callback/credentials", signing_in.sign_in),
        post("/api/auth/signout", signing_in.sign_out),
        post("/api/auth/two-factor/totp/setup", signing_in.totp_setup),
        post("/api/auth/two-factor/totp/enable", signing_in.totp_enable),
        get("/api/csrf", guest.csrf),
        Route("/api/book/event", endpoint(guest.book), methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        Route("/api/cancel", endpoint(guest.cancel), methods=["POST", "DELETE"]),
        Route("/api/trpc/{router}/{names}", endpoint(call_procedures), methods=["GET", "POST"]),
        *(
            Route(f"/api/cron/{name}", endpoint(cron_handler(instance, each)), methods=[each.method])
            for name, each in CRON.items()
        ),
        *(get(f"/api/tasks/{name}", task_handler(instance, work)) for name, work in TASKS.items()),
    ]
    pages = [
        get("/", accounts.root),
        get("/auth/login", accounts.login),
        get("/auth/setup", accounts.setup),
        get("/auth/error", accounts.error),
        get("/auth/logout", accounts.logout),
        get("/auth/forgot-password", accounts.forgot_password),
        get("/signup", accounts.sign_up),
        get("/event-types", accounts.start),
        get("/getting-started", accounts.start),
        get("/embed/embed.js", partial(embed.embed_script, instance)),
        get("/embed.js", partial(embed.embed_script, instance)),
        get("/avatar.svg", picture),
        get("/api/logo", picture),
        get("/booking/{uid}", booking_pages.booking),
        get("/reschedule/{uid}", booking_pages.reschedule),
        get("/{username}", booking_pages.profile),
        Route("/{username}/{slug}", endpoint(booking_pages.booker), methods=["GET", "POST"]),
        Route("/{username}/{slug}/embed", endpoint(booking_pages.embedded), methods=["GET", "POST"]),
    ]

    async def missing(request: Request, _error: Exception) -> Response:
        path = request.url.path
        if path.endswith("/") and path.strip("/"):
            # Next.js knows no path with a slash at its end, and sends the browser to the one without.
            return RedirectResponse(f"/{path.strip('/')}", 308)
        return not_found(settings.app_name)

    async def wrong_method(_request: Request, _error: Exception) -> Response:
        return Response(status_code=405)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = WORKERS
        instance.database.open()
        yield
        instance.close()

    handlers: dict[int | type[Exception], Callable[[Request, Exception], object]] = {
        404: missing,
        405: wrong_method,
    }
    app = Starlette(routes=[*api, *pages], lifespan=lifespan, exception_handlers=handlers)  # type: ignore[arg-type]
    app.router.redirect_slashes = False
    return app


def client_address(request: Request) -> str:
    """The client's address as the real app believes it: two headers, never the socket (FACTS §13)."""
    return request.headers.get("cf-connecting-ip") or request.headers.get("x-real-ip") or "127.0.0.1"


def picture(_request: Request, _body: bytes) -> Response:
    """The picture of a user without one."""
    return Response(AVATAR, headers={"content-type": "image/svg+xml", "cache-control": "public, max-age=0"})
