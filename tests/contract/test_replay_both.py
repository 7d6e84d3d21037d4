"""The stand-in answers as the recorded real 6.0.2 does: each published step over both channels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from . import replay

RECORDINGS = Path(__file__).parent / "recordings"


@pytest.mark.docker
@pytest.mark.timeout(600)
def test_every_recorded_step_over_both_channels_is_answered_alike(capsys: pytest.CaptureFixture[str]) -> None:
    code = replay.main([str(RECORDINGS), "--only", "both", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["differences"] == []
    assert (result["alike"], result["total"]) == (203, 203)
    assert code == 0
