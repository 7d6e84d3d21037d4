"""What the stand-in is started with: settings, clock, database URL, migrations, apps."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.lab.standin import app_store
from deploy.lab.standin.clock import Clock
from deploy.lab.standin.database import libpq_url
from deploy.lab.standin.migrate import migrations_of
from deploy.lab.standin.settings import Settings, SettingsError, mail_settings

REPOSITORY = Path(__file__).parents[4]
BASE = {"NEXTAUTH_SECRET": "s", "DATABASE_URL": "postgresql://u:p@db:5432/calendso"}


def test_it_refuses_to_start_without_a_session_secret() -> None:
    with pytest.raises(SettingsError, match="NEXTAUTH_SECRET"):
        Settings.from_environment({"DATABASE_URL": "postgresql://db/x"})


def test_the_refusal_is_one_line_and_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.lab.standin"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "DATABASE_URL": BASE["DATABASE_URL"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr == "Error: NEXTAUTH_SECRET is not set: sessions could not be signed\n"


def test_a_key_of_the_wrong_length_does_not_stop_it() -> None:
    assert Settings.from_environment(BASE | {"CALENDSO_ENCRYPTION_KEY": "short"}).encryption_key == "short"


def test_the_public_url_decides_the_cookies() -> None:
    assert not Settings.from_environment(BASE).secure_cookies
    assert Settings.from_environment(BASE | {"NEXT_PUBLIC_WEBAPP_URL": "https://cal.test"}).secure_cookies


def test_sign_up_is_closed_by_the_exact_word() -> None:
    assert Settings.from_environment(BASE | {"NEXT_PUBLIC_DISABLE_SIGNUP": "true"}).signup_disabled
    assert not Settings.from_environment(BASE | {"NEXT_PUBLIC_DISABLE_SIGNUP": "1"}).signup_disabled


def test_a_mail_url_comes_before_its_parts() -> None:
    both = {"EMAIL_SERVER": "smtp://u:p@mail:1025", "EMAIL_SERVER_HOST": "other"}
    assert (mail_settings(both).host, mail_settings(both).port) == ("mail", 1025)
    assert mail_settings({"EMAIL_SERVER_HOST": "other", "EMAIL_SERVER_PORT": "465"}).port == 465
    assert mail_settings({}).host is None


def test_what_only_prisma_knows_is_left_out_of_the_url() -> None:
    url = "postgresql://u:p@db:5432/x?schema=public&connection_limit=5&sslmode=verify-full"
    assert libpq_url(url) == "postgresql://u:p@db:5432/x?sslmode=verify-full"


def test_a_set_clock_goes_on(tmp_path: Path) -> None:
    start = datetime(2026, 11, 23, 23, 19, 10, tzinfo=UTC)
    assert 0 <= (Clock(start).now() - start).total_seconds() < 5
    file = tmp_path / "clock"
    clock = Clock(file=file)
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 5
    file.write_text("2026-11-23T23:22:15Z")
    assert (clock.now() - start).total_seconds() // 60 == 3


def test_a_later_version_brings_more_migrations() -> None:
    before, after = migrations_of((6, 0, 2)), migrations_of((6, 2, 0))
    assert [each.name for each in before] == [each.name for each in after][: len(before)]
    assert len(after) > len(before) > 3


def test_the_app_store_has_103_apps_with_names_of_their_own() -> None:
    slugs = [slug for each in app_store.APPS.values() for slug in each]
    assert len(slugs) == len(set(slugs)) == len({slug.replace("-", "") for slug in slugs}) == 103


def test_app_keys_come_from_the_environment() -> None:
    env = {
        "GOOGLE_API_CREDENTIALS": '{"web":{"client_id":"i","client_secret":"s","redirect_uris":["https://x"]}}',
        "DAILY_API_KEY": "d",
    }
    keys = app_store.keys_from(env)
    assert keys["google-calendar"]["redirect_uris"] == ["https://x"]
    assert keys["daily-video"]["api_key"] == "d"
    assert "zoom" not in keys
