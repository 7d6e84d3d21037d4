from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.errors import InputError
from deploy.secrets import placeholders
from deploy.settings.environment import app_environment, smtp_environment
from deploy.settings.model import HostSettings
from tests.unit.settings.folders import inventory_in

GOOGLE = {
    "web": {"client_id": "x", "client_secret": "hunter22", "redirect_uris": ["https://cal.example.org/cb"]}
}


def no_secrets(name: str) -> str:
    raise AssertionError(name)


def host(tmp_path: Path, more: str) -> HostSettings:
    return inventory_in(tmp_path, more=more).hosts["cal1"]


@pytest.mark.parametrize(
    ("smtp", "expected"),
    [
        (
            "{url: 'smtp://mail@mx.example.org', password: !secret p}",
            {"HOST": "mx.example.org", "PORT": "587", "USER": "mail", "PASSWORD": "p w/ü%"},
        ),
        (
            "{url: 'smtps://me@example.org@mx.example.org', password: !secret p}",
            {"HOST": "mx.example.org", "PORT": "465", "USER": "me@example.org", "PASSWORD": "p w/ü%"},
        ),
        (
            "{url: 'smtp://me%40example.org@mx.example.org:2525', password: !secret p}",
            {"HOST": "mx.example.org", "PORT": "2525", "USER": "me@example.org", "PASSWORD": "p w/ü%"},
        ),
        ("{url: 'smtp://[2001:db8::1]:25'}", {"HOST": "2001:db8::1", "PORT": "25"}),
        (
            "{url: !secret url}",
            {"HOST": "mx.example.org", "PORT": "465", "USER": "u", "PASSWORD": "p@ss:w/rd"},
        ),
        (
            "{host: mx.example.org, port: 465, user: u, password: !secret p}",
            {"HOST": "mx.example.org", "PORT": "465", "USER": "u", "PASSWORD": "p w/ü%"},
        ),
        ("{host: relay}", {"HOST": "relay", "PORT": "587"}),
    ],
)
def test_every_form_becomes_host_port_user_password(
    tmp_path: Path, smtp: str, expected: dict[str, str]
) -> None:
    secrets = {"p": "p w/ü%", "url": "smtps://u:p%40ss%3Aw%2Frd@mx.example.org"}
    variables = smtp_environment(host(tmp_path, f"smtp: {smtp}\n"), secrets.__getitem__)
    assert {k: v for k, v in variables.items() if not k.startswith("EMAIL_FROM")} == {
        f"EMAIL_SERVER_{key}": value for key, value in expected.items()
    }


def test_resend_needs_no_server(tmp_path: Path) -> None:
    settings = host(tmp_path, "smtp: {resend_api_key: !secret r, from_name: Calendar}\n")
    assert smtp_environment(settings, {"r": "re_123"}.__getitem__) == {
        "RESEND_API_KEY": "re_123",
        "EMAIL_FROM": "noreply@cal1.example.org",
        "EMAIL_FROM_NAME": "Calendar",
    }


def test_no_mail_no_variables(tmp_path: Path) -> None:
    assert smtp_environment(host(tmp_path, ""), no_secrets) == {}


@pytest.mark.parametrize(
    ("smtp", "sender"),
    [
        ("{host: mx, from_address: book@example.org}", "book@example.org"),
        ("{host: mx}", "noreply@cal1.example.org"),
        ("{url: 'smtp://mail@mx', password: !secret p}", "noreply@cal1.example.org"),
        ("{url: 'smtp://me@example.org@mx', password: !secret p}", "me@example.org"),
    ],
)
def test_the_sender_has_a_sensible_address(tmp_path: Path, smtp: str, sender: str) -> None:
    variables = smtp_environment(host(tmp_path, f"smtp: {smtp}\n"), {"p": "secret"}.__getitem__)
    assert variables["EMAIL_FROM"] == sender
    assert variables["EMAIL_FROM_NAME"] == "Cal.com"


@pytest.mark.parametrize(
    ("smtp", "says"),
    [
        ("{url: !secret url}", "port 465 alone"),
        ("{url: !secret url, password: !secret p}", "port 465 alone"),
        ("{host: mx, user: u, password: !secret p}", "line break"),
    ],
)
def test_unfit_secrets_are_refused_without_showing_them(tmp_path: Path, smtp: str, says: str) -> None:
    secrets = {"url": "smtps://u:hunter22@mx:587", "p": "hunter22\n"}
    with pytest.raises(InputError) as caught:
        smtp_environment(host(tmp_path, f"smtp: {smtp}\n"), secrets.__getitem__)
    assert says in str(caught.value)
    assert "calstack secrets set" in str(caught.value)
    assert "hunter22" not in str(caught.value)


def test_two_passwords_are_refused(tmp_path: Path) -> None:
    settings = host(tmp_path, "smtp: {url: !secret url, password: !secret p}\n")
    with pytest.raises(InputError, match="keep one of them"):
        smtp_environment(settings, {"url": "smtp://u:a@mx", "p": "b"}.__getitem__)


def test_variables_of_apps_come_with_their_secrets(tmp_path: Path) -> None:
    settings = host(tmp_path, "app: {env: {ZOOM_CLIENT_ID: abc, ZOOM_CLIENT_SECRET: !secret z}}\n")
    assert app_environment(settings, {"z": "s3cret$#'\""}.__getitem__) == {
        "ZOOM_CLIENT_ID": "abc",
        "ZOOM_CLIENT_SECRET": "s3cret$#'\"",
    }


def test_googles_file_is_put_on_one_line(tmp_path: Path) -> None:
    settings = host(tmp_path, "app: {env: {GOOGLE_API_CREDENTIALS: !secret g}}\n")
    value = app_environment(settings, {"g": json.dumps(GOOGLE, indent=2)}.__getitem__)[
        "GOOGLE_API_CREDENTIALS"
    ]
    assert "\n" not in value
    assert json.loads(value) == GOOGLE


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("{'web': hunter22}", "is not JSON"),
        ('["hunter22"]', "no section `web`"),
        ('{"installed": {"client_secret": "hunter22"}}', "no section `web`"),
        ('{"web": {"client_secret": "hunter22"}}', "redirect_uris"),
        ('{"web": {"client_secret": "hunter22", "redirect_uris": []}}', "redirect_uris"),
    ],
)
def test_googles_credentials_are_checked_before_the_app_trips_over_them(
    tmp_path: Path, value: str, says: str
) -> None:
    settings = host(tmp_path, "app: {env: {GOOGLE_API_CREDENTIALS: !secret g}}\n")
    with pytest.raises(InputError) as caught:
        app_environment(settings, {"g": value}.__getitem__)
    assert says in str(caught.value)
    assert "hunter22" not in str(caught.value)


def test_placeholders_pass_where_their_values_would(tmp_path: Path) -> None:
    more = "app: {env: {GOOGLE_API_CREDENTIALS: !secret g}}\nsmtp: {url: !secret url}\n"
    settings, shown = host(tmp_path, more), placeholders("cal1")
    assert app_environment(settings, shown.resolve) == {"GOOGLE_API_CREDENTIALS": "<g>"}
    variables = smtp_environment(settings, shown.resolve)
    assert variables["EMAIL_SERVER_HOST"] == "<url>"
    assert variables["EMAIL_FROM"] == "noreply@cal1.example.org"
