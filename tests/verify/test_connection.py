from __future__ import annotations

from tests.verify.server import Server


def test_the_host_can_be_looked_at(any_server: Server) -> None:
    assert any_server.unreachable is None, any_server.unreachable
