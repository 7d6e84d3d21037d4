from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.errors import InputError
from deploy.onhost.certificate.settings import Settings
from deploy.rendering import ManagedDirectory, ManagedFile
from deploy.roles import certificate, proxy
from deploy.roles.context import HostContext
from tests.unit.roles.hosts import DOMAIN, GIVEN, IMAGES, WITH_API, host_context

LEGO = {"acme": {"reference": "goacme/lego:v4.35.2"}}


def acme_host(
    *, images: dict[str, Any] = IMAGES, api: dict[str, Any] | None = None, **acme: Any
) -> HostContext:
    return host_context(
        certificate=None,
        tls={"mode": "acme", "acme": {"email": "ada@example.test", **acme}},
        images=images | LEGO,
        api=api or {},
    )


def environment(host: HostContext) -> str:
    (file,) = [item for item in certificate.files(host) if item.path == "/opt/calcom/acme.env"]
    assert isinstance(file, ManagedFile)
    assert (file.mode, file.secret) == ("0600", True)
    return file.content.decode()


def options(host: HostContext) -> str:
    return " ".join(certificate.job(host)["certificate"]["acme"]["options"])


def test_other_modes_need_nothing_of_lego() -> None:
    assert certificate.files(host_context()) == []
    described = certificate.job(host_context())["certificate"]
    assert (described["mode"], described["acme"]) == ("internal", None)


def test_account_and_keys_are_for_lego_alone() -> None:
    (folder,) = [item for item in certificate.files(acme_host()) if isinstance(item, ManagedDirectory)]
    assert (folder.path, folder.mode, folder.owner) == ("/opt/calcom/acme", "0700", 65532)


def test_http_01_is_the_default_and_asks_lets_encrypt() -> None:
    host = acme_host()
    assert "LEGO_SERVER=https://acme-v02.api.letsencrypt.org/directory\n" in environment(host)
    assert options(host) == f"--accept-tos --key-type ec256 --domains {DOMAIN} --http --http.port :5002"


def test_every_name_is_asked_for() -> None:
    host = acme_host(images=WITH_API, api={"own_host": "api1.example.test"})
    assert f"--domains {DOMAIN} --domains api1.example.test" in options(host)


def test_credentials_stand_in_the_environment_alone() -> None:
    host = acme_host(
        challenge="dns-01",
        dns_provider="cloudflare",
        dns_env={"CF_DNS_API_TOKEN": {"secret": "token"}, "CF_TTL": "120"},
        dns_resolvers=["192.0.2.53:53"],
        dns_wait_seconds=90,
        eab_key_id="kid-1",
        eab_hmac={"secret": "binding"},
    )
    said = environment(host)
    assert f"CF_DNS_API_TOKEN={GIVEN['token']}\nCF_TTL=120\n" in said
    assert f"LEGO_EAB=true\nLEGO_EAB_KID=kid-1\nLEGO_EAB_HMAC={GIVEN['binding']}\n" in said
    assert "--dns cloudflare --dns.resolvers 192.0.2.53:53 --dns.propagation-wait 90s" in options(host)
    assert "--http" not in options(host)
    described = str(certificate.job(host))
    assert not [value for value in (GIVEN["token"], GIVEN["binding"]) if value in described]


def test_value_of_several_lines_is_refused_without_showing_it() -> None:
    host = acme_host(challenge="dns-01", dns_provider="x", dns_env={"X_NAME": "one\ntwo"})
    with pytest.raises(InputError, match="X_NAME contains a line break") as caught:
        certificate.files(host)
    assert "two" not in str(caught.value)


def test_a_certificate_is_for_names_server_account_key_and_profile() -> None:
    def wanted(host: HostContext) -> str:
        return str(certificate.job(host)["certificate"]["acme"]["wanted"])

    hosts = [
        acme_host(),
        acme_host(email="bob@example.test"),
        acme_host(directory="staging"),
        acme_host(key_type="ec384"),
        acme_host(profile="shortlived"),
        acme_host(images=WITH_API, api={"own_host": "api1.example.test"}),
    ]
    assert len({wanted(host) for host in hosts}) == len(hosts)
    dns = acme_host(challenge="dns-01", dns_provider="cloudflare")
    assert wanted(dns) == wanted(acme_host()), "how the proof is given does not matter"


def test_onhost_reads_what_is_written_for_it() -> None:
    read = Settings.from_json(certificate.job(acme_host())["certificate"])
    assert read.entrance == ("127.0.0.1", 443)
    assert read.acme is not None
    assert read.acme.folder == Path("/opt/calcom/acme")


def test_the_proxy_s_digest_does_not_depend_on_what_the_host_renews_itself() -> None:
    host = acme_host()
    assert not [item for item in proxy.files(host) if item.path.endswith("site.pem")]
    assert proxy.config_digest(host) == proxy.config_digest(acme_host(profile="shortlived"))


def test_the_question_on_port_80_is_passed_on_for_http_01_alone() -> None:
    def configuration(host: HostContext) -> str:
        (file,) = [item for item in proxy.files(host) if item.path.endswith("haproxy.cfg")]
        assert isinstance(file, ManagedFile)
        return file.content.decode()

    asked = configuration(acme_host())
    assert "backend challenge" in asked
    assert "str(calcom-acme)" in asked
    assert "challenge" not in configuration(acme_host(challenge="dns-01", dns_provider="cloudflare"))
    assert "challenge" not in configuration(host_context())
