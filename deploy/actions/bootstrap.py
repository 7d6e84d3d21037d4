"""A new instance gets its first administrator and its first API key, and closes its doors behind them."""

from __future__ import annotations

from collections.abc import Callable

from deploy.actions.api_key import api_verdict, ensure_api_key
from deploy.actions.instance import AdminUser, Instance, quoted
from deploy.actions.limits import apply_limits
from deploy.actions.proxy_limits import load_proxy_limits
from deploy.calcom.errors import AlreadySetUp
from deploy.calcom.setup import create_first_admin, wait_ready
from deploy.errors import CalstackError

_READY_SECONDS = 600


def bootstrap(instance: Instance, note: Callable[[str], None] = lambda _: None) -> list[str]:
    """Make sure of the first administrator, of its finished onboarding, of the sign-up switch, where there is
    an API of a key that it takes, and of the limits in the running proxy.

    Returns what it changed, nothing on every later run; `note` gets what a person should know although
    nothing has failed. Raises `CalstackError` when the instance belongs to somebody else, or its API does not
    answer.
    """
    changed = []
    admin = instance.admin_user()
    if admin is None:
        _create_admin(instance)
        changed.append(f"administrator {instance.settings.admin.email} made")
        admin = _own_admin(instance)
    if _finish_onboarding(instance, admin):
        changed.append("onboarding finished")
    if _switch_sign_up(instance):
        changed.append(f"sign-up {instance.settings.app.sign_up}")
    if instance.settings.has_api:
        changed += _open_the_api(instance, admin, note)
    return changed + load_proxy_limits(instance)


def _open_the_api(instance: Instance, admin: AdminUser, note: Callable[[str], None]) -> list[str]:
    changed = ["API key calstack made"] if ensure_api_key(instance, admin) else []
    limits = apply_limits(instance)
    for missing in limits.missing:
        note(f"rate_limits.api.keys names {missing!r}, and no API key has that note")
    if api_verdict(instance) == "wants a licence":
        note(
            "this build of API v2 takes no key without a licence of Cal.com (CALCOM_LICENSE_KEY); "
            "calstack works over the web app instead"
        )
    return changed + limits.changed


def _create_admin(instance: Instance) -> None:
    admin = instance.settings.admin
    with instance.inner_entrance() as client:
        wait_ready(client, seconds=_READY_SECONDS)
        try:
            create_first_admin(
                client,
                username=admin.username,
                full_name=admin.name,
                email=admin.email,
                password=instance.secrets.admin_password,
            )
        except AlreadySetUp:
            # FACTS §6: 400 says only that some user exists; whose it is, the rows tell.
            _own_admin(instance)


def _own_admin(instance: Instance) -> AdminUser:
    admin = instance.admin_user()
    if admin is None:
        rows = instance.remote.sql("select email from users where role = 'ADMIN' order by id;")
        theirs = ", ".join(row[0] for row in rows) or "none"
        raise CalstackError(
            f"the instance was set up by somebody else: its administrators are {theirs}, "
            f"not {instance.settings.admin.email}",
            where=instance.name,
            fix="if that is you, set `admin.email` to it; if not, a stranger was first: "
            "destroy the database volume and deploy again",
        )
    return admin


def _finish_onboarding(instance: Instance, admin: AdminUser) -> bool:
    zone = quoted(instance.settings.admin.time_zone)
    rows = instance.remote.sql(
        f'update users set "completedOnboarding" = true, "timeZone" = {zone} '
        f'where id = {admin.id} and not "completedOnboarding" returning id;'
    )
    return bool(rows)


def _switch_sign_up(instance: Instance) -> bool:
    closed = "true" if instance.settings.app.sign_up == "closed" else "false"
    rows = instance.remote.sql(
        f"""insert into "Feature" (slug, enabled, type, description, "createdAt", "updatedAt")
        values ('disable-signup', {closed}, 'OPERATIONAL', 'Nobody can make an account', now(), now())
        on conflict (slug) do update set enabled = excluded.enabled, "updatedAt" = now()
        where "Feature".enabled is distinct from excluded.enabled returning slug;"""
    )
    return bool(rows)
