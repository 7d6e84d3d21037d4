from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.errors import InputError
from deploy.settings.load import load_inventory
from deploy.settings.model import Image
from tests.unit.settings.folders import DEFAULTS, HOST, inventory_in

ACME = "tls: {acme: {email: a@b.example, "
DNS = f"{ACME}challenge: dns-01, dns_provider: cloudflare, "
WITH_API = "images: {api: {reference: 'calcom-api:6.2.0'}, cache: {reference: 'redis:7.4.6'}}\n"
DIGEST = "sha256:" + "a" * 64


def told(
    tmp_path: Path, *, host: str = HOST.format(number=1), more: str = "", defaults: str = DEFAULTS
) -> str:
    """What a user reads about an inventory of one host."""
    folder = tmp_path / "inventory"
    (folder / "hosts").mkdir(parents=True)
    (folder / "defaults.yaml").write_text(defaults)
    (folder / "hosts/cal1.yaml").write_text(host + more)
    with pytest.raises(InputError) as caught:
        load_inventory(str(folder))
    return str(caught.value)


@pytest.mark.parametrize(
    ("domain", "says"),
    [
        ("https://cal.example.org", "scheme"),
        ("cal.example.org/", "slash"),
        ("cal.example.org:443", "port"),
        ("Cal.example.org", "capital"),
        ("cal.example.org.", "dot"),
        ("cal|x.example.org", "not a DNS name"),
        ("cal&x.example.org", "not a DNS name"),
        ("cal_x.example.org", "not a DNS name"),
        ("-cal.example.org", "not a DNS name"),
        ("cal..example.org", "not a DNS name"),
        ("a" * 64 + ".example.org", "not a DNS name"),
        ("kalender.über.example", "xn--"),
        ("localhost", "not a full DNS name"),
        ("203.0.113.7", "is an address"),
        ("book.medical.com", "ends in cal.com"),
        ("cal.com", "ends in cal.com"),
        ("my.cal.dev", "ends in cal.dev"),
        ("lab.cal.qa", "ends in cal.qa"),
        ("vertical.eu", "ends in cal.eu"),
        ("x.cal-staging.com", "ends in cal-staging.com"),
        ("cal.company.example", "begins with cal.com"),
    ],
)
def test_domains_that_break_cal_com_are_refused(tmp_path: Path, domain: str, says: str) -> None:
    text = told(tmp_path, host=HOST.format(number=1).replace("cal1.example.org", f'"{domain}"'))
    assert "cal1.yaml:3: domain:" in text
    assert says in text


@pytest.mark.parametrize("domain", ["cal.example.org", "a-b.c.example", "xn--ber-goa.example"])
def test_ordinary_domains_are_taken(tmp_path: Path, domain: str) -> None:
    folder = tmp_path / "inventory"
    inventory_in(folder)
    host = folder / "hosts/cal1.yaml"
    host.write_text(host.read_text().replace("cal1.example.org", domain))
    assert load_inventory(str(folder)).hosts["cal1"].public_url == f"https://{domain}"


@pytest.mark.parametrize("version", ["6.0.6", "5.9.8", "4.0.0", "6.0.0"])
def test_versions_with_the_account_takeover_are_refused(tmp_path: Path, version: str) -> None:
    defaults = DEFAULTS.replace("v6.2.0", f"v{version}")
    text = told(tmp_path, defaults=defaults, more=f"app: {{version: {version}}}\n")
    assert "app.version" in text
    assert "CVE-2026-23478" in text


def test_an_older_version_is_deployed_with_a_warning(tmp_path: Path) -> None:
    defaults = DEFAULTS.replace("v6.2.0", "v6.1.3")
    inventory = inventory_in(tmp_path, defaults=defaults, more="app: {version: 6.1.3}\n")
    assert inventory.warnings == (
        "cal1: app.version 6.1.3 is older than 6.2.0, the last release with its fixes",
    )
    assert inventory_in(tmp_path / "current").warnings == ()


