"""HAProxy's files; what the rules do is tried on a real one in tests/lab/test_proxy_*.py."""

from __future__ import annotations

import re
from typing import Any

import bcrypt

from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles import proxy
from deploy.roles.context import HostContext
from tests.unit.roles.hosts import DOMAIN, GIVEN, WITH_API, host_context


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


def test_each_list_of_networks_fits_into_haproxy_s_lines() -> None:
    text = configuration(proxy={"trusted_proxies": {"cloudflare": True, "header": "X-Forwarded-For"}})
    assert "2c0f:f248::/32" in text
    # MAX_LINE_ARGS of HAProxy is 64.
    assert max(len(line.split()) for line in text.splitlines() if " acl " in line) < 64


def test_a_password_stands_in_the_configuration_as_its_hash_for_the_proxy_s_eyes_alone() -> None:
    settings: dict[str, Any] = {"proxy": {"admin_access": {"users": {"ada": {"secret": "token"}}}}}
    text = configuration(**settings)
    assert GIVEN["token"] not in text
    (hashed,) = re.findall(r"\n    user ada password (\S+)\n", text)
    assert bcrypt.checkpw(GIVEN["token"].encode(), hashed.encode())
    assert text == configuration(**settings), "a second deploy changes nothing"
    items = {item.path: item for item in proxy.files(host_context(**settings))}
    file = items["/opt/calcom/proxy/haproxy.cfg"]
    assert (file.mode, file.owner, file.group) == ("0640", 0, 99)


def test_hosts_without_ipv6_bind_none() -> None:
    assert ":::443" in configuration()
    host = HostContext(**{**vars(host_context()), "ipv6": False})
    (file,) = [item for item in proxy.files(host) if item.path.endswith("haproxy.cfg")]
    assert isinstance(file, ManagedFile)
    assert b":::" not in file.content


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
