"""Variables go through Docker Compose into a real container, and arrive as they were written."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from pathlib import Path

import pytest

from deploy.lab import engine, images
from deploy.lab.compose_plugin import ensure_compose_plugin
from deploy.rendering import ManagedFile
from deploy.roles import app
from deploy.roles.environment_file import environment_file
from tests.unit.roles.hosts import SECRETS, host_context

pytestmark = pytest.mark.docker

AWKWARD = {
    "PLAIN": "abc",
    "EMPTY": "",
    "SPACES": "  a  b  ",
    "DOLLAR": "a$b${PLAIN}$$d$",
    "COMMENT": "a #b",
    "HASH": "#a",
    "DOUBLE": 'he said "x"',
    "DOUBLE_AROUND": '"abc"',
    "SINGLE": "it's",
    "SINGLE_AROUND": "'abc'",
    "BACKSLASH": "a\\b\\\\c\\n\\t\\$x",
    "BACKSLASH_AT_THE_END": "abc\\",
    "BACKSLASH_QUOTE": "a\\'b\\\"c",
    "JSON": '{"web":{"client_secret":"b $c","redirect_uris":["https://a.example/x?y=z&q=#1"]}}',
    "ALL": "'\"$\\`!{}[]()<>|&;*?~^%@=+,.:/-_ ",
    "OTHER_LETTERS": "grün 東京 🙂",
    "EQUALS": "=a=b=",
    "COLON": "a: b",
    "COMMAND": "$(id) `id`",
    "EXPORT": "export A=b",
}


@pytest.fixture
def compose() -> str:
    """Compose's program; `CALSTACK_COMPOSE` puts another version to the same test."""
    return os.environ.get("CALSTACK_COMPOSE") or str(ensure_compose_plugin())


def environment_inside(compose: str, folder: Path, content: bytes) -> dict[str, str]:
    image = images.ensure_service_image(engine.connect(), images.HAPROXY)
    (folder / "web.env").write_bytes(content)
    show = "import json, os; print(json.dumps(dict(os.environ)))"
    project = {
        "services": {
            "one": {
                "image": image,
                "pull_policy": "never",
                "entrypoint": [],
                "command": ["python3", "-c", show],
                "env_file": "web.env",
                "network_mode": "none",
            }
        }
    }
    (folder / "compose.yaml").write_text(json.dumps(project))
    name = f"calstack-env-{uuid.uuid4().hex[:8]}"
    command = [compose, "-p", name, "--project-directory", str(folder), "run", "--rm", "-T", "one"]
    # A variable of the same name where Compose runs must not win over the file.
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "PLAIN": "other"}
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def test_awkward_values_arrive_as_they_are(compose: str, tmp_path: Path) -> None:
    found = environment_inside(compose, tmp_path, environment_file(AWKWARD, origin="a 'test'"))
    assert {name: found.get(name) for name in AWKWARD} == AWKWARD


def test_app_s_variables_arrive_as_they_are(compose: str, tmp_path: Path) -> None:
    host = host_context(
        smtp={"url": "smtp://u@mail.example.test", "password": {"secret": "smtp_password"}},
        app={"env": {"NEXT_PUBLIC_APP_NAME": 'Ada\'s $5 "calendar" #1'}},
    )
    expected = app.environment(host)
    (file,) = [item for item in app.files(host) if item.path == app.ENVIRONMENT_FILE]
    assert isinstance(file, ManagedFile)
    found = environment_inside(compose, tmp_path, file.content)
    assert {name: found.get(name) for name in expected} == expected
    assert found["CALENDSO_ENCRYPTION_KEY"] == SECRETS["encryption_key"]
    assert len(found["CALENDSO_ENCRYPTION_KEY"]) == 32
