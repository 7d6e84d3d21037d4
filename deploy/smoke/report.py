"""What a smoke test found: a line a step for people, one document for programs."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from deploy.errors import CalstackError
from deploy.smoke.clock import Clock
from deploy.smoke.deliveries import NoDeliveryError
from deploy.smoke.faults import CheckError, Fault, diagnose

Progress = Callable[[str], None]
"""Is given each line as soon as it is known."""


@dataclass(frozen=True)
class Step:
    """One step of the journey; steps that were not reached are not listed."""

    name: str
    outcome: Literal["ok", "failed", "skipped"]
    seconds: float
    limit_seconds: float
    detail: str

    @property
    def line(self) -> str:
        """`ok        0.21 s  book: 2026-12-01 09:00 UTC`."""
        detail = f": {self.detail}" if self.detail else ""
        return f"{self.outcome:7} {self.seconds:6.2f} s  {self.name}{detail}"


@dataclass(frozen=True)
class SmokeReport:
    """How the whole test went."""

    started: dt.datetime
    seconds: float
    event_type: str
    """Slug of the hidden event type that the test made for itself."""
    steps: tuple[Step, ...]
    fault: Fault | None
    """Why it failed; None where it passed."""
    left_behind: tuple[str, ...]
    """What could not be removed; the next run tries again."""
    cancelled_bookings_removed: int
    cancelled_bookings_left: int
    """Cal.com deletes no booking; without access to its database the cancelled ones stay."""

    @property
    def passed(self) -> bool:
        """Whether a guest can book here, and nothing of the test is left."""
        return self.fault is None

    def lines(self) -> list[str]:
        """The whole report for people; the steps' lines first, as `progress` got them."""
        return [*(step.line for step in self.steps), *self.conclusion()]

    def conclusion(self) -> list[str]:
        """What comes after the steps: the verdict, and on failure likely cause and fix."""
        left = [f"left behind: {thing}" for thing in self.left_behind]
        if self.cancelled_bookings_left:
            left.append(
                f"{self.cancelled_bookings_left} cancelled booking(s) stay in the user's list of them"
            )
        if self.fault is None:
            return [f"passed in {self.seconds:.1f} s", *left]
        return [
            f"failed in {self.seconds:.1f} s at: {self.fault.step}",
            f"  what:         {self.fault.what}",
            f"  likely cause: {self.fault.cause}",
            f"  fix:          {self.fault.fix}",
            *left,
        ]

    def to_json(self) -> str:
        """One JSON document; its shape stands in docs/smoke.md."""
        document: dict[str, Any] = {
            "verdict": "passed" if self.passed else "failed",
            "started": self.started.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "seconds": round(self.seconds, 3),
            "event_type": self.event_type,
            "steps": [
                {
                    "name": step.name,
                    "outcome": step.outcome,
                    "seconds": round(step.seconds, 3),
                    "limit_seconds": step.limit_seconds,
                    "detail": step.detail,
                }
                for step in self.steps
            ],
            "fault": None
            if self.fault is None
            else {
                "name": self.fault.name,
                "step": self.fault.step,
                "what": self.fault.what,
                "cause": self.fault.cause,
                "fix": self.fault.fix,
            },
            "left_behind": list(self.left_behind),
            "cancelled_bookings": {
                "removed": self.cancelled_bookings_removed,
                "left": self.cancelled_bookings_left,
            },
        }
        return json.dumps(document)


class JourneyEndedError(Exception):
    """A step failed, so the ones after it make no sense; the fault is recorded."""


class RunningStep:
    """What a step can say about itself while it runs."""

    def __init__(self) -> None:
        self.detail = ""
        self.outcome: Literal["ok", "skipped"] = "ok"
        """`skipped` where it turned out that there is nothing to test; then `detail` says why."""


@dataclass
class Steps:
    """Times each step, records how it ended, and reports its line at once."""

    clock: Clock
    progress: Progress
    done: list[Step] = field(default_factory=list)
    fault: Fault | None = None

    @contextmanager
    def step(self, name: str, *, limit_seconds: float) -> Iterator[RunningStep]:
        """Run a step; one that fails, or takes longer than its limit, raises `JourneyEndedError`.

        Anything that is not a way in which a smoke test fails goes through as it is, Ctrl-C too.
        """
        running = RunningStep()
        begun = self.clock.monotonic()
        try:
            yield running
            taken = self.clock.monotonic() - begun
            if taken > limit_seconds:
                raise CheckError("too-slow", f"it took {taken:.1f} s; the limit is {limit_seconds:g} s")
        except (CheckError, CalstackError, NoDeliveryError) as error:
            fault = diagnose(error, name)
            self.fault = self.fault or fault
            self._record(Step(name, "failed", self._since(begun), limit_seconds, fault.what))
            raise JourneyEndedError(name) from error
        except BaseException:
            self._record(Step(name, "failed", self._since(begun), limit_seconds, "interrupted"))
            raise
        self._record(Step(name, running.outcome, taken, limit_seconds, running.detail))

    def skip(self, name: str, why: str) -> None:
        """Record a step that this instance, or what is known of it, does not allow."""
        self._record(Step(name, "skipped", 0.0, 0.0, why))

    def _since(self, begun: float) -> float:
        return self.clock.monotonic() - begun

    def _record(self, step: Step) -> None:
        self.done.append(step)
        self.progress(step.line)
