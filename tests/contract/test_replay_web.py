"""The stand-in answers as the recorded real 6.0.2 does: every published step of the web app."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from . import replay

RECORDINGS = Path(__file__).parent / "recordings"


@pytest.mark.docker
@pytest.mark.timeout(600)
def test_every_recorded_step_of_the_web_app_is_answered_alike(capsys: pytest.CaptureFixture[str]) -> None:
    code = replay.main([str(RECORDINGS), "--only", "web", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["differences"] == []
    assert (result["alike"], result["total"]) == (195, 195)
    assert code == 0
