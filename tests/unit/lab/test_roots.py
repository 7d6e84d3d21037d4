from __future__ import annotations

import dataclasses

import pytest

from deploy.lab import roots


@pytest.mark.parametrize(
    "change",
    [
        {"packages": ("systemd",)},
        {"suite": "trixie"},
        {"command": "/bin/sh"},
        {"finish": None},
    ],
)
def test_a_changed_recipe_is_another_image(change: dict[str, object]) -> None:
    assert dataclasses.replace(roots.HOST, **change).image != roots.HOST.image  # type: ignore[arg-type]


def test_a_changed_script_is_another_image(monkeypatch: pytest.MonkeyPatch) -> None:
    before = roots.SERVICES.image
    script = roots.SERVICES.scripts[1]
    assert script is not None
    text = script.read_text(encoding="utf-8")
    monkeypatch.setattr(type(script), "read_text", lambda *_args, **_options: text + "# changed\n")
    assert roots.SERVICES.image != before


def test_an_unchanged_recipe_is_the_same_image_on_every_machine() -> None:
    assert roots.HOST.image == dataclasses.replace(roots.HOST).image
    assert roots.HOST.image.startswith("calstack-lab/host:bookworm-")


def test_a_fresh_server_has_no_python_and_no_engine() -> None:
    assert not {"python3", "docker.io", "curl"} & set(roots.HOST.packages)
