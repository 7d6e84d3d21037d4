"""The variables that web app and API must agree on (FACTS §3: the column `=`)."""

from __future__ import annotations

from deploy.roles.context import HostContext
from deploy.settings.app_variables import API_KEY_PREFIX
from deploy.settings.environment import app_environment, smtp_environment


def shared_environment(host: HostContext) -> dict[str, str]:
    """Public addresses, keys, mail, and what the user adds; each application lays its own over it.

    Raises `InputError` for a secret that is missing or a value that the applications could not read.
    """
    settings, secrets = host.settings, host.secrets
    variables = {
        "NODE_ENV": "production",
        "TZ": "UTC",
        # The public address has no trailing slash: the app concatenates paths to it (FACTS §3).
        "NEXT_PUBLIC_WEBAPP_URL": settings.public_url,
        "NEXT_PUBLIC_WEBSITE_URL": settings.public_url,
        "NEXTAUTH_URL": settings.public_url,
        "NEXTAUTH_SECRET": secrets.nextauth_secret,
        "CALENDSO_ENCRYPTION_KEY": secrets.encryption_key,
        "NEXT_PUBLIC_DISABLE_SIGNUP": "true" if settings.app.sign_up == "closed" else "false",
        "CALCOM_TELEMETRY_DISABLED": "1",
        "API_KEY_PREFIX": API_KEY_PREFIX,
    }
    if host.authority is not None:
        variables["NODE_EXTRA_CA_CERTS"] = "/etc/calcom/ca.pem"
    variables |= smtp_environment(settings, secrets.resolve)
    return variables | app_environment(settings, secrets.resolve)
