"""HAProxy has nothing to say against the rendered configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docker
import pytest

from tests.lab.certificates import self_signed
from tests.lab.entrance import check_configuration, write_configuration
from tests.unit.roles.hosts import DOMAIN, WITH_API, host_context

pytestmark = pytest.mark.docker

BEHIND_OTHERS = {
    "proxy": {
        "trusted_proxies": {
            "cloudflare": True,
            "header": "X-Forwarded-For",
            "proxy_protocol_networks": ["192.0.2.7"],
        },
        "embed_origins": ["https://*.example.test"],
        "admin_access": {"networks": ["192.0.2.0/24"], "users": {"ada": {"secret": "token"}}},
    }
}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"images": WITH_API, "api": {"own_host": f"api.{DOMAIN}"}, "metrics": {"address": "127.0.0.1"}},
        BEHIND_OTHERS,
    ],
    ids=["as little as can be", "with an API", "behind others"],
)
def test_configuration_is_clean_for_this_haproxy(
    client: docker.DockerClient, haproxy: str, tmp_path: Path, settings: dict[str, Any]
) -> None:
    certificate = self_signed(DOMAIN, f"api.{DOMAIN}")
    folder = write_configuration(tmp_path, host_context(certificate=certificate, **settings))
    output = check_configuration(client, haproxy, folder)
    assert "WARNING" not in output
    assert "ALERT" not in output
