"""The public entrance as a stranger finds it, over the network and TLS."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime

import httpx
import pytest
from cryptography import x509

from deploy import haproxy
from deploy.settings.tls import RED_BELOW
from tests.verify.complaint import complaint, listed
from tests.verify.server import NotSeenError, Server

CLOSED_ALWAYS = (
    ("GET", "/auth/setup", "makes the first administrator"),
    ("POST", "/api/auth/setup", "makes the first administrator"),
    ("GET", "/api/trpc/deploymentSetup/update", "changes the installation"),
    ("POST", "/api/cron/webhookTriggers", "starts periodic work"),
    ("POST", "/api//cron/webhookTriggers", "starts periodic work"),
    ("POST", "/api/%63ron/webhookTriggers", "starts periodic work"),
    ("POST", "/API/Cron/webhookTriggers", "starts periodic work"),
    ("GET", "/api/tasks/cron", "works off the task queue"),
    ("GET", "/api/tasks;x/cron", "works off the task queue"),
)
CLOSED_WITHOUT_SIGN_UP = (
    ("GET", "/signup", "makes an account"),
    ("POST", "/api/auth/signup", "makes an account"),
)


def _ask(
    client: httpx.Client, method: str, path: str, headers: dict[str, str] | None = None
) -> httpx.Response:
    try:
        # The whole address, since a client would join a path that begins with two slashes in its own way.
        return client.request(method, str(client.base_url).rstrip("/") + path, headers=headers)
    except httpx.HTTPError as error:
        raise NotSeenError(
            f"{method} {str(client.base_url).rstrip('/')}{path} got no answer: {error}\n"
            "-> cd /opt/calcom && docker compose ps; docker compose logs --since 15m proxy"
        ) from None


def test_browsers_trust_the_certificate(entrance: Server) -> None:
    context = ssl.create_default_context(cafile=entrance.authority_file)
    problem = None
    try:
        with (
            socket.create_connection((entrance.settings.ssh.address, 443), timeout=5) as connection,
            context.wrap_socket(connection, server_hostname=entrance.settings.domain),
        ):
            pass
    except OSError as error:
        problem = str(error)
    whose = (
        "the inventory's own authority" if entrance.authority_file else "an authority that this machine knows"
    )
    assert problem is None, complaint(
        f"the certificate of {entrance.settings.domain} is not vouched for by {whose}: {problem}",
        why="browsers warn or refuse, webhooks and embeds fail without a word",
        fix="internal: calstack deploy renews it; provided: is the chain complete, in order, and in date?; "
        "acme: where browsers do not know its root, tls.acme.issuer_ca_file has to name it",
    )


def test_the_certificate_names_the_domain(entrance: Server) -> None:
    names = (
        entrance.certificate()
        .extensions.get_extension_for_class(x509.SubjectAlternativeName)
        .value.get_values_for_type(x509.DNSName)
    )
    domain = entrance.settings.domain
    covered = domain in names or f"*.{domain.partition('.')[2]}" in names
    assert covered, complaint(
        f"the certificate is for {listed(names)}, not for {domain}",
        why="browsers refuse it",
        fix="calstack deploy; in mode provided first put one that carries the domain at tls.certificate_file",
    )


def test_the_certificate_lasts(entrance: Server) -> None:
    certificate = entrance.certificate()
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    # A share of the lifetime and not a number of days, since certificates of six days exist.
    assert left > RED_BELOW * lifetime, complaint(
        f"the certificate ends in {left.days} days, on {certificate.not_valid_after_utc:%Y-%m-%d}",
        why="its renewal is due for long and did not happen; once it ends nobody can book",
        fix={
            "internal": "calstack deploy makes a new one",
            "provided": "put the new files in place, then calstack deploy",
            "acme": "tail /var/log/calcom/certificate.log on the host says why; docs/certificates.md",
        }[entrance.settings.tls.mode],
    )


def test_a_restart_would_find_the_certificate_that_is_served(server: Server) -> None:
    wrong = server.found("certificate")["wrong"]
    assert wrong is None, complaint(
        wrong,
        why="visitors are refused, or will be after the proxy's next start",
        fix="calstack certificate renew; docs/certificates.md says what the line means",
    )


def test_http_leads_to_https(entrance: Server) -> None:
    with entrance.plain_client() as client:
        answer = _ask(client, "GET", "/some/page?x=1")
    target = answer.headers.get("location", "")
    assert answer.status_code in (301, 308), complaint(
        f"http answers {answer.status_code} instead of sending people to https",
        why="passwords and bookings would travel in clear",
        fix="calstack deploy",
    )
    assert target == f"{entrance.settings.public_url}/some/page?x=1", complaint(
        f"http sends people to {target!r}", why="the link that they followed is lost", fix="calstack deploy"
    )


def test_the_app_answers_in_the_version_of_the_settings(app: Server) -> None:
    with app.public_client() as client:
        answer = _ask(client, "GET", "/api/version")
    assert answer.status_code == 200, complaint(
        f"/api/version answers {answer.status_code}",
        why="the app behind the proxy does not work",
        fix="cd /opt/calcom && docker compose ps; docker compose logs --since 15m web",
    )
    running = answer.json()["version"]
    assert running == app.settings.app.version, complaint(
        f"Cal.com {running} answers, the settings say {app.settings.app.version}",
        why="calstack talks to it in the way of the other version",
        fix="make app.version and images.web agree, then calstack deploy",
    )


def test_guests_are_let_in(entrance: Server) -> None:
    maintenance = entrance.maintenance
    assert maintenance is None, complaint(
        maintenance.told() if maintenance else "",
        why="nobody can book; all else is checked behind that page",
        fix="calstack maintenance off, once the work is done",
    )


def test_the_limits_of_the_settings_are_in_force(entrance: Server) -> None:
    there = haproxy.map_entries(entrance.found("limits"))
    wanted = entrance.settings.rate_limits.amounts()
    different = sorted(name for name in {*there, *wanted} if there.get(name) != wanted.get(name))
    assert not different, complaint(
        f"the running proxy has other limits than the settings: {listed(different)}",
        why="floods come through, or guests are refused",
        fix="calstack limits show tells both; calstack deploy",
    )


def test_the_sign_in_page_is_there(app: Server) -> None:
    with app.public_client() as client:
        answer = _ask(client, "GET", "/auth/login")
    assert answer.status_code == 200, complaint(
        f"/auth/login answers {answer.status_code}, leading to {answer.headers.get('location', 'nowhere')}",
        why="307 to /auth/setup: there is no administrator yet; 5xx: the app does not reach its database",
        fix="calstack deploy makes the administrator; docker compose logs --since 15m web db tells the rest",
    )


@pytest.mark.parametrize("page", ["/embed/embed.js", "/auth/login"])
def test_pages_and_embeds_carry_the_public_address(app: Server, page: str) -> None:
    with app.public_client() as client:
        answer = _ask(client, "GET", page)
    assert "localhost:3000" not in answer.text, complaint(
        f"{page} points at localhost:3000",
        why="the image is built for that address and patched at each start of its container (FACTS §0.9): "
        "links, sign-in and embeds lead nowhere",
        fix="docker compose up -d --force-recreate web on the host; its log says why the patch failed",
    )
    if page.endswith(".js"):
        assert answer.status_code == 200, complaint(
            f"{page} answers {answer.status_code}",
            why="no other site can embed a booking page",
            fix="docker compose logs --since 15m web proxy on the host",
        )


def test_strangers_can_neither_set_up_nor_start_periodic_work_nor_sign_up(entrance: Server) -> None:
    closed = list(CLOSED_ALWAYS)
    if entrance.settings.app.sign_up == "closed":
        closed += CLOSED_WITHOUT_SIGN_UP
    passed = []
    with entrance.public_client() as client:
        for method, path, what in closed:
            answer = _ask(client, method, path)
            # The proxy refuses in plain text; whatever else answers is the app.
            refused = answer.status_code in (400, 403, 404) and answer.headers.get(
                "content-type", ""
            ).startswith("text/plain")
            if not refused:
                passed.append(f"{method} {path}, which {what}, answers {answer.status_code}")
    assert not passed, complaint(
        f"open to the world: {listed(passed)}",
        why="a stranger can take over the instance or keep it busy",
        fix="calstack deploy; then: docker compose logs --since 15m proxy shows such requests",
    )


def test_visitors_over_ipv6_are_told_apart(server: Server) -> None:
    visitor = server.found("ipv6_visitor")
    if visitor is None:
        return
    assert visitor["seen"] == visitor["address"], complaint(
        f"a visitor from {visitor['address']} is seen as {visitor['seen']}",
        why="all visitors over IPv6 share one address in limits, bans and logs",
        fix='put "experimental": true and "ip6tables": true into /etc/docker/daemon.json, restart docker '
        "and the proxy; or let calstack do it: docker.source: distribution",
    )


@pytest.mark.parametrize("header", ["X-Real-IP", "CF-Connecting-IP", "X-Forwarded-For"])
def test_nobody_can_pretend_to_come_from_elsewhere(app: Server, header: str) -> None:
    forged = "192.0.2.77"  # RFC 5737: documentation only, so nobody comes from there
    with app.public_client() as client:
        answer = _ask(client, "GET", "/api/ip", {header: forged})
    assert forged not in answer.text, complaint(
        f"the app believes the client's own {header}",
        why="bans and limits by address can be walked around, and logs lie",
        fix="calstack deploy",
    )
