"""What the verbs say when they are done, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from deploy.actions import backup, limits_show, limits_top
from deploy.actions.deploy import DeployResult
from deploy.actions.opening import Locked, Opened
from deploy.actions.seed import SeedResult
from deploy.console import Console
from deploy.errors import CalstackError
from deploy.smoke.report import SmokeReport

Result = TypeVar("Result")


def deploy_report(
    opened: Opened, results: Sequence[DeployResult], timings: Sequence[tuple[str, float]]
) -> list[str]:
    """One line a host where nothing changed; else what is there now, how to look at it, what was done."""
    lines = []
    for result in results:
        if not result.ok:
            lines += [f"{result.host}: FAILED", *_indented(result.as_json()["failure"] or "")]
        elif not result.changed:
            total = sum(result.seconds.values())
            lines.append(f"{result.host}: nothing to do, smoke test passed ({total:.1f} s)")
            lines += [f"  note        {note}" for note in result.notes]
        else:
            lines += _handover(opened, result, timings)
    return lines


def _handover(opened: Opened, result: DeployResult, timings: Sequence[tuple[str, float]]) -> list[str]:
    settings = opened.inventory.hosts[result.host]
    lab = opened.inventory.lab is not None
    inventory = "" if opened.inventory.name == "lab" else f" --inventory {opened.inventory.as_given}"
    stages = {**dict(timings), **result.seconds}
    stages.pop("Deploying", None)
    lines = [
        f"{result.host}: deployed, smoke test passed",
        f"  address     {result.url}",
        f"  sign in     {result.url}/auth/login as {settings.admin.email}",
        f"  password    .venv/bin/calstack secrets show admin_password --host {result.host}{inventory}",
        *(f"  changed     {change}" for change in result.changed),
        *(f"  note        {note}" for note in result.notes),
        f"  seconds     {', '.join(f'{stage} {seconds:.0f}' for stage, seconds in stages.items())}",
    ]
    if lab:
        lines += [
            "  this is a lab: web is a stand-in for Cal.com's image, everything else is the real thing",
            f"  browser     chromium {result.url} "
            f"--host-resolver-rules='MAP {settings.domain} {settings.ssh.address}'",
        ]
    if settings.tls.mode == "internal":
        authority = opened.inventory.authority_file
        lines.append(f"  browsers warn until they trust the inventory's own authority: {authority}")
    if settings.smtp is None:
        lines.append("  no mail: `smtp` is not set, so nobody is told of a booking")
    lines.append("  next        turn on two-factor authentication: without it the admin pages stay closed")
    return lines


def seed_lines(result: SeedResult) -> list[str]:
    """The plan, or what was done."""
    return result.lines()


def seed_json(result: SeedResult) -> dict[str, Any]:
    """What `seed --json` says of one host."""
    return result.document()


def smoke_lines(report: SmokeReport) -> list[str]:
    """A line a step, then the verdict."""
    return report.lines()


def smoke_json(report: SmokeReport) -> dict[str, Any]:
    """What `smoke --json` says of one host."""
    return {"ok": report.passed, **json.loads(report.to_json())}


def limits_lines(shown: limits_show.LimitsShown) -> list[str]:
    """A table of the limits, then whom they do not count."""
    lines = _aligned(limits_show.COLUMNS, [limit.row() for limit in shown.limits])
    return [*lines, f"exempt: {', '.join(shown.exempt)}"] if shown.exempt else lines


def limits_json(shown: limits_show.LimitsShown) -> dict[str, Any]:
    """What `limits show --json` says of one host."""
    return shown.document()


def top_lines(found: Sequence[limits_top.Refused]) -> list[str]:
    """A table of those who were refused."""
    if not found:
        return ["nobody was refused within the last hour"]
    return _aligned(limits_top.COLUMNS, [refused.row() for refused in found])


def top_json(found: Sequence[limits_top.Refused]) -> dict[str, Any]:
    """What `limits top --json` says of one host."""
    return limits_top.top_document(found)


def runs_lines(found: backup.Listed) -> list[str]:
    """A table of the runs."""
    rows = found.rows()
    return _aligned(backup.COLUMNS, rows) if rows else ["there is no run yet: calstack backup now"]


def finish(
    console: Console,
    opened: Opened,
    free: Locked,
    results: Mapping[str, Result | CalstackError],
    as_json: bool,
    lines: Callable[[Result], list[str]],
    document: Callable[[Result], dict[str, Any]],
) -> int:
    """Print the results of a verb on every host, unreachable and locked ones included; the exit code."""
    failures = {**opened.connection.failures, **free.refused}
    failures |= {name: str(result) for name, result in results.items() if isinstance(result, CalstackError)}
    good = {name: result for name, result in results.items() if not isinstance(result, CalstackError)}
    documents = {name: document(result) for name, result in good.items()}
    if as_json:
        failed = [{"host": name, "ok": False, "failure": why} for name, why in failures.items()]
        console.json({"hosts": [{"host": name, **said} for name, said in documents.items()] + failed})
    else:
        for name, result in good.items():
            if told := lines(result):
                console.line("\n".join([f"{name}:", *(f"  {line}" for line in told)]))
        for name, why in failures.items():
            console.error("\n".join([f"{name}: FAILED", *_indented(why)]))
    return 0 if not failures and all(said["ok"] for said in documents.values()) else 1


def _aligned(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table whose columns stand below each other."""
    widths = [max(len(row[at]) for row in [columns, *rows]) for at in range(len(columns))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [columns, *rows]
    ]


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]
