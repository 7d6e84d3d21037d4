from __future__ import annotations

import pytest

from deploy.roles.app import environment
from deploy.settings.app_variables import GOVERNED, looks_secret, problem_with_variable
from tests.unit.roles.hosts import host_context


def test_every_variable_that_the_app_role_sets_is_refused_to_the_user() -> None:
    smtp = {"host": "mx", "user": "u", "password": {"secret": "smtp_password"}}
    for form in (smtp, {"resend_api_key": {"secret": "token"}}):
        assert set(environment(host_context(smtp=form))) <= set(GOVERNED)


@pytest.mark.parametrize("name", ["nextauth_secret", "Is_E2E", "Zoom_Secret_File"])
def test_letter_case_is_no_way_around(name: str) -> None:
    assert problem_with_variable(name, None) is not None


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("ZOOM_CLIENT_SECRET", True),
        ("DAILY_API_KEY", True),
        ("VAPID_PRIVATE_KEY", True),
        ("GOOGLE_API_CREDENTIALS", True),
        ("NEXT_PUBLIC_VAPID_PUBLIC_KEY", False),
        ("ZOOM_CLIENT_ID", False),
        ("GOOGLE_LOGIN_ENABLED", False),
    ],
)
def test_names_tell_secrets(name: str, secret: bool) -> None:
    assert looks_secret(name) is secret