@pytest.mark.parametrize(
    ("more", "key", "says"),
    [
        ("app: {version: v6.2.0}\n", "app.version", 'write "6.2.0"'),
        ("app: {version: 6.2}\n", "app.version", "put the value in quotes"),
        ("app: {version: 6.1.0}\n", "images.web.reference", "is Cal.com 6.2.0, but app.version says 6.1.0"),
        ("app: {sign_up: close}\n", "app.sign_up", "did you mean closed?"),
        ("app: {memory_mb: 100}\n", "app.memory_mb", "at least 768, not 100"),
        ('app: {memory_mb: "2048"}\n', "app.memory_mb", "leave the quotes out"),
        ("app: {memory_mb: 2048.5}\n", "app.memory_mb", "whole number"),
        ("app: {memory: 2048}\n", "app.memory", "did you mean app.memory_mb?"),
        ("prxoy: {}\n", "prxoy", "did you mean proxy?"),
        (
            "memory_mb: 4\n",
            "memory_mb",
            "did you mean app.memory_mb or api.memory_mb or database.memory_mb or proxy.memory_mb?",
        ),
        ("proxy:\n", "proxy", "is empty"),
        ("proxy: 7\n", "proxy", "section with keys"),
        ("proxy: {inner_port: 80}\n", "proxy.inner_port", "at least 1024"),
        ("tls: {hsts: 1}\n", "tls.hsts", "true or false"),
        ("tls: {hsts: yes}\n", "tls.hsts", "true or false, not text"),
        ("tls: {mode: provided}\n", "tls.certificate_file", "mode provided needs"),
        ("tls: {mode: provided}\n", "tls.key", "calstack secrets set tls_key"),
        ("tls: {key: !secret x}\n", "tls.key", "no meaning in mode internal"),
        ("tls: {mode: provided, key: plain}\n", "tls.key", "section"),
        ("tls: {mode: acme}\n", "tls.acme", "mode acme needs an address for the account"),
        ("tls: {mode: acme, acme: {email: a@b.example}}\n", "images.acme", "tls.mode acme needs lego"),
        ("tls: {acme: {email: x}}\n", "tls.acme.email", "not an e-mail address"),
        (f"{ACME}directory: http://ca.example/dir}}}}\n", "tls.acme.directory", "not the https address"),
        (f"{ACME}challenge: tls-alpn-01}}}}\n", "tls.acme.challenge", "http-01"),
        (f"{ACME}challenge: dns-01}}}}\n", "tls.acme.dns_provider", "challenge dns-01 needs it"),
        (f"{ACME}dns_provider: x}}}}\n", "tls.acme.dns_provider", "no meaning with challenge http-01"),
        (f"{DNS}dns_env: {{CF_TOKEN: x}}}}}}\n", "tls.acme.dns_env.CF_TOKEN", "in plain text"),
        (f"{DNS}dns_env: {{CF_TOKEN_FILE: x}}}}}}\n", "tls.acme.dns_env.CF_TOKEN_FILE", "names a file"),
        (f"{DNS}dns_env: {{LEGO_SERVER: x}}}}}}\n", "tls.acme.dns_env.LEGO_SERVER", "set by calstack"),
        (f"{DNS}dns_env: {{lower: x}}}}}}\n", "tls.acme.dns_env.lower", "not the name"),
        (f"{DNS}dns_resolvers: [192.0.2.1]}}}}\n", "tls.acme.dns_resolvers[0]", "address and port"),
        (f"{ACME}eab_key_id: x}}}}\n", "tls.acme.eab_key_id", "without eab_hmac"),
        (f"{ACME}issuer_ca_file: no.pem}}}}\n", "tls.acme.issuer_ca_file", "not there"),
        ("docker: {compose_file: c}\n", "docker.compose_file", "vendor's packages bring Compose"),
        ("base: {packages: vim}\n", "base.packages", "must be a list"),
        ("base: {packages: [vim, 'rm -rf']}\n", "base.packages[1]", "not the name of a Debian package"),
        ("jobs: {ping_url: ftp://x}\n", "jobs.ping_url", "not an http or https address"),
        ("jobs: {ping_url: 5}\n", "jobs.ping_url", "must be text, or !secret NAME, not the number 5"),
        ("app: {ca_file: missing.pem}\n", "app.ca_file", "not there"),
        ("app: {ca_file: ~root/x.pem}\n", "app.ca_file", "another user's home"),
        ("app: {ca_file: !secret x}\n", "app.ca_file", "must be text"),
        ("app: {env: {A: !secret Bad-Name}}\n", "app.env.A", "not a name of a secret"),
        ("app: {env: {A: 3}}\n", "app.env.A", "put the value in quotes"),
        ("app: {env: {A: true}}\n", "app.env.A", "put the value in quotes"),
        ("app: {env: {A: [x]}}\n", "app.env.A", "must be text, or !secret NAME"),
        ("app: {env: {A: {secrte: x}}}\n", "app.env.A", "must be text, or !secret NAME"),
        ("app: {env: {JWT_SECRET: !secret x}}\n", "app.env.JWT_SECRET", "calstack makes and keeps it"),
        ("images: {api: {reference: 'redis:7.4.6'}}\n", "images.api", "stands there without cache"),
        ("images: {cache: {reference: 'redis:7.4.6'}}\n", "images.cache", "stands there without api"),
        (f"{WITH_API}database: {{max_connections: 39}}\n", "database.max_connections", "at least 40"),
        ("api: {own_host: cal1.example.org}\n", "api.own_host", "is the name of the instance itself"),
        ("api: {own_host: https://api.example.org}\n", "api.own_host", "scheme"),
        ("channel: api\n", "channel", "there is none without images.api"),
        ("rate_limits: {api: {limit: 0}}\n", "rate_limits.api.limit", "at least 1"),
        ("rate_limits: {api: {keys: [{limit: 3}]}}\n", "rate_limits.api.keys[0].note", "is missing"),
        (
            "rate_limits: {api: {keys: [{note: a, limit: 3}, {note: a, limit: 4}]}}\n",
            "rate_limits.api.keys",
            "twice",
        ),
        (
            "rate_limits: {api: {keys: [{note: calstack, limit: 3}]}}\n",
            "rate_limits.api.keys[0].note",
            "calstack's own key",
        ),
    ],
)
def test_refusals_name_the_key_and_what_to_do(tmp_path: Path, more: str, key: str, says: str) -> None:
    text = told(tmp_path, more=more)
    assert f" {key}: " in text
    assert says in text
    assert "pydantic" not in text.lower()
    assert "Input should" not in text


