"""Is each host what it should be? Runs the checks of `tests/verify` and says what they found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.console import Console
from deploy.errors import CalstackError
from deploy.settings.inventory import Inventory

CHECKS = Path(__file__).resolve().parents[2] / "tests" / "verify"

_LONGEST_SECONDS = 900
_LOOK_EVERY_SECONDS = 0.2


@dataclass(frozen=True)
class Failure:
    """A check that found something wrong."""

    check: str
    """What should be, in words."""
    message: str
    """What is, why it matters, and what to do; without secrets."""


@dataclass
class Verdict:
    """What the checks of one host found."""

    host: str
    checks: int = 0
    """How many checks were made."""
    failures: list[Failure] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the host is what it should be; a host of which nothing was checked is not."""
        return self.checks > 0 and not self.failures


def verify(
    inventory: Inventory,
    names: Sequence[str],
    *,
    junit: Path | None = None,
    console: Console | None = None,
) -> int:
    """Check these hosts without changing anything, and print a line a host and all that is wrong.

    Returns 0 when all is as it should be, else 1. `junit` names a file that gets the results for CI systems.
    Raises `CalstackError` where the checks themselves could not be run.
    """
    console = console or Console()
    for warning in inventory.warnings:
        console.line(f"warning: {warning}", style="yellow")
    with console.stage("verify") as say:
        verdicts = check(inventory, names, junit=junit, say=say)
    for verdict in verdicts:
        for line, style in _told(verdict):
            console.line(line, style=style)
    return 0 if all(verdict.ok for verdict in verdicts) else 1


def check(
    inventory: Inventory,
    names: Sequence[str],
    *,
    junit: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Verdict]:
    """What the checks find on these hosts, in their order; `say` is told what is checked now.

    They run in a process of their own: testinfra and pytest know nothing of the greenlets that pyinfra needs.
    Raises `CalstackError` where they could not be run.
    """
    if not CHECKS.is_dir():
        raise CalstackError(
            f"the checks are not there: {CHECKS}", fix="run calstack from a clone of its repository"
        )
    with tempfile.TemporaryDirectory(prefix="calstack-verify-") as folder:
        report, output = Path(folder) / "report", Path(folder) / "output"
        report.touch()
        with output.open("wb") as out:
            process = subprocess.Popen(
                _command(inventory, names, report, junit),
                cwd=CHECKS.parents[1],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
            code = _wait(process, report, say)
        if code not in (0, 1):
            said = output.read_text(errors="replace").strip()
            raise CalstackError(
                f"the checks could not be run (code {code})\n{said[-2000:]}", where=inventory.name
            )
        return _verdicts(report.read_text(encoding="utf-8"), names)


def _command(inventory: Inventory, names: Sequence[str], report: Path, junit: Path | None) -> list[str]:
    command = [sys.executable, "-m", "pytest", str(CHECKS), "-q", "--tb=line", "--assert=plain"]
    command += ["-p", "no:cacheprovider", "--override-ini=addopts="]
    command += ["--inventory", str(inventory.path), "--calstack-hosts", ",".join(names)]
    command += ["--calstack-report", str(report)]
    if junit is not None:
        command.append(f"--junitxml={junit.resolve()}")
    return command


def _environment() -> dict[str, str]:
    """Ours, without what would make pytest do something else than we ask for."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def _wait(process: subprocess.Popen[bytes], report: Path, say: Callable[[str], None]) -> int:
    deadline = time.monotonic() + _LONGEST_SECONDS
    try:
        while process.poll() is None:
            if time.monotonic() > deadline:
                raise CalstackError(
                    f"the checks did not end within {_LONGEST_SECONDS} s",
                    fix="check fewer hosts at once with --limit, and look at the load of the hosts",
                )
            lines = report.read_text(encoding="utf-8").splitlines()
            if lines and lines[-1].endswith("}"):
                last = json.loads(lines[-1])
                say(f"{last['host']}: {last['check']}")
            time.sleep(_LOOK_EVERY_SECONDS)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    return process.returncode


def _verdicts(report: str, names: Sequence[str]) -> list[Verdict]:
    verdicts = {name: Verdict(name) for name in names}
    for line in report.splitlines():
        result = json.loads(line)
        verdict = verdicts[result["host"]]
        verdict.checks += 1
        if not result["passed"]:
            verdict.failures.append(Failure(result["check"], result["message"]))
    return list(verdicts.values())


def _told(verdict: Verdict) -> list[tuple[str, str]]:
    """The lines that tell of a host, each with its colour."""
    if verdict.ok:
        return [(f"{verdict.host}: as it should be ({verdict.checks} checks)", "green")]
    if not verdict.checks:
        return [(f"{verdict.host}: nothing was checked", "red")]
    lines = [(f"{verdict.host}: {len(verdict.failures)} of {verdict.checks} checks failed", "red")]
    # One cause fails many checks; it is told once.
    for message, times in Counter(failure.message for failure in verdict.failures).items():
        first, *rest = message.splitlines()
        lines.append((f"  {first}" + (f" ({times} checks)" if times > 1 else ""), "red"))
        lines += [(f"    {line}", "") for line in rest]
    return lines
