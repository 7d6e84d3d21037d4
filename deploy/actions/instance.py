"""One instance as the actions reach it: its host, its inner entrance, its public name, its database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.calcom.api import ApiChannel
from deploy.calcom.channel import Channel, HostChannel
from deploy.calcom.guest import Guest
from deploy.calcom.http import open_client
from deploy.calcom.opening import open_channel
from deploy.calcom.session import minted_cookie
from deploy.calcom.web import WebChannel
from deploy.errors import CalstackError
from deploy.maintenance import OPERATOR_HEADER, READ, Maintenance, parse
from deploy.remote import Remote
from deploy.secrets import HostSecrets
from deploy.settings.app_variables import API_KEY_PREFIX
from deploy.settings.inventory import Inventory
from deploy.settings.layout import MAINTENANCE_MAP
from deploy.settings.model import HostSettings


@dataclass(frozen=True)
class AdminUser:
    """The row of the instance's administrator."""

    id: int
    email: str


@dataclass(frozen=True)
class Instance:
    """One instance that calstack deployed, with everything that an action needs to talk to it."""

    name: str
    """Name of its host in the inventory."""
    inventory: Inventory
    settings: HostSettings
    secrets: HostSecrets
    remote: Remote

    @contextmanager
    def inner_entrance(self, path: str = "") -> Iterator[httpx.Client]:
        """A client on the inner entrance, through an SSH tunnel; setup and cron paths are open there.

        Its requests go below `path`: `/api` is where API v2 hangs.
        """
        with (
            self.remote.tunnel(self.settings.proxy.inner_port) as port,
            open_client(f"http://{self.settings.domain}{path}", connect_to=("127.0.0.1", port)) as client,
        ):
            yield client

    @contextmanager
    def channel(self) -> Iterator[WebChannel]:
        """The administrator's web channel through the inner entrance, with a session of some minutes."""
        admin = self.admin_user()
        if admin is None:
            raise CalstackError(
                f"the instance has no administrator {self.settings.admin.email}",
                where=self.name,
                fix="run `calstack deploy`, which makes it; or set `admin.email` to the one that is there",
            )
        cookie = minted_cookie(self.secrets.nextauth_secret, admin.id, admin.email, secure=True)
        with self.inner_entrance() as client:
            yield WebChannel(client, cookie)

    @contextmanager
    def chosen_channel(self, offers: Callable[[Channel], bool] = lambda _: True) -> Iterator[HostChannel]:
        """The administrator's channel of the setting `channel`, through the inner entrance.

        `offers`: whether a channel can do what it is wanted for; `auto` passes by an API that cannot. Raises
        what `open_channel` raises.
        """
        wanted = self.settings.channel
        if not self.settings.has_api or wanted == "web":
            with self.channel() as web:
                yield web
            return
        with self.channel() as web, self.inner_entrance("/api") as client:
            api = ApiChannel(client, self.api_key)
            if wanted == "auto" and not offers(api):
                yield web
            else:
                yield open_channel(wanted, api=lambda: api, web=lambda: web).channel

    @contextmanager
    def guest(self) -> Iterator[Guest]:
        """A stranger who comes over the public name and TLS."""
        with self.public_client() as client:
            yield Guest(client)

    def public_client(self, path: str = "") -> httpx.Client:
        """A client on the public entrance, whose requests are relative to `path`.

        It connects to the address that SSH uses, so that a name without DNS (yet) can be verified too; name
        and certificate are checked all the same. During a maintenance it is let in as an operator.
        """
        client = open_client(
            f"{self.settings.public_url}{path}",
            ca_file=self.authority_file,
            connect_to=(self.settings.ssh.address, 443),
        )
        if (maintenance := self.maintenance()) is not None:
            client.headers[OPERATOR_HEADER] = maintenance.operator_key(self.secrets.nextauth_secret)
        return client

    def maintenance(self) -> Maintenance | None:
        """The maintenance that is on, or None while guests reach the instance."""
        try:
            return parse(self.remote.run(READ).text)
        except ValueError as error:
            raise CalstackError(
                str(error), where=f"{self.name}:{MAINTENANCE_MAP}", fix="calstack maintenance off"
            ) from None

    @property
    def api_key(self) -> str:
        """calstack's own API key, as callers send it."""
        return f"{API_KEY_PREFIX}{self.secrets.api_key}"

    @property
    def authority_file(self) -> Path | None:
        """Certificate of the private authority that signed for this instance, if one did."""
        return self.inventory.authority_of(self.settings)

    def admin_user(self) -> AdminUser | None:
        """The administrator of the settings as the database knows it, or None."""
        email = quoted(self.settings.admin.email.lower())
        rows = self.remote.sql(f"select id, email from users where email = {email} and role = 'ADMIN';")
        return AdminUser(int(rows[0][0]), rows[0][1]) if rows else None


def user_id(user: str) -> str:
    """The SQL of a user's id, by e-mail address or user name in small letters; of several, the oldest."""
    column = "email" if "@" in user else "username"
    return f"(select id from users where lower({column}) = {quoted(user.lower())} order by id limit 1)"


def quoted(text: str) -> str:
    """The text as an SQL literal (standard_conforming_strings, PostgreSQL 17 §4.1.2.1)."""
    return "'" + text.replace("'", "''") + "'"
