"""Settings become variables of the web app: mail, and what the user adds."""

from __future__ import annotations

from collections.abc import Callable

from deploy.errors import InputError
from deploy.settings.app_variables import Placeholder, resolved_value
from deploy.settings.model import HostSettings, Smtp
from deploy.settings.rules import single_line
from deploy.settings.section import SecretReference
from deploy.settings.smtp_server import SmtpServer

Resolver = Callable[[str], str]
"""Name of a secret to its value; raises InputError where there is none of that name."""


def smtp_environment(settings: HostSettings, resolve: Resolver) -> dict[str, str]:
    """The app's EMAIL_* variables, or RESEND_API_KEY; empty where no mail is set up (FACTS §2, §3).

    Every form becomes host, port, user and password, each a variable: the one-URL form that the app also
    knows would need the password percent-encoded. Raises InputError where a secret is missing or unfit.
    """
    smtp = settings.smtp
    if smtp is None:
        return {}
    if smtp.resend_api_key is not None:
        key = _secret(smtp.resend_api_key, resolve)
        return {"RESEND_API_KEY": key, **_sender(smtp, None, settings.domain)}
    server = _server(smtp, resolve)
    variables = {"EMAIL_SERVER_HOST": server.host, "EMAIL_SERVER_PORT": str(server.port)}
    if server.user is not None and server.password is not None:
        variables |= {"EMAIL_SERVER_USER": server.user, "EMAIL_SERVER_PASSWORD": server.password}
    return {**variables, **_sender(smtp, server.user, settings.domain)}


def app_environment(settings: HostSettings, resolve: Resolver) -> dict[str, str]:
    """The variables of `app.env` with their secrets, checked as far as the app would trip over them.

    Raises InputError where a secret is missing or its value is unfit, e.g. GOOGLE_API_CREDENTIALS that is not
    Google's JSON.
    """
    variables: dict[str, str] = {}
    for name, content in settings.app.env.items():
        value = resolve(content.secret) if isinstance(content, SecretReference) else content
        try:
            variables[name] = resolved_value(name, value)
        except ValueError as error:
            raise InputError(f"app.env.{name} {error}", fix=_store_again(content)) from None
    return variables


def _server(smtp: Smtp, resolve: Resolver) -> SmtpServer:
    if smtp.url is None:
        password = _secret(smtp.password, resolve) if smtp.password else None
        return SmtpServer(smtp.host or "", smtp.port, smtp.user, password)
    url = _secret(smtp.url, resolve) if isinstance(smtp.url, SecretReference) else smtp.url
    if isinstance(url, Placeholder):
        return SmtpServer(url, 587, url, url)
    try:
        server = SmtpServer.from_url(url)
    except ValueError as error:
        raise InputError(f"smtp.url {error}", fix=_store_again(smtp.url)) from None
    if smtp.password is None:
        return server
    if server.password is not None:
        raise InputError(
            "smtp.url carries a password, and smtp.password names another one", fix="keep one of them"
        )
    return SmtpServer(server.host, server.port, server.user, _secret(smtp.password, resolve))


def _sender(smtp: Smtp, user: str | None, domain: str) -> dict[str, str]:
    fallback = user if user is not None and "@" in user else f"noreply@{domain}"
    return {"EMAIL_FROM": smtp.from_address or fallback, "EMAIL_FROM_NAME": smtp.from_name}


def _secret(reference: SecretReference, resolve: Resolver) -> str:
    value = resolve(reference.secret)
    try:
        return single_line(value)
    except ValueError as error:
        raise InputError(f"the secret {reference.secret} {error}", fix=_store_again(reference)) from None


def _store_again(content: str | SecretReference) -> str | None:
    return f"calstack secrets set {content.secret}" if isinstance(content, SecretReference) else None
