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


def own_server(
    key: str, url: str | SecretReference, password: SecretReference | None, resolve: Resolver
) -> SmtpServer:
    """The mail server of a URL and, where the URL has none, a password beside it; `key` names the setting.

    Raises InputError where a secret is missing or unfit, and where there are two passwords.
    """
    text = _secret(url, resolve) if isinstance(url, SecretReference) else url
    if isinstance(text, Placeholder):
        return SmtpServer(text, 587, text, text)
    try:
        server = SmtpServer.from_url(text)
    except ValueError as error:
        raise InputError(f"{key} {error}", fix=_store_again(url)) from None
    if password is None:
        return server
    if server.password is not None:
        beside = f"{key.rpartition('.')[0]}.{'password' if key == 'smtp.url' else 'mail_password'}"
        raise InputError(f"{key} carries a password, and {beside} names another one", fix="keep one of them")
    return SmtpServer(server.host, server.port, server.user, _secret(password, resolve))


def _server(smtp: Smtp, resolve: Resolver) -> SmtpServer:
    if smtp.url is not None:
        return own_server("smtp.url", smtp.url, smtp.password, resolve)
    password = _secret(smtp.password, resolve) if smtp.password else None
    return SmtpServer(smtp.host or "", smtp.port, smtp.user, password)


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
