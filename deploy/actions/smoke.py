"""Walks a guest's journey through an instance that calstack deployed."""

from __future__ import annotations

from collections.abc import Callable

from deploy.actions.instance import Instance, quoted
from deploy.settings.layout import ONHOST
from deploy.smoke.journey import run_smoke_test
from deploy.smoke.receiver import RemoteReceiver
from deploy.smoke.report import SmokeReport

_GATEWAY = "docker network inspect calcom_front --format '{{(index .IPAM.Config 0).Gateway}}'"


def smoke(instance: Instance, *, progress: Callable[[str], None] = lambda _: None) -> SmokeReport:
    """Book, move and cancel as a stranger over the public name, and see the webhooks arrive on the host.

    The receiver listens for the time of the test on the gateway of the app's network, where the app reaches
    it and strangers do not.
    """
    gateway = instance.remote.run(_GATEWAY).text
    process = instance.remote.start(f"{ONHOST} receiver")
    with (
        RemoteReceiver(process, bind=gateway) as receiver,
        instance.guest() as guest,
        instance.channel() as channel,
    ):
        return run_smoke_test(
            guest,
            channel,
            receiver,
            remove_cancelled_bookings=lambda uids: _remove_cancelled(instance, uids),
            progress=progress,
        )


def _remove_cancelled(instance: Instance, uids: list[str]) -> int:
    """Cal.com deletes no booking; what hangs on one goes with it (its foreign keys cascade)."""
    listed = ", ".join(quoted(uid) for uid in uids)
    return len(
        instance.remote.sql(
            f"""delete from "Booking" where uid in ({listed}) and status = 'cancelled' returning id;"""  # noqa: S608
        )
    )
