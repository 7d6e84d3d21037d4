"""How the things of smoke tests are called, so that each knows its own and whether another's still runs.

A run's name is `x5f3a1c20-1f0c93ab`: `x` where the run has the instance for itself (it holds the host's
lock), else `s`; the second in which it began, in hexadecimal; and a random end. It stands in the slug of the
event type, in the name of the schedule, and in the bookings' metadata.
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
from collections.abc import Callable, Collection, Iterator

SLUG_PREFIX = "calstack-smoke-"
SCHEDULE_PREFIX = "calstack smoke "

LONGEST_RUN = dt.timedelta(minutes=30)
"""After this no run is alive: the limits of all its steps together are less."""

_RUN = re.compile(r"([xs])([0-9a-f]{8})-[0-9a-f]{8}")


def new_run(now: dt.datetime, *, alone: bool) -> str:
    """The name of a run that begins now, an aware time; `alone`: no other can be at work that is, too."""
    return f"{'x' if alone else 's'}{int(now.timestamp()):08x}-{secrets.token_hex(4)}"


def is_over(run: str, now: dt.datetime, *, alone: bool) -> bool:
    """Whether the run of that name has ended, so that what is left of it is nobody's.

    To one that is alone every other one of its kind is over; those that are not may be at work elsewhere, and
    are over when they would have ended by themselves. Names of another form are of older versions.
    """
    found = _RUN.fullmatch(run)
    if found is None or (alone and found[1] == "x"):
        return True
    return abs(now.timestamp() - int(found[2], 16)) > LONGEST_RUN.total_seconds()


class SlugsOfRuns(Collection[str]):
    """All slugs that smoke tests take, as a choice for `Channel.list_event_types`.

    With it a channel lists what there is and reads in full only what is a smoke test's: an instance may hold
    a thousand event types.
    """

    def __init__(self, chosen: Callable[[str], bool] = lambda _: True) -> None:
        self._chosen = chosen

    def __contains__(self, slug: object) -> bool:
        return (
            isinstance(slug, str)
            and slug.startswith(SLUG_PREFIX)
            and self._chosen(slug.removeprefix(SLUG_PREFIX))
        )

    def __iter__(self) -> Iterator[str]:
        raise TypeError("slugs of smoke tests are known by their beginning and cannot be counted")

    def __len__(self) -> int:
        raise TypeError("slugs of smoke tests are known by their beginning and cannot be counted")
