"""Makes an instance hold what the manifest declares, and writes the manifest of one that runs already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from deploy.actions.instance import Instance, user_id
from deploy.actions.limits import check_key_limits
from deploy.actions.seed_key_limits import DatabaseKeyLimits
from deploy.actions.seed_ledger import DatabaseLedger
from deploy.calcom.api import ApiChannel
from deploy.calcom.channel import Channel
from deploy.calcom.http import open_client
from deploy.calcom.opening import open_channel
from deploy.calcom.session import minted_cookie, password_login
from deploy.calcom.web import WebChannel
from deploy.errors import CalstackError, InputError
from deploy.secrets import SecretStore
from deploy.seed.abilities import check_abilities
from deploy.seed.apply import Applied, apply
from deploy.seed.key_limits import KeyLimits
from deploy.seed.ledger import Ledger, Made
from deploy.seed.manifest import load_manifest, manifest_files
from deploy.seed.plan import Plan, make_plan, plans_document, render_plans
from deploy.seed.prune import Pruning
from deploy.seed.pull import Pulled, pull
from deploy.seed.wanted import Manifest
from deploy.settings.inventory import Inventory
from deploy.settings.yaml_source import ENVIRONMENT_TAG
from deploy.smoke.names import SCHEDULE_PREFIX, SLUG_PREFIX

_SPARED = (SLUG_PREFIX, SCHEDULE_PREFIX)

Confirm = Callable[[str], bool]
"""Gets a plan that deletes something, for people, and says whether to go on."""
ChannelFor = Callable[[str], Channel]
"""The channel of another user, by e-mail address or user name."""
Report = Callable[[str], None]


@dataclass(frozen=True)
class Wish:
    """What shall be done with the difference; `prune` None leaves alone what the manifest does not name."""

    plan_only: bool = False
    prune: Confirm | None = None


@dataclass(frozen=True)
class SeedResult:
    """What seeding one instance did, or would do."""

    plans: tuple[Plan, ...]
    """The own user's, then those of others, in the manifest's order."""
    applied: Applied | None
    """None where only the plan was asked for."""

    @property
    def changes(self) -> list[str]:
        """A line for each thing that was made, changed or removed."""
        return [
            f"{f'{plan.user}: ' if plan.user else ''}{change.kind} {change.key} {change.action}d"
            for plan in self.plans
            for change in plan.changes
        ]

    @property
    def missing(self) -> list[str]:
        """A line for each thing that has to be there and is not; nothing fails for it."""
        return [missing for plan in self.plans for missing in plan.missing]

    def lines(self) -> list[str]:
        """For people: the plan, or what was done."""
        if self.applied is None:
            return render_plans(self.plans).splitlines()
        kept = [f"{item.kind} {item.key} stays: {item.why}" for plan in self.plans for item in plan.kept]
        return [*self.changes, *kept, *self.missing, str(self.applied)]

    def document(self) -> dict[str, Any]:
        """For programs, as docs/seed.md describes it."""
        return {"ok": True, "applied": self.applied is not None, **plans_document(self.plans)}


def check_manifest(inventory: Inventory, hosts: Sequence[str], files: Sequence[Path] = ()) -> None:
    """Validate the manifest in full, for these hosts; raises `InputError` before anything is connected."""
    manifest = load_manifest(list(files) or manifest_files(inventory.seed_file), lambda name: f"<{name}>")
    check_key_limits(manifest, inventory, hosts)


def seed(
    instance: Instance,
    *,
    files: Sequence[Path] = (),
    wish: Wish | None = None,
    report: Report = lambda _: None,
) -> SeedResult:
    """Compare the instance with the manifest and, unless only the plan is wanted, make it so.

    `files` are read in place of the inventory's own manifest. A webhook's secret that nobody has stored yet
    is made and kept with the host's secrets.
    """
    manifest = load_manifest(
        list(files) or manifest_files(instance.inventory.seed_file), instance.secrets.resolve_or_make
    )
    check_key_limits(manifest, instance.inventory, [instance.name])
    key_limits = _key_limits(instance)
    with (
        instance.chosen_channel(lambda channel: _offers(channel, manifest)) as channel,
        _others(instance, manifest) as channel_for,
    ):
        ledger = DatabaseLedger(instance.remote)
        return _seed(manifest, channel, channel_for, ledger, key_limits, wish or Wish(), report)


def _key_limits(instance: Instance) -> KeyLimits | None:
    return DatabaseKeyLimits(instance) if instance.settings.has_api else None


def _offers(channel: Channel, manifest: Manifest) -> bool:
    try:
        check_abilities(manifest, channel, other_users=True, key_limits=True)
    except InputError:
        return False
    return True


def seed_foreign(
    access: ForeignAccess, files: Sequence[Path], *, wish: Wish | None = None, report: Report = lambda _: None
) -> SeedResult:
    """The same with an instance that calstack did not deploy: no inventory, no host, one user.

    Nobody notes there which webhooks are ours, so pruning takes none.
    """
    manifest = load_manifest(list(files), _no_secrets)
    with access.channel() as channel:
        return _seed(manifest, channel, None, None, None, wish or Wish(), report)


def pull_manifest(instance: Instance, store: SecretStore) -> Pulled:
    """The manifest of what the administrator has; webhooks' secrets are kept with the inventory's."""

    def keep(value: str, suggested: str) -> str:
        names = {
            name: entry["value"]
            for host, name, entry in store.content.entries()
            if host in (None, instance.name)
        }
        known = [name for name, kept in names.items() if kept == value]
        name, number = suggested, 2
        while not known and name in names:
            name, number = f"{suggested}_{number}", number + 1
        if not known:
            store.set(name, value, instance.name)
        return known[0] if known else name

    with instance.channel() as channel:
        return pull(channel, keep, spared=_SPARED, key_limits=_key_limits(instance))


def pull_foreign(access: ForeignAccess) -> Pulled:
    """The same of an instance that calstack did not deploy; secrets become names of variables (`!env`)."""
    with access.channel() as channel:
        return pull(
            channel, lambda _, name: f"CALSTACK_{name.upper()}", spared=_SPARED, secret_tag=ENVIRONMENT_TAG
        )


@dataclass(frozen=True)
class ForeignAccess:
    """How to reach an instance that calstack did not deploy: its public URL, and an API key or a password."""

    url: str
    email: str | None = None
    password: str | None = field(default=None, repr=False)
    totp_code: str | None = None
    key: str | None = field(default=None, repr=False)
    """With it all goes over API v2."""
    api_url: str | None = None
    """What `/v2` of the API hangs on, where that is not `/api` of `url`."""
    ca_file: Path | None = None

    @contextmanager
    def channel(self) -> Iterator[Channel]:
        """API v2 with the key, else the web app with a session of that person.

        Raises what `open_channel` and `password_login` raise.
        """
        api_url = self.api_url or f"{self.url.rstrip('/')}/api"
        with (
            open_client(self.url, ca_file=self.ca_file) as http,
            open_client(api_url, ca_file=self.ca_file) as api,
        ):
            yield open_channel(
                "api" if self.key else "web",
                api=(lambda: ApiChannel(api, self.key or "")) if self.key else None,
                web=(lambda: self._signed_in(http)) if self.email else None,
            ).channel

    def _signed_in(self, http: httpx.Client) -> WebChannel:
        cookie = password_login(http, self.email or "", self.password or "", totp_code=self.totp_code)
        return WebChannel(http, cookie)


# --- the run


def _seed(
    manifest: Manifest,
    channel: Channel,
    channel_for: ChannelFor | None,
    ledger: Ledger | None,
    key_limits: KeyLimits | None,
    wish: Wish,
    report: Report,
) -> SeedResult:
    check_abilities(manifest, channel, other_users=channel_for is not None, key_limits=key_limits is not None)
    parts: list[tuple[str, Manifest, Channel]] = [("", manifest, channel)]
    if channel_for is not None:
        parts += [(user, theirs, channel_for(user)) for user, theirs in manifest.users.items()]
    pruning = None
    if wish.prune is not None:
        pruning = Pruning(ledger.read() if ledger else Made(), _SPARED)
    plans = tuple(
        make_plan(part, theirs, user=user, pruning=pruning, key_limits=key_limits)
        for user, part, theirs in parts
    )
    if wish.plan_only:
        return SeedResult(plans, None)
    deletes = any(plan.count("delete") for plan in plans)
    if deletes and wish.prune is not None and not wish.prune(render_plans(plans)):
        raise CalstackError("not confirmed; nothing was changed")
    applied = Applied(0, 0, 0)
    for plan, (_, _, theirs) in zip(plans, parts, strict=True):
        applied += apply(plan, theirs, report, ledger=ledger, key_limits=key_limits)
    return SeedResult(plans, applied)


@contextmanager
def _others(instance: Instance, manifest: Manifest) -> Iterator[ChannelFor]:
    """Channels of the users whom the manifest names, through the inner entrance; all must be there."""
    if not manifest.users:
        yield lambda user: _missing(instance, [user])
        return
    rows = {user: _user_row(instance, user) for user in manifest.users}
    if absent := [user for user, row in rows.items() if row is None]:
        _missing(instance, absent)
    with instance.inner_entrance() as http:
        yield lambda user: _minted(instance, http, rows[user])


def _minted(instance: Instance, http: httpx.Client, row: tuple[int, str] | None) -> Channel:
    assert row is not None  # noqa: S101 - looked at above
    user_id, email = row
    return WebChannel(http, minted_cookie(instance.secrets.nextauth_secret, user_id, email, secure=True))


def _user_row(instance: Instance, user: str) -> tuple[int, str] | None:
    rows = instance.remote.sql(f"select id, email from users where id = {user_id(user)};")
    return (int(rows[0][0]), rows[0][1]) if rows else None


def _missing(instance: Instance, users: Sequence[str]) -> Channel:
    raise CalstackError(
        f"the instance has no user {', '.join(users)}; nothing was sent",
        where=instance.name,
        fix="make them first (Settings, Admin, Users in the web app), or correct `users` in the manifest",
    )


def _no_secrets(name: str) -> str:
    raise InputError(f"without an inventory there are no secrets; write !env and a variable for {name}")
