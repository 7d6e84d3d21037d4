"""Drives pyinfra: connects to the hosts, runs the deploys on all of them at once, says what changed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import gevent
import pyinfra
from pyinfra.api.config import Config
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.api.inventory import Inventory as PyinfraInventory
from pyinfra.api.operations import run_host_op
from pyinfra.api.state import State, StateStage
from pyinfra.context import ctx_host, ctx_inventory, ctx_state

from deploy.errors import CalstackError
from deploy.remote import Remote
from deploy.settings.inventory import Inventory
from deploy.settings.pyinfra_hosts import pyinfra_hosts
from deploy.site import site

Result = TypeVar("Result")

Report = Callable[[str, str], None]
"""Takes a host's name and what happens there now."""


@dataclass
class Outcome:
    """What converging did to one host."""

    host: str
    changed: list[str] = field(default_factory=list)
    """Names of the operations that changed something, in their order."""
    failure: str | None = None
    """Why it stopped, with what to do; None when it went through."""
    seconds: float = 0.0


class Connection:
    """The hosts of an inventory, connected; those that could not be reached are in `failures`."""

    def __init__(self, inventory: Inventory, state: State) -> None:
        self.inventory = inventory
        self._state = state
        self.failures: dict[str, str] = {}
        """Why a host could not be reached, by its name."""

    @property
    def names(self) -> list[str]:
        """Names of the hosts that are connected, in the inventory's order."""
        return [host.name for host in self._state.inventory if host in self._state.active_hosts]

    def remote(self, name: str) -> Remote:
        """The connection to one host."""
        return Remote.of(self._host(name))

    def _host(self, name: str) -> Any:
        return self._state.inventory.get_host(name)

    def converge(
        self, names: Sequence[str], report: Report, describe: Callable[[], None] = site
    ) -> list[Outcome]:
        """Run the deploys until each of these hosts matches its description, every host at its own pace.

        Once a connection: pyinfra keeps the operations that it has run.
        """
        with ctx_state.use(self._state), ctx_inventory.use(self._state.inventory):
            self._state.set_stage(StateStage.Prepare)
            outcomes = _at_once(lambda name: self._prepare(name, describe), names)
            self._state.set_stage(StateStage.Execute)
            self._state.is_executing = True
            prepared = [name for name in names if outcomes[name].failure is None]
            outcomes |= _at_once(lambda name: self._run(name, report), prepared)
            self._state.is_executing = False
        return list(outcomes.values())

    def on_each(
        self, names: Sequence[str], act: Callable[[str], Result]
    ) -> dict[str, Result | CalstackError]:
        """Call `act` with each host's name, all at once; an error of one host does not stop the others."""

        def guarded(name: str) -> Result | CalstackError:
            try:
                return act(name)
            except CalstackError as error:
                return error

        return _at_once(guarded, names)

    def _prepare(self, name: str, describe: Callable[[], None]) -> Outcome:
        outcome = Outcome(name)
        with ctx_host.use(self._host(name)):
            try:
                describe()
            except (CalstackError, PyinfraError) as error:
                outcome.failure = str(error)
        return outcome

    def _run(self, name: str, report: Report) -> Outcome:
        outcome = Outcome(name)
        host = self._host(name)
        started = time.monotonic()
        for operation in host.op_hash_order:
            title = ", ".join(sorted(self._state.get_op_meta(operation).names))
            report(name, title)
            outcome.failure = self._run_operation(host, operation, title)
            if outcome.failure is not None:
                break
            if self._state.ops[host][operation].operation_meta.did_change():
                outcome.changed.append(title)
        outcome.seconds = time.monotonic() - started
        return outcome

    def _run_operation(self, host: Any, operation: str, title: str) -> str | None:
        host.calstack_failure = None
        with ctx_host.use(host):
            try:
                if run_host_op(self._state, host, operation):
                    return None
            except (CalstackError, PyinfraError, OSError) as error:
                return f"{title}: {error}"
        if host.calstack_failure is not None:
            return f"{title}: {host.calstack_failure}"
        meta = self._state.ops[host][operation].operation_meta
        said = (meta.stderr or meta.stdout).strip() if meta.is_complete() else ""
        return f"{title}: " + ("\n".join(said.splitlines()[-15:]) or "failed without a word")


def _at_once(act: Callable[[str], Result], names: Sequence[str]) -> dict[str, Result]:
    jobs = {name: gevent.spawn(act, name) for name in names}
    try:
        return {name: job.get() for name, job in jobs.items()}
    except BaseException:
        # Ctrl-C reaches this greenlet alone: the others are ended here, so that they clean up behind them.
        gevent.killall(list(jobs.values()), block=True)
        raise


@contextmanager
def connect(
    inventory: Inventory, names: Sequence[str], *, log: logging.Handler | None = None
) -> Iterator[Connection]:
    """Connect to these hosts of the inventory, all at once.

    `log` receives pyinfra's own log; without it pyinfra is silent.
    """
    _quiet(log)
    hosts = [(name, data) for name, data in pyinfra_hosts(inventory) if name in names]
    state = State(
        PyinfraInventory((hosts, {})),  # type: ignore[no-untyped-call]  # pyinfra leaves it untyped
        Config(CONNECT_TIMEOUT=10, FAIL_PERCENT=None),  # type: ignore[no-untyped-call]  # as above
        # Each operation looks at the host when its turn comes; looking beforehand as well would double the
        # time and be wrong for whatever an earlier operation changes.
        check_for_changes=False,
    )
    connection = Connection(inventory, state)
    state.set_stage(StateStage.Connect)
    with ctx_state.use(state):
        jobs = {host.name: gevent.spawn(_connect, state, host) for host in state.inventory}
        for name, job in jobs.items():
            failure = job.get()
            if failure is not None:
                connection.failures[name] = failure
    try:
        yield connection
    finally:
        for name in connection.names:
            connection.remote(name).close()


def _connect(state: State, host: Any) -> str | None:
    try:
        host.connect(show_errors=False, raise_exceptions=True)
    except ConnectError as error:
        return _why_unreachable(host, str(error))
    state.activate_host(host)
    return None


def _why_unreachable(host: Any, error: str) -> str:
    address = f"{host.data.ssh_hostname}:{host.data.ssh_port}"
    lowered = error.lower()
    if "resolve" in lowered:
        fix = "check `ssh.address` in the host's file and the DNS"
    elif "authentication" in lowered or "private key" in lowered:
        fix = "check `ssh.user` and `ssh.key_file` in the host's file; `ssh` with them must get in"
    elif "known_hosts" in lowered or "host key" in lowered:
        fix = (
            f"compare the host's key with what its provider shows, then accept it once: "
            f"ssh -p {host.data.ssh_port} {host.data.ssh_user}@{host.data.ssh_hostname}"
        )
    else:
        fix = "check that the machine is up, and that its sshd can be reached from here"
    return f"cannot connect to {address}: {error}\n  -> {fix}"


def _quiet(log: logging.Handler | None) -> None:
    pyinfra.logger.handlers = [log or logging.NullHandler()]
    pyinfra.logger.propagate = False
    pyinfra.logger.setLevel(logging.DEBUG if log else logging.CRITICAL)
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
