"""From a bare host to a verified booking: converge, bootstrap, seed, smoke-test, report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from deploy.actions.bootstrap import bootstrap
from deploy.actions.carried_secrets import lay_down_secrets
from deploy.actions.jobs import catch_up_jobs
from deploy.actions.opening import Opened
from deploy.actions.seed import check_manifest, seed
from deploy.actions.smoke import smoke
from deploy.converge import Report
from deploy.errors import CalstackError
from deploy.roles.catalogue import all_files
from deploy.settings.inventory import Inventory
from deploy.site import preview_context
from deploy.smoke.report import SmokeReport


@dataclass
class DeployResult:
    """What a deploy did to one host."""

    host: str
    url: str = ""
    changed: list[str] = field(default_factory=list)
    """What was changed, in its order; empty when there was nothing to do."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Seconds by stage."""
    smoke: SmokeReport | None = None
    failure: str | None = None
    """Why it stopped, and what to do."""
    notes: list[str] = field(default_factory=list)
    """What a person should know although nothing has failed."""

    @property
    def ok(self) -> bool:
        """Whether the host is proven to work."""
        return self.failure is None and self.smoke is not None and self.smoke.passed

    def as_json(self) -> dict[str, Any]:
        """One host of the document of `deploy --json`."""
        return {
            "host": self.host,
            "url": self.url,
            "ok": self.ok,
            "changed": self.changed,
            "notes": self.notes,
            "seconds": {stage: round(seconds, 1) for stage, seconds in self.seconds.items()},
            "smoke_test": None if self.smoke is None else ("passed" if self.smoke.passed else "failed"),
            "failure": self.failure or (None if self.ok else self._smoke_failure),
        }

    @property
    def _smoke_failure(self) -> str | None:
        return "\n".join(self.smoke.conclusion()) if self.smoke is not None else None


def check(inventory: Inventory, names: Sequence[str]) -> None:
    """Validate all that can be known without a host; raises `InputError` before anything is touched."""
    check_manifest(inventory, names)
    for name in names:
        all_files(preview_context(inventory, name))


def deploy(opened: Opened, report: Report) -> list[DeployResult]:
    """Deploy every connected host, all at once; a host that fails does not stop the others."""
    results = {name: DeployResult(name, failure=why) for name, why in opened.connection.failures.items()}
    with opened.locked("deploy") as free:
        results |= {name: DeployResult(name, failure=why) for name, why in free.refused.items()}
        for outcome in opened.connection.converge(free.names, report):
            results[outcome.host] = DeployResult(
                outcome.host,
                opened.inventory.hosts[outcome.host].public_url,
                list(outcome.changed),
                {"converge": outcome.seconds},
                failure=outcome.failure,
            )
        converged = [name for name in free.names if results[name].failure is None]
        opened.connection.on_each(converged, lambda name: _prove(opened, results[name], report))
    return [results[name] for name in opened.inventory.hosts if name in results]


def _prove(opened: Opened, result: DeployResult, report: Report) -> None:
    """What follows on a converged host: its first administrator, its contents, its jobs, a booking."""
    instance = opened.instance(result.host)
    try:
        if (maintenance := instance.maintenance()) is not None:
            result.notes.append(f"{maintenance.told()}; `calstack maintenance off` ends it")
        with _stage(result, "bootstrap", report):
            result.changed += bootstrap(instance, result.notes.append)
        if instance.settings.clone:
            result.notes.append("this is a clone: it holds what the original held, and was not seeded")
        else:
            with _stage(result, "seed", report):
                seeded = seed(instance)
                result.changed += seeded.changes
                result.notes += seeded.missing
        result.changed += lay_down_secrets(instance, opened.store)
        with _stage(result, "jobs", report):
            result.changed += catch_up_jobs(instance)
        with _stage(result, "smoke test", report):
            result.smoke = smoke(instance)
    except CalstackError as error:
        result.failure = str(error)


@contextmanager
def _stage(result: DeployResult, name: str, report: Report) -> Iterator[None]:
    report(result.host, name)
    started = time.monotonic()
    try:
        yield
    finally:
        result.seconds[name] = time.monotonic() - started