def test_the_api_is_optional_and_known_by_its_image(tmp_path: Path) -> None:
    without = inventory_in(tmp_path / "without").hosts["cal1"]
    assert not without.has_api
    assert without.names == ("cal1.example.org",)
    host = inventory_in(tmp_path / "with", more=WITH_API).hosts["cal1"]
    assert host.has_api
    assert host.api_url == "https://cal1.example.org/api"
    more = f"{WITH_API}api: {{own_host: api1.example.org}}\n"
    own = inventory_in(tmp_path / "own", more=more).hosts["cal1"]
    assert own.names == ("cal1.example.org", "api1.example.org")
    assert own.api_url == "https://api1.example.org"


def test_settings_of_an_api_that_is_not_there_are_pointed_out(tmp_path: Path) -> None:
    more = "api: {own_host: api1.example.org}\nrate_limits: {api: {limit: 5}}\n"
    inventory = inventory_in(tmp_path, more=more)
    assert inventory.warnings == (
        "cal1: api has no effect without images.api",
        "cal1: rate_limits.api has no effect without images.api",
    )
    assert inventory.hosts["cal1"].names == ("cal1.example.org",)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("  address: root@server\n", "ssh.user"),
        ("  address: server:2222\n", "ssh.port"),
        ("  address: ssh://server\n", "not a host name"),
        ("  address: ''\n", "not a host name"),
        ("  address: 7\n", "put the value in quotes"),
        ("  address:\n", "is empty"),
        ("  address: server\n  port: 0\n", "at least 1"),
        ("  address: server\n  port: 70000\n", "at most 65535"),
        ("  adress: server\n", "did you mean ssh.address?"),
    ],
)
def test_ssh_is_checked(tmp_path: Path, line: str, says: str) -> None:
    assert says in told(tmp_path, host=HOST.format(number=1).replace("  address: 203.0.113.1\n", line))


