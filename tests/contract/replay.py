"""Replay recordings of a real Cal.com against a fresh stand-in, and say how alike the answers are.

    python -m tests.contract.replay DIR [DIR …] [--only KIND …] [--json]

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
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import CalstackError

from .replaying import recordings, servers, states
from .replaying.keys import Keys
from .replaying.player import Outcome, Player
from .replaying.recordings import ORDER, STARTS, Recording, Recordings

WEB_SETTINGS = {
    "STANDIN_VERSION": "6.0.2",
    "NEXT_PUBLIC_WEBAPP_URL": "http://localhost:3000",
    "NEXTAUTH_SECRET": "a-secret-for-this-replay-alone",
    "CALENDSO_ENCRYPTION_KEY": "0123456789abcdef0123456789abcdef",
    "CRON_API_KEY": "cron-key-1",
    "CRON_SECRET": "cron-secret-1",
}
API_SETTINGS = WEB_SETTINGS | {"REWRITE_API_V2_PREFIX": "1", "DOCS_URL": ""}
# The instance of the api recordings knew itself under the other name of the same machine.
SETTINGS = {
    "web": WEB_SETTINGS,
    "api": API_SETTINGS | {"NEXT_PUBLIC_WEBAPP_URL": "http://127.0.0.1:3000"},
    "both": API_SETTINGS,
}
WITH_API = ("api", "both")


@dataclass(frozen=True)
class Around:
    """The servers that a replay stands on; Redis is there only where an API is played."""

    postgres_url: str
    redis_url: str | None


def replay(found: Recordings, around: Around, kinds: Sequence[str]) -> Outcome:
    """Replay what is of these kinds, each on a scratch database of a PostgreSQL server."""
    outcome = Outcome()
    for kind, files in found.replayable.items():
        if kind in kinds:
            replay_kind(kind, files, found, around, outcome)
    return outcome


def replay_kind(
    kind: str, files: Sequence[Recording], found: Recordings, around: Around, outcome: Outcome
) -> None:
    """Replay the files of one kind, one after the other, on a fresh stand-in."""
    start, settings = STARTS[kind], SETTINGS[kind]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = stack.enter_context(servers.scratch_database(around.postgres_url))
        sink = stack.enter_context(servers.Sink().open())
        if kind == "api":
            servers.migrate(database, settings)
            states.prepare(database, start)
        running = stack.enter_context(servers.stand_in(database, folder, settings, start))
        api_url = None
        if kind in WITH_API and around.redis_url:
            api_url = stack.enter_context(
                servers.api(database, around.redis_url, folder, settings, running.clock)
            )
        player = Player(running, sink, start, outcome, api_url, Keys(database, start))
        stack.callback(player.close)
        for recording in files:
            player.play(recording)
        deliveries = tuple(delivery for delivery in found.deliveries if delivery.kind == kind)
        player.compare_deliveries(deliveries, complete=len(files) == len(ORDER[kind]))


def printed(outcome: Outcome, left_out: Sequence[str]) -> Iterator[str]:
    """The result for people, line by line."""
    for difference in outcome.differences:
        yield f"{difference.file} step {difference.step}: {difference.what}"
    yield "Excepted, since a server makes it up or a recording does not hold it:"
    for name, excepted in outcome.excepted.items():
        kinds = ", ".join(f"{what} ({count})" for what, count in sorted(excepted.items()) if count)
        yield f"  {name}: {kinds or 'nothing'}"
    for name in left_out:
        yield f"  {name}: not replayed (no such recording is known), not counted"
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
    parser.add_argument("--redis", metavar="URL", help="a Redis for the API; without it, one in a container")
    parser.add_argument(
        "--only", metavar="KIND", choices=list(ORDER), nargs="+", default=list(ORDER), help="play these kinds"
    )
    options = parser.parse_args(arguments)
    try:
        found = recordings.read(options.folders)
    except recordings.RecordingError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        with contextlib.ExitStack() as stack:
            redis_url = options.redis
            if redis_url is None and set(WITH_API) & set(found.replayable) & set(options.only):
                redis_url = stack.enter_context(servers.redis_server())
            postgres_url = options.database or stack.enter_context(servers.postgres())
            outcome = replay(found, Around(postgres_url, redis_url), options.only)
    except (CalstackError, servers.ServerError) as error:
        print(error, file=sys.stderr)
        return 1
    print(as_document(outcome) if options.json else "\n".join(printed(outcome, found.left_out)))
    return 0 if outcome.total and not outcome.differences else 1


if __name__ == "__main__":
    sys.exit(main())
