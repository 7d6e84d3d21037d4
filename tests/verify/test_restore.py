from __future__ import annotations

from deploy.actions.interrupted import told
from tests.verify.complaint import complaint
from tests.verify.server import Server


def test_no_restore_was_cut_short(server: Server) -> None:
    problem = told(server.found("restore"))
    assert problem is None, complaint(
        problem or "",
        why="guests see the maintenance page until it is ended",
        fix="`calstack restore --resume` goes on with it, `calstack restore --undo` goes back",
    )
