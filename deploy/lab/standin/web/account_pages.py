"""The pages around an account: set-up, sign-in, sign-up, and the host's own start page."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..core import event_types, people
from ..instance import Instance
from .markup import escaped, page, redirect
from .session import Sessions, claims_of, signed_in

# Only these pages refuse to be framed (FACTS §8, §13).
NO_FRAMES = {"x-frame-options": "DENY"}

PROBLEMS = {
    "incorrect-email-password": "Email or password is incorrect.",
    "second-factor-required": "Enter the code of your authenticator app.",
    "incorrect-two-factor-code": "The code is incorrect.",
}

SEND_AS_JSON = """
for (const form of document.querySelectorAll("form[data-json]"))
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const told = form.querySelector("[role=alert]");
  const answer = await fetch(form.action, {method: "POST", headers: {"content-type": "application/json"},
    body: JSON.stringify(Object.fromEntries(new FormData(form)))});
  if (answer.ok) location.href = form.dataset.json;
  else told.textContent = (await answer.json().catch(() => ({}))).message || "Something went wrong.";
});
"""


SIGN_IN = """
const form = document.querySelector('[data-testid="login-form"]'), told = form.querySelector("[role=alert]");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const fields = new URLSearchParams(new FormData(form));
  fields.set("csrfToken", (await (await fetch("/api/auth/csrf")).json()).csrfToken);
  fields.set("json", "true");
  const answer = await fetch(form.action, {method: "POST", body: fields});
  const {url} = await answer.json().catch(() => ({}));
  const error = url && new URL(url).searchParams.get("error");
  if (answer.ok && url && !error) location.href = form.callbackUrl.value;
  else if (error === "second-factor-required") location.search = "?error=" + error;
  else told.textContent = error === "incorrect-email-password" ? "Email or password is incorrect."
    : "Something went wrong.";
});
"""


class AccountPages:
    """The account pages of one instance."""

    def __init__(self, instance: Instance, sessions: Sessions) -> None:
        self._instance = instance
        self._sessions = sessions
        self._app = instance.settings.app_name

    def _has_users(self) -> bool:
        with self._instance.database.transaction() as connection:
            return people.count(connection) > 0

    def root(self, request: Request, _body: bytes) -> Response:
        """`/`: on to the host's event types, or to the sign-in page."""
        claims = claims_of(request, self._instance, self._sessions)
        return redirect("/event-types" if claims else "/auth/login", None)

    def login(self, request: Request, _body: bytes) -> Response:
        """`/auth/login`: a plain form; the wizard while there is no user."""
        title = f"Login | {self._app}"
        if not self._has_users():
            return redirect("/auth/setup", title, NO_FRAMES)
        self._instance.own_address.look()
        wrong = request.query_params.get("error", "")
        problem = PROBLEMS.get(wrong, "Something went wrong.") if wrong else ""
        code = (
            '<label>Two-factor code<input name="totpCode" inputmode="numeric"'
            ' autocomplete="one-time-code"></label>'
            if wrong in ("second-factor-required", "incorrect-two-factor-code")
            else ""
        )
        callback = request.query_params.get("callbackUrl") or "/event-types"
        body = f"""
<h1>Welcome back</h1>
<form method="post" action="/api/auth/callback/credentials" data-testid="login-form">
<p class="wrong" role="alert">{escaped(problem)}</p>
<input type="hidden" name="csrfToken">
<input type="hidden" name="callbackUrl" value="{escaped(callback)}">
<label>Email address<input name="email" type="email" autocomplete="username" required></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required></label>
{code}<button type="submit">Sign in</button>
</form><p><a href="/signup">Don't have an account?</a></p>"""
        return page(title, body, headers=NO_FRAMES, script=SIGN_IN)

    def setup(self, request: Request, _body: bytes) -> Response:
        """`/auth/setup`: the wizard's first step, by its number in the address."""
        title = f"Setup | {self._app}"
        if "step" not in request.query_params:
            return redirect("/auth/setup?step=1", title, NO_FRAMES)
        if self._has_users():
            return page(title, "<h1>All set</h1><p>There is an admin already.</p>", headers=NO_FRAMES)
        body = """
<h1>Administrator user</h1>
<form method="post" action="/api/auth/setup" data-json="/auth/login">
<p class="wrong" role="alert"></p>
<label>Username<input name="username" required></label>
<label>Full name<input name="full_name" minlength="3" required></label>
<label>Email address<input name="email_address" type="email" required></label>
<label>Password<input name="password" type="password" minlength="15" required></label>
<button type="submit">Next step</button></form>"""
        return page(title, body, headers=NO_FRAMES, script=SEND_AS_JSON)

    def sign_up(self, _request: Request, _body: bytes) -> Response:
        """`/signup`."""
        title = f"Sign up | {self._app}"
        if self._instance.settings.signup_disabled:
            return redirect("/auth/error?error=Signup is disabled in this instance", title, NO_FRAMES)
        body = """
<h1>Create your account</h1>
<form method="post" action="/api/auth/signup" data-json="/auth/login">
<p class="wrong" role="alert"></p>
<label>Username<input name="username" required></label>
<label>Email address<input name="email" type="email" required></label>
<label>Password<input name="password" type="password" minlength="7" required></label>
<input type="hidden" name="language" value="en">
<button type="submit">Create account</button></form>"""
        return page(title, body, headers=NO_FRAMES, script=SEND_AS_JSON)

    def error(self, request: Request, _body: bytes) -> Response:
        """`/auth/error`: what went wrong at a sign-in."""
        wrong = request.query_params.get("error", "")
        told = PROBLEMS.get(wrong, wrong or "Something went wrong.")
        body = f'<h1>Error</h1><p>{escaped(told)}</p><p><a href="/auth/login">Back to login</a></p>'
        return page(f"Error | {self._app}", body, headers=NO_FRAMES)

    def forgot_password(self, _request: Request, _body: bytes) -> Response:
        """`/auth/forgot-password`: a link target; an admin sends the mail."""
        body = "<h1>Forgot password?</h1><p>Ask the admin of this instance for a new one.</p>"
        return page(f"Forgot Password | {self._app}", body, headers=NO_FRAMES)

    def logout(self, _request: Request, _body: bytes) -> Response:
        """`/auth/logout`: says good-bye; the cookie goes with the form."""
        body = (
            '<h1>Sign out?</h1><form method="post" action="/api/auth/signout">'
            '<button type="submit">Sign out</button></form>'
        )
        return page(f"Log out | {self._app}", body, headers=NO_FRAMES)

    def start(self, request: Request, _body: bytes) -> Response:
        """`/event-types`: what a host sees after signing in."""
        with self._instance.database.transaction() as connection:
            user = signed_in(connection, claims_of(request, self._instance, self._sessions))
            if user is None:
                return redirect(f"/auth/login?callbackUrl={request.url.path}", f"Login | {self._app}")
            own = event_types.listed(connection, user["id"])
        entries = "".join(
            f'<li><a href="/{escaped(user["username"])}/{escaped(each["slug"])}">{escaped(each["title"])}</a>'
            f' <span class="note">{each["length"]} min{", hidden" if each["hidden"] else ""}</span></li>'
            for each in own
        )
        body = f"""
<h1>Event Types</h1>
<p>Signed in as <strong data-testid="user-name">{escaped(people.display_name(user))}</strong>.</p>
<ul data-testid="event-types">{entries}</ul>
<form method="post" action="/api/auth/signout"><button type="submit">Sign out</button></form>"""
        return page(f"Event Types | {self._app}", body)
