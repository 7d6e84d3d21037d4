"""Which tests stay together when several workers of pytest-xdist share them, as in `make test`."""

from __future__ import annotations

from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

from tests.deployed_lab import lab_of

ROOT = Path(__file__).parents[1]


class KeepingTogether(LoadScopeScheduling):  # type: ignore[misc] # it has no types
    """Hands out the tests of one file after the other, in the order of collection.

    They stay together for what their fixtures have built; several files do so for the lab that they share.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return lab_of(ROOT / file) or file
