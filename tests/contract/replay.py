"""Replay recordings of a real Cal.com against a fresh stand-in, and say how alike the answers are.

    python -m tests.contract.replay DIR [DIR …] [--json]

Each DIR is laid out like `tests/contract/recordings/`; recordings of the same relative path are merged by
their `step`. Exit code 0 only where every step is alike, 1 otherwise, 2 where a DIR cannot be read.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from deploy.errors import CalstackError

from .replaying import recordings, servers
from .replaying.player import Outcome, Player
from .replaying.recordings import ORDER, Recordings

# The start of the web recordings, as the recordings' README states it.
WEB_START = datetime(2026, 11, 23, 23, 19, 10, tzinfo=UTC)
WEB_SETTINGS = {
    "STANDIN_VERSION": "6.0.2",
    "NEXT_PUBLIC_WEBAPP_URL": "http://localhost:3000",
    "NEXTAUTH_SECRET": "a-secret-for-this-replay-alone",
    "CALENDSO_ENCRYPTION_KEY": "0123456789abcdef0123456789abcdef",
    "CRON_API_KEY": "cron-key-1",
    "CRON_SECRET": "cron-secret-1",
}


def replay(found: Recordings, server_url: str) -> Outcome:
    """Replay all that can be replayed on scratch databases of a PostgreSQL server."""
    outcome = Outcome()
    for kind, files in found.replayable.items():
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            database = stack.enter_context(servers.scratch_database(server_url))
            sink = stack.enter_context(servers.Sink().open())
            running = stack.enter_context(servers.stand_in(database, folder, WEB_SETTINGS, WEB_START))
            player = stack.enter_context(contextlib.closing(Player(running, sink, WEB_START, outcome)))
            for recording in files:
                player.play(recording)
            player.compare_deliveries(found.deliveries, complete=len(files) == len(ORDER[kind]))
    return outcome


def printed(outcome: Outcome, left_out: Sequence[str]) -> Iterator[str]:
    """The result for people, line by line."""
    for difference in outcome.differences:
        yield f"{difference.file} step {difference.step}: {difference.what}"
    yield "Excepted, since a server makes it up or a recording does not hold it:"
    for name, excepted in outcome.excepted.items():
        kinds = ", ".join(f"{what} ({count})" for what, count in sorted(excepted.items()) if count)
        yield f"  {name}: {kinds or 'nothing'}"
    for name in left_out:
        yield f"  {name}: not replayed (this kind comes with a later version of the stand-in), not counted"
    yield f"{outcome.alike} of {outcome.total} alike"


def as_document(outcome: Outcome) -> str:
    """The result for programs."""
    return json.dumps(
        {
            "total": outcome.total,
            "alike": outcome.alike,
            "differences": [vars(difference) for difference in outcome.differences],
        },
        indent=2,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract.replay", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--database",
        metavar="URL",
        help="a PostgreSQL whose user may create databases; without it, one in a container",
    )
    options = parser.parse_args(arguments)
    try:
        found = recordings.read(options.folders)
    except recordings.RecordingError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        with contextlib.ExitStack() as stack:
            server_url = options.database or stack.enter_context(servers.postgres())
            outcome = replay(found, server_url)
    except (CalstackError, servers.ServerError) as error:
        print(error, file=sys.stderr)
        return 1
    print(as_document(outcome) if options.json else "\n".join(printed(outcome, found.left_out)))
    return 0 if outcome.total and not outcome.differences else 1


if __name__ == "__main__":
    sys.exit(main())