def test_an_ipv6_address_is_not_taken_for_a_port(tmp_path: Path) -> None:
    inventory_in(tmp_path)
    host = tmp_path / "hosts/cal1.yaml"
    host.write_text(host.read_text().replace("203.0.113.1", '"2001:db8::1"'))
    assert load_inventory(str(tmp_path)).hosts["cal1"].ssh.address == "2001:db8::1"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("  email: Ada <ada@example.org>\n", "display name"),
        ("  email: ada\n", "not an e-mail address"),
        ("  email: ada@localhost\n", "not an e-mail address"),
        ("  email: a@example.org\n  time_zone: Berlin\n", "not an IANA time zone"),
        ("  email: a@example.org\n  time_zone: Europe/Berln\n", "did you mean Europe/Berlin?"),
        ("  email: a@example.org\n  username: Ada\n", "small letters"),
        ("  email: a@example.org\n  name: Al\n", "three characters"),
    ],
)
def test_the_administrator_is_checked(tmp_path: Path, line: str, says: str) -> None:
    assert says in told(tmp_path, host=HOST.format(number=1).replace("  email: admin@example.org\n", line))


def test_the_administrators_address_is_kept_as_cal_com_keeps_it(tmp_path: Path) -> None:
    inventory_in(tmp_path)
    host = tmp_path / "hosts/cal1.yaml"
    host.write_text(host.read_text().replace("admin@example.org", "Ada@Example.org"))
    assert load_inventory(str(tmp_path)).hosts["cal1"].admin.email == "ada@example.org"


@pytest.mark.parametrize(
    ("smtp", "key", "says"),
    [
        ("{}", "smtp", "names no way to send mail"),
        ("{from_name: X}", "smtp", "names no way to send mail"),
        ("{host: m, url: 'smtp://m'}", "smtp.host", "stands beside url"),
        ("{host: m, resend_api_key: !secret r}", "smtp.resend_api_key", "stands beside host"),
        ("{url: 'smtp://m', port: 25}", "smtp.port", "belongs into the URL"),
        ("{url: 'smtp://m', user: u}", "smtp.user", "belongs into the URL"),
        ("{url: 'smtp://u@m'}", "smtp.url", "no password"),
        ("{url: 'smtp://m', password: !secret p}", "smtp.url", "names no user"),
        ("{url: 'smtp://u:hunter22@m'}", "smtp.url", "password in plain text"),
        ("{url: 'http://m'}", "smtp.url", "does not begin with smtp://"),
        ("{url: 'smtp://'}", "smtp.url", "names no mail server"),
        ("{url: 'smtp://m:x'}", "smtp.url", "not a URL"),
        ("{url: 'smtp://m/path'}", "smtp.url", "behind the host and port"),
        ("{url: 'smtp://m?tls=1'}", "smtp.url", "behind the host and port"),
        ("{url: 'smtp://m:465'}", "smtp.url", "write smtps://"),
        ("{url: 'smtps://m:587'}", "smtp.url", "port 465 alone"),
        ("{host: m, user: u}", "smtp.user", "without password"),
        ("{host: m, password: !secret p}", "smtp.password", "without user"),
        ("{host: m, password: hunter22}", "smtp.password", "section"),
        ("{resend_api_key: !secret r, port: 25}", "smtp.port", "no meaning beside resend_api_key"),
        ("{host: m, from_address: 'Cal <c@example.org>'}", "smtp.from_address", "wrap a second time"),
    ],
)
def test_mail_has_exactly_one_sound_form(tmp_path: Path, smtp: str, key: str, says: str) -> None:
    text = told(tmp_path, more=f"smtp: {smtp}\n")
    assert f"cal1.yaml:6: {key}: " in text
    assert says in text
    assert "hunter22" not in text


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("NEXTAUTH_SECRET", "!secret x", "calstack makes and keeps it"),
        ("CALENDSO_ENCRYPTION_KEY", "!secret x", "calstack makes and keeps it"),
        ("EMAIL_FROM", "a@example.org", "smtp.from_address"),
        ("NEXT_PUBLIC_WEBAPP_URL", "https://x", "follows from `domain`"),
        ("NEXT_PUBLIC_DISABLE_SIGNUP", '"true"', "app.sign_up"),
        ("database_url", "x", "calstack writes it"),
        ("NODE_EXTRA_CA_CERTS", "/x", "app.ca_file"),
        ("BUILT_NEXT_PUBLIC_WEBAPP_URL", "https://x", "belongs to the image"),
        ("NODE_TLS_REJECT_UNAUTHORIZED", '"0"', "switches off the verification"),
        ("IS_E2E", '"true"', "licence check"),
        ("GET_LICENSE_KEY_URL", "https://x", "licence"),
        ("ZOOM_CLIENT_SECRET_FILE", "/run/x", "ZOOM_CLIENT_SECRET: !secret zoom_client_secret"),
        ("ZOOM_CLIENT_SECRET", "hunter22", "calstack secrets set zoom_client_secret"),
        ("DAILY_API_KEY", "hunter22", "!secret daily_api_key"),
        ("SOME_PASSWORD", "hunter22", "plain text"),
        ("GOOGLE_WEBHOOK_TOKEN", "hunter22", "plain text"),
        ("GOOGLE_API_CREDENTIALS", "'{}'", "!secret google_api_credentials"),
        ("SAML_DATABASE_URL", "postgres://u:hunter22@h/d", "plain text"),
        ("A", '"two\\nlines"', "line break"),
        ("MIT BLANK", "x", "not the name of an environment variable"),
    ],
)
def test_variables_that_are_not_the_users_are_refused(
    tmp_path: Path, name: str, value: str, says: str
) -> None:
    text = told(tmp_path, more=f"app:\n  env:\n    GOOD: x\n    {name}: {value}\n")
    assert f"cal1.yaml:9: app.env.{name}: " in text
    assert says in text
    assert "hunter22" not in text


