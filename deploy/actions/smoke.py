"""Walks a guest's journey through an instance: one that calstack deployed, or any other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.actions.inside import HostInside
from deploy.actions.instance import Instance, quoted
from deploy.actions.seed import ForeignAccess
from deploy.calcom.api import ApiChannel
from deploy.calcom.api_guest import ApiGuest
from deploy.calcom.channel import Channel
from deploy.calcom.guest import Guest
from deploy.calcom.http import open_client
from deploy.calcom.session import password_login
from deploy.calcom.web import WebChannel
from deploy.errors import CalstackError, InputError
from deploy.remote import Remote
from deploy.settings.layout import ONHOST
from deploy.smoke.journey import Means, run_smoke_test
from deploy.smoke.junit import junit
from deploy.smoke.mails import Mailbox
from deploy.smoke.receiver import RemoteReceiver
from deploy.smoke.report import SmokeReport
from deploy.smoke.skew import InstanceClock

OpenMailbox = Callable[[Remote], Mailbox]
"""Begins to watch the mails of the instance on a host."""

_GATEWAY = "docker network inspect calcom_front --format '{{(index .IPAM.Config 0).Gateway}}'"


def smoke(
    instance: Instance,
    *,
    open_mailbox: OpenMailbox | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> SmokeReport:
    """Book, move and cancel as a stranger over the public name, and see the webhooks arrive on the host.

    The receiver listens for the time of the test on the gateway of the app's network, where the app reaches
    it and strangers do not. The host's lock must be held. `open_mailbox`: where the instance's mails can be
    read, if it sends any.
    """
    gateway = instance.remote.run(_GATEWAY).text
    process = instance.remote.start(f"{ONHOST} receiver")
    with (
        RemoteReceiver(process, bind=gateway) as receiver,
        instance.public_client() as http,
        instance.channel() as channel,
        instance.public_client("/api") as api_http,
    ):
        means = Means(
            inside=HostInside(instance),
            api=ApiGuest(api_http) if instance.settings.has_api else None,
            key_owner=ApiChannel(api_http, instance.api_key).me if instance.settings.has_api else None,
            mailbox=open_mailbox(instance.remote) if open_mailbox and instance.settings.smtp else None,
            ahead=InstanceClock(http).ahead,
            remove_cancelled_bookings=lambda uids: _remove_cancelled(instance, uids),
            alone=True,
            queued_webhooks=instance.settings.app.env.get("TASKER_ENABLE_WEBHOOKS") == "1",
        )
        return run_smoke_test(Guest(http), channel, receiver, means, progress=progress)


@dataclass(frozen=True)
class AnyInstance:
    """An instance that calstack did not deploy: how to reach it, and how it reaches us."""

    access: ForeignAccess
    connect_to: str | None = None
    """Address to connect to, whatever the name's is."""
    receiver_bind: tuple[str, int] | None = None
    """Address and port of this machine where the webhooks are received; None: they are not tested."""
    receiver_url: str | None = None
    """How the instance reaches that."""
    queued_webhooks: bool = False

    @property
    def name(self) -> str:
        """What reports call it."""
        return httpx.URL(self.access.url).host or self.access.url


def any_instance(
    access: ForeignAccess,
    *,
    connect_to: str | None = None,
    receiver_bind: str | None = None,
    receiver_url: str | None = None,
    queued_webhooks: bool = False,
) -> AnyInstance:
    """An instance as the command's options describe it; raises `InputError` where they do not fit."""
    if receiver_url is not None and receiver_bind is None:
        raise InputError(
            "--receiver-url says how this machine is reached, and nothing listens here",
            fix="give --receiver-bind as well: the address and port behind that URL",
        )
    for address in (access.url, access.api_url, receiver_url):
        if address is not None:
            _refuse_what_is_no_url(address)
    bind = _address_and_port(receiver_bind) if receiver_bind else None
    return AnyInstance(access, connect_to, bind, receiver_url, queued_webhooks)


def _refuse_what_is_no_url(text: str) -> None:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError(f"{text!r} is not an http or https URL", fix="give it as https://NAME")


def _address_and_port(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    address = address.strip("[]")
    if not address or not port.isdecimal() or int(port) > 65535:
        raise InputError(f"{text!r} is not ADDRESS:PORT", fix="write it like 0.0.0.0:9099 or [::]:9099")
    return address, int(port)


def smoke_any(instance: AnyInstance, *, progress: Callable[[str], None] = lambda _: None) -> SmokeReport:
    """The same journey with what a user has: a password or a key, and, where wanted, a receiver here.

    Raises `CalcomError` where the password is refused, `ReceiverGoneError` where nothing can listen here.
    """
    access = instance.access
    with ExitStack() as opened:
        http = opened.enter_context(_client(instance, access.url))
        api: ApiGuest | None = None
        channel: Channel
        if access.key is not None:
            api_url = access.api_url or f"{access.url.rstrip('/')}/api"
            api_http = opened.enter_context(_client(instance, api_url))
            channel, api = ApiChannel(api_http, access.key), ApiGuest(api_http)
        else:
            cookie = password_login(
                http, access.email or "", access.password or "", totp_code=access.totp_code
            )
            channel = WebChannel(http, cookie)
        receiver: RemoteReceiver | None = None
        if instance.receiver_bind is not None:
            bind, port = instance.receiver_bind
            receiver = opened.enter_context(
                RemoteReceiver(LocalReceiver(), bind=bind, port=port, seen_as=instance.receiver_url)
            )
        means = Means(api=api, ahead=InstanceClock(http).ahead, queued_webhooks=instance.queued_webhooks)
        return run_smoke_test(Guest(http), channel, receiver, means, progress=progress)


def _client(instance: AnyInstance, url: str) -> httpx.Client:
    port = httpx.URL(url).port or (443 if url.startswith("https:") else 80)
    return open_client(
        url,
        ca_file=instance.access.ca_file,
        connect_to=(instance.connect_to, port) if instance.connect_to else None,
    )


class LocalReceiver:
    """`onhost receiver` on this machine, as a `ReceiverProcess`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "deploy.onhost", "receiver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for us: we end it when all is cleared away
        )

    def write_line(self, line: str) -> None:
        """See `ReceiverProcess.write_line`."""
        if self._process.stdin is not None:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def __iter__(self) -> Iterator[str]:
        """See `ReceiverProcess.__iter__`."""
        yield from self._process.stdout or ()

    def close(self) -> None:
        """See `ReceiverProcess.close`."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def write_junit(
    file: Path, results: Mapping[str, SmokeReport | CalstackError], not_begun: Mapping[str, str]
) -> None:
    """Write the reports as JUnit XML; `not_begun` says why other instances were not tested at all."""
    reports = {name: result for name, result in results.items() if isinstance(result, SmokeReport)}
    errors = {name: str(result) for name, result in results.items() if isinstance(result, CalstackError)}
    try:
        file.write_bytes(junit(reports, {**not_begun, **errors}))
    except OSError as error:
        raise CalstackError(f"the report cannot be written: {error.strerror}", where=str(file)) from error


def _remove_cancelled(instance: Instance, uids: list[str]) -> int:
    """Cal.com deletes no booking; what hangs on one goes with it (its foreign keys cascade)."""
    listed = ", ".join(quoted(uid) for uid in uids)
    return len(
        instance.remote.sql(
            f"""delete from "Booking" where uid in ({listed}) and status = 'cancelled' returning id;"""
        )
    )
