"""Tells a monitor how a smoke test went, in the form in which the host's jobs tell theirs (docs/jobs.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from deploy.actions.instance import Instance
from deploy.errors import CalstackError, InputError
from deploy.onhost.pings import FAIL, START, SUCCESS, ping
from deploy.settings.inventory import Inventory
from deploy.smoke.report import SmokeReport

JOB = "smoke"
"""What `{job}` in the address becomes."""
ADDRESS_VARIABLE = "CALSTACK_PING_URL"
_FIX = f"set jobs.ping_url, or {ADDRESS_VARIABLE} in the environment"


@dataclass(frozen=True)
class Monitor:
    """Where a run's start, success and failure are told; the address is a credential of its own."""

    address: str = field(repr=False)

    def watch(self, run: Callable[[], SmokeReport], tell: Callable[[str], None]) -> SmokeReport:
        """Run a test and tell the monitor, with the report as the message.

        A monitor that cannot be told stops nothing: `tell` gets why. Raises what `run` raises.
        """
        self._ping(START, "", tell)
        try:
            report = run()
        except CalstackError as error:
            self._ping(FAIL, str(error), tell)
            raise
        self._ping(SUCCESS if report.passed else FAIL, "\n".join(report.lines()), tell)
        return report

    def _ping(self, ending: str, message: str, tell: Callable[[str], None]) -> None:
        problem = ping(self.address, JOB, ending, message)
        if problem is not None:
            tell(f"the monitor was not told: {problem}")


def refuse_unwatched(inventory: Inventory, names: list[str], given: str | None) -> None:
    """Raise `InputError` where one of these hosts has no monitor and none is `given`."""
    for name in names:
        if given is None and inventory.hosts[name].jobs.ping_url is None:
            raise InputError(f"host {name} has no monitor to tell", where="jobs.ping_url", fix=_FIX)


def monitor_of(instance: Instance, given: str | None) -> Monitor:
    """The monitor of an instance: the one `given`, else that of its jobs; `refuse_unwatched` comes before."""
    address = given or instance.settings.jobs.ping_url
    if address is None:
        raise InputError(f"host {instance.name} has no monitor to tell", where="jobs.ping_url", fix=_FIX)
    return Monitor(address if isinstance(address, str) else instance.secrets.resolve(address.secret))
