"""HAProxy's files; what the rules do is tried on a real one in tests/lab/test_proxy_*.py."""

from __future__ import annotations

from typing import Any

from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles import proxy
from tests.unit.roles.hosts import DOMAIN, WITH_API, host_context


def configuration(**settings: Any) -> str:
    (file,) = [item for item in proxy.files(host_context(**settings)) if item.path.endswith("haproxy.cfg")]
    assert isinstance(file, ManagedFile)
    return file.content.decode()


def test_key_is_for_the_proxy_s_eyes_alone() -> None:
    items = {item.path: item for item in proxy.files(host_context())}
    key = items["/opt/calcom/proxy/certificates/site.pem"]
    folder = items["/opt/calcom/proxy/certificates"]
    assert (key.mode, key.owner, key.group) == ("0400", 99, 99)
    assert isinstance(folder, ManagedDirectory)
    assert (folder.mode, folder.owner) == ("0700", 99)


def test_digest_changes_with_configuration_and_certificate_and_stands_in_the_file() -> None:
    digest = proxy.config_digest(host_context())
    assert digest in configuration()
    assert digest == proxy.config_digest(host_context())
    assert digest != proxy.config_digest(host_context(certificate=b"another"))
    assert digest != proxy.config_digest(host_context(tls={"hsts": False}))


def test_hsts_is_a_switch() -> None:
    assert "Strict-Transport-Security" in configuration()
    assert "Strict-Transport-Security" not in configuration(tls={"hsts": False})


def test_open_sign_up_opens_sign_up_alone() -> None:
    assert "signup" in configuration()
    opened = configuration(app={"sign_up": "open"})
    assert "signup" not in opened
    assert "auth/setup" in opened


def test_no_frame_header_is_set_by_the_proxy() -> None:
    assert "frame-ancestors" not in configuration().lower()
    assert "x-frame-options" not in configuration().lower()


def test_connections_follow_the_setting_with_a_reserve_for_the_inner_entrance() -> None:
    text = configuration(proxy={"max_connections": 700})
    assert "\n    maxconn 800\n" in text
    assert text.count("\n    maxconn 700\n") == 2


def test_domain_is_the_only_name() -> None:
    text = configuration()
    assert f"host_only -i {DOMAIN}" in text
    assert f"ssl_fc_sni -i {DOMAIN}" in text


def test_without_an_api_nothing_leads_to_one() -> None:
    assert "api:5555" not in configuration(api={"own_host": "api.example.test"})
    assert "api.example.test" not in configuration(api={"own_host": "api.example.test"})


def test_an_api_is_found_by_the_name_of_its_service() -> None:
    text = configuration(images=WITH_API)
    assert "server-template api 4 api:5555" in text
    assert text.count("use_backend api if for_api") == 2
    assert "by_own_name" not in text