@pytest.mark.parametrize(
    "line",
    [
        "ZOOM_CLIENT_ID: abc",
        "ZOOM_CLIENT_SECRET: !secret zoom",
        "NEXT_PUBLIC_VAPID_PUBLIC_KEY: BPx",
        'NEXT_PUBLIC_CLOUDFLARE_USE_TURNSTILE_IN_BOOKER: "1"',
        'GOOGLE_LOGIN_ENABLED: "true"',
        "NEXT_PUBLIC_SUPPORT_MAIL_ADDRESS: help@example.org",
        "NEXT_PUBLIC_WEBSITE_TERMS_URL: https://example.org/terms",
    ],
)
def test_variables_of_apps_are_taken(tmp_path: Path, line: str) -> None:
    assert inventory_in(tmp_path, more=f"app:\n  env:\n    {line}\n").hosts["cal1"].app.env


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("haproxy", "neither tag nor digest"),
        ("haproxy:latest", "latest"),
        ("registry.example.org:5000/haproxy", "neither tag nor digest"),
        ("haproxy:3.2@sha256:abc", "64 hexadecimal digits"),
        ("haproxy:3.2@md5:" + "a" * 64, "64 hexadecimal digits"),
        ("HAProxy:3.2", "not an image reference"),
        ("haproxy 3.2", "not an image reference"),
    ],
)
def test_images_that_mean_something_else_tomorrow_are_refused(
    tmp_path: Path, reference: str, says: str
) -> None:
    text = told(tmp_path, defaults=DEFAULTS.replace("haproxy:3.2.4", f'"{reference}"'))
    assert "defaults.yaml:7: images.proxy.reference: " in text
    assert says in text


@pytest.mark.parametrize(
    "reference",
    [
        "haproxy:3.2.4",
        f"haproxy@{DIGEST}",
        f"haproxy:latest@{DIGEST}",
        "registry.example.org:5000/team/haproxy:3.2",
        f"calcom/cal.com:v6.2.0@{DIGEST}",
        "calstack-lab/calcom:6.2.0",
    ],
)
def test_pinned_images_are_taken(reference: str) -> None:
    assert Image(reference=reference).for_architecture("amd64") == reference


def test_an_archive_is_not_asked_for_at_the_registry(tmp_path: Path) -> None:
    more = "images:\n  proxy:\n    archive: x.tar\n    pull: always\n"
    assert "images.proxy.pull: always asks the registry" in told(tmp_path, more=more)


def test_the_tag_follows_the_hosts_processor() -> None:
    both = Image(reference="calcom/cal.com:v6.2.0", reference_arm64="calcom/cal.com:v6.2.0-arm")
    assert both.for_architecture("amd64") == "calcom/cal.com:v6.2.0"
    assert both.for_architecture("arm64") == "calcom/cal.com:v6.2.0-arm"
    assert Image(reference="postgres:17.6").for_architecture("arm64") == "postgres:17.6"


@pytest.mark.parametrize(
    ("reference", "architecture", "says"),
    [
        ("calcom/cal.com:v6.2.0", "arm64", "reference_arm64"),
        (f"docker.example.org/calcom/cal.com:v6.2.0@{DIGEST}", "arm64", "reference_arm64"),
        ("calcom/cal.com:v6.2.0-arm", "amd64", "without -arm"),
    ],
)
def test_an_image_for_another_processor_is_refused(reference: str, architecture: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        Image(reference=reference).for_architecture(architecture)
    assert says in str(caught.value)


@pytest.mark.parametrize(("key", "value"), [("domain", 7), ("ssh", None), ("domain", [1]), ("ssh", "text")])
def test_wrong_kinds_are_told_in_plain_words(tmp_path: Path, key: str, value: Any) -> None:
    lines = {"ssh": "ssh: {address: server}\n", "domain": "domain: cal.example.org\n"}
    lines[key] = f"{key}: {'' if value is None else value}\n"
    text = told(tmp_path, host="".join(lines.values()) + "admin: {email: a@example.org}\n")
    assert f" {key}: " in text
    assert "Input should" not in text


@pytest.mark.parametrize(
    ("metrics", "says"),
    [
        ("address: 0.0.0.0", "every address"),
        ("address: '::'", "every address"),
        ("address: 8.8.8.8", "public"),
        ("address: '2606:4700::1'", "public"),
        ("address: 224.0.0.1", "public"),
        ("address: localhost", "not an address"),
        ("address: 10.0.0.0/8", "not an address"),
        ("address: 127.0.0.1, port: 80", "1024"),
        ("address: 127.0.0.1, port: 8080", "inner entrance"),
    ],
)
def test_figures_are_for_private_addresses_alone(tmp_path: Path, metrics: str, says: str) -> None:
    assert says in told(tmp_path, more=f"metrics: {{{metrics}}}\n")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.5", "100.64.3.4", "fd00::5", "::1"])
def test_figures_may_be_at_a_private_address(tmp_path: Path, address: str) -> None:
    inventory = inventory_in(tmp_path, more=f"metrics: {{address: '{address}'}}\n")
    assert inventory.hosts["cal1"].metrics.address == address


TURNSTILE = "app: {turnstile: {site_key: '0x4', secret: !secret turnstile}}\n"


def test_cal_com_s_own_image_has_no_widget(tmp_path: Path) -> None:
    text = told(tmp_path, more=f"{TURNSTILE}images: {{web: {{reference: 'calcom/cal.com:v6.2.0'}}}}\n")
    assert "app.turnstile" in text
    assert "NEXT_PUBLIC_CLOUDFLARE_SITEKEY" in text


def test_both_keys_of_a_turnstile_stand_together(tmp_path: Path) -> None:
    assert "secret" in told(tmp_path, more="app: {turnstile: {site_key: '0x4'}}\n")


RESTIC = DEFAULTS + "  restic: {reference: 'restic/restic:0.19.1'}\n"
OFFSITE = "far: {url: 'rest:https://nas.example.org/cal'}"


def test_backups_that_a_lost_host_takes_along_are_a_warning(tmp_path: Path) -> None:
    here = "backups: {repositories: {here: {url: /var/backups/calcom}%s}}\n"
    (warning,) = inventory_in(tmp_path / "here", defaults=RESTIC, more=here % "").warnings
    assert "a lost host takes its backups along" in warning
    assert inventory_in(tmp_path / "both", defaults=RESTIC, more=here % f", {OFFSITE}").warnings == ()
    assert inventory_in(tmp_path / "none").warnings == ()
    assert inventory_in(tmp_path / "lab", defaults=f"{RESTIC}lab: {{}}\n", more=here % "").warnings == ()
